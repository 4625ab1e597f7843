// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/flow"
	"tapswitch/switch/link"
	"tapswitch/switch/pin"
	"tapswitch/switch/replay"
	"tapswitch/switch/saf"
	"tapswitch/switch/translate"
	"tapswitch/switch/txn"
)

// acquirer is one link with its dialect and keys.
type acquirer struct {
	name     string
	dialect  *translate.Acquirer
	link     *link.Link
	zpk, zak *hsm.Key
	timeout  time.Duration
	holds    flow.HoldTerms
	undoes   bool // a refund without a usable answer is reversed

	ended   func(link, outcome string, took time.Duration) // of an exchange
	macer   hsm.MACer
	numbers flow.Numbers
	clock   env.Clock
	cards   *cards
	find    func(txn.Key) (txn.Payment, bool) // an earlier payment

	merchantType func(txn.Key) [4]byte
}

// acquirers is all links; it is flow's port for payments and the
// store-and-forward's for what is owed.
type acquirers map[string]*acquirer

// Serves says whether a link's dialect carries a class.
func (as acquirers) Serves(link string, c txn.Class) bool {
	a := as[link] // nil when it left the configuration: an original may have gone there
	return a != nil && a.dialect.Serves(c)
}

// HoldTerms are the link's rules about pre-authorizations. One that left the
// configuration has none, so that nothing can be completed there.
func (as acquirers) HoldTerms(link string) flow.HoldTerms {
	if a := as[link]; a != nil {
		return a.holds
	}
	return flow.HoldTerms{}
}

// Undoes says whether a link takes reversals of refunds, as its configuration has it.
func (as acquirers) Undoes(link string, c txn.Class) bool {
	a := as[link]
	return a != nil && c == txn.Refund && a.undoes
}

// Exchange asks the acquirer of s.Payment.Link.
func (as acquirers) Exchange(ctx context.Context, s flow.Send) (txn.Answer, error) {
	a := as[s.Payment.Link]
	body, err := a.body(s)
	if err != nil {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNotSent, txn.DeclineField.Why(err))
	}
	return a.ask(ctx, body, question{s.Payment, s.Payment.Numbers, s.Deadline, s.Forwarded})
}

func (a *acquirer) body(s flow.Send) ([]byte, error) {
	room := make([]byte, 0, 1024)
	if s.Original != nil {
		return a.dialect.Void(room, s.Payment, s.Card, s.PIN, s.Original)
	}
	return a.dialect.Request(room, s.Payment, s.Card, s.PIN)
}

// Send sends what the store-and-forward owes of p and returns the acquirer's
// field 39.
func (as acquirers) Send(ctx context.Context, kind saf.Kind, p txn.Payment, repeat bool) (txn.Code, error) {
	a := as[p.Link]
	if a == nil {
		return txn.Code{}, fmt.Errorf("%w: link %s is no longer configured: a %s waits for it", saf.ErrUnsent, p.Link, kind)
	}
	pan, err := a.cards.open(ctx, &p)
	if err != nil {
		return txn.Code{}, fmt.Errorf("%w: %w", saf.ErrUnsent, err)
	}
	defer pan.Wipe()
	p.MerchantType = a.merchantType(p.Key)
	room, n := make([]byte, 0, 512), p.Undo
	var body []byte
	if kind == saf.Advice {
		n = p.Numbers
		body, err = a.advice(room, &p, pan, repeat)
	} else {
		body, err = a.dialect.Reversal(room, &p, pan, repeat)
	}
	if err != nil {
		return txn.Code{}, fmt.Errorf("%w: %w", saf.ErrUnsent, err)
	}
	answer, err := a.ask(ctx, body, question{&p, n, a.clock.Mono().Add(a.timeout), func() {}})
	if errors.Is(err, flow.ErrNotSent) {
		err = fmt.Errorf("%w: %w", saf.ErrUnsent, err)
	}
	return answer.Code, err
}

// advice builds the advice of p, with what it is about.
func (a *acquirer) advice(room []byte, p *txn.Payment, pan secret.PAN, repeat bool) ([]byte, error) {
	if p.Original == (txn.Key{}) || p.Key.Class == txn.StandIn { // which has its payment's numbers
		return a.dialect.Advice(room, p, pan, nil, repeat)
	}
	if p.Key.Class == txn.Adjustment || p.Key.Class == txn.ScriptResult { // it has what is needed of its original, which may be of the past
		return a.dialect.Advice(room, p, pan, &txn.Payment{Key: p.Original, Numbers: p.Of}, repeat)
	}
	o, ok := a.find(p.Original)
	if !ok { // the index keeps an original until what names it rests
		return nil, fmt.Errorf("what the %s is about is no longer known", p.Key.Class)
	}
	return a.dialect.Advice(room, p, pan, &o, repeat)
}

// Up reports whether the link can carry a message now.
func (as acquirers) Up(name string) bool {
	a := as[name]
	return a != nil && a.link.Health().Up
}

// question is a message about a payment: the numbers that it carries, how long its
// answer is waited for, and what is called when it goes to the link.
type question struct {
	payment   *txn.Payment
	numbers   txn.Numbers
	until     env.Mono
	forwarded func()
}

