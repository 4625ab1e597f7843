// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// refunds are what a terminal knows of what it gave back.
type refunds struct {
	giving *refunding // nil: none is under way
	given  []oracle.Taken
	voids  []oracle.Taken
}

// refunding is a refund whose end the terminal does not know: the same message is sent
// again until it does, in whichever life of the switch.
type refunding struct {
	of     *sale
	key    oracle.Key
	amount int64
	tries  int
}

// triesOfRefund is how often a refund is sent again that the switch will not judge; a
// person asks then.
const triesOfRefund = 40

// refund gives a sale or a part of it back, or asks for more than is left of it,
// which must be refused.
func (t *till) refund(ctx context.Context) error {
	if t.giving != nil || len(t.held) == 0 {
		return nil
	}
	s := t.held[t.chance.IntN(len(t.held))]
	vain := s.left == 0 || s.cash || t.chance.IntN(6) == 0
	if s.unsure {
		return nil
	}
	amount := s.left + 1
	if !vain {
		amount = 1 + t.chance.Int64N(s.left)
	}
	read, err := t.ask(ctx, cardOf(s.Link), amount, "")
	if err != nil {
		return err
	}
	trace := t.host.NextTrace()
	t.protocol.vainly(trace, vain)
	r := t.host.Refund(ctx, host.Refund{Amount: money.MinorUnits(amount), Card: read.Card, Original: host.Original{Batch: s.Batch, Trace: s.Trace, RRN: s.RRN}})
	if r.Outcome == host.NotSent {
		t.protocol.vainly(trace, false)
		return nil
	}
	t.giving = &refunding{of: s, key: keyOf(t.id, r.Batch, r.Trace), amount: amount}
	return t.gave(ctx, r)
}

// repeatRefund sends the refund again that has no end yet; true when none is left.
func (t *till) repeatRefund(ctx context.Context) (done bool, err error) {
	if t.giving == nil {
		return true, nil
	}
	r := t.host.Repeat(ctx)
	if r == nil {
		return false, fmt.Errorf("terminal %s forgot its refund %06d", t.id, t.giving.key.Trace)
	}
	err = t.gave(ctx, *r)
	return t.giving == nil, err
}

// gave takes in how a refund ended, when it did.
func (t *till) gave(ctx context.Context, r host.Result) error {
	g := t.giving
	switch r.Outcome {
	case host.Approved:
		g.of.left -= g.amount
		t.given = append(t.given, oracle.Taken{Key: g.key, Of: g.of.key()})
	case host.Declined:
	case host.Unclear:
		g.of.unsure = true
	default:
		if g.tries++; r.Reason != host.ReasonUnjudged || g.tries < triesOfRefund {
			return nil
		}
		g.of.unsure, t.giving = true, nil
		return t.host.Discard(ctx, g.key.Trace)
	}
	t.protocol.believed(oracle.Refund, g.key)
	t.giving = nil
	return t.host.Told(ctx)
}

// cardOf is the card of a link's bank.
func cardOf(link string) string {
	if link == linkB {
		return "visa"
	}
	return "unionpay"
}
