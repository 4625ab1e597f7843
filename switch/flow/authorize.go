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

// Authorize is the life of a payment. Read it top to bottom: everything that
// can happen to the customer's money is a line here. After Delivered was told
// what became of the answer, the life is over.
func (f *Flow) Authorize(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 and 2: who asks, is it sensible, is there room.
	if err := f.Terminals.Authenticate(ctx, in); err != nil {
		return f.refuse(err)
	}
	if err := f.check(in); err != nil {
		return f.refuse(err)
	}
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return f.refuseFirst(in.Key, err)
	}
	defer leave()

	// 3: the same message again gets the stored answer.
	p := txn.NewPayment(in)
	r.payment = p
	if err := f.Cards.Protect(ctx, in, p); err != nil {
		return f.refuseFirst(in.Key, err)
	}
	if old, err := f.Payments.Claim(p, in.Deadline); err != nil || old != nil {
		return f.repeated(p.Key, old, err)
	}
	defer func() { f.finish(p, ans) }()
	r.step(StepClaimed)

	// 5 to 7: chip, route, PIN.
	issuer, err := f.Routes.Issuer(in.Card.PAN)
	if err != nil {
		return f.refuse(err)
	}
	r.whose(issuer)
	if err := f.chip(ctx, in, issuer); err != nil {
		return f.refuse(err)
	}
	r.step(StepChip)
	if p.Link, err = f.Routes.Choose(in.Card.PAN); err != nil {
		return f.refuse(err)
	}
	pin, err := f.pin(ctx, in, p, issuer)
	if err != nil {
		return f.refusePIN(p, pin, err)
	}
	r.step(StepPIN)
	if p.Numbers, err = f.Numbers.Next(); err != nil {
		pin.failed()
		return f.refuse(err)
	}

	// 8: from here on the issuer may hold the customer's money, so the intent is
	// on disk before the first byte leaves. A failed append may still be
	// durable: nothing was sent, so recovery reverses it and no harm is done.
	if err := f.intend(p, pin); err != nil {
		return f.refuse(err)
	}
	r.step(StepIntended)

	// 9: the exchange. Nothing sent, sent and unknown, and an answer that fails
	// its checks are three different ends.
	answer, err := f.Acquirers.Exchange(ctx, Send{Payment: p, Card: &in.Card, PIN: pin.block, Deadline: in.Deadline})
	r.step(StepAnswered)
	switch {
	case errors.Is(err, ErrNotSent):
		return f.unsent(p, err)
	case errors.Is(err, ErrChecks):
		return f.undo(p, txn.CheckFailed, err)
	case err != nil:
		return f.undo(p, txn.TimedOut, txn.DeclineNoAnswer.Why(err))
	}
	f.respond(ctx, in, issuer, &answer)

	// 10: the outcome, with the answer itself, is on disk before the terminal
	// hears of it.
	state, err := f.outcome(p, answer)
	if err != nil {
		return f.undo(p, txn.CheckFailed, txn.DeclineJournal.Why(err))
	}
	r.step(StepDecided)
	if state == txn.Reversing { // the terminal reversed it while it was in flight
		return f.refuse(txn.DeclineUndone)
	}
	// 11: after the deadline only a refusal is possible.
	if answer.Approved() && f.Clock.Mono() >= in.Deadline {
		return f.undo(p, txn.DeadlinePassed, txn.DeclineDeadline)
	}
	return answer
}

// chip checks what the chip said, and its cryptogram where the card is on-us.
func (f *Flow) chip(ctx context.Context, in *txn.Request, is *chip.Issuer) error {
	if !in.Card.ICC.IsZero() {
		if err := chip.Consistent(in); err != nil {
			return err
		}
	}
	if is == nil {
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

// check is the ladder of what a request must be, one rule a line.
func (f *Flow) check(in *txn.Request) error {
	switch {
	case in.Amount.Minor <= 0:
		return txn.DeclineAmount
	case !f.accepts(uint16(in.Amount.Currency)):
		return txn.DeclineCurrency
	case !in.Card.PAN.LuhnOK():
		return txn.DeclinePAN
	case in.Expiry != ([4]byte{}) && string(in.Expiry[:]) < f.Clock.Now().Format("0601"):
		return txn.DeclineExpired
	case in.Entry[2] == '1' && in.Card.PIN.IsZero():
		return txn.DeclinePINMissing
	}
	return nil
}

func (f *Flow) accepts(currency uint16) bool {
	for _, c := range f.Currency {
		if c == currency {
			return true
		}
	}
	return false
}
