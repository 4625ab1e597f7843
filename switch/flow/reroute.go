// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// ask hands a payment to its link. What the link surely has not sent goes on to the
// next healthy one of the card's range, to each once; after any other end, a byte
// may have left, and it goes nowhere else. What follows an original stays with it.
func (f *Flow) ask(ctx context.Context, in *txn.Request, p *txn.Payment, c *checked) (txn.Answer, error) {
	var tried []string
	for {
		answer, err := f.Acquirers.Exchange(ctx, Send{Payment: p, Original: c.original, Card: &in.Card, PIN: c.pin.block, Deadline: in.Deadline,
			Forwarded: func() { f.Payments.Move(p.Key, txn.Forwarded) }})
		if !errors.Is(err, ErrNotSent) || c.original != nil {
			return answer, err
		}
		tried = append(tried, p.Link)
		if !f.reroute(ctx, in, p, c, tried, err) {
			return answer, err
		}
	}
}

// reroute takes a payment of which surely nothing left to a link that was not tried
// yet. Its new link is durable before the first byte goes there: a crash reverses
// where it may have gone. False: there is none, or it may not go any more.
func (f *Flow) reroute(ctx context.Context, in *txn.Request, p *txn.Payment, c *checked, tried []string, why error) bool {
	if txn.AsDecline(why).Reason != txn.DeclineNotSent.Reason || f.Clock.Mono() >= in.Deadline {
		return false // ours, not the link's; or nobody waits for it
	}
	link, err := f.Routes.Another(in.Card.PAN, in.Key.Class, tried)
	if err != nil {
		return false
	}
	if f.linkTakes(in, link) != nil {
		return false
	}
	block := c.pin.block
	if !block.IsZero() { // it is under the zone key of the link before
		if block, err = f.PINs.Translate(ctx, in, link); err != nil {
			return false
		}
	}
	_, err = f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		if _, ok := txn.Follow(now.Payment.State, txn.Rerouted); !ok { // the terminal reversed it meanwhile
			return nil, txn.DeclineUndone
		}
		return []journal.Record{record.MakeRerouted(p.Key, link)}, nil
	})
	if err != nil { // it may be durable all the same: then its reversal goes to a link that has not heard of it
		return false
	}
	p.Link, c.pin.block = link, block
	return true
}
