// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"

	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// deposit is what a terminal knows of its last pre-authorization.
type deposit struct {
	hold      *receipt     // stands, as far as the terminal knows
	completed *receipt     // in force, of the hold that stood
	of        *receipt     // what was completed
	released  *receipt     // the last one that was cancelled
	holds     []oracle.Key // what is held or was completed, as the terminal has it
}

// receipt is what a later message needs of an approved one.
type receipt struct {
	host.Original
	link   string
	key    oracle.Key
	amount int64
}

// deposits does one thing about what is held.
func (t *till) deposits(ctx context.Context) error {
	if t.completed != nil && t.completed.Batch != t.host.Batch() {
		t.completed = nil // settled: not to be voided any more
	}
	switch n := t.chance.IntN(8); {
	case t.hold != nil && n < 2:
		return t.release(ctx)
	case t.hold != nil && n == 2: // one percent above what may be taken
		return t.beg(ctx, host.KindCompletion, t.hold, t.hold.amount*(oracle.CompletablePercent+1)/100+1)
	case t.hold != nil && n < 5:
		return t.completeAfter(ctx)
	case t.hold != nil:
		return t.complete(ctx)
	case t.completed != nil && n < 3:
		return t.voidCompletion(ctx)
	case t.completed != nil && n == 3:
		return t.beg(ctx, host.KindCompletion, t.of, t.of.amount)
	case t.released != nil && n == 4:
		return t.beg(ctx, host.KindCompletion, t.released, t.released.amount)
	}
	return t.holdSome(ctx)
}

// holdSome has an amount held.
func (t *till) holdSome(ctx context.Context) error {
	r, err := t.about(ctx, host.KindPreAuth, &receipt{link: t.anyLink()}, int64(1+t.chance.IntN(2000)))
	if r == nil || err != nil {
		return err
	}
	return t.unlessTakenBack(ctx, r, func() {
		t.hold, t.completed, t.of = r, nil, nil
		t.holds = append(t.holds, r.key)
	})
}

// release cancels what is held.
func (t *till) release(ctx context.Context) error {
	h := t.hold
	r, err := t.about(ctx, host.KindPreAuthVoid, h, h.amount)
	if r == nil || err != nil {
		return err
	}
	return t.unlessTakenBack(ctx, r, func() {
		t.drop(h)
		t.hold, t.released = nil, h
		t.voids = append(t.voids, oracle.Taken{Key: r.key, Of: h.key})
	})
}

// complete takes what is held, or another amount that the percentage allows.
func (t *till) complete(ctx context.Context) error {
	h := t.hold
	r, err := t.about(ctx, host.KindCompletion, h, 1+t.chance.Int64N(h.amount*oracle.CompletablePercent/100))
	if r == nil || err != nil {
		return err
	}
	return t.unlessTakenBack(ctx, r, func() { t.took(h, r) })
}

// took notes that a completion is in force.
func (t *till) took(h, r *receipt) {
	t.drop(h)
	t.hold, t.completed, t.of = nil, r, h
	t.holds = append(t.holds, r.key)
}

// voidCompletion gives back what was completed: it is held again.
func (t *till) voidCompletion(ctx context.Context) error {
	c, h := t.completed, t.of
	r, err := t.about(ctx, host.KindCompletionVoid, c, c.amount)
	if r == nil || err != nil {
		return err
	}
	return t.unlessTakenBack(ctx, r, func() {
		t.drop(c)
		t.hold, t.completed, t.of = h, nil, nil
		t.holds = append(t.holds, h.key)
		t.voids = append(t.voids, oracle.Taken{Key: r.key, Of: c.key})
	})
}

// drop takes a payment out of what is held or completed.
func (t *till) drop(r *receipt) {
	t.holds = slices.DeleteFunc(t.holds, func(k oracle.Key) bool { return k == r.key })
}

// unlessTakenBack has an approval stand, or now and then the shop takes it back at
// once.
func (t *till) unlessTakenBack(ctx context.Context, r *receipt, stands func()) error {
	if t.chance.IntN(10) == 0 {
		if undo, _ := t.host.Reverse(ctx); undo != nil && undo.Trace == r.Trace {
			return nil
		}
	}
	stands()
	return nil
}

// beg asks for what must be refused.
func (t *till) beg(ctx context.Context, kind host.Kind, of *receipt, amount int64) error {
	trace := t.host.NextTrace()
	t.protocol.vainly(trace, true)
	_, err := t.about(ctx, kind, of, amount)
	if t.host.NextTrace() == trace { // nothing was made of it
		t.protocol.vainly(trace, false)
	}
	return err
}

// about sends a message about an earlier one, or with an empty receipt a first one;
// nil when it was not approved.
func (t *till) about(ctx context.Context, kind host.Kind, of *receipt, amount int64) (*receipt, error) {
	read, err := t.ask(ctx, cardOf(of.link), amount, "")
	if err != nil {
		return nil, err
	}
	read.Kind, read.Original = kind, of.Original
	if of.Original != (host.Original{}) {
		read.Card.ICC, read.Card.Track2 = host.Card{}.ICC, host.Card{}.Track2 // no card is read for it
		if kind != host.KindCompletionVoid {
			read.Original.RRN = ""
		}
	}
	r := t.host.Sale(ctx, read)
	if r.Outcome != host.Approved && r.Outcome != host.Declined {
		return nil, nil
	}
	key := keyOf(t.id, r.Batch, r.Trace)
	t.protocol.believed(oracleKind(kind), key)
	if r.Outcome != host.Approved {
		return nil, nil
	}
	return &receipt{Original: host.Original{Auth: r.Auth, Date: r.Date, Batch: r.Batch, Trace: r.Trace, RRN: r.RRN}, link: of.link, key: key, amount: amount}, nil
}

// oracleKind is a kind of the terminal program in the oracle's words.
func oracleKind(kind host.Kind) oracle.Kind {
	switch kind {
	case host.KindPreAuth:
		return oracle.Hold
	case host.KindPreAuthVoid:
		return oracle.Release
	case host.KindCompletion:
		return oracle.Completion
	case host.KindCompletionVoid:
		return oracle.CompletionVoid
	}
	return oracle.Purchase
}

// anyLink draws a bank.
func (t *till) anyLink() string { return []string{linkA, linkB}[t.chance.IntN(2)] }
