// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"slices"

	"tapswitch/internal/env"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// past is a history in memory over all that was ever in the journal.
type past struct {
	w     *world
	until int // it has the records before this one; -1: all
	gap   bool
}

// pastCommand carries out one line of a transcript that is about the history.
func (w *world) pastCommand(words []string) bool {
	if words[0] != "past" {
		return false
	}
	switch words[1] {
	case "none":
		w.past = nil
	case "follows":
		w.past = &past{w, -1, false}
	case "stops":
		w.past = &past{w, len(w.journal.all), false}
	case "gap":
		w.past = &past{w, -1, true}
	default:
		w.t.Fatalf("transcript: past %s", words[1])
	}
	w.wirePast()
	return true
}

// wirePast gives the flow its history, or none.
func (w *world) wirePast() {
	w.flow.Past = nil
	if w.past != nil {
		w.flow.Past = w.past
	}
}

// lives are all payments there ever were, of one key several.
func (w *world) lives(until int) (all []*txn.Payment) {
	newest := map[txn.Key]*txn.Payment{}
	for i, r := range w.journal.all {
		k, err := record.ParseKey(r.Key)
		if i == until {
			break
		}
		if err != nil || slices.Contains([]byte{record.KindTombstone, record.KindTries, record.KindNumbers, record.KindBatch, record.KindCounter, record.KindStandIn}, r.Kind) {
			continue
		}
		before := newest[k]
		if before != nil && record.Begins(r.Kind) && record.Over(before) {
			before = nil
		}
		p, err := record.Fold(before, k, r)
		if err != nil {
			w.t.Fatal(err)
		}
		if before == nil {
			all = append(all, p)
		}
		newest[k] = p
	}
	return all
}

func (p *past) level() error {
	if p.until >= 0 && p.until < len(p.w.journal.all) {
		return txn.DeclineHistory
	}
	return nil
}

func (p *past) Named(_ context.Context, n txn.RRN, o txn.Key, _ env.Mono) (txn.Payment, error) {
	if err := p.level(); err != nil {
		return txn.Payment{}, err
	}
	for _, l := range p.w.lives(p.until) {
		if l.Key.Class != txn.StandIn && l.Numbers.RRN == n && l.Key.Merchant == o.Merchant && l.Key.Batch == o.Batch && l.Key.Trace == o.Trace {
			return *l, nil
		}
	}
	return txn.Payment{}, txn.DeclineOriginalUnknown
}

func (p *past) Since(_ context.Context, o *txn.Payment, _ env.Mono) (now txn.Payment, later []txn.Payment, err error) {
	if err := p.level(); err != nil {
		return now, nil, err
	}
	if p.gap {
		return now, nil, txn.DeclineHistoryGap
	}
	for _, l := range p.w.lives(p.until) {
		switch {
		case l.Key == o.Key && l.Numbers == o.Numbers:
			now = *l
		case l.Original == o.Key && (l.OfRRN == o.Numbers.RRN || l.OfRRN == txn.RRN{} && l.Numbers.RRN == o.Numbers.RRN):
			later = append(later, *l)
		}
	}
	return now, later, nil
}
