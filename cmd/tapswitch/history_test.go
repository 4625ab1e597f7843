// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// ask runs tapswitch history in the stage with something on standard input.
func (r *rig) ask(stdin string, args ...string) (out string, rows []event, code int) {
	r.t.Helper()
	c := exec.Command(program, append([]string{"history"}, args...)...)
	c.Dir, c.Stdin = r.dir, strings.NewReader(stdin)
	b, err := c.CombinedOutput()
	if c.ProcessState == nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			rows = append(rows, e)
		}
	}
	for _, pan := range []string{"6224242300000069", "4761739001010119"} {
		if strings.Contains(string(b), pan) {
			r.t.Errorf("history %v shows a card number", args)
		}
	}
	return string(b), rows, c.ProcessState.ExitCode()
}

// TestHistory: a payment is found by every question after the switch was killed,
// beside a switch and without one, and a history made anew says the same.
func TestHistory(t *testing.T) {
	t.Parallel()
	raise(t).remembers()
}

// remembers is the test of a history, wherever it is.
func (r *rig) remembers() {
	t := r.t
	t.Helper()
	r.expect("unionpay", 1100, "", "approved", "00")
	r.expect("visa", 1200, "", "approved", "00")
	r.expect("visa", 150000, "4321", "declined", "55")
	r.sw.kill()
	r.startSwitch()
	search := func(stdin string, more ...string) []event {
		t.Helper()
		out, rows, code := r.ask(stdin, append([]string{"search", "--config", "switch.yaml", "-o", "json"}, more...)...)
		if code != 0 {
			t.Fatalf("%v: %d %s", more, code, out)
		}
		return rows
	}
	r.eventually("the history has all three", func() bool { return len(search("")) == 3 })
	one := search("6224242300000069\n", "--card-stdin")
	if len(one) != 1 || one[0].number("amount_minor") != 1100 || one[0].text("card") != "622424******0069" || one[0].text("state") != "approved" {
		t.Fatalf("by card: %v", one)
	}
	for _, q := range [][]string{
		{"--token", one[0].text("token"), "--card", "622424******0069"}, {"--rrn", one[0].text("rrn")},
		{"--terminal", "10000001", "--batch", "1", "--trace", "2"}, {"--amount", "1100"}, {"--amount-max", "1199", "--from", "2020-01-01"},
		{"--merchant", one[0].text("merchant"), "--amount-min", "1000", "--amount-max", "1100", "--state", "approved"},
	} {
		if rows := search("", q...); len(rows) != 1 || rows[0].number("id") != one[0].number("id") {
			t.Errorf("%v: %v", q, rows)
		}
	}
	if rows := search("", "--state", "refused"); len(rows) != 1 || rows[0].text("code") != "55" {
		t.Errorf("refused: %v", rows)
	}
	if rows := search("6224242300000077\n", "--card-stdin"); len(rows) != 0 {
		t.Errorf("another card: %v", rows)
	}
	r.refusesWrongQuestions()
	r.stopAll()
	all, _, _ := r.ask("", "search", "--config", "switch.yaml", "-o", "json")
	id := string(json.RawMessage(strings.TrimPrefix(strings.SplitN(all[strings.LastIndex(all, `{"id":`):], ",", 2)[0], `{"id":`)))
	life, _, code := r.ask("", "show", "--config", "switch.yaml", id)
	if code != 0 || !strings.Contains(life, "622424******0069") || !strings.Contains(life, "said_yes") {
		t.Errorf("show: %d\n%s", code, life)
	}
	if out, _, code := r.ask("", "rebuild", "--config", "switch.yaml"); code != 0 || !strings.Contains(out, "3 payments from ") {
		t.Errorf("rebuild: %d %s", code, out)
	}
	again, _, _ := r.ask("", "search", "--config", "switch.yaml", "-o", "json")
	lifeAgain, _, _ := r.ask("", "show", "--config", "switch.yaml", id)
	if again != all || lifeAgain != life || strings.Count(all, "\n") != 3 {
		t.Errorf("before\n%s%safter\n%s%s", all, life, again, lifeAgain)
	}
	for _, finding := range r.secrets() {
		t.Error(finding)
	}
}

// refusesWrongQuestions: what cannot be asked is told so, and never repeated.
func (r *rig) refusesWrongQuestions() {
	r.t.Helper()
	const pan = "6224242300000069"
	for _, c := range []struct {
		stdin string
		args  string
		code  int
		want  string
	}{
		{"", "search --config switch.yaml --card " + pan, 2, "--card-stdin"},
		{"", "search --config switch.yaml --token " + pan, 2, "32 hex digits"},
		{"", "search --config switch.yaml --state " + pan, 2, "one of"},
		{"", "search --config switch.yaml --from " + pan, 2, "2026-11-23"},
		{"", "search --config switch.yaml --limit 0", 2, "1 to 10000"},
		{"", "search --config switch.yaml --amount 1 --amount-min 1", 2, "leave out"},
		{"", "search", 2, "config"},
		{"not a card number\n", "search --config switch.yaml --card-stdin", 1, "decimal digits"},
		{"", "search --config switch.yaml --card-stdin", 1, "8 to 19 digits"},
		{"", "show --config switch.yaml " + pan, 2, "not one that search gives"},
		{"", "show --config switch.yaml 999999", 1, "no such payment"},
		{"", "rebuild --config switch.yaml", 1, "in use by another process"},
		{"", "search --config acq-a.yaml", 1, "CFG-"},
	} {
		out, _, code := r.ask(c.stdin, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.want) {
			r.t.Errorf("history %s: %d, want %d and %q in %s", strings.ReplaceAll(c.args, pan, "PAN"), code, c.code, c.want, out)
		}
	}
}
