// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"crypto/aes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata/*.txt")

// doNames are the actions as the transcripts of tests have them.
var doNames = map[Do]string{Tell: "tell", MakeComponent: "make", AskComponent: "ask", AskReadBack: "ask_read_back", Forget: "forget",
	Combine: "combine", AskYes: "ask_yes", Form: "form", Look: "look", End: "end"}

// plan is one of three custodians.
func plan(p Purpose) Plan {
	out := Plan{Purpose: p, Token: "hsm-1", Generation: 1, Officer: "olga", Witness: "wei", Custodians: []string{"alice", "bob", "carol"}}
	if p == Restore || p == Migrate {
		out.Checks, out.Identity = []Check{value("A1"), value("B2"), value("C3")}, Identity{1, 2, 3}
	}
	return out
}

// value is a check value from two hex digits.
func value(s string) (c Check) {
	n, _ := strconv.ParseUint(s, 16, 8) // a test's own constant
	for i := range c {
		c[i] = byte(n)
	}
	return c
}

// event reads a line of a test transcript.
func event(t testing.TB, line string) Event {
	f := strings.Fields(line)
	e := Event{Kind: Kind(f[0])}
	switch e.Kind {
	case Begun:
		p := plan(Purpose(f[1]))
		e.Plan = &p
	case Combined, Formed:
		e.Check = value("99")
		e.Identity = Identity{1, 2, 3}
		if len(f) > 1 {
			e.Identity = Identity{9}
		}
		if e.Kind == Formed {
			e.Check, e.Keys = Check{}, 12
		}
	case Mistyped:
		e.Who = f[1]
		n, err := strconv.Atoi(f[2])
		if err != nil {
			t.Fatal(err)
		}
		e.Group, e.Digits = n%10, n/10
	case Resumed, NotFormed:
	default:
		if e.Who = f[1]; len(f) > 2 {
			e.Check = value(f[2])
		}
		e.Differs = len(f) > 3
		if e.Check = value(strings.Join(f[2:min(3, len(f))], "")); len(f) > 2 && f[2] == "zero" {
			e.Check = zeroCheck
		}
	}
	return e
}

// play steps through events and writes what the machine wants after each.
func play(t *testing.T, in string) string {
	var b strings.Builder
	var s State
	for line := range strings.Lines(in) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "->") {
			continue
		}
		fmt.Fprintln(&b, line)
		if line[0] == '#' {
			continue
		}
		next, actions, err := s.Step(event(t, line))
		if err != nil {
			if !errors.Is(err, ErrEvent) {
				t.Errorf("%s: %v, want ErrEvent", line, err)
			}
			fmt.Fprintf(&b, "  -> refused: %v\n", err)
			continue
		}
		s = next
		for _, a := range actions {
			text := strings.TrimRight(fmt.Sprintf("  -> %s %s", doNames[a.Do], a.Who), " ")
			if a.Do == Tell {
				text += ": " + English.telling(s, a)
			} else if a.Known != (Check{}) {
				text += " known " + a.Known.String()
			}
			fmt.Fprintln(&b, text)
		}
	}
	return b.String()
}

// TestTranscripts plays testdata/*.txt: events, and what the machine wants.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got := play(t, string(raw))
		if *rewrite {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != string(raw) {
			t.Errorf("%s: the machine wants\n%s", name, got)
		}
	}
}

func TestPlans(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *Plan)
		ok     bool
	}{
		"as it is":           {func(*Plan) {}, true},
		"two custodians":     {func(p *Plan) { p.Custodians = p.Custodians[:2] }, true},
		"nine":               {func(p *Plan) { p.Custodians = strings.Fields("a b c d e f g h i") }, true},
		"Chinese names":      {func(p *Plan) { p.Officer = "王主任" }, true},
		"one custodian":      {func(p *Plan) { p.Custodians = p.Custodians[:1] }, false},
		"ten":                {func(p *Plan) { p.Custodians = strings.Fields("a b c d e f g h i j") }, false},
		"one person twice":   {func(p *Plan) { p.Custodians[1] = "Alice" }, false},
		"officer holds one":  {func(p *Plan) { p.Officer = "bob" }, false},
		"witness is officer": {func(p *Plan) { p.Witness = "OLGA" }, false},
		"no witness":         {func(p *Plan) { p.Witness = "" }, false},
		"name is a command":  {func(p *Plan) { p.Witness = "abort" }, false},
		"name of two words":  {func(p *Plan) { p.Witness = "wei li" }, false},
		"no token":           {func(p *Plan) { p.Token = "" }, false},
		"generation 0":       {func(p *Plan) { p.Generation = 0 }, false},
		"no purpose":         {func(p *Plan) { p.Purpose = "" }, false},
		"checks of made":     {func(p *Plan) { p.Checks = []Check{{1}, {2}, {3}} }, false},
		"entered, no checks": {func(p *Plan) { p.Purpose = Enter }, true},
		"entered, checks":    {func(p *Plan) { p.Purpose, p.Checks = Enter, []Check{{1}, {2}, {3}} }, true},
		"one check missing":  {func(p *Plan) { p.Purpose, p.Checks = Enter, []Check{{1}, {2}} }, false},
		"same check twice":   {func(p *Plan) { p.Purpose, p.Checks = Enter, []Check{{1}, {2}, {1}} }, false},
		"check of zeros":     {func(p *Plan) { p.Purpose, p.Checks = Enter, []Check{{1}, {2}, zeroCheck} }, false},
		"restore of what?":   {func(p *Plan) { p.Purpose = Restore }, false},
		"migrate what?":      {func(p *Plan) { p.Purpose, p.Checks = Migrate, []Check{{1}, {2}, {3}} }, false},
	} {
		p := plan(Generate)
		c.change(&p)
		if err := p.Check(); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrPlan) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestZeroComponentIsKnown: the constant is the check value of 32 zero bytes.
