// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Refund gives a completed purchase back, or a part of it: to the card that paid,
// by any terminal of the merchant. Its life is a payment's but for what is not
// known: terminals do not reverse refunds, and not every acquirer takes a
// reversal of one, so its end is a case for a person unless the link says
// otherwise. What happens to one original takes turns: the sum of its refunds, of
// those in force, under way and in dispute, never exceeds it.
func (f *Flow) Refund(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 to 3, as for a payment.
	p, end, told := f.begin(ctx, r, in, f.checkRefund)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// 4: what it gives back, before a PIN is tried for it.
	o, err := f.originOf(ctx, in)
	if err != nil {
		return f.refuse(err)
	}
	defer o.release()
	if !txn.NearDate(o.payment.Numbers.At, in.OfDate) {
		return f.refuse(txn.DeclineOriginalDiffers)
	}
	if err := refundable(p, f.first(o)); err != nil {
		return f.refuse(err)
	}
	p.Undoes = f.Acquirers.Undoes(o.payment.Link, txn.Refund)

	// 5 to 11; with the intent the amount is taken.
	return f.about(ctx, r, in, p, &o.payment, f.over(o, refundable))
}

// checkRefund is the ladder of what a refund must be, one rule a line.
func (f *Flow) checkRefund(in *txn.Request) error {
	switch {
	case in.OfRRN == txn.RRN{}:
		return txn.DeclineReference
	case in.Amount.Minor <= 0:
		return txn.DeclineAmount
	}
	return f.checkCard(in)
}

// refundable is the ladder of what an original must be for p, one rule a line.
func refundable(p *txn.Payment, of replay.View) error {
	o := of.Payment
	switch {
	case o == nil:
		return txn.DeclineOriginalUnknown
	case !o.Key.Class.Refundable():
		return txn.DeclineNotRefundable
	case o.Amount.Currency != p.Amount.Currency, o.Token != p.Token:
		return txn.DeclineOriginalDiffers
	case p.Amount.Minor > comes(of).Minor:
		return txn.DeclineRefundExceeds
	}
	if err := standing(of); err != nil {
		return err
	}
	return within(p.Amount.Minor, comes(of).Minor, of.Later)
}

// within says whether what is left of an original is enough for one more refund.
// What is lost for good is told before what a person must find out, and that
// before what only takes its time.
func within(asked, left money.MinorUnits, later []txn.Payment) error {
	var open, moving money.MinorUnits
	for i := range later {
		l := &later[i]
		if l.Key.Class != txn.Refund {
			if err := alone(l); err != nil {
				return err
			}
			continue
		}
		switch {
		case l.State.InForce(), l.State == txn.Approved && !l.Undoes: // which stands, whatever its answer meets
			left -= l.Amount.Minor
		case l.State == txn.Disputed:
			open += l.Amount.Minor
		case !l.State.Resting():
			moving += l.Amount.Minor
		}
	}
	switch {
	case asked > left:
		return txn.DeclineRefundExceeds
	case asked > left-open:
		return txn.DeclineOriginalCase
	case asked > left-open-moving:
		return txn.DeclineOriginalBusy
	}
	return nil
}

// atOnce opens a case for a payment of which nobody knows whether its acquirer
// carried it out and which is not reversed by itself, then refuses. A case that
// cannot be made durable stops the process without an answer, as an undo does: a
// yes may be durable, and a repeat would be told it after a no.
func (f *Flow) atOnce(p *txn.Payment, why txn.Reason, cause error) txn.Answer {
	if err := f.openCase(p.Key, why, txn.Code{}); err != nil {
		f.Stop(fmt.Errorf("case of refund stan %06d could not be made durable: %w", p.Numbers.STAN, err))
		return txn.Answer{}
	}
	return f.refuse(cause)
}

// openCase makes a case durable; one that has its end already stays as it is.
func (f *Flow) openCase(k txn.Key, why txn.Reason, code txn.Code) error {
	c := txn.Case{Why: why, Code: code, At: f.Clock.Now()}
	return f.changeToCase(k, func(now replay.View) []journal.Record { return caseRecords(now, c) })
}

// changeToCase carries the opening of a case out, and tells of it.
func (f *Flow) changeToCase(k txn.Key, decide func(replay.View) []journal.Record) error {
	opened := false
	now, err := f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		records := decide(now)
		opened = len(records) > 0
		return records, nil
	})
	if err == nil && opened && f.Opened != nil {
		f.Opened(*now.Payment)
	}
	return err
}

// caseRecords opens a case where there can be one. A payment that rests as the
// terminal was told is left alone.
func caseRecords(now replay.View, c txn.Case) []journal.Record {
	if now.Payment == nil || now.Payment.State == txn.Disputed || now.Payment.State == txn.Completed || now.Payment.State == txn.Reversed {
		return nil
	}
	if _, ok := txn.Follow(now.Payment.State, txn.CaseOpened); !ok {
		return nil
	}
	return []journal.Record{record.MakeCase(now.Payment, c)}
}

// lateCase opens a case for a refund that was told no and has a yes after all. Of
// one that is a case already a late yes, whose MAC nobody has verified, says no
// more than the acquirer will say when it is asked.
func (f *Flow) lateCase(k txn.Key, l replay.LinkKey, said txn.Event) {
	c := txn.Case{Why: txn.CaseRefundLate, Code: txn.CodeApproved, At: f.Clock.Now()}
	err := f.changeToCase(k, func(now replay.View) []journal.Record {
		switch {
		case !settled(now):
			besideAnswer(now, said)
			return nil
		case said == txn.SaidYes && now.Payment.State == txn.Declined:
			return caseRecords(now, c)
		}
		now.Heard(said)
		return nil
	})
	if err != nil {
		f.Stop(fmt.Errorf("late answer to a refund on link %s stan %06d: %w", l.Link, l.STAN, err))
	}
}

// stands ends an approval that was not, or may not be, told and is not undone:
// the terminal asks again with the same message, and is told then.
func (f *Flow) stands(k txn.Key, why error) txn.Answer {
	f.Payments.Move(k, txn.Stands)
	return txn.Answer{Reason: txn.AsDecline(why).Reason}
}
