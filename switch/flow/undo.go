// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// refuse answers no; nothing is durable and nothing was sent.
func (f *Flow) refuse(err error) txn.Answer { return txn.Refusal(err, f.Clock.Now()) }

// refuseFirst answers no before the claim, and remembers it: the terminal takes
// the first answer for the end, so the same message may get no other later. When
// it is being worked on already, or was answered, nothing is told: a no from here
// could meet a yes from there.
func (f *Flow) refuseFirst(k txn.Key, err error) txn.Answer {
	ans := f.refuse(err)
	if !f.Payments.RefuseFirst(k, ans) {
		return txn.Answer{Reason: ans.Reason, Repeat: true}
	}
	return ans
}

// repeated answers a repeat: the stored answer, or why there is none. While the
// original is still under way nothing is told, since it may yet be approved.
func (f *Flow) repeated(k txn.Key, old *txn.Answer, err error) txn.Answer {
	switch {
	case errors.Is(err, txn.DeclineInFlight):
		return txn.Answer{Reason: txn.DeclineInFlight.Reason, Repeat: true}
	case errors.Is(err, txn.DeclineOverload):
		return f.refuseFirst(k, err)
	case err != nil:
		return f.refuse(err)
	}
	return *old
}

// refusePIN makes a counted PIN try durable together with its refusal, so that
// a repeat of this message gets the same answer and is not counted again.
func (f *Flow) refusePIN(p *txn.Payment, v verified, err error) txn.Answer {
	p.Answer = f.refuse(err)
	if len(v.records) == 0 {
		return p.Answer
	}
	_, failed := f.Payments.Change(p.Key, func(replay.View) ([]journal.Record, error) {
		return append(v.records, record.Refused(p)), nil
	})
	if failed != nil {
		v.failed()
		return f.refuse(journalError(failed)) // whether the PIN was right is not told
	}
	return p.Answer
}

// intend makes the intent durable, with what the PIN check left to count.
func (f *Flow) intend(p *txn.Payment, v verified) error {
	_, err := f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		if now.Tombstone {
			return nil, txn.DeclineTombstone // its reversal overtook it
		}
		return append(v.records, record.Intent(p)), nil
	})
	if err != nil {
		v.failed()
		return journalError(err)
	}
	p.State = txn.Intended
	return nil
}

// outcome makes the acquirer's answer durable and tells how the payment stands.
func (f *Flow) outcome(p *txn.Payment, a txn.Answer) (txn.State, error) {
	event := txn.SaidNo
	if a.Approved() {
		event = txn.SaidYes
	}
	now, err := f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		return []journal.Record{record.MakeOutcome(now.Payment, record.Outcome{Event: event, Answer: a})}, nil
	})
	if err != nil {
		return 0, err
	}
	p.State, p.Answer = now.Payment.State, a
	return p.State, nil
}

// unsent ends a payment of which surely nothing left, with what v has to count.
func (f *Flow) unsent(p *txn.Payment, v verified, cause error) txn.Answer {
	ans := f.refuse(cause)
	_, err := f.Payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		return append(v.records, record.MakeOutcome(now.Payment, record.Outcome{Event: txn.NotSent, Answer: ans})), nil
	})
	if err != nil {
		v.failed()
		// The intent alone is durable: recovery will reverse it, which is harmless.
		return f.refuse(txn.DeclineJournal.Why(err))
	}
	return ans
}

// undo makes durable that p is to be reversed, then refuses. An undo that
// cannot be made durable stops the process without an answer.
func (f *Flow) undo(p *txn.Payment, e txn.Event, why error) txn.Answer {
	d := txn.AsDecline(why)
	if err := f.reverse(p.Key, e, d.Reason); err != nil {
		// Not even a no may leave: a yes may be durable, and recovery would take it
		// for delivered. The terminal's own reversal decides.
		f.Stop(fmt.Errorf("undo of payment stan %06d could not be made durable: %w", p.Numbers.STAN, err))
		return txn.Answer{}
	}
	return txn.Refusal(d, f.Clock.Now())
}

