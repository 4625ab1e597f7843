// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// holder is a terminal that speaks of what is held: message by message, over the
// wire, with the card of one tap.
type holder struct {
	*wire
	c host.Card
}

// message is one of them: field 3, field 60.1, and whether the chip's word goes
// along.
func (h holder) message(mti iso8583.MTI, trace uint32, amount int64, procedure, kind string, tapped bool, edits ...func(*iso8583.Builder)) []byte {
	all := []func(*iso8583.Builder){as(procedure, kind), func(b *iso8583.Builder) {
		b.SetString(25, "06")
		if mti == 0x0400 {
			return
		}
		b.Unset(39)
		b.Unset(35)
		b.Unset(55)
		if tapped {
			b.SetText(35, h.c.Track2.AppendTo(nil, secret.ForTest))
			b.SetBytes(55, h.c.ICC.AppendTo(nil, secret.ForTest))
		}
	}}
	return h.sale(mti, trace, amount, h.c, append(all, edits...)...)
}

// names is fields 38 and 61 of a cancel or a completion.
func names(auth, original string) func(*iso8583.Builder) {
	return func(b *iso8583.Builder) {
		b.SetString(38, auth)
		b.SetString(61, original)
	}
}

// text is a field of an answer.
func text(v *iso8583.View, n int) string { return string(v.AppendText(nil, n)) }

// held is what the acquirer holds of the first account.
func (b *bank) held() int64 { return int64(b.host.Summary().Accounts[0].HeldMinor) }

// A pre-authorization over the wire, and its cancel: held once, released once;
// unanswered they are undone, reversed they are taken back; through a restart too.
func TestPreAuthorization(t *testing.T) {
	r := newRig(t)
	w := holder{r.wire(0), r.tap("unionpay", 5000)}
	w.signOn(w.dial(), 1)
	balances := func(what string, taken, held int64) {
		t.Helper()
		r.settled()
		if r.a.taken() != taken || r.a.held() != held {
			t.Errorf("%s: %d taken, %d held, want %d and %d", what, r.a.taken(), r.a.held(), taken, held)
		}
	}
	preauth := func(trace uint32) []byte { return w.message(0x0100, trace, 5000, "030000", "10", true) }
	got := w.expect("pre-authorization", preauth(2), "00", true)
	if got.MTI() != 0x0110 || text(got, 38) == "" || text(got, 25) != "06" {
		t.Fatalf("answer %s, authorization %q, condition %q", got.MTI(), text(got, 38), text(got, 25))
	}
	auth, date := text(got, 38), text(got, 13)
	w.expect("its repeat", preauth(2), "00", true)
	balances("held", 0, 5000)
	cancel := func(trace uint32, amount int64, auth, date string) []byte {
		return w.message(0x0100, trace, amount, "200000", "11", false, names(auth, "000001000002"+date))
	}
	w.expect("another code", cancel(3, 5000, "ZZZZZZ", date), "25", true)
	w.expect("another date", cancel(4, 5000, auth, "0230"), "25", true)
	w.expect("another amount", cancel(5, 4999, auth, date), "64", true)
	r.a.mood("silent once")
	w.expect("unanswered", cancel(6, 5000, auth, date), "98", true)
	balances("after an unanswered cancel", 0, 5000)
	w.expect("cancel", cancel(7, 5000, auth, date), "00", true)
	w.expect("its repeat", cancel(7, 5000, auth, date), "00", true)
	balances("cancelled", 0, 0)
	w.expect("second cancel", cancel(8, 5000, auth, date), "12", true)
	w.expect("reversal of what was cancelled", w.message(0x0400, 2, 5000, "030000", "10", false), "12", true)
	r.restart()
	w.expect("second cancel after a restart", cancel(9, 5000, auth, date), "12", true)
	w.expect("reversal of the cancel", w.message(0x0400, 7, 5000, "200000", "11", false), "00", true)
	balances("after the cancel was reversed", 0, 5000)
	w.expect("reversal of the pre-authorization", w.message(0x0400, 2, 5000, "030000", "10", false), "00", true)
	balances("reversed", 0, 0)
	r.a.mood("silent once")
	w.expect("unanswered", preauth(10), "98", true)
	balances("after an unanswered pre-authorization", 0, 0)
	if p, _ := r.find(0, 10); p.State != txn.Reversed || p.Key.Class != txn.PreAuth {
		t.Errorf("%s in state %s", p.Key.Class, p.State)
	}
	if s := r.a.host.Summary(); s.Check != "ok" {
		t.Error(s.Check)
	}
	r.agree()
}

