// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Advise takes in what has happened already: the terminal asks nobody's leave.
// It is told yes as soon as the advice is durable; delivery to the acquirer is the
// store-and-forward's work, and no answer of the acquirer takes it back. What
// cannot be kept is refused by name, and the terminal has it still.
func (f *Flow) Advise(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// Who asks, is it sensible, is there room; the same advice again gets the
	// stored answer.
	p, end, told := f.begin(ctx, r, in, f.checkAdvice)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// More than its terminal may sell without asking has happened all the same: it is
	// kept, and goes no further until a person lets it go.
	over, done := f.Batches.Offline(p.Key, p.Amount.Minor, f.Limits.Terminal(p.Key.Terminal).Offline)
	defer done()
	return f.takeIn(r, in, f.heldBack(p, over), in.Auth, nil)
}

// heldBack has p held as an operator holds it, when it is over a limit.
func (f *Flow) heldBack(p *txn.Payment, over txn.Reason) *txn.Payment {
	if p.Answer.Reason = over; over != "" {
		p.Held = &txn.Act{What: txn.Hold, By: bySwitch, Why: string(over), At: f.Clock.Now()}
	}
	return p
}

// bySwitch answers for what the switch holds back itself.
const bySwitch = "tapswitch"

// takeIn is the rest of an advice: where it goes, by which numbers, and that it is
// durable, in the turn of what it is about when may is given. A link that is down
// has time.
func (f *Flow) takeIn(r *reporter, in *txn.Request, p *txn.Payment, auth [6]byte, may ladder) txn.Answer {
	if err := f.address(in, p); err != nil {
		return f.refuse(err)
	}

	// From here on the merchant counts on it. The end of the call queues it.
	p.Answer = txn.Answer{Code: txn.CodeApproved, Reason: p.Answer.Reason, Auth: auth, RRN: p.Numbers.RRN, At: f.Clock.Now()}
	if told := f.keep(p, may); told != nil {
		return *told
	}
	r.step(StepAdvised)
	return p.Answer
}

// checkAdvice is the ladder of what an advice must be. Whether the card has expired
// since is not asked: the goods have gone.
func (f *Flow) checkAdvice(in *txn.Request) error {
	switch {
	case in.Amount.Minor <= 0:
		return txn.DeclineAmount
	case !f.accepts(uint16(in.Amount.Currency)):
		return txn.DeclineCurrency
	case !in.Card.PAN.LuhnOK():
		return txn.DeclinePAN
	case !in.Card.PIN.IsZero():
		return txn.DeclinePINGiven
	case in.Auth == [6]byte{} && !in.Key.Class.Follows(): // else it is its original's
		return txn.DeclineAuthMissing
	}
	return nil
}

// address chooses link and numbers of an advice; one that has an original goes where
// that went.
func (f *Flow) address(in *txn.Request, p *txn.Payment) (err error) {
	if p.Link == "" {
		if p.Link, err = f.Routes.Home(in.Card.PAN, in.Key.Class); err != nil {
			return err
		}
	}
	if !f.Acquirers.Serves(p.Link, in.Key.Class) {
		return txn.DeclineLinkClass
	}
	p.Numbers, err = f.Numbers.Next()
	return err
}

// keep makes an advice durable, in the turn of its original when it has one, which
// may says whether it may be. Told is what to say when it is not: a refusal
// when surely nothing was stored, and nothing when that is not known, since a no
// to what will be delivered makes the cashier do it twice.
func (f *Flow) keep(p *txn.Payment, may ladder) (told *txn.Answer) {
	decide := func(now, of replay.View) ([]journal.Record, error) {
		if now.Tombstone {
			return nil, txn.DeclineTombstone // its reversal overtook it
		}
		if may != nil {
			if err := may(p, of); err != nil {
				return nil, err
			}
		}
		return adviceRecords(p), nil
	}
	var err error
	if may != nil {
		_, err = f.Payments.ChangeBoth(p.Key, p.Original, decide)
	} else {
		_, err = f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) { return decide(now, replay.View{}) })
	}
	if err == nil {
		p.State = txn.Advising
		return nil
	}
	no := f.refuse(journalError(err))
	if no.Reason == txn.DeclineJournal.Reason {
		no = txn.Answer{Reason: no.Reason}
	}
	return &no
}

// adviceRecords are what makes an advice durable, and that it is held when it is.
func adviceRecords(p *txn.Payment) []journal.Record {
	records := []journal.Record{record.Advice(p)}
	if p.Held != nil {
		records = append(records, record.MakeAct(p, *p.Held))
	}
	return records
}
