// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
)

// vault is a module that hashes; what it formed stays.
type vault struct {
	seed   byte
	formed []string // identities
	fails  error    // of Finish
}

func (v *vault) Random(c *clear.Component) error {
	v.seed++
	sum := sha256.Sum256([]byte{v.seed})
	copy(c.Value(), sum[:])
	return nil
}

func (v *vault) CheckValue(c *clear.Component) ([5]byte, error) {
	sum := sha256.Sum256(c.Value())
	return [5]byte(sum[:5]), nil
}

func (v *vault) Combine(all []*clear.Component) (check [5]byte, id [8]byte, err error) {
	c, err := clear.NewComponent()
	if err != nil {
		return check, id, err
	}
	defer c.Close()
	c.Sum(all)
	sum := sha256.Sum256(c.Value())
	return [5]byte(sum[:5]), [8]byte(sum[8:16]), nil
}

func (v *vault) Finish(_ context.Context, p Plan, all []*clear.Component) (int, error) {
	if v.fails != nil {
		return 0, v.fails
	}
	_, id, err := v.Combine(all)
	if !p.Practice {
		v.formed = append(v.formed, Identity(id).String())
	}
	return 0, err
}

func (v *vault) Finished(_ Plan, id Identity) (bool, int, error) {
	return slices.Contains(v.formed, id.String()), 0, nil
}

// desk plays everybody from their papers, and notes who saw what.
type desk struct {
	saw    map[string]*strings.Builder
	papers map[string]string                                      // what each wrote down
	typing func(n int, who, prompt string) (text string, ok bool) // in place of the paper
	n      int
	gone   int // the process dies at this prompt
	check  string
}

var errKilled = errors.New("killed")

func newDesk() *desk { return &desk{saw: map[string]*strings.Builder{}, papers: map[string]string{}} }

func (d *desk) note(who, text string) {
	if d.saw[who] == nil {
		d.saw[who] = &strings.Builder{}
	}
	fmt.Fprintln(d.saw[who], text)
}

func (d *desk) Say(who, text string) error {
	d.note(who, text)
	if m := regexp.MustCompile(`Local master key: check value ([0-9A-F]{10})`).FindStringSubmatch(text); m != nil {
		d.check = m[1]
	}
	return nil
}

func (d *desk) prompted(who, prompt string) error {
	d.note(who, prompt)
	if d.n++; d.n == d.gone {
		return errKilled
	}
	return nil
}

func (d *desk) Line(_ context.Context, who, prompt string) (string, error) {
	if err := d.prompted(who, prompt); err != nil {
		return "", err
	}
	if d.typing != nil {
		if text, ok := d.typing(d.n, who, prompt); ok {
			return text, nil
		}
	}
	return d.check + "\n", nil
}

func (d *desk) Type(_ context.Context, who, prompt string, c *clear.Component) error {
	if err := d.prompted(who, prompt); err != nil {
		return err
	}
	text := d.papers[who]
	if d.typing != nil {
		if other, ok := d.typing(d.n, who, prompt); ok {
			text = other
		}
	}
	return c.Type(strings.NewReader(text + "\n").Read)
}

func (d *desk) Show(_ context.Context, who, prompt string, c *clear.Component) error {
	var b bytes.Buffer
	if err := c.Show(func(p []byte) error { _, err := b.Write(p); return err }); err != nil {
		return err
	}
	d.note(who, b.String())
	if err := d.prompted(who, prompt); err != nil {
		return err
	}
	var paper strings.Builder
	for line := range strings.Lines(b.String()) {
		paper.WriteString(strings.TrimSpace(line[5:]) + " ")
	}
	d.papers[who] = paper.String()
	return nil
}

// file is a transcript in memory; it fails at a line when told.
type file struct {
	bytes.Buffer
	failAt, n int
}

func (f *file) Append(line []byte) error {
	if f.n++; f.n == f.failAt {
		return errKilled
	}
	_, err := f.Write(line)
	return err
}

type clock struct{}

func (clock) Now() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }

func (clock) Mono() env.Mono { return 0 }

