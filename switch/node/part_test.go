// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// parts makes link acq-a one whose acquirer is told of terminals that take a part.
func parts(c *config.Config) { c.Links[0].PartApproval = "60=1" }

// takesPart is field 60 of a purchase of a terminal that takes a part.
func takesPart(b *iso8583.Builder) { b.SetString(60, "22000001000601") }

// The account has less than is asked: a terminal that declared it is told of a part,
// again alike and through a restart, and a void of that part gives it back. Nobody
// else is: the acquirer is not asked for it, and a part that comes all the same is
// reversed whole.
func TestPartialApproval(t *testing.T) {
	r := newRig(t, parts)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	const much = openingFen + 100
	c := r.tap("unionpay", much)
	part := func(what string, body []byte, rest int64) []byte {
		t.Helper()
		v := w.expect(what, body, "10", true)
		if amount, err := v.Uint(4); err != nil || int64(amount) != openingFen || r.a.taken() != openingFen-rest {
			t.Errorf("%s: %d told, %d taken", what, amount, r.a.taken())
		}
		return append([]byte(nil), v.Raw(37)...)
	}
	w.expect("not declared", w.sale(0x0200, 2, much, c), "51", true)
	rrn := part("a part", w.sale(0x0200, 3, much, c, takesPart), 0)
	part("again", w.sale(0x0200, 3, much, c, takesPart), 0)
	r.restart()
	part("after a restart", w.sale(0x0200, 3, much, c, takesPart), 0)
	if p, _ := r.find(0, 3); p.State != txn.Completed || p.Worth().Minor != openingFen || !p.TakesPart {
		t.Errorf("%s %+v", p.State, p)
	}
	void := func(trace uint32, amount int64) []byte {
		return w.sale(0x0200, trace, amount, r.tap("unionpay", amount), as("200000", "23"), func(b *iso8583.Builder) {
			b.Unset(39)
			b.SetText(37, rrn)
			b.SetString(61, "000001000003")
		})
	}
	w.expect("void of what was asked", void(4, much), "64", true)
	w.expect("void of the part", void(5, openingFen), "00", true)
	part("another", w.sale(0x0200, 6, much, c, takesPart), 0)
	w.expect("its reversal", w.sale(0x0400, 6, much, c), "00", true)
	r.settled()
	r.a.mood("partial once")
	w.expect("a part that nobody takes", w.sale(0x0200, 7, 700, r.tap("unionpay", 700)), "96", true)
	r.settled()
	if p, _ := r.find(0, 7); p.State != txn.Reversed || r.a.taken() != 0 || r.a.host.Summary().Check != "ok" {
		t.Errorf("%s, %d taken, books %s", p.State, r.a.taken(), r.a.host.Summary().Check)
	}
	r.agree()
}

// A link whose acquirer approves no part is told of none, and none is taken from it.
func TestPartWithoutTheLink(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	w.expect("more than there is", w.sale(0x0200, 2, openingFen+1, r.tap("unionpay", openingFen+1), takesPart), "51", true)
	r.a.mood("partial once")
	w.expect("a part all the same", w.sale(0x0200, 3, 700, r.tap("unionpay", 700), takesPart), "96", true)
	r.settled()
	if p, _ := r.find(0, 3); p.State != txn.Reversed || r.a.taken() != 0 {
		t.Errorf("%s, %d taken", p.State, r.a.taken())
	}
}

// An answer in part that is lost, or comes late, leaves nothing taken.
func TestPartThatIsNotHeard(t *testing.T) {
	r := newRig(t, parts)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	const much = openingFen + 100
	for trace, mood := range map[uint32]string{2: "silent once", 3: "late 1700ms once", 4: "bad-mac once", 5: "wrong-amount once", 6: "hangup once"} {
		r.soon("link up", func() bool { return r.node.links.Up("acq-a") })
		r.a.mood(mood)
		if v := w.ask(w.dial(), w.sale(0x0200, trace, much, r.tap("unionpay", much), takesPart)); v == nil || string(v.AppendText(nil, 39)) == "00" {
			t.Errorf("%s: %v", mood, v)
		}
		r.settled()
		// The wrong amount is one more than the part, and still less than was asked: no
		// check can find it, its MAC being right.
		if p, _ := r.find(0, trace); mood == "wrong-amount once" {
			w.expect("reversal", w.sale(0x0400, trace, much, r.tap("unionpay", much)), "00", true)
			r.settled()
		} else if p.State != txn.Reversed || r.a.taken() != 0 {
			t.Errorf("%s: %s, %d taken", mood, p.State, r.a.taken())
		}
	}
}

// The terminal's program end to end.
func TestPartOfATerminal(t *testing.T) {
	r := newRig(t, parts)
	till := r.term(0, func(c *host.Config) { c.Part = true })
	if s := till.want(till.sale("unionpay", openingFen+100, ""), host.Approved, "10"); s.Part != openingFen {
		t.Errorf("%d approved", s.Part)
	}
	undo, err := till.host.Reverse(t.Context())
	if err != nil || !undo.Done {
		t.Fatalf("%+v %v", undo, err)
	}
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("%d taken", r.a.taken())
	}
}
