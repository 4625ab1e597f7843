// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the operator's transcript anew")

// TestOperatorsNight plays testdata/operator.txt against a running switch: lines
// with "!" are what happens, those with "$" what the operator types, and what follows
// is what is answered. Numbers, times and the width of columns are made the same.
func TestOperatorsNight(t *testing.T) {
	t.Parallel()
	const file = "testdata/operator.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := &operatorsNight{rig: raise(t)}
	var got strings.Builder
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "! "):
			n.happens(strings.Fields(line)[1:])
		case strings.HasPrefix(line, "$ tapswitch "):
			got.WriteString(line + n.types(strings.TrimSpace(strings.TrimPrefix(line, "$ tapswitch "))))
			continue
		case !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "":
			continue // an answer of the last time
		}
		got.WriteString(line)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(text) {
		t.Errorf("%s differs; run with -rewrite and read the diff. Got:\n%s", file, got.String())
	}
	n.startSwitch()
	n.strike()
}

type operatorsNight struct {
	*rig
	rrns []string // of the sales that got stuck
}

// happens carries out what is no command of the operator.
func (n *operatorsNight) happens(words []string) {
	n.t.Helper()
	switch words[0] {
	case "mood":
		mood(n.a, words[1])
	case "sale":
		var amount int64
		if _, err := fmt.Sscan(words[1], &amount); err != nil {
			n.t.Fatal(err)
		}
		n.expect("unionpay", amount, "", "declined", "98")
		n.eventually("an attempt that got no answer", func() bool {
			var it struct {
				RRN   string
				Tries int
			}
			e := call(n.t, "txn", "saf", "list", "-o", "json", "--config", n.path("switch.yaml"))
			last := e.stdout[strings.LastIndex(strings.TrimSpace(e.stdout), "\n")+1:]
			if e.code != 0 || json.Unmarshal([]byte(last), &it) != nil || it.Tries == 0 {
				return false
			}
			n.rrns = append(n.rrns, it.RRN)
			return true
		})
	case "restart":
		if code := n.sw.stop(); code != 0 {
			n.t.Errorf("exit code %d", code)
		}
		n.startSwitch()
	case "stop":
		n.sw.stop()
	case "delivered":
		n.eventually("nothing waits", func() bool { return n.metrics()["tapswitch_saf_depth{}"] == 0 })
	default:
		n.t.Fatalf("%q is nothing that happens", words)
	}
}

// types gives a command to the binary and makes its answer comparable.
func (n *operatorsNight) types(line string) string {
	n.t.Helper()
	for i, rrn := range n.rrns {
		line = strings.ReplaceAll(line, fmt.Sprintf("RRN-%d", i+1), rrn)
	}
	var args []string
	for i, part := range strings.Split(line, `"`) { // every second part was quoted
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	for i, a := range args {
		if a == "switch.yaml" {
			args[i] = n.path(a)
		}
	}
	e := call(n.t, args...)
	out := e.stdout + e.stderr
	if e.code != 0 {
		out += fmt.Sprintf("exit code %d\n", e.code)
	}
	for i, rrn := range n.rrns {
		out = strings.ReplaceAll(out, rrn, fmt.Sprintf("RRN-%d", i+1))
	}
	out = strings.ReplaceAll(out, filepath.Dir(n.path("x"))+"/", "")
	for _, c := range []struct{ this, that string }{
		{`\d{4}-\d\d-\d\dT[0-9:.]+Z`, "TIME"}, {`\b[0-9.]+m?s\b`, "AGE"}, {`(acq-a reversal \w+ AGE) \d+`, "$1 N"}, {`  +`, " "}, {` +\n`, "\n"},
	} {
		out = regexp.MustCompile(c.this).ReplaceAllString(out, c.that)
	}
	return regexp.MustCompile(`(acq-a reversal \w+ AGE) \d+`).ReplaceAllString(out, "$1 N")
}
