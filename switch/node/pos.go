// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
	"tapswitch/switch/flow"
	"tapswitch/switch/listen"
	"tapswitch/switch/translate"
	"tapswitch/switch/txn"
)

// pos answers terminals: bytes in, bytes out, the flow in between.
type pos struct {
	dialect  *translate.Terminal
	flow     *flow.Flow
	macer    hsm.MACer
	clock    env.Clock
	deadline time.Duration
	count    func(reason string) // messages that could not be understood, or not be given their answer
}

// Serve implements listen.Handler.
func (s *pos) Serve(ctx context.Context, m listen.Message) listen.Reply {
	var v iso8583.View
	if err := s.dialect.Layout().Parse(m.Frame.Body, &v); err != nil {
		// Nothing in it can be trusted, not even the terminal number.
		s.count(string(txn.DeclineFormat.Reason))
		return listen.Reply{Close: true}
	}
	in, err := s.dialect.Request(&v)
	in.Received, in.Deadline = m.At, m.At.Add(s.deadline)
	ctx = withSpent(ctx)
	var ans txn.Answer
	var keys *translate.Keys
	switch {
	case err != nil:
		ans = s.flow.Refuse(ctx, &in, err)
	case in.Key.Class == txn.Purchase, in.Key.Class == txn.Cash, in.Key.Class == txn.Cashback, in.Key.Class == txn.PreAuth:
		ans = s.flow.Authorize(ctx, &in)
	case in.Key.Class == txn.Void, in.Key.Class == txn.CompletionVoid:
		ans = s.flow.Void(ctx, &in)
	case in.Key.Class == txn.PreAuthVoid:
		ans = s.flow.CancelPreAuth(ctx, &in)
	case in.Key.Class == txn.Completion:
		ans = s.flow.Complete(ctx, &in)
	case in.Key.Class == txn.Refund:
		ans = s.flow.Refund(ctx, &in)
	case in.Key.Class == txn.Adjustment:
		ans = s.flow.Adjust(ctx, &in)
	case in.Key.Class == txn.ScriptResult:
		ans = s.flow.AdviseScript(ctx, &in)
	case in.Key.Class == txn.CompletionAdvice:
		ans = s.flow.AdviseCompletion(ctx, &in)
	case in.Key.Class.Ending() == txn.EndAdvise:
		ans = s.flow.Advise(ctx, &in)
	case in.Key.Class == txn.Balance:
		ans = s.flow.Inquire(ctx, &in)
	case in.Key.Class == txn.Reversal:
		ans = s.flow.Reverse(ctx, &in)
	case in.Key.Class == txn.Settle:
		ans = s.flow.Settle(ctx, &in)
	case in.Key.Class == txn.Upload:
		ans = s.flow.Upload(ctx, &in)
	case in.Key.Class == txn.BatchEnd:
		ans = s.flow.EndBatch(ctx, &in)
	case in.Key.Class == txn.SignOn:
		var made flow.Keys
		if ans, made = s.flow.SignOn(ctx, &in); ans.Approved() {
			keys = &translate.Keys{PIN: made.PIN, MAC: made.MAC}
		}
	default:
		ans = s.flow.Network(ctx, &in)
	}
	return s.reply(ctx, &v, m, &in, ans, keys)
}

// reply builds the answer. One that cannot be built or authenticated was never
// given: the flow undoes it, and the terminal gets a refusal; nothing at all when
// the undo is not durable, since recovery would take the stored yes for delivered.
func (s *pos) reply(ctx context.Context, v *iso8583.View, m listen.Message, in *txn.Request, a txn.Answer, keys *translate.Keys) listen.Reply {
	if a.Code == (txn.Code{}) {
		return listen.Reply{Close: true}
	}
	body, err := s.build(ctx, v, a, keys, in.MACKey)
	if err == nil && a.Approved() && in.Key.Class.Ending() != txn.EndNone && in.Key.Class.Ending() != txn.EndAdvise && s.clock.Mono() >= in.Deadline { // the MAC took too long
		clear(body)
		// A stored yes may be the first that the terminal would hear, when a crash
		// came between: it is as late. A no could meet the yes from before it.
		if a.Repeat || !s.flow.Delivered(in.Key, a, flow.NotWritten) {
			return listen.Reply{Close: true}
		}
		a = s.instead(txn.DeclineDeadline, a)
		body, err = s.build(ctx, v, a, nil, in.MACKey)
	}
	if err != nil {
		if !s.flow.Delivered(in.Key, a, flow.NotWritten) {
			return listen.Reply{Close: true}
		}
		a = s.instead(txn.DeclineAnswerKey.Why(err), a)
		if body, err = s.build(ctx, v, a, nil, nil); err != nil {
			s.count(string(txn.DeclineMalfunction.Reason))
			return listen.Reply{Close: true}
		}
	}
	return listen.Reply{
		Frame: frame.Frame{TPDU: m.Frame.TPDU.Swap(), Header: append([]byte(nil), m.Frame.Header...), Body: body},
		Done: func(d listen.Delivery) {
			clear(body) // it repeats the card number
			s.flow.Delivered(in.Key, a, delivery(d))
		},
	}
}

// instead is the refusal that is told instead of an answer. The flow has counted what
// it decided, so that the refusal is counted here.
func (s *pos) instead(why *txn.Decline, a txn.Answer) txn.Answer {
	s.count(string(why.Reason))
	return txn.Refusal(why, a.At)
}

// build makes the message, with a MAC when the request was authenticated.
func (s *pos) build(ctx context.Context, v *iso8583.View, a txn.Answer, keys *translate.Keys, macKey *hsm.Key) ([]byte, error) {
	body, err := s.dialect.Answer(make([]byte, 0, 512), v, a, keys, macKey != nil)
	if err != nil || macKey == nil {
		return body, err
	}
	covered, place := translate.SplitMAC(body)
	mac, err := s.macer.MAC(ctx, macKey, hsm.MACUnionPayECB, covered)
	if err != nil {
		clear(body)
		return nil, err
	}
	copy(place, mac)
	return body, nil
}

func delivery(d listen.Delivery) flow.Delivery {
	switch d {
	case listen.Written:
		return flow.Written
	case listen.MaybeWritten:
		return flow.MaybeWritten
	}
	return flow.NotWritten
}
