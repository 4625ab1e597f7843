// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Mandate is what the issuer of a card lets the switch decide in its place.
type Mandate struct {
	Name   string
	Issuer chip.Issuer // whose keys check cryptogram and PIN
}

// StandIns has the mandates and the limits of the day.
type StandIns interface {
	// Mandate is the mandate for a card, nil when there is none.
	Mandate(pan secret.PAN) *Mandate
	// Allows is the rules that need no counter.
	Allows(in *txn.Request, m *Mandate) error
	// Take counts p against the card's limits of today. The records must be made
	// durable with the approval; failed says that they were not.
	Take(p *txn.Payment, m *Mandate) (records []journal.Record, failed func(), err error)
	// Auth makes the authorization code of an approval of ours.
	Auth(n txn.Numbers) [6]byte
}

// outOfReach answers a payment of which surely not a byte left, since no link
// could take it: in the place of its issuer when there is a mandate, or with why.
// The one way to it is from no healthy link and from ErrNotSent of the link's; once
// a byte may have left, nothing comes here.
func (f *Flow) outOfReach(ctx context.Context, r *reporter, in *txn.Request, p *txn.Payment, c checked, why error) txn.Answer {
	m := f.mandate(in, p, why)
	if m == nil {
		return f.notDecided(p, verified{failed: func() {}}, why)
	}
	// The rules, then the chip's word, its counter and the PIN, as for a card of
	// our own: each in our HSM.
	if err := f.StandIns.Allows(in, m); err != nil {
		return f.notDecided(p, verified{failed: func() {}}, err)
	}
	v, err := f.proved(ctx, in, p, m, c)
	if err != nil {
		return f.notDecided(p, v, err)
	}
	r.step(StepPIN)
	advice, err := f.adviceOf(ctx, in, p)
	if err != nil {
		v.failed()
		return f.notDecided(p, verified{failed: func() {}}, err)
	}
	limits, giveBack, err := f.StandIns.Take(p, m)
	if err != nil {
		v.failed()
		return f.notDecided(p, verified{failed: func() {}}, err)
	}
	v = v.with(limits, giveBack)

	// The yes, with all that counts and with what the acquirer is owed, is one
	// append: a crash leaves all of it or nothing.
	ans := txn.Answer{Code: txn.CodeApproved, Reason: txn.StandInYes, Auth: f.StandIns.Auth(p.Numbers), RRN: p.Numbers.RRN, At: f.Clock.Now()}
	f.respond(ctx, in, &m.Issuer, &ans)
	advice.Answer = ans
	advice.Answer.ICC = nil
	if told := f.decide(p, advice, v, ans); told != nil {
		return *told
	}
	r.step(StepDecided)
	f.Reversals.EnqueueFresh(p.Link, advice.Key)
	if f.Clock.Mono() >= in.Deadline {
		return f.undo(p, txn.DeadlinePassed, txn.DeclineDeadline)
	}
	return ans
}

// mandate says whether p may be decided here at all.
func (f *Flow) mandate(in *txn.Request, p *txn.Payment, why error) *Mandate {
	if f.StandIns == nil || in.Key.Class != txn.Purchase || f.Clock.Mono() >= in.Deadline {
		return nil
	}
	if no := txn.AsDecline(why).Reason; no != txn.DeclineLinkDown.Reason && no != txn.DeclineNotSent.Reason {
		return nil // ours, not the link's
	}
	if _, err := f.Routes.Choose(in.Card.PAN); err == nil {
		return nil // a link is there for the next try
	}
	return f.StandIns.Mandate(in.Card.PAN)
}

// proved has cryptogram, counter and PIN checked by the mandate's keys, unless they
// were before the payment was handed to the link: those of a card of our own. Of one that
// found no link the cryptogram alone was.
func (f *Flow) proved(ctx context.Context, in *txn.Request, p *txn.Payment, m *Mandate, c checked) (verified, error) {
	if c.issuer != nil {
		return verified{failed: func() {}}, nil
	}
	if c.chip != m.Issuer.Name {
		if err := f.Chips.Check(ctx, in, m.Issuer); err != nil {
			return verified{failed: func() {}}, err
		}
	}
	return f.counted(ctx, in, p, &m.Issuer)
}

// with is v with more to be made durable together.
func (v verified) with(records []journal.Record, failed func()) verified {
	before := v.failed
	v.records = append(v.records, records...)
	v.failed = func() { failed(); before() }
	return v
}

// adviceOf gives p its link and numbers, when it has none, and makes what the
// acquirer is told later: the same payment under a key of its own, by the numbers
// that no request of p has carried.
func (f *Flow) adviceOf(ctx context.Context, in *txn.Request, p *txn.Payment) (*txn.Payment, error) {
	var err error
	if p.Link == "" {
		if p.Link, err = f.Routes.Home(in.Card.PAN, txn.StandIn); err != nil {
			return nil, err
		}
	}
	if !f.Acquirers.Serves(p.Link, txn.StandIn) {
		return nil, txn.DeclineLinkClass
	}
	if p.Numbers.STAN == 0 {
		if p.Numbers, err = f.Numbers.Next(); err != nil {
			return nil, err
		}
	}
	a := *p
	a.Key, a.Original, a.OfRRN, a.State, a.Reserved = txn.StandInKey(p.Key), p.Key, p.Numbers.RRN, txn.Received, 0
	return &a, f.Cards.Protect(ctx, in, &a)
}

// decide makes the yes durable. Told is the answer when it is not: a refusal when
// surely nothing was stored. When that is not known the process stops without a
// word, since a no could meet the yes that the next start finds.
func (f *Flow) decide(p, advice *txn.Payment, v verified, ans txn.Answer) (told *txn.Answer) {
	yes := record.Outcome{Event: txn.StoodIn, Answer: ans}
	_, err := f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		records, owed := v.records, record.Advice(advice)
		switch {
		case now.Tombstone:
			return nil, txn.DeclineTombstone // its reversal overtook it
		case now.Payment == nil:
			intended := *p
			intended.State, intended.Reserved = txn.Intended, record.FollowUps
			records = append(records, record.Intent(p), record.MakeOutcome(&intended, yes))
		case now.Payment.State != txn.Intended && now.Payment.State != txn.Sent: // the terminal reversed it meanwhile
			return nil, txn.DeclineUndone
		default:
			// The intent asked for no room for an advice: what the outcome gives back is
			// kept with the advice, so that the whole asks for room and may be refused.
			records = append(records, record.MakeOutcome(now.Payment, yes))
			owed.Reserve += record.FollowUps - record.UndoRoom
		}
		return append(records, owed), nil
	})
	if err == nil {
		p.State, p.Answer, p.StoodIn = txn.Approved, ans, true
		return nil
	}
	v.failed()
	d := txn.AsDecline(journalError(err))
	if d.Reason == txn.DeclineJournal.Reason {
		f.Stop(err)
		return &txn.Answer{Reason: d.Reason}
	}
	no := f.notDecided(p, verified{failed: func() {}}, d)
	return &no
}

// notDecided ends a payment that is not decided here; a PIN try that was counted
// is made durable with it.
func (f *Flow) notDecided(p *txn.Payment, v verified, why error) txn.Answer {
	if p.State != txn.Intended {
		return f.refusePIN(p, v, why)
	}
	return f.unsent(p, v, why)
}