// hold runs a ceremony to its end, as often as it is interrupted.
func hold(t testing.TB, p Plan, d *desk, v *vault, f *file, lang Lang) (State, error) {
	t.Helper()
	s, err := (&Runner{Vault: v, Desk: d, Log: f, Clock: clock{}, Lang: lang}).Begin(t.Context(), p)
	for errors.Is(err, errKilled) {
		d.gone, f.failAt = 0, 0
		var was Report
		if was, err = Replay(f.Bytes()); err != nil {
			if f.Len() == 0 {
				return hold(t, p, d, v, f, lang)
			}
			t.Fatal(err)
		}
		s, err = (&Runner{Vault: v, Desk: d, Log: f, Clock: clock{}, Lang: lang}).Resume(t.Context(), was)
	}
	return s, err
}

// TestCeremony: generated, read back, confirmed, formed; and restored from the
// papers, by what the transcript says.
func TestCeremony(t *testing.T) {
	d, v, f := newDesk(), &vault{}, &file{}
	s, err := hold(t, plan(Generate), d, v, f, English)
	if err != nil || s.Phase != Done || len(v.formed) != 1 || v.formed[0] != s.Identity.String() {
		t.Fatalf("%+v, %v, formed %v", s, err, v.formed)
	}
	was, err := Replay(f.Bytes())
	if err != nil || !was.Ended() || len(was.Lines) != 11 || was.State.Identity != s.Identity {
		t.Fatalf("%d lines, %v", len(was.Lines), err)
	}
	if !strings.Contains(d.saw[""].String(), was.Head) {
		t.Error("the officer is not told the hash of the transcript's end")
	}
	again := plan(Restore)
	again.Checks, again.Identity = nil, s.Identity
	for _, p := range was.State.Parts {
		again.Checks = append(again.Checks, p.Check)
	}
	swapped := map[string]bool{}
	d.typing = func(_ int, who, _ string) (string, bool) { // bob brings alice's paper first
		defer func() { swapped[who] = true }()
		return d.papers["alice"], who == "bob" && !swapped[who]
	}
	second := &file{}
	if s, err = hold(t, again, d, v, second, Chinese); err != nil || s.Phase != Done || len(v.formed) != 2 || v.formed[1] != v.formed[0] {
		t.Fatalf("restore: %+v, %v", s, err)
	}
	if !strings.Contains(d.saw["bob"].String(), "REFUSED wrong_component") || strings.Contains(d.saw["carol"].String(), "REFUSED") {
		t.Error("bob's wrong paper was not refused by name, or carol was told")
	}
}

// TestNobodySeesAnothersComponent: what custodians write down is on their own
// screens, in no transcript, on no other screen.
func TestNobodySeesAnothersComponent(t *testing.T) {
	d, f := newDesk(), &file{}
	if _, err := hold(t, plan(Generate), d, &vault{}, f, English); err != nil {
		t.Fatal(err)
	}
	plain := func(s string) string {
		return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\n", "", "\r", "").Replace(s))
	}
	for who, paper := range d.papers {
		digits := plain(paper)
		for place, text := range map[string]string{"transcript": f.String(), "the officer": d.saw[""].String(), "alice": d.saw["alice"].String(),
			"bob": d.saw["bob"].String(), "carol": d.saw["carol"].String(), "olga": d.saw["olga"].String()} {
			for at := 0; at+8 <= len(digits); at++ {
				if found := strings.Contains(plain(text), digits[at:at+8]); found && place != who {
					t.Fatalf("%s can see a part of %s's component", place, who)
				}
			}
		}
	}
}

// TestInterruptedAnywhere kills the ceremony at every prompt and at every line
// of the transcript; it goes on, and forms once, what the papers give.
func TestInterruptedAnywhere(t *testing.T) {
	for _, what := range []string{"prompt", "line"} {
		for k := 1; ; k++ {
			d, v, f := newDesk(), &vault{}, &file{}
			if what == "prompt" {
				d.gone = k
			} else {
				f.failAt = k
			}
			s, err := hold(t, plan(Generate), d, v, f, English)
			if err != nil || s.Phase != Done {
				t.Fatalf("%s %d: %+v, %v", what, k, s, err)
			}
			if len(v.formed) != 1 || v.formed[0] != s.Identity.String() || s.Identity.String() != ofPapers(t, d, v) {
				t.Fatalf("%s %d: formed %v, said %s, the papers give %s", what, k, v.formed, s.Identity, ofPapers(t, d, v))
			}
			if was, err := Replay(f.Bytes()); err != nil || !was.Ended() {
				t.Fatalf("%s %d: %v", what, k, err)
			}
			if what == "prompt" && d.gone == k || what == "line" && f.failAt == k {
				break // past the last
			}
		}
	}
}