// reverse makes an undo durable and queues it for delivery. Undo is one: what
// is being reversed already stays as it is.
func (f *Flow) reverse(k txn.Key, e txn.Event, why txn.Reason) error {
	numbers := f.undoNumbers()
	now, err := f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		records, err := undoRecords(now, e, why, numbers)
		return f.withdrawn(now, records, txn.ByReason(why)), err
	})
	if err != nil {
		return err
	}
	f.enqueue(k, now)
	return nil
}

// undoNumbers are for a reversal; none (zero) when they are used up: an undo
// does not depend on what may be refused, see undoRecords.
func (f *Flow) undoNumbers() txn.Numbers {
	n, err := f.Numbers.Next()
	if err != nil {
		return txn.Numbers{}
	}
	return n
}

// enqueue hands a payment that owes its acquirer a message, a reversal or an
// advice, to the store-and-forward, unless a call of the flow still runs it: sent
// then, the reversal could overtake its original. That call enqueues it when it
// ends.
func (f *Flow) enqueue(k txn.Key, now replay.View) {
	if now.Payment == nil || now.Running {
		return
	}
	if s := now.Payment.State; s == txn.Reversing || s == txn.Advising {
		f.Reversals.Enqueue(now.Payment.Link, k)
	}
}

// finish ends Authorize's claim, which was answered with a. A yes that came beside the
// acquirer's no is late from here on.
func (f *Flow) finish(p *txn.Payment, a txn.Answer) {
	if !a.Approved() && a.Code != (txn.Code{}) {
		f.Payments.Refused(p, a)
	}
	now := f.Payments.Finish(p.Key)
	f.enqueue(p.Key, now)
	if q := now.Payment; q != nil && q.State == txn.Declined && q.LateYes > 0 {
		f.Late(replay.NewLinkKey(q.Link, q.Numbers), txn.SaidYes)
	}
}

// undoRecords gives the undo record unless the payment is undone already. The
// table of states says what can be undone: a record that it does not know would
// be refused by every later start.
func undoRecords(now replay.View, e txn.Event, why txn.Reason, n txn.Numbers) ([]journal.Record, error) {
	switch to, ok := txn.Follow(now.Payment.State, e); {
	case ok && to == now.Payment.State:
		now.Heard(e)
		return nil, nil
	case !ok, to != txn.Reversing:
		return nil, txn.DeclineOriginalState
	}
	if n.STAN == 0 {
		n = replay.SpareNumbers(now.Payment)
	}
	n.RRN = now.Payment.Numbers.RRN
	return []journal.Record{record.MakeUndo(now.Payment.Key, record.Undo{Event: e, Reason: why, Numbers: n})}, nil
}

// Delivery is what became of an answer's bytes.
type Delivery uint8

// The ends of a write.
const (
	Written      Delivery = iota + 1
	MaybeWritten          // broken in the middle: presumed delivered
	NotWritten            // surely not one byte, or it could not be authenticated
)

// Delivered ends the life of a payment: an approval that surely did not reach
// the terminal is reversed, or stands where its class is not reversed by itself.
// Repeats and refusals need nothing. False: nothing may be told instead, since it
// stands, or since its undo could not be made durable and the process stops.
func (f *Flow) Delivered(k txn.Key, a txn.Answer, d Delivery) (settled bool) {
	switch k.Class.Ending() {
	case txn.EndNone, txn.EndAdvise: // what has happened is not undone by an answer that was lost: the terminal repeats
		return true
	}
	if !a.Approved() || a.Repeat {
		return true
	}
	if d == NotWritten && k.Class.Ending() == txn.EndClose {
		f.close(k, txn.DeclineUnwritten)
		return true
	}
	if p, ok := f.Payments.Find(k); d == NotWritten && ok && p.Ending() == txn.EndCase {
		f.stands(k, txn.DeclineUnwritten)
		return false
	}
	switch d {
	case Written:
		f.Payments.Move(k, txn.Written)
	case MaybeWritten:
		f.Payments.Move(k, txn.MaybeWritten)
	default:
		if err := f.reverse(k, txn.NotWritten, txn.DeclineUnwritten.Reason); err != nil {
			f.Stop(fmt.Errorf("undo of an answer that was not written, terminal %s trace %06d: %w", k.Terminal, k.Trace, err))
			return false
		}
	}
	return true
}

