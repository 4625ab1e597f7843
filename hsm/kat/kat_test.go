// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/hsm"
)

const sample = `[
 {"id":"right","function":"f.echo","inputs":{"data":"ABCD"},"expected":"ABCD","expected_type":"hex"},
 {"id":"wrong","function":"f.echo","inputs":{"data":"ABCD"},"expected":"ABCE","expected_type":"hex"},
 {"id":"longer","function":"f.echo","inputs":{"data":"ABCD"},"expected":"ABCDEF","expected_type":"hex"},
 {"id":"not hex","function":"f.echo","inputs":{"data":"XY"},"expected":"ABCD","expected_type":"hex"},
 {"id":"missing input","function":"f.echo","inputs":{},"expected":"ABCD","expected_type":"hex"},
 {"id":"no expectation","function":"f.echo","inputs":{"data":"ABCD"},"expected_type":"hex"},
 {"id":"refused","function":"f.refuse","inputs":{},"expected":"ERROR","expected_type":"error","reason":"length"},
 {"id":"not refused","function":"f.echo","inputs":{"data":"ABCD"},"expected":"ERROR","expected_type":"error","reason":"length"},
 {"id":"another word","function":"f.refuse","inputs":{},"expected":"ERR0R","expected_type":"error"},
 {"id":"cannot","function":"f.cannot","inputs":{},"expected":"00","expected_type":"hex"},
 {"id":"lacks","function":"f.lacks","inputs":{},"expected":"00","expected_type":"hex"},
 {"id":"nobody","function":"f.nobody","inputs":{},"expected":"00","expected_type":"hex"}
]`

// TestOutcomes: only the right answer, or the right refusal, passes.
func TestOutcomes(t *testing.T) {
	functions := map[string]Function{
		"f.echo": func(_ context.Context, _ Module, in Inputs) (string, error) {
			b, err := in.Bytes("data")
			return Hex(b), err
		},
		"f.refuse": func(context.Context, Module, Inputs) (string, error) { return "", errors.New("no") },
		"f.lacks": func(context.Context, Module, Inputs) (string, error) {
			return "", fmt.Errorf("%w: SM3", hsm.ErrUnsupported)
		},
		"f.cannot": func(context.Context, Module, Inputs) (string, error) { return "", unsupported{"CKM_NOTHING"} },
	}
	want := map[string]Outcome{
		"right": Passed, "refused": Passed, "cannot": Unsupported, "lacks": Unsupported, "nobody": Unsupported, "wrong": Failed, "longer": Failed,
		"not hex": Failed, "missing input": Failed, "no expectation": Failed, "not refused": Failed, "another word": Failed,
	}
	vectors, err := Parse([]byte(sample))
	if err != nil || len(vectors) != len(want) {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		r := Run(t.Context(), nil, functions, v)
		if r.Outcome != want[v.ID] || r.Outcome != Passed && r.Why == "" || v.Family() != "f" {
			t.Errorf("%s: %s (%s)", v.ID, r.Outcome, r.Why)
		}
	}
	for _, bad := range []string{"", "{}", "[1]", `[{"id":"x"}]`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestEveryFunctionHasAName: no name stands in two families.
func TestEveryFunctionHasAName(t *testing.T) {
	n := 0
	for _, family := range families() {
		n += len(family)
	}
	all := Functions()
	if len(all) != n {
		t.Errorf("%d functions of %d have a name of their own", len(all), n)
	}
	for name, f := range all {
		if f == nil || !strings.Contains(name, ".") {
			t.Errorf("%q", name)
		}
	}
}