// ofPapers is the identity that the papers give.
func ofPapers(t testing.TB, d *desk, v *vault) string {
	var all []*clear.Component
	for _, who := range plan(Generate).Custodians {
		c, err := clear.NewComponent()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Type(strings.NewReader(d.papers[who] + "\n").Read); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	_, id, err := v.Combine(all)
	if err != nil {
		t.Fatal(err)
	}
	return Identity(id).String()
}

// TestAbortAnywhere: whoever is asked may stop it, and nothing is formed.
func TestAbortAnywhere(t *testing.T) {
	stopped := 0
	for k := 1; ; k++ {
		d, v, f := newDesk(), &vault{}, &file{}
		said := false
		d.typing = func(n int, _, _ string) (string, bool) { said = said || n == k; return "abort", n == k }
		s, err := hold(t, plan(Generate), d, v, f, English)
		if !said {
			if err == nil && s.Phase == Done && k > d.n {
				break
			}
			continue // a prompt that only wants Enter
		}
		stopped++
		if !errors.Is(err, ErrAborted) || s.Phase != Stopped || len(v.formed) != 0 {
			t.Fatalf("prompt %d: %+v, %v", k, s, err)
		}
		was, err := Replay(f.Bytes())
		if err != nil || !was.Ended() {
			t.Fatalf("prompt %d: %v", k, err)
		}
		if _, err := (&Runner{Vault: v, Desk: d, Log: f, Clock: clock{}}).Resume(t.Context(), was); !errors.Is(err, ErrEvent) {
			t.Fatalf("resumed all the same: %v", err)
		}
	}
	if stopped != 5 {
		t.Errorf("stopped at %d prompts, want 5: three papers, two to say yes", stopped)
	}
}

// TestPracticeIsMarked on every screen and every line, in both languages.
func TestPracticeIsMarked(t *testing.T) {
	for _, lang := range []Lang{English, Chinese} {
		d, v, f := newDesk(), &vault{}, &file{}
		d.typing = func(_ int, who, prompt string) (string, bool) {
			if !strings.Contains(prompt, lang.say(SayPractice)) {
				t.Errorf("prompt of %s is not marked: %s", who, prompt)
			}
			if m := regexp.MustCompile(`[0-9A-F]{10}`).FindString(d.saw[""].String()); who == "olga" || who == "wei" {
				return m, true
			}
			return "", false
		}
		p := plan(Generate)
		p.Practice = true
		s, err := hold(t, p, d, v, f, lang)
		if err != nil || s.Phase != Done || len(v.formed) != 0 {
			t.Fatalf("%+v, %v, formed %v", s, err, v.formed)
		}
		for line := range strings.Lines(f.String()) {
			if !strings.Contains(line, `"practice":true`) {
				t.Errorf("not marked: %s", line)
			}
		}
		for who, saw := range d.saw {
			if !strings.Contains(saw.String(), lang.say(SayPractice)) {
				t.Errorf("%s saw no mark", who)
			}
		}
		unmarked := bytes.Replace(f.Bytes(), []byte(`"practice":true,"event":"resumed"`), nil, 1)
		if _, err := Replay(bytes.ReplaceAll(unmarked, []byte(`"practice":true,`), nil)); !errors.Is(err, ErrTranscript) {
			t.Errorf("without the marks: %v", err)
		}
	}
}

// TestModuleFails while forming: nothing is said to be done, and it goes on.
func TestModuleFails(t *testing.T) {
	d, v, f := newDesk(), &vault{fails: errKilled}, &file{}
	r := &Runner{Vault: v, Desk: d, Log: f, Clock: clock{}}
	if s, err := r.Begin(t.Context(), plan(Generate)); !errors.Is(err, errKilled) || s.Phase != Forming || len(r.held) != 0 {
		t.Fatalf("%+v, %v, %d components held", s, err, len(r.held))
	}
	v.fails = nil
	was, err := Replay(f.Bytes())
	if err != nil || was.Ended() {
		t.Fatalf("%+v, %v", was.State, err)
	}
	if s, err := (&Runner{Vault: v, Desk: d, Log: f, Clock: clock{}}).Resume(t.Context(), was); err != nil || s.Phase != Done || len(v.formed) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestAlteredTranscripts: every byte changed, every line left out, put twice or
// swapped, and every cut is found, or said to be an end that is missing.
func TestAlteredTranscripts(t *testing.T) {
	f := &file{}
	if _, err := hold(t, plan(Generate), newDesk(), &vault{}, f, English); err != nil {
		t.Fatal(err)
	}
	raw := f.Bytes()
	good, err := Replay(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if r, err := Replay(bad); err == nil && r.Head == good.Head {
			t.Fatalf("byte %d changed: not found", i)
		}
		r, err := Replay(raw[:i])
		switch whole := i == 0 || raw[i-1] == '\n'; {
		case i == 0 && errors.Is(err, ErrTranscript), err != nil && errors.Is(err, ErrTranscript) && len(r.Lines) == 0:
		case err != nil || r.Ended() || r.Head == good.Head || (r.Torn == 0) != whole:
			t.Fatalf("cut at %d: %v, ended %v, %d torn", i, err, r.Ended(), r.Torn)
		}
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := range lines {
		for name, bad := range map[string][][]byte{
			"left out": slices.Delete(slices.Clone(lines), i, i+1),
			"twice":    slices.Insert(slices.Clone(lines), i, lines[i]),
			"swapped":  append(slices.Clone(lines[:i:i]), append(slices.Clone(lines[min(i+1, len(lines)-1):]), lines[i])...),
		} {
			r, err := Replay(bytes.Join(bad, nil))
			if err == nil && r.Head == good.Head && len(bad) != len(lines) || err == nil && len(bad) == len(lines) && i+1 < len(lines) {
				t.Errorf("line %d %s: not found", i+1, name)
			}
		}
	}
}

// TestChainIsWhatItSays: the hash of a line is in the next, and a forged line
// that is chained again but cannot have happened is found, too.
func TestChainIsWhatItSays(t *testing.T) {
	f := &file{}
	if _, err := hold(t, plan(Generate), newDesk(), &vault{}, f, English); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(f.String()), "\n")
	for i := 1; i < len(lines); i++ {
		sum := sha256.Sum256([]byte(lines[i-1]))
		if !strings.Contains(lines[i], `"prev":"`+hex.EncodeToString(sum[:])+`"`) {
			t.Errorf("line %d does not carry the hash of the one before", i+1)
		}
	}
	var forged bytes.Buffer
	p := plan(Generate)
	prev := ""
	for i, e := range []Event{{Kind: Begun, Plan: &p}, {Kind: Generated, Who: "alice", Check: value("A1")}, {Kind: Generated, Who: "bob", Check: value("B2")}} {
		line, hash, err := encode(i+1, prev, clock{}.Now(), false, e)
		if err != nil {
			t.Fatal(err)
		}
		forged.Write(append(line, '\n'))
		prev = hash
	}
	if _, err := Replay(forged.Bytes()); !errors.Is(err, ErrTranscript) || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("bob before alice read back: %v", err)
	}
}

// TestTextsAreComplete: every text in every language, with the same arguments;
// refusals carry the same name.
func TestTextsAreComplete(t *testing.T) {
	verb := regexp.MustCompile(`%\[\d\][sd]`)
	for name, of := range texts {
		verbs := verb.FindAllString(of[English], -1)
		slices.Sort(verbs)
		for lang, text := range of {
			got := verb.FindAllString(text, -1)
			slices.Sort(got)
			if text == "" || !slices.Equal(got, verbs) || strings.Count(text, "%") != len(verbs) {
				t.Errorf("%s in language %d: %q has %v, want %v", name, lang, text, got, verbs)
			}
		}
		refused := strings.HasPrefix(of[English], "REFUSED "+string(name))
		if strings.HasPrefix(of[Chinese], "REFUSED "+string(name)) != refused {
			t.Errorf("%s: a refusal in one language only", name)
		}
	}
	for _, s := range []string{"en", "zh"} {
		if _, err := ParseLang(s); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseLang("fr"); !errors.Is(err, ErrPlan) {
		t.Errorf("fr: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	log := &file{}
	if _, err := hold(f, plan(Generate), newDesk(), &vault{}, log, English); err != nil {
		f.Fatal(err)
	}
	f.Add(log.Bytes())
	f.Add(log.Bytes()[:len(log.Bytes())/2])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Replay(raw)
		if err == nil && (len(r.Lines) == 0 || r.Whole+r.Torn != len(raw)) {
			t.Errorf("%d lines, %d whole and %d torn of %d bytes", len(r.Lines), r.Whole, r.Torn, len(raw))
		}
	})
}
