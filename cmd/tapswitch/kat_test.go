// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vectorFiles are the known answers that the HSM suite ships.
func vectorFiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../../hsm/hsmtest/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"../../hsm/oda/testdata/emv_oda.json"}
	for _, f := range all {
		if filepath.Base(f) != "rejected.json" { // public values that are wrong
			files = append(files, f)
		}
	}
	if len(files) != 16 {
		t.Fatalf("%d files of vectors, want 16", len(files))
	}
	return files
}

// TestRejectedAnswers: a file of values that are public and wrong fails to the
// last line.
func TestRejectedAnswers(t *testing.T) {
	t.Parallel()
	passed, failed, unsupported, ran := katTotal(t, []string{"../../hsm/hsmtest/testdata/rejected.json"})
	if ran.code != 1 || passed != 0 || failed != 7 || unsupported != 0 {
		t.Errorf("%d passed, %d failed, %d unsupported: %s", passed, failed, unsupported, ran.stderr)
	}
}

// katTotal runs `hsm kat` and returns its counts.
func katTotal(t *testing.T, files []string) (passed, failed, unsupported int, ran ended) {
	t.Helper()
	ran = call(t, append([]string{"hsm", "kat", "--json"}, files...)...)
	lines := strings.Split(strings.TrimSpace(ran.stdout), "\n")
	var last struct {
		Total struct{ Passed, Failed, Unsupported int }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("%v in %+v", err, ran)
	}
	return last.Total.Passed, last.Total.Failed, last.Total.Unsupported, ran
}

// reasonNamed is in the reason of every vector that is unsupported: the mechanism
// that is missing, or the rule that forbids it.
var reasonNamed = regexp.MustCompile(`PKCS#11 has no (standard )?mechanism for (format-preserving|SM)|PCI PIN 3-3 forbids|refused by policy`)

// TestKnownAnswers: what the module computes are the published values, and with
// one digit of every expected value changed not one vector passes.
func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	files := vectorFiles(t)
	passed, failed, unsupported, ran := katTotal(t, files)
	if ran.code != 0 || failed != 0 || passed+unsupported != 1070 || unsupported != 15 {
		t.Errorf("%d passed, %d failed, %d unsupported: %s", passed, failed, unsupported, ran.stderr)
	}
	for _, line := range strings.Split(ran.stdout, "\n") {
		if strings.Contains(line, `"unsupported","`) && !reasonNamed.MatchString(line) {
			t.Errorf("neither the missing mechanism nor the policy is named: %s", line)
		}
	}
	dir := t.TempDir()
	var bent []string
	for _, f := range files {
		bent = append(bent, flipped(t, f, dir))
	}
	p, f, u, ran := katTotal(t, bent)
	if ran.code != 1 || p != 0 || f != passed || u != unsupported {
		t.Errorf("with a digit flipped %d passed, %d failed, %d unsupported; want 0, %d, %d: %s", p, f, u, passed, unsupported, ran.stderr)
	}
	if ran := call(t, "hsm", "kat", "--vectors", filepath.Join(dir, "nothing.json")); ran.code != 1 || !strings.Contains(ran.stderr, "no such file") {
		t.Errorf("%+v", ran)
	}
	if ran := call(t, "hsm", "kat"); ran.code != 2 {
		t.Errorf("%+v", ran)
	}
	none := filepath.Join(dir, "none.json")
	if err := os.WriteFile(none, []byte(`[{"id":"x","function":"of.nobody","inputs":{},"expected":"00","expected_type":"hex"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if ran := call(t, "hsm", "kat", none); ran.code != 1 || !strings.Contains(ran.stderr, "no vector was computed") {
		t.Errorf("%+v", ran)
	}
}

// flipped writes a vector file again with one digit of every expected value
// changed, and returns its name.
func flipped(t *testing.T, file, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for i, v := range all {
		s, _ := v["expected"].(string)
		b := []byte(s)
		at := i % len(b)
		b[at] = map[bool]byte{true: '1', false: '0'}[b[at] == '0']
		v["expected"] = string(b)
	}
	if raw, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(out, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