func TestZeroComponentIsKnown(t *testing.T) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var sub, mac [16]byte
	block.Encrypt(sub[:], sub[:])
	for i := range sub { // doubled in the field; the zero block is whole, so once
		mac[i] = sub[i] << 1
		if i < 15 {
			mac[i] |= sub[i+1] >> 7
		}
	}
	mac[15] ^= sub[0] >> 7 * 0x87
	block.Encrypt(mac[:], mac[:])
	if Check(mac[:5]) != zeroCheck {
		t.Errorf("check value of zeros is %X", mac[:5])
	}
}

// TestNothingIsFormedWithoutAll throws events at the machine: before it wants a
// forming, each component was verified and is present, and both said yes.
func TestNothingIsFormedWithoutAll(t *testing.T) {
	kinds := []Kind{Resumed, Generated, Entered, ReadBack, Mistyped, Combined, Confirmed, Formed, NotFormed, Aborted}
	rapid.Check(t, func(r *rapid.T) {
		p := plan(rapid.SampledFrom([]Purpose{Generate, Enter, Restore, Migrate}).Draw(r, "purpose"))
		s, actions, err := State{}.Step(Event{Kind: Begun, Plan: &p})
		if err != nil {
			r.Fatal(err)
		}
		readBack := map[string]bool{}
		for range rapid.IntRange(1, 200).Draw(r, "events") {
			e := Event{Kind: rapid.SampledFrom(kinds).Draw(r, "kind"), Who: rapid.SampledFrom([]string{"alice", "bob", "carol", "olga", "wei"}).Draw(r, "who"),
				Check: value(rapid.SampledFrom([]string{"A1", "B2", "C3"}).Draw(r, "check")), Identity: Identity{1, 2, 3}}
			if rapid.Bool().Draw(r, "as asked") && len(actions) > 0 { // so that the end is reached
				e = answer(actions[len(actions)-1], e)
			}
			next, wants, err := s.Step(e)
			if err != nil {
				continue
			}
			if e.Kind == ReadBack || e.Kind == Entered {
				i := s.turn()
				readBack[e.Who] = next.Parts[i].Progress == Verified
			}
			if e.Kind == Resumed {
				readBack = map[string]bool{}
			}
			s, actions = next, wants
			for _, a := range wants {
				if a.Do != Form {
					continue
				}
				if !s.Officer || !s.Witness || s.turn() >= 0 {
					r.Fatalf("a forming is wanted in %+v", s)
				}
				for _, who := range p.Custodians {
					if !readBack[who] {
						r.Fatalf("%s did not enter the component again", who)
					}
				}
			}
			if wants == nil {
				r.Fatal("the machine wants nothing and has not ended")
			}
		}
	})
}

// answer is the event that an action asks for.
func answer(a Action, e Event) Event {
	kind, ok := map[Do]Kind{MakeComponent: Generated, AskComponent: Entered, AskReadBack: ReadBack, Combine: Combined, AskYes: Confirmed, Form: Formed, Look: NotFormed}[a.Do]
	if !ok {
		return e
	}
	e.Kind, e.Who, e.Differs = kind, a.Who, false
	if a.Known != (Check{}) {
		e.Check = a.Known
	} else if i := strings.Index("alice bob carol", a.Who); a.Who != "" && i >= 0 {
		e.Check = value([]string{"A1", "B2", "C3"}[strings.Count("alice bob carol"[:i], " ")])
	}
	return e
}
