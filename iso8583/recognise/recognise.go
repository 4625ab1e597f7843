// SPDX-License-Identifier: Apache-2.0

package recognise

import (
	"errors"
	"sort"
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/dialect/visabase1"
	"tapswitch/iso8583/frame"
)

// Dialect is a candidate.
type Dialect struct {
	Name   string
	Layout *iso8583.Layout
	Digit  byte   // first digit of its message types: '0' 1987, '1' 1993, '2' 2003; 0 any
	Kind   string // the Kind of Head usual for it
	Tests  bool   // drawn from public facts only: the last of equals
}

// Candidates makes those of a dialect of the catalogue: one, or one for each way
// in which its peers write the message type.
func Candidates(e dialect.Entry) []Dialect {
	d := Dialect{Name: e.Name, Layout: e.New(), Digit: '0', Tests: e.Standing == dialect.PublicFacts}
	switch {
	case e.Standing == dialect.Own:
		d.Digit = 0
	case strings.HasPrefix(e.Name, "iso93"):
		d.Digit = '1'
	case strings.HasPrefix(e.Name, "iso2003"):
		d.Digit = '2'
	}
	switch {
	case e.Format.Kind == frame.Interchange:
		d.Kind = kindOf(frame.InterchangeSize)
	case e.Format.Kind == frame.BaseI:
		d.Kind = kindOf(frame.BaseISize)
	case e.Format.Header > 0:
		d.Kind = kindOf(e.Format.Header)
	}
	if e.Name != visabase1.Name {
		return []Dialect{d}
	}
	other := d
	other.Layout = visabase1.Profile{EBCDICType: true}.New()
	return []Dialect{d, other}
}

// Guess is one reading of the bytes.
type Guess struct {
	Dialect Dialect
	Head    Head
	Body    []byte         // from the message type on; aliases what was given
	After   int            // bytes after the message, perhaps of another one
	Failure *iso8583.Error // nil when every byte was read
	Bits    float64        // evidence
	Reasons []string
	Doubts  []Doubt
	Equal   int // guesses with the same number read these bytes equally well
	fields  int
	typed   bool // begins as the dialect's messages do
}

// Doubt is a field that was read but hardly means what its place says.
type Doubt struct {
	Field  int
	Offset int // in what was given
	Text   string
}

// Stop is the byte of what was given at which the message stops making sense.
func (g Guess) Stop() int {
	if g.Failure == nil {
		return g.Head.To
	}
	return g.Head.From + g.Failure.Offset
}

// Known says whether the evidence is enough to name the dialect; what is below
// it is noise, or a message of a dialect that is not among the candidates.
func (g Guess) Known() bool {
	switch {
	case !g.typed:
		return false
	case g.Failure == nil && g.Head.hidden():
		return g.Bits >= hiddenEnough && g.fields >= 4
	case g.Failure == nil:
		return g.Bits >= wholeEnough
	}
	return g.Bits >= brokenEnough && g.fields >= 3
}

// The evidence asked for, in bits. Some thousand readings are tried, which noise
// may meet by chance once in 2^10 for each; the rest is margin.
const (
	wholeEnough  = 24
	hiddenEnough = 60
	brokenEnough = 48
	whole        = 16 // that nothing is left over and nothing is missing
	unread       = 16 // against a broken reading, by the share it leaves over
	equalWithin  = 8  // less than this between two readings decides nothing
)

// maxShift bounds the unknown header that is looked behind.
const maxShift = 64

// maxGuesses bounds what Rank gives back.
const maxGuesses = 32

// Rank gives the readings of p that make any sense, the likeliest first.
func Rank(dialects []Dialect, p []byte) []Guess {
	floor := backgroundOf(p)
	guesses := rank(dialects, p, heads(p), floor)
	if len(guesses) == 0 || guesses[0].Failure != nil {
		guesses = append(guesses, rank(dialects, p, trimmed(p), floor)...)
	}
	if len(guesses) == 0 || guesses[0].Failure != nil {
		var hidden []Head
		for n := 1; n <= maxShift && n+minBody <= len(p); n++ {
			if mayBegin(p[n:]) {
				hidden = append(hidden, shifted(p, n))
			}
		}
		guesses = append(guesses, rank(dialects, p, hidden, floor)...)
	}
	order(guesses)
	guesses = guesses[:min(len(guesses), maxGuesses)]
	number(guesses)
	return guesses
}

// trimmed are the framings of p without the end of line that an editor or a
// shell put after it.
func trimmed(p []byte) (all []Head) {
	end := len(p)
	for end > 0 && len(p)-end < 2 && (p[end-1] == '\n' || p[end-1] == '\r') {
		end--
	}
	if end == len(p) {
		return nil
	}
	for _, h := range heads(p[:end]) {
		all = append(all, h.with(-4, "the end of line after it is left out", 2))
	}
	return all
}

func rank(dialects []Dialect, p []byte, heads []Head, floor background) (all []Guess) {
	var v iso8583.View
	for _, h := range heads {
		if h.To-h.From < minBody {
			continue
		}
		for _, d := range dialects {
			g := Guess{Dialect: d, Head: h, Body: p[h.From:h.To:h.To], After: len(p) - h.To}
			if err := d.Layout.Parse(g.Body, &v); err != nil {
				e, ok := errors.AsType[*iso8583.Error](err)
				if !ok || e.Field == 0 || e.Field == 1 || h.hidden() {
					continue // not even a message type and a bitmap
				}
				g.Failure = e
			}
			g.weigh(&v, floor)
			if g.Bits > 0 {
				all = append(all, g)
			}
		}
	}
	order(all)
	return all
}

// order puts whole readings before broken ones, and within them more evidence
// before less; what is equal by evidence, the usual before the unusual.
func order(all []Guess) {
	class := func(g Guess) int {
		switch {
		case g.Failure == nil && g.Known():
			return 0
		case g.Known():
			return 1
		}
		return 2
	}
	sort.SliceStable(all, func(i, k int) bool {
		a, b := all[i], all[k]
		if class(a) != class(b) {
			return class(a) < class(b)
		}
		if a.Bits != b.Bits {
			return a.Bits > b.Bits
		}
		return a.rarity() < b.rarity()
	})
}

// rarity orders guesses that the bytes do not tell apart.
func (g Guess) rarity() int {
	r := 2 * g.Head.unusual
	if g.Dialect.Kind != g.Head.Kind {
		r += 3
	}
	if g.Dialect.Tests {
		r++
	}
	return r
}

// number marks the guesses that the bytes do not tell apart from the first of
// their kind.
func number(all []Guess) {
	for i := range all {
		all[i].Equal = i
		for k := range i {
			same := all[k].Equal == k && all[i].Failure == nil && all[k].Failure == nil && all[k].Known() == all[i].Known()
			if same && all[k].Bits-all[i].Bits < equalWithin {
				all[i].Equal = k
				break
			}
		}
	}
}
