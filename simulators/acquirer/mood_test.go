// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bytes"
	"net"
	"testing"
	"time"
)

func TestParseMood(t *testing.T) {
	for _, s := range []string{"normal", "silent", "silent once", "silent-before", "silent-all once", "late 3s", "late 1.5s once", "hangup", "down", "down once", "bad-mac",
		"wrong-amount once", "duplicate", "garbage"} {
		m, err := ParseMood("  " + s + " ")
		if err != nil || m.String() != s {
			t.Errorf("%q: %v, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "grumpy", "late", "late once", "late -1s", "late 3", "late 11m", "silent 3s", "normal once once", "once"} {
		if _, err := ParseMood(s); err == nil {
			t.Errorf("%q is taken for a mood", s)
		}
	}
}

// TestSilent: the debit happens, the answer does not; a reversal is served.
func TestSilent(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.mood("silent")
	c.send(c.pack("0200", sale(1)))
	c.silence()
	if e := r.last("approved"); e.Effect != EffectDebit || e.Mood != "silent" || e.Response != "00" {
		t.Errorf("booked %+v", e)
	}
	if _, f := c.ask("0800", network("301")); f[39] != "00" {
		t.Error("echo is not served in silence")
	}
	if _, f := c.ask("0400", reversal(2, 1)); f[39] != "00" || r.balance("alice") != 1000000 {
		t.Errorf("reversal: %q", f[39])
	}
	r.checkBooks()
}

// TestSilentBefore: nothing happens, so the reversal finds no original.
func TestSilentBefore(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.mood("silent-before once")
	c.send(c.pack("0200", sale(1)))
	c.silence()
	if e := r.last("dropped_by_mood"); e.Effect != EffectNone || e.Decision || e.Response != "" {
		t.Errorf("booked %+v", e)
	}
	if _, f := c.ask("0200", sale(1)); f[39] != "00" {
		t.Errorf("the message comes again and is new: %q", f[39])
	}
	r.mood("silent-before")
	c.send(c.pack("0200", sale(2)))
	c.silence()
	if _, f := c.ask("0400", reversal(3, 2)); f[39] != "25" {
		t.Errorf("reversal of a dropped message: %q", f[39])
	}
}

// TestSilentAll: reversals take effect unanswered, echo is unanswered too.
func TestSilentAll(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	c.ask("0200", sale(1))
	r.mood("silent-all once")
	c.send(c.pack("0800", network("301")))
	c.send(c.pack("0400", reversal(2, 1)))
	c.silence()
	if e := r.last("reversed"); e.Effect != EffectCredit || r.balance("alice") != 1000000 {
		t.Errorf("booked %+v", e)
	}
	if _, f := c.ask("0401", reversal(2, 1)); f[39] != "00" || r.last("reversed_already").Effect != EffectNone {
		t.Errorf("repeat: %q", f[39])
	}
}

// TestLate: debit at once, answer later, others overtake it; a reversal that
// comes between wins the money and the late approval still comes.
func TestLate(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	const delay = 150 * time.Millisecond
	r.mood("late 150ms once")
	start := time.Now()
	c.send(c.pack("0200", sale(1)))
	if e := r.last("approved"); e.Effect != EffectDebit || e.Mood != "late 150ms once" {
		t.Errorf("booked %+v", e)
	}
	if _, f := c.ask("0200", sale(2)); f[11] != "000002" {
		t.Errorf("first answer belongs to %s", f[11])
	}
	if _, f := c.ask("0400", reversal(3, 1)); f[39] != "00" {
		t.Errorf("reversal: %q", f[39])
	}
	if mti, f := c.answer(); mti != "0210" || f[11] != "000001" || f[39] != "00" || time.Since(start) < delay {
		t.Errorf("late answer %s of %s after %s", mti, f[11], time.Since(start))
	}
	if r.balance("alice") != 1000000-1234 {
		t.Errorf("alice has %d", r.balance("alice"))
	}
}

// TestLateLost: the peer is gone before the answer; Close does not wait for it.
func TestLateLost(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.mood("late 10m")
	c.send(c.pack("0200", sale(1)))
	r.last("approved")
	r.host.Close()
	if n := r.host.Counters()["answer_not_delivered"]; n != 1 {
		t.Errorf("%d answers counted as lost, want 1", n)
	}
}

func TestHangup(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.mood("hangup once")
	c.send(c.pack("0200", sale(1)))
	c.hungUp()
	if _, f := r.signedOn().ask("0200", sale(1)); f[39] != "00" || r.last("duplicate").Effect != EffectNone {
		t.Errorf("the repeat on a new connection: %q", f[39])
	}
	if r.balance("alice") != 1000000-1234 {
		t.Errorf("alice has %d", r.balance("alice"))
	}
}

// TestDown: listener and connections close; a served listener is refused until
// the mood changes.
func TestDown(t *testing.T) {
	r := newRig(t)
	c, idle := r.signedOn(), r.dial()
	r.mood("down")
	c.hungUp()
	idle.hungUp()
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("the listener is open")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.host.Serve(l); err != ErrDown {
		t.Errorf("serve while down: %v", err)
	}
	r.mood("normal")
	r.listen()
	r.signedOn()

	r.mood("down once")
	c, idle = r.signedOn(), r.signedOn()
	c.send(c.pack("0200", sale(1)))
	c.hungUp()
	idle.hungUp()
	if e := r.last("dropped_by_mood"); e.Effect != EffectNone || e.Mood != "down once" {
		t.Errorf("booked %+v", e)
	}
	r.listen()
	if _, f := r.signedOn().ask("0200", sale(1)); f[39] != "00" {
		t.Errorf("up again: %q", f[39])
	}
}

// TestBentAnswers: the debit is right in the books, the answer is bent.
func TestBentAnswers(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	raw := func(mood string, stan int) []byte {
		t.Helper()
		r.mood(mood + " once")
		c.send(c.pack("0200", sale(stan)))
		raw, err := c.receive(patience)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	bad := raw("bad-mac", 1)
	if _, f := c.unpack(bad); f[39] != "00" || checkMAC(&message{fields: f}, bad, c.zak) != StateBad {
		t.Error("bad-mac: the answer is not an approval with a wrong MAC")
	}
	wrong := raw("wrong-amount", 2)
	if _, f := c.unpack(wrong); f[4] != "000000001235" || checkMAC(&message{fields: f}, wrong, c.zak) != StateOK {
		t.Errorf("wrong-amount: %s", f[4])
	}
	first := raw("duplicate", 3)
	if second, err := c.receive(patience); err != nil || !bytes.Equal(first, second) {
		t.Errorf("duplicate: %v", err)
	}
	if _, err := newCodec().decode(raw("garbage", 4)); err != errUnpack {
		t.Errorf("garbage: %v", err)
	}
	if _, f := c.ask("0200", sale(5)); f[4] != "000000001234" {
		t.Error("once lasted")
	}
	if r.balance("alice") != 1000000-5*1234 || r.last("approved").Mood != "" {
		t.Errorf("alice has %d", r.balance("alice"))
	}
	r.mood("bad-mac")
	if _, f := c.ask("0400", reversal(6, 5)); f[39] != "00" {
		t.Error("moods bend no reversals")
	}
	r.checkBooks()
}
