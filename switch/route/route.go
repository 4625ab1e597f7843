// SPDX-License-Identifier: Apache-2.0

// Package route chooses the acquirer link of a payment from the first digits of
// its card number and from the links' health.
//
// Promise: the same table, card number and health give the same choice; a table
// with overlapping ranges does not exist.
//
// How: a Table is an immutable sorted slice of disjoint ranges of eleven
// digits, searched by halving; Choose takes the first healthy candidate in the
// configured order. A new configuration is a new Table.
//
// Imported by: flow's ports, node. Imports: internal/secret.
package route

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"tapswitch/internal/secret"
)

// The bounds of a table.
const (
	MaxDigits     = 11      // of a range: the longest issuer range in service
	MaxRanges     = 1 << 20 // of a table: far above any scheme's, keeps a wrong file out of memory
	MaxCandidates = 8       // links of a range: every choice walks them
)

// Errors of Choose. They carry no digits of the card.
var (
	ErrNoRoute       = errors.New("route: no range has this card number")             // field 39: 92
	ErrNoHealthyLink = errors.New("route: no link of the card's range is in service") // field 39: 91
)

// ErrTable is what every mistake of a table wraps.
var ErrTable = errors.New("route: table refused")

// Range is one line of the table: card numbers whose first digits lie between
// Low and High, both included.
type Range struct {
	Line          int    // where the operator wrote it, for errors
	Low, High     string // 1 to 11 digits, both as long as each other: 622424 means 62242400000 to 62242499999
	Scheme        string
	Links         []string // candidates in order of preference
	OnUs          bool     // the issuer's keys are here
	IssuerProfile string   // which keys and rules, exactly when OnUs
	StandIn       string   // mandate by which the switch may decide itself, empty for none
}

// Decision is where a payment goes.
type Decision struct {
	Scheme        string
	Link          string // empty only for an on-us range without links
	OnUs          bool
	IssuerProfile string
	StandIn       string
}

// entry is a range as it is searched.
type entry struct {
	low, high uint64 // of eleven digits
	rule      Range
}

// Table is an immutable set of disjoint ranges; any number may read it.
type Table struct{ entries []entry }

// New builds a table. All mistakes are reported together, each with its line;
// an overlap names both lines.
func New(ranges []Range) (*Table, error) {
	if len(ranges) > MaxRanges {
		return nil, fmt.Errorf("%w: %d ranges, at most %d", ErrTable, len(ranges), MaxRanges)
	}
	var mistakes []error
	t := &Table{entries: make([]entry, 0, len(ranges))}
	for _, r := range ranges {
		e, err := compile(r)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%w: line %d (%s-%s): %w", ErrTable, r.Line, r.Low, r.High, err))
			continue
		}
		t.entries = append(t.entries, e)
	}
	slices.SortStableFunc(t.entries, func(a, b entry) int {
		switch {
		case a.low < b.low:
			return -1
		case a.low > b.low:
			return 1
		}
		return 0
	})
	mistakes = append(mistakes, t.overlaps()...)
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return t, nil
}

// overlaps walks the sorted entries with the one that reaches farthest, so that
// a wide range is named against each that lies inside it.
func (t *Table) overlaps() (mistakes []error) {
	for i, far := 1, 0; i < len(t.entries); i++ {
		a, b := t.entries[far], t.entries[i]
		if b.low <= a.high {
			first, second := a.rule, b.rule
			if second.Line < first.Line {
				first, second = second, first
			}
			mistakes = append(mistakes, fmt.Errorf("%w: line %d (%s-%s) overlaps line %d (%s-%s); make the ranges disjoint",
				ErrTable, second.Line, second.Low, second.High, first.Line, first.Low, first.High))
		}
		if b.high > a.high {
			far = i
		}
	}
	return mistakes
}

// compile checks one range and spreads it over eleven digits.
func compile(r Range) (entry, error) {
	if err := r.check(); err != nil {
		return entry{}, err
	}
	r.Links = slices.Clone(r.Links) // the table is immutable whatever the caller does
	e := entry{low: number(r.Low, '0'), high: number(r.High, '9'), rule: r}
	if e.low > e.high {
		return entry{}, errors.New("low is above high")
	}
	return e, nil
}

// check is the ladder of rules for one range.
func (r *Range) check() error {
	if !digits(r.Low) || !digits(r.High) {
		return fmt.Errorf("low and high are 1 to %d decimal digits", MaxDigits)
	}
	if len(r.Low) != len(r.High) {
		return errors.New("low and high have different lengths")
	}
	if r.Scheme == "" {
		return errors.New("scheme is missing")
	}
	if len(r.Links) > MaxCandidates {
		return fmt.Errorf("%d links, at most %d", len(r.Links), MaxCandidates)
	}
	if len(r.Links) == 0 && !r.OnUs {
		return errors.New("no link, and not on-us: nobody could answer")
	}
	for i, l := range r.Links {
		if l == "" {
			return errors.New("a link name is empty")
		}
		if slices.Contains(r.Links[:i], l) {
			return fmt.Errorf("link %q stands twice", l)
		}
	}
	if r.OnUs != (r.IssuerProfile != "") {
		return errors.New("on-us and an issuer profile go together")
	}
	return nil
}

// digits reports 1 to 11 decimal digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= MaxDigits
}

// number reads s as eleven digits, filled on the right.
func number[S string | []byte](s S, fill byte) (n uint64) {
	for i := range MaxDigits {
		d := fill
		if i < len(s) {
			d = s[i]
		}
		n = n*10 + uint64(d-'0')
	}
	return n
}

// Len is the number of ranges.
func (t *Table) Len() int { return len(t.entries) }

// find returns the range of a card number, or nil. A number shorter than eleven
// digits belongs to a range only with all its continuations.
func (t *Table) find(pan []byte) *Range {
	if len(pan) == 0 {
		return nil
	}
	low, high := number(pan, '0'), number(pan, '9')
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].high >= low })
	if i == len(t.entries) || low < t.entries[i].low || high > t.entries[i].high {
		return nil
	}
	return &t.entries[i].rule
}

// Choose names the first healthy candidate of the card's range. It has no side
// effects but the calls of healthy. An on-us range without links needs none.
func (t *Table) Choose(pan secret.PAN, healthy func(link string) bool) (Decision, error) {
	r := t.find(pan.Reveal(secret.ForRoute))
	if r == nil {
		return Decision{}, ErrNoRoute
	}
	d := Decision{Scheme: r.Scheme, OnUs: r.OnUs, IssuerProfile: r.IssuerProfile, StandIn: r.StandIn}
	if len(r.Links) == 0 {
		return d, nil
	}
	for _, l := range r.Links {
		if healthy(l) {
			d.Link = l
			return d, nil
		}
	}
	return Decision{}, fmt.Errorf("%w: scheme %s, %d candidates", ErrNoHealthyLink, r.Scheme, len(r.Links))
}

// LinkNames are all links that the table names, sorted, so that configuration
// can be checked for links that do not exist.
func (t *Table) LinkNames() []string {
	var names []string
	for i := range t.entries {
		names = append(names, t.entries[i].rule.Links...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
