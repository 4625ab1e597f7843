// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/chip"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// AdviseScript takes in what a card did with the issuer's script that came with an
// approval. It moves no money and does nothing to the approval, so that it is heard
// whatever became of that, and after its batch is closed too. It is kept, and the
// terminal told so; then the acquirer is told, behind what else it is owed of the
// original. Of one approval one result is kept: the same again, under whatever trace
// number, gets the answer of the first.
func (f *Flow) AdviseScript(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// Who asks, is it sensible, is there room; the same message again gets the
	// stored answer.
	p, end, told := f.begin(ctx, r, in, f.checkAdvice)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// What it is about.
	o, err := f.originOf(ctx, in)
	if err != nil {
		return f.refuse(err)
	}
	defer o.release()
	if in.OfAuth != ([6]byte{}) && in.OfAuth != o.payment.Answer.Auth {
		return f.refuse(txn.DeclineOriginalDiffers)
	}
	if err := scripted(p, f.first(o)); err != nil {
		return f.refuse(err)
	}

	// The numbers it goes by, to the original's link; from here on it is kept.
	follow(p, &o.payment)
	p.Of = o.payment.Numbers
	var before *txn.Answer
	ans = f.takeIn(r, in, p, o.payment.Answer.Auth, f.over(o, func(p *txn.Payment, of replay.View) (err error) {
		if err = scripted(p, of); err == nil {
			before, err = toldBefore(p, of)
		}
		return err
	}))
	if before != nil {
		return *before
	}
	return ans
}

// scripted is the ladder of what an original must be for a script's result, one rule
// a line: whatever became of the approval since, its answer had the script.
func scripted(p *txn.Payment, of replay.View) error {
	o := of.Payment
	switch {
	case o == nil:
		return txn.DeclineOriginalUnknown
	case !p.Key.Class.Names(o.Key.Class), !o.Answer.Approved():
		return txn.DeclineOriginalState
	case o.Token != p.Token, o.Amount != p.Amount && o.Worth() != p.Amount: // terminals differ in which of the two they repeat
		return txn.DeclineOriginalDiffers
	case o.Key.Batch != p.Key.Batch:
		return txn.DeclineOriginalBatch
	case !chip.Scripted(o.Answer.ICC):
		return txn.DeclineNoScript
	}
	return nil
}

// toldBefore looks for a result of the same original: with the same content it is
// this one, and its answer is given; with another it is a contradiction. The error
// keeps it from being kept twice.
func toldBefore(p *txn.Payment, of replay.View) (*txn.Answer, error) {
	for i := range of.Later {
		switch l := &of.Later[i]; {
		case l.Key.Class != txn.ScriptResult:
		case l.Fingerprint != p.Fingerprint:
			return nil, txn.DeclineScriptDiffers
		default:
			a := l.Answer
			a.Repeat = true
			return &a, txn.DeclineScriptDiffers
		}
	}
	return nil, nil
}
