// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"

	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// begin is steps 1 to 3 of every message that is journaled: authenticate, the
// class's own ladder of checks, room, and the claim of the replay key. With told
// the message is answered; else end must be called with the answer.
func (f *Flow) begin(ctx context.Context, r *reporter, in *txn.Request, check func(*txn.Request) error) (p *txn.Payment, end func(txn.Answer), told *txn.Answer) {
	tell := func(a txn.Answer) (*txn.Payment, func(txn.Answer), *txn.Answer) { return nil, nil, &a }
	if err := f.Terminals.Authenticate(ctx, in); err != nil {
		return tell(f.refuse(err))
	}
	if err := check(in); err != nil {
		return tell(f.refuse(err))
	}
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return tell(f.refuseFirst(in.Key, err))
	}
	p = txn.NewPayment(in)
	r.payment = p
	if err := f.Cards.Protect(ctx, in, p); err != nil {
		leave()
		return tell(f.refuseFirst(in.Key, err))
	}
	if old, err := f.Payments.Claim(p, in.Deadline); err != nil || old != nil {
		leave()
		return tell(f.repeated(p.Key, old, err))
	}
	if err := f.Batches.Admit(p.Key); err != nil {
		a := f.refuse(err)
		f.finish(p, a)
		leave()
		return tell(a)
	}
	r.step(StepClaimed)
	return p, func(a txn.Answer) { f.finish(p, a); leave() }, nil
}

// checked is what came of the card and goes along to the acquirer.
type checked struct {
	issuer   *chip.Issuer // set when the card is on-us
	chip     string       // the issuer by whose keys the cryptogram was found genuine, also when nothing else came of it
	pin      verified
	original *txn.Payment // what a void, a refund or a completion is about
}

// card is steps 5 to 7: the chip, the route, the PIN, and the numbers of the
// request to the acquirer.
func (f *Flow) card(ctx context.Context, r *reporter, in *txn.Request, p *txn.Payment) (c checked, told *txn.Answer) {
	tell := func(a txn.Answer) (checked, *txn.Answer) { return checked{chip: c.chip}, &a }
	var err error
	if c.issuer, err = f.Routes.Issuer(in.Card.PAN); err != nil {
		return tell(f.refuse(err))
	}
	r.whose(c.issuer)
	if err := f.chip(ctx, in, c.issuer); err != nil {
		return tell(f.refuse(err))
	}
	if c.issuer != nil {
		c.chip = c.issuer.Name
	}
	r.step(StepChip)
	if p.Link == "" { // what has an original goes where that went
		if p.Link, err = f.Routes.Choose(in.Card.PAN); err != nil {
			return tell(f.refuse(err))
		}
	}
	if !f.Acquirers.Serves(p.Link, in.Key.Class) {
		return tell(f.refuse(txn.DeclineLinkClass))
	}
	if err := f.linkTakes(in, p.Link); err != nil {
		return tell(f.refuse(err))
	}
	if c.pin, err = f.counted(ctx, in, p, c.issuer); err != nil {
		return tell(f.refusePIN(p, c.pin, err))
	}
	r.step(StepPIN)
	if p.Numbers, err = f.Numbers.Next(); err != nil {
		c.pin.failed()
		return tell(f.refuse(err))
	}
	return c, nil
}

// exchange is steps 9 to 11. Nothing sent, sent and unknown, and an answer that
// fails its checks are three different ends; what is not known to have ended
// ends by the rule of its class.
func (f *Flow) exchange(ctx context.Context, r *reporter, in *txn.Request, p *txn.Payment, c checked) txn.Answer {
	answer, err := f.ask(ctx, in, p, &c)
	r.step(StepAnswered)
	switch {
	case errors.Is(err, ErrNotSent):
		return f.outOfReach(ctx, r, in, p, c, err)
	case errors.Is(err, ErrChecks):
		return f.unknown(p, txn.CheckFailed, err)
	case err != nil:
		return f.unknown(p, txn.TimedOut, txn.DeclineNoAnswer.Why(err))
	}
	f.respond(ctx, in, c.issuer, &answer)

	// 10: the outcome, with the answer itself, is on disk before the terminal
	// hears of it.
	state, err := f.outcome(p, answer)
	if err != nil {
		return f.unknown(p, txn.CheckFailed, txn.DeclineJournal.Why(err))
	}
	r.step(StepDecided)
	if state == txn.Reversing { // the terminal reversed it while it was in flight
		return f.refuse(txn.DeclineUndone)
	}
	// 11: after the deadline only a refusal is possible.
	if answer.Approved() && f.Clock.Mono() >= in.Deadline {
		return f.unknown(p, txn.DeadlinePassed, txn.DeclineDeadline)
	}
	return answer
}

// unknown ends a payment whose end at the acquirer is not known, or cannot be
// told, by the rule of its class.
func (f *Flow) unknown(p *txn.Payment, e txn.Event, why error) txn.Answer {
	switch p.Ending() {
	case txn.EndClose:
		return f.close(p.Key, why)
	case txn.EndCase:
		switch e {
		case txn.DeadlinePassed: // its yes is known and stored
			return f.stands(p.Key, why)
		case txn.TimedOut:
			return f.atOnce(p, txn.CaseRefundUnanswered, why)
		}
		return f.atOnce(p, txn.CaseRefundUnusable, why)
	}
	return f.undo(p, e, why)
}

// chip checks what the chip said, and its cryptogram where the card is on-us.
func (f *Flow) chip(ctx context.Context, in *txn.Request, is *chip.Issuer) error {
	if !in.Card.ICC.IsZero() {
		if err := chip.Consistent(in); err != nil {
			return err
		}
	}
	if is == nil || in.Key.Class.Follows() && in.Card.ICC.IsZero() { // it may come without the card's word
		return nil
	}
	return f.Chips.Check(ctx, in, *is)
}

// verified is what came of the PIN.
type verified struct {
	block   secret.PINBlock  // for the acquirer, zero when none
	records []journal.Record // to be made durable with the payment's own
	failed  func()           // tells that they were not
}

// pin verifies the PIN of an on-us card, which then stays here, and translates
// any other to the zone key of the link.
func (f *Flow) pin(ctx context.Context, in *txn.Request, p *txn.Payment, is *chip.Issuer) (v verified, err error) {
	v.failed = func() {}
	switch {
	case in.Card.PIN.IsZero():
	case is != nil && is.PVK != nil:
		v.records, v.failed, err = f.PINs.Verify(ctx, in, p, *is)
	default:
		v.block, err = f.PINs.Translate(ctx, in, p.Link)
	}
	return v, err
}

// respond adds the ARPC of an on-us card. Without it the approval stands: the
// card has left the field, and the answer is authenticated by its MAC.
func (f *Flow) respond(ctx context.Context, in *txn.Request, is *chip.Issuer, a *txn.Answer) {
	if is == nil || len(a.ICC) > 0 || in.Card.ICC.IsZero() {
		return
	}
	if icc, err := f.Chips.Respond(ctx, in, *is, a.Code); err == nil {
		a.ICC = icc
	}
}