// ask sets the MAC, sends body, and checks the answer. body held card data and
// is wiped.
func (a *acquirer) ask(ctx context.Context, body []byte, q question) (ans txn.Answer, err error) {
	began := a.clock.Mono()
	defer func() { a.ended(a.name, exchange(err), a.clock.Mono().Sub(began)) }()
	defer clear(body[:cap(body)])
	covered, place := translate.SplitMAC(body)
	mac, err := a.macer.MAC(ctx, a.zak, a.dialect.MAC(), covered)
	if err != nil {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNotSent, pin.Refusal(err))
	}
	copy(place, mac)
	key, err := a.keyOf(body)
	if err != nil {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNotSent, err)
	}
	q.forwarded()
	reply, err := a.link.Exchange(link.Request{Key: key, Body: body, Deadline: q.until})
	defer clear(reply)
	switch {
	case errors.Is(err, link.ErrNotSent):
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNotSent, txn.DeclineNotSent.Why(err))
	case err != nil:
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNoAnswer, err)
	}
	return a.checked(ctx, reply, q.payment, q.numbers)
}

// checked reads an answer; whatever is wrong with it is ErrChecks.
func (a *acquirer) checked(ctx context.Context, reply []byte, p *txn.Payment, n txn.Numbers) (txn.Answer, error) {
	var v iso8583.View
	if err := a.dialect.Layout().Parse(reply, &v); err != nil {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrChecks, txn.DeclineAnswer.Why(err))
	}
	r, err := a.dialect.Reply(&v, p, n)
	if err != nil {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrChecks, txn.DeclineAnswer.Why(err))
	}
	if !r.HasMAC {
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrChecks, txn.DeclineAnswerMAC)
	}
	err = a.macer.VerifyMAC(ctx, a.zak, a.dialect.MAC(), r.MACInput, r.MAC[:])
	switch {
	case errors.Is(err, hsm.ErrMAC):
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrChecks, txn.DeclineAnswerMAC.Why(err))
	case err != nil:
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrChecks, pin.Refusal(err))
	}
	r.Answer.At = a.clock.Now()
	return r.Answer, nil
}

// keyOf is the in-flight key of one of our own messages.
func (a *acquirer) keyOf(body []byte) (link.Key, error) {
	var v iso8583.View
	if err := a.dialect.Layout().Parse(body, &v); err != nil {
		return link.Key{}, err
	}
	key, _ := a.linkKey(&v)
	return key, nil
}

func (a *acquirer) linkKey(v *iso8583.View) (link.Key, translate.Kind) {
	raw, kind := a.dialect.InFlightKey(v)
	key, _ := link.KeyOf(raw[:])
	return key, kind
}

// Key implements link.Protocol.
func (a *acquirer) Key(body []byte) (link.Key, link.MessageKind, error) {
	var v iso8583.View
	if err := a.dialect.Layout().Parse(body, &v); err != nil {
		return link.Key{}, 0, err
	}
	key, kind := a.linkKey(&v)
	switch kind {
	case translate.FinancialReply:
		return key, link.Response, nil
	case translate.NetworkReply:
		return key, link.NetworkResponse, nil
	case translate.NetworkRequest:
		return key, link.NetworkRequest, nil
	}
	return key, link.Unserved, nil
}

func (a *acquirer) network(code uint64) ([]byte, link.Key, error) {
	n, err := a.numbers.Next()
	if err != nil {
		return nil, link.Key{}, err
	}
	body, err := a.dialect.Network(nil, code, n)
	if err != nil {
		return nil, link.Key{}, err
	}
	key, err := a.keyOf(body)
	return body, key, err
}

// SignOn implements link.Protocol.
func (a *acquirer) SignOn() ([]byte, link.Key, error) { return a.network(translate.NetworkSignOn) }

// Echo implements link.Protocol.
func (a *acquirer) Echo() ([]byte, link.Key, error) { return a.network(translate.NetworkEcho) }

// SignOff implements link.Protocol.
func (a *acquirer) SignOff() ([]byte, link.Key, error) { return a.network(translate.NetworkSignOff) }

// Accepted implements link.Protocol.
func (a *acquirer) Accepted(body []byte) bool {
	var v iso8583.View
	return a.dialect.Layout().Parse(body, &v) == nil && a.dialect.Code(&v) == txn.CodeApproved
}

// Answer implements link.Protocol: the host's own echo and sign-on get a yes.
func (a *acquirer) Answer(body []byte) ([]byte, error) {
	var v iso8583.View
	if err := a.dialect.Layout().Parse(body, &v); err != nil {
		return nil, err
	}
	return a.dialect.NetworkAnswer(nil, &v)
}

// stray hands an answer that nobody waits for to the flow, which knows whether its
// payment still needs undoing: the link forgets at a restart and after a while,
// the journal does not. Every other stray is only counted.
func (a *acquirer) stray(late func(replay.LinkKey, txn.Event), s link.Stray) {
	var v iso8583.View
	if s.Outcome == link.WrongLink || a.dialect.Layout().Parse(s.Body, &v) != nil || !a.dialect.PurchaseReply(&v) {
		return
	}
	said := txn.SaidNo
	switch code := a.dialect.Code(&v); {
	case translate.Takes(code):
		said = txn.SaidYes
	case code[1] == 0: // none: it says nothing
		return
	}
	if stan, at, ok := a.dialect.Sent(&v); ok {
		late(replay.LinkKey{Link: a.name, STAN: stan, At: at}, said)
	}
}
