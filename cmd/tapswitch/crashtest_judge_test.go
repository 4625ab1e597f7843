// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapswitch/simulators/acquirer"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// entry is a line of the books about a payment over 700 of one terminal.
func entry(mti string, stan int, effect, original string) acquirer.Entry {
	e := acquirer.Entry{MTI: mti, STAN: fmt.Sprintf("%06d", stan), F7: "1129080000", Institution: "00040000001", RRN: fmt.Sprintf("6333%08d", stan), Terminal: "10000001",
		AmountMinor: 700, Effect: effect, Original: original, Response: "00"}
	if mti == "0400" {
		e.RRN = "6333" + "00" + original[:6]
	}
	return e
}

// original is how books name the request with that number.
func original(stan int) string { return entry("0200", stan, "", "").Key() }

// effective are the requests whose debit stands.
func (h *collected) effective() (stans []uint32) {
	for _, d := range h.Debits {
		if d.Effective {
			stans = append(stans, d.STAN)
		}
	}
	return stans
}

// TestCrashBooks: what an acquirer holds is what its books come to, line by line,
// and books that give back what they never took are a finding.
func TestCrashBooks(t *testing.T) {
	debit, credit, none := acquirer.EffectDebit, acquirer.EffectCredit, acquirer.EffectNone
	for what, c := range map[string]struct {
		lines   []acquirer.Entry
		holds   []uint32
		unsound string
	}{
		"a sale":            {[]acquirer.Entry{entry("0200", 1, debit, "")}, []uint32{1}, ""},
		"reversed":          {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0400", 2, credit, original(1))}, nil, ""},
		"repeated reversal": {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0400", 2, credit, original(1)), entry("0401", 2, none, original(1))}, nil, ""},
		"voided":            {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0200", 2, credit, original(1))}, nil, ""},
		"void reversed":     {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0200", 2, credit, original(1)), entry("0400", 3, debit, original(2))}, []uint32{1}, ""},
		"debited twice":     {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0200", 1, debit, "")}, []uint32{1, 1}, ""},
		"given back twice":  {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0400", 2, credit, original(1)), entry("0200", 3, credit, original(1))}, nil, "more is given back"},
		"never taken":       {[]acquirer.Entry{entry("0400", 2, credit, original(1))}, nil, "more is given back"},
		"another amount": {[]acquirer.Entry{entry("0200", 1, debit, ""), func() acquirer.Entry {
			e := entry("0400", 2, credit, original(1))
			e.AmountMinor = 1
			return e
		}()}, []uint32{1}, "more is given back"},
		"void reversed twice": {[]acquirer.Entry{entry("0200", 1, debit, ""), entry("0200", 2, credit, original(1)), entry("0400", 3, debit, original(2)), entry("0400", 4, debit, original(2))}, []uint32{1}, "taken again"},
	} {
		h := &collected{}
		h.takeBooks(linkA, append([]acquirer.Entry{{MTI: "open"}, {MTI: "0800", STAN: "000009"}}, c.lines...))
		if !slices.Equal(h.effective(), c.holds) || len(h.Messages) != len(c.lines) {
			t.Errorf("%s: holds %v of %d messages", what, h.effective(), len(h.Messages))
		}
		if got := strings.Join(h.Unsound, "; "); (c.unsound == "") != (got == "") || !strings.Contains(got, c.unsound) {
			t.Errorf("%s: %q, want %q", what, got, c.unsound)
		}
	}
}

// TestCrashMessageOf: a line of the books is the oracle's message, the original and
// the answer with it.
func TestCrashMessageOf(t *testing.T) {
	want := oracle.Message{Acquirer: linkA, MTI: "0400", STAN: 2, Sent: "1129080000", RRN: "633300000001", Amount: 700, Terminal: "10000001",
		OriginalSTAN: 1, OriginalSent: "1129080000", Response: "00"}
	if got := messageOf(linkA, entry("0400", 2, acquirer.EffectCredit, original(1))); got != want {
		t.Errorf("%+v", got)
	}
}

// TestCrashBooksAreKept: books that lost or changed a line since their host was
// killed are found; a torn last line is nobody's.
func TestCrashBooksAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "books")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one\ntwo\nto")
	m, err := markBooks(linkA, file)
	if err != nil {
		t.Fatal(err)
	}
	for text, kept := range map[string]bool{"one\ntwo\nthree\n": true, "one\ntwo\n": true, "one\n": false, "one\ntwO\nthree\n": false, "": false} {
		write(text)
		if err := m.kept(file); (err == nil) != kept {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestCrashIdle: a run in which hardly anything was approved is no proof, and one
// with a broken promise is broken all the same.
func TestCrashIdle(t *testing.T) {
	run := func(approved, declined int, broken bool) crashVerdict {
		h := &collected{states: map[string]int{}}
		for i := range approved + declined {
			s := sale{Outcome: host.Approved, Ready: true}
			if i >= approved {
				s.Outcome = host.Declined
			}
			h.sales = append(h.sales, s, sale{Outcome: host.Declined}) // one more while the switch was away
		}
		if broken {
			h.Clear = []string{"in the log"}
		}
		return (&crash{kills: make([]kill, 10)}).verdict(h)
	}
	for _, c := range []struct {
		approved, declined int
		broken             bool
		want               string
	}{{100, 20, false, crashKept}, {30, 30, false, crashKept}, {29, 0, false, crashIdle}, {40, 41, false, crashIdle}, {0, 0, false, crashIdle}, {0, 40, true, crashBroken}} {
		if v := run(c.approved, c.declined, c.broken); v.Verdict != c.want || (v.Idle == "") != (c.want == crashKept) {
			t.Errorf("%d approved, %d declined, broken %v: %s %q", c.approved, c.declined, c.broken, v.Verdict, v.Idle)
		}
	}
}

// TestCrashSearch: card numbers are found in files, as digits and packed, and the
// files that hold them by nature are left out.
func TestCrashSearch(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"switch.log": "card 6224242300000069 seen", "journal": "x\x47\x61\x73\x90\x01\x01\x01\x19", "deck.json": "6224242300000069",
		"acq-a.yaml": "6224242300000069", "clean": "622424******0069",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	counted := &till{}
	if err := counted.stock(); err != nil {
		t.Fatal(err)
	}
	h := &collected{}
	if err := h.search(dir, counted.numbers()); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(h.Clear, "; "), "packed card number of visa in journal at byte 1; card number of unionpay in switch.log at byte 5"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestCrashTokenMended: an object that a kill left empty is put back, the others
// are left alone.
func TestCrashTokenMended(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token.object")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("label")
	c, err := copyToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		now, then string
		mended    bool
	}{{"LABEL", "LABEL", false}, {"", "label", true}, {"lab", "label", true}} {
		write(step.now)
		mended, err := c.mend()
		b, _ := os.ReadFile(token)
		if err != nil || mended != step.mended || string(b) != step.then {
			t.Errorf("%q: %v %v, now %q", step.now, mended, err, b)
		}
	}
}