// Late takes an acquirer's answer, SaidYes or SaidNo, that came after its time. A
// yes of a payment whose reversal found nothing, or that was declined, reverses
// it; of one that a person found undone it opens a case again; everything else stays
// as it is. So does a void whose original was undone
// since, by whatever means: the yes gave back what the undo gives back, and
// reversing it would take that again. A completion takes, so its late yes is
// reversed whatever became of the hold.
func (f *Flow) Late(l replay.LinkKey, said txn.Event) {
	k, ok := f.Payments.FindSent(l)
	p, known := f.Payments.Find(k)
	if !ok || !known {
		return
	}
	switch e := p.Ending(); {
	case p.FoundUndone && said == txn.SaidYes:
		f.lateFound(k, l)
		return
	case e == txn.EndCase:
		f.lateCase(k, l, said)
		return
	case e == txn.EndUndo:
	default:
		return
	}
	var numbers txn.Numbers
	if said == txn.SaidYes {
		numbers = f.undoNumbers()
	}
	now, err := f.changeWithOriginal(k, func(now, of replay.View) ([]journal.Record, error) {
		return lateRecords(now, of, said, numbers)
	})
	if err != nil {
		f.Stop(fmt.Errorf("late answer on link %s stan %06d: %w", l.Link, l.STAN, err))
		return
	}
	f.enqueue(k, now)
}

// lateRecords chooses what a late answer makes durable.
func lateRecords(now, of replay.View, said txn.Event, n txn.Numbers) ([]journal.Record, error) {
	if !settled(now) {
		besideAnswer(now, said)
		return nil, nil
	}
	if s := now.Payment.State; said == txn.SaidYes && (s == txn.Unmatched || s == txn.Declined) {
		if now.Payment.Key.Class.TakesBack() && over(of) {
			return nil, nil
		}
		return undoRecords(now, txn.SaidYes, txn.DeclineNoAnswer.Reason, n)
	}
	now.Heard(said)
	return nil, nil
}

// settled says that a late answer is an event of a payment's. Before, the call that
// runs it has the word, and what writes its answer to the terminal.
func settled(now replay.View) bool {
	if now.Running || now.Payment == nil { // nil: forgotten just now
		return false
	}
	switch now.Payment.State {
	case txn.Intended, txn.Sent, txn.Approved:
		return false
	}
	return true
}

// besideAnswer leaves a late yes to the call that still runs the payment: it may be about to
// store a no.
func besideAnswer(now replay.View, said txn.Event) {
	if said == txn.SaidYes && now.Payment != nil {
		now.SaidYesBeside()
	}
}

// over says that what an original did is undone or used already. What is under
// way about it decides nothing.
func over(of replay.View) bool {
	if of.Payment == nil {
		return false
	}
	if !of.Payment.State.InForce() && !of.Payment.Acknowledged() {
		return true
	}
	for i := range of.Later {
		switch without(&of.Later[i], of.Beyond) {
		case txn.DeclineOriginalVoided, txn.DeclineOriginalCompleted:
			return true
		}
	}
	return false
}

// changeWithOriginal is a change of k in the turn of its original too, if any.
func (f *Flow) changeWithOriginal(k txn.Key, decide func(now, of replay.View) ([]journal.Record, error)) (replay.View, error) {
	if p, ok := f.Payments.Find(k); ok && p.Original != (txn.Key{}) {
		return f.Payments.ChangeBoth(k, p.Original, decide)
	}
	return f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) { return decide(now, replay.View{}) })
}

// journalError names what the journal said. ErrFull and ErrBusy are refusals at
// once, everything else may be durable.
func journalError(err error) error {
	var d *txn.Decline
	switch {
	case errors.As(err, &d):
		return d
	case errors.Is(err, journal.ErrFull), errors.Is(err, journal.ErrBusy):
		return txn.DeclineJournalFull.Why(err)
	}
	return txn.DeclineJournal.Why(err)
}