// A completion over the wire: takes the money of a hold once, up to the
// percentage; its void makes the hold stand again.
func TestCompletion(t *testing.T) {
	r := newRig(t)
	w := holder{r.wire(0), r.tap("unionpay", 5000)}
	w.signOn(w.dial(), 1)
	balances := func(what string, taken, held int64) {
		t.Helper()
		r.settled()
		if r.a.taken() != taken || r.a.held() != held {
			t.Errorf("%s: %d taken, %d held, want %d and %d", what, r.a.taken(), r.a.held(), taken, held)
		}
	}
	got := w.expect("pre-authorization", w.message(0x0100, 2, 5000, "030000", "10", true), "00", true)
	auth, date := text(got, 38), text(got, 13)
	complete := func(mti iso8583.MTI, trace uint32, amount int64) []byte {
		return w.message(mti, trace, amount, "000000", "20", false, names(auth, "000000000000"+date))
	}
	w.expect("above the percentage", complete(0x0200, 3, 5751), "61", true)
	r.a.mood("silent once")
	w.expect("unanswered", complete(0x0200, 4, 5750), "98", true)
	balances("after an unanswered completion", 0, 5000)
	got = w.expect("completion", complete(0x0200, 5, 5750), "00", true)
	rrn := text(got, 37)
	balances("completed", 5750, 0)
	w.expect("its repeat", complete(0x0200, 5, 5750), "00", true)
	w.expect("second completion", complete(0x0200, 6, 100), "12", true)
	r.restart()
	w.expect("second completion after a restart", complete(0x0200, 7, 100), "12", true)
	void := func(mti iso8583.MTI, trace uint32) []byte {
		return w.message(mti, trace, 5750, "200000", "21", false, names(auth, "000001000005"+date), func(b *iso8583.Builder) { b.SetString(37, rrn) })
	}
	w.expect("void", void(0x0200, 8), "00", true)
	balances("voided", 0, 5000)
	w.expect("reversal of the void", void(0x0400, 8), "00", true)
	balances("after the void was reversed", 5750, 0)
	w.expect("reversal of the completion", complete(0x0400, 5, 5750), "00", true)
	balances("after the completion was reversed", 0, 5000)
	w.expect("completion at last", complete(0x0200, 9, 4000), "00", true)
	balances("completed for less", 4000, 0)
	if s := r.a.host.Summary(); s.Check != "ok" {
		t.Error(s.Check)
	}
	r.agree()
}

// A completion as an advice over the wire: told yes while the acquirer is down, booked
// once when it is back, through a silent answer and a restart; then it is voided.
func TestCompletionAdvice(t *testing.T) {
	r := newRig(t)
	w := holder{r.wire(0), r.tap("unionpay", 5000)}
	w.signOn(w.dial(), 1)
	got := w.expect("pre-authorization", w.message(0x0100, 2, 5000, "030000", "10", true), "00", true)
	auth, date := text(got, 38), text(got, 13)
	complete := func(trace uint32, amount int64) []byte {
		return w.message(0x0220, trace, amount, "000000", "24", false, names(auth, "000000000000"+date))
	}
	r.a.mood("down")
	w.expect("above the percentage", complete(3, 5751), "61", true)
	got = w.expect("while the acquirer is down", complete(4, 5750), "00", true)
	if rrn := text(got, 37); got.MTI() != 0x0230 || text(got, 38) != auth || len(rrn) != 12 {
		t.Fatalf("answer %s, authorization %q, reference %q", got.MTI(), text(got, 38), rrn)
	}
	rrn := text(got, 37)
	w.expect("its repeat", complete(4, 5750), "00", true)
	w.expect("its reversal", w.message(0x0400, 4, 5750, "000000", "24", false, names(auth, "000000000000"+date)), "40", false)
	w.expect("another", complete(5, 100), "12", true)
	w.expect("as a request", w.message(0x0200, 6, 100, "000000", "20", false, names(auth, "000000000000"+date)), "12", true)
	void := func(trace uint32) []byte {
		return w.message(0x0200, trace, 5750, "200000", "21", false, names(auth, "000001000004"+date), func(b *iso8583.Builder) { b.SetString(37, rrn) })
	}
	w.expect("its void before the acquirer has it", void(7), "96", true)
	r.stop()
	r.a.mood("silent once")
	r.a.listen(r.a.addr)
	r.start()
	w.wire = r.wire(0)
	w.signOn(w.dial(), 8)
	r.settled()
	if p, _ := r.find(0, 4); p.State != txn.Advised || r.a.taken() != 5750 || r.a.held() != 0 {
		t.Fatalf("%s, %d taken, %d held", p.State, r.a.taken(), r.a.held())
	}
	w.expect("its void", void(9), "00", true)
	r.settled()
	if r.a.taken() != 0 || r.a.held() != 5000 {
		t.Errorf("voided: %d taken, %d held", r.a.taken(), r.a.held())
	}
	if s := r.a.host.Summary(); s.Check != "ok" {
		t.Error(s.Check)
	}
	r.agree()
}

// The terminal's program keeps a completion while the switch is away, and tells it when
// it is back.
func TestCompletionOfATerminalOffline(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	card := r.tap("unionpay", 5000)
	if _, reason, err := till.host.Ready(t.Context()); err != nil {
		t.Fatal(reason, err)
	}
	held := till.host.Sale(t.Context(), host.Sale{Kind: host.KindPreAuth, Amount: 5000, Card: card})
	if held.Outcome != host.Approved {
		t.Fatalf("%+v", held)
	}
	r.stop()
	kept := till.host.KeepOffline(t.Context(), host.Offline{Kind: host.KindCompletionAdvice, Amount: 5500, Card: card, Auth: held.Auth,
		Original: host.Original{Auth: held.Auth, Date: held.Date, Batch: held.Batch, Trace: held.Trace}})
	if kept.Outcome != host.Kept {
		t.Fatalf("%+v", kept)
	}
	r.start()
	till.reopen()
	told, err := till.host.Upload(t.Context(), false)
	if err != nil || len(told) != 1 || !told[0].Done || told[0].Kind != host.KindCompletionAdvice || till.host.Kept() != 0 {
		t.Errorf("%+v, %v", told, err)
	}
	r.settled()
	if p, _ := r.find(0, kept.Trace); p.State != txn.Advised || r.a.taken() != 5500 || r.a.held() != 0 {
		t.Errorf("%s, %d taken, %d held", p.State, r.a.taken(), r.a.held())
	}
}
