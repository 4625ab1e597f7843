// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// protocol is all that one terminal sent and was sent, as its lines had it.
// Whoever writes to a line or reads from it notes it here: the terminal program
// does not know that it is listened to.
type protocol struct {
	terminal string
	began    time.Time
	layout   *iso8583.Layout
	format   frame.Format

	mu   sync.Mutex
	asks []*oracle.Ask
	sale map[uint32][]byte // bodies of sales by trace; test cards, in the memory of a test
	vain map[uint32]bool   // traces of what must be refused
}

func newProtocol(terminal string, began time.Time) *protocol {
	return &protocol{terminal: terminal, began: began, layout: unionpaypos.New(), format: frame.UnionPayPOS(), sale: map[uint32][]byte{}, vain: map[uint32]bool{}}
}

func (p *protocol) now() time.Duration { return time.Since(p.began) }

// asked notes a message that is about to be sent.
func (p *protocol) asked(a oracle.Ask) *oracle.Ask {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.Arrived, a.Answered, a.Received = p.now(), oracle.Never, oracle.Never
	p.asks = append(p.asks, &a)
	return &a
}

// askOf is what a message asks for. One that cannot be read asks for nothing known.
func (p *protocol) askOf(body []byte) oracle.Ask {
	a := oracle.Ask{Kind: oracle.Other, Key: oracle.Key{Terminal: p.terminal}}
	var v iso8583.View
	if p.layout.Parse(body, &v) != nil {
		return a
	}
	trace, _ := v.Uint(11)
	amount, _ := v.Uint(4)
	a.Key.Trace, a.Amount = uint32(trace), int64(amount)
	typ := ""
	if f60 := string(v.AppendText(nil, 60)); len(f60) >= 8 {
		typ, a.Key.Batch = f60[:2], number(f60[2:8])
		a.TakesPart = len(f60) > 13 && f60[13] == '1'
	}
	a.Kind = kindOf(v.MTI(), string(v.AppendText(nil, 3)), typ)
	if f61 := string(v.AppendText(nil, 61)); len(f61) >= 12 && a.Kind != oracle.Reversal {
		a.Of = oracle.Key{Terminal: p.terminal, Batch: number(f61[:6]), Trace: number(f61[6:12])}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a.Vain = p.vain[a.Key.Trace] && a.Kind != oracle.Reversal
	return a
}

// kindOf is what a message asks for, by its type, field 3 and field 60.1
// (docs/dialects/unionpaypos.md).
func kindOf(mti iso8583.MTI, procedure, typ string) oracle.Kind {
	switch mti {
	case 0x0400:
		return oracle.Reversal
	case 0x0100:
		if typ == typeHold {
			return oracle.Hold
		}
		return oracle.Release
	case 0x0220:
		switch typ {
		case typeRefund:
			return oracle.Refund
		case typeOffline:
			return oracle.OfflineSale
		case typeCompletionAdvice:
			return oracle.CompletionAdvice
		case typeAdjust, typeTip:
			return oracle.Adjustment
		}
	case 0x0500:
		return oracle.Settlement
	case 0x0200:
		switch {
		case procedure == procedureBalance:
			return oracle.Inquiry
		case procedure == procedureVoid && typ == typeCompletionVoid:
			return oracle.CompletionVoid
		case procedure == procedureVoid:
			return oracle.Void
		case typ == typeCompletion:
			return oracle.Completion
		case procedure == procedureCashback:
			return oracle.Cashback
		case procedure == procedureCash:
			return oracle.Cash
		}
		return oracle.Purchase
	}
	return oracle.Other
}

// vainly notes whether the message of a trace number must be refused, before it is
// made.
func (p *protocol) vainly(trace uint32, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vain[trace] = is
}

// answered notes an answer to a.
func (p *protocol) answered(a *oracle.Ask, v *iso8583.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := func(n int) string { return string(v.AppendText(nil, n)) }
	trace, _ := v.Uint(11)
	amount, _ := v.Uint(4)
	a.Answered = p.now()
	a.Code, a.RRN, a.Auth, a.Named = text(39), text(37), text(38), strings.TrimSpace(text(41))
	a.OfTrace, a.OfAmount = uint32(trace), int64(amount)
	if a.Kind == oracle.Settlement {
		readTotals(a, v)
	}
}

// believed notes that the terminal took the answer to its latest message of a
// kind and key for true.
func (p *protocol) believed(kind oracle.Kind, key oracle.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range slices.Backward(p.asks) {
		if a.Kind == kind && a.Key == key {
			if a.Answered != oracle.Never {
				a.Received = p.now()
			}
			return
		}
	}
}

// body is the sale with a trace number as it was sent, to be sent again.
func (p *protocol) body(trace uint32) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sale[trace])
}

// network is the terminal program's way to its switch, listened to.
type network struct {
	env.Network
	to *protocol
}

func (n network) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := n.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &ear{Conn: c, to: n.to}, nil
}

// ear is a connection that is listened to. A message is written in one piece, as
// the terminal program does it.
type ear struct {
	net.Conn
	to   *protocol
	mu   sync.Mutex
	open []waiting
	in   []byte // what came and is no whole frame yet
}

// waiting is a message without an answer.
type waiting struct {
	ask *oracle.Ask
	mti iso8583.MTI
}

func (e *ear) Write(b []byte) (int, error) {
	if fr, _, err := e.to.format.Read(bytes.NewReader(b), nil); err == nil {
		e.sent(fr.Body)
	}
	return e.Conn.Write(b)
}

func (e *ear) sent(body []byte) {
	var v iso8583.View
	if e.to.layout.Parse(body, &v) != nil {
		return
	}
	a := e.to.asked(e.to.askOf(body))
	e.mu.Lock()
	e.open = append(e.open, waiting{a, v.MTI().Response()})
	e.mu.Unlock()
	if a.Kind == oracle.Purchase || a.Kind == oracle.Cashback {
		e.to.mu.Lock()
		e.to.sale[a.Key.Trace] = slices.Clone(body)
		delete(e.to.sale, a.Key.Trace-keptSales)
		e.to.mu.Unlock()
	}
}

func (e *ear) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.in = append(e.in, b[:n]...)
	for {
		r := bytes.NewReader(e.in)
		fr, _, bad := e.to.format.Read(r, nil)
		if bad != nil {
			return n, err // not whole yet, or nothing that can be read
		}
		e.came(fr.Body)
		e.in = e.in[len(e.in)-r.Len():]
	}
}

// came finds the message that an answer is to: the one with its trace number, or
// else, the worse for the switch, the last one of that kind; the lock is held.
func (e *ear) came(body []byte) {
	var v iso8583.View
	if e.to.layout.Parse(body, &v) != nil {
		return
	}
	trace, _ := v.Uint(11)
	at := -1
	for i, w := range e.open {
		if w.mti != v.MTI() {
			continue
		}
		if at = i; uint64(w.ask.Key.Trace) == trace {
			break
		}
	}
	if at >= 0 {
		e.to.answered(e.open[at].ask, &v)
		e.open = slices.Delete(e.open, at, at+1)
	}
}

// keyring is the terminal's cipher, which shows the working keys that it takes.
type keyring struct {
	host.Module
	tak *hsm.Key
}

// LoadSet implements hsm.SetLoader.
func (k *keyring) LoadSet(ctx context.Context, under *hsm.Key, set []hsm.WorkingKey, in []hsm.Exported) ([]hsm.Key, error) {
	keys, err := k.Module.LoadSet(ctx, under, set, in)
	for i := range keys {
		if keys[i].Usage == hsm.TAK {
			k.tak = &keys[i]
		}
	}
	return keys, err
}
