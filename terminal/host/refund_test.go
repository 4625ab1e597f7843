// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// paid is a purchase as its receipt names it.
var paid = host.Original{Batch: "000001", Trace: 7, RRN: "000000000007"}

func (b *bench) refund(o host.Original) host.Result {
	b.t.Helper()
	if _, reason, err := b.h.Ready(b.t.Context()); err != nil || reason != host.ReasonNone {
		return host.Result{Outcome: host.NotSent, Reason: reason, Err: err}
	}
	r := b.h.Refund(b.t.Context(), host.Refund{Amount: 1234, Card: b.card(), Original: o})
	b.told()
	return r
}

func (b *bench) told() {
	b.t.Helper()
	if err := b.h.Told(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) repeat() *host.Result {
	b.t.Helper()
	r := b.h.Repeat(b.t.Context())
	b.told()
	return r
}

// due says whether a refund has no answer yet.
func (b *bench) due() bool { _, due := b.h.RefundDue(); return due }

// A refund is 0220 with the original's numbers, and without track, PIN and chip; on
// silence the same message goes again, under the same trace number.
func TestRefund(t *testing.T) {
	b := newBench(t)
	b.sw.Advices(hosttest.Mood{Silent: true})
	r := b.refund(paid)
	if short(r) != "approved 00" || r.Trace != 2 || r.RRN == "" || b.due() || b.sw.Lines() != "0220 000002 | 0220 000002" {
		t.Fatalf("%s, trace %d, due %v, books %q", short(r), r.Trace, b.due(), b.sw.Lines())
	}
	first, again := b.sw.Books()[0], b.sw.Books()[1]
	if first != again || first.Kind != "200000 00 25" || first.Original != "0000010000070000" || first.RRN != "000000000007" ||
		first.PAN != testPAN || first.Amount != "000000001234" || first.Track || first.PIN || first.Chip != "" || first.Auth != "" || !first.MACRight {
		t.Errorf("first %+v\nagain %+v", first, again)
	}
	dated := paid
	dated.Date = "0203"
	if r := b.refund(dated); short(r) != "approved 00" || b.sw.Books()[2].Original != "0000010000070203" {
		t.Errorf("with a date: %s, %+v", short(r), b.sw.Books()[2])
	}
	if undo, err := b.h.Reverse(t.Context()); !errors.Is(err, host.ErrNothing) {
		t.Errorf("a refund was reversed: %+v, %v", undo, err)
	}
}

// What the switch says ends a refund, or does not; what does not is sent again
// until it does, also by the program that reads the memory after a loss of power.
func TestRefundEnds(t *testing.T) {
	silent := hosttest.Mood{Silent: true}
	for _, c := range []struct {
		name  string
		moods []hosttest.Mood
		want  string
		due   bool
	}{
		{"refused", []hosttest.Mood{{Code: "64"}}, "declined 64", false},
		{"not known", []hosttest.Mood{{Code: "98"}}, "unclear 98 ask_acquirer", false},
		{"not carried out", []hosttest.Mood{{Code: "96"}}, "unclear 96 ask_acquirer", false},
		{"in part", []hosttest.Mood{{Code: "10"}}, "unclear 10 partial_approval_not_supported", false},
		{"another message of this number", []hosttest.Mood{{Code: "94"}}, "declined 94", false},
		{"another batch", []hosttest.Mood{{Code: "77"}}, "declined 77", false},
		{"not signed on", []hosttest.Mood{{Code: "97"}}, "approved 00", false},
		{"not signed on, twice", []hosttest.Mood{{Code: "97"}, {Code: "97"}}, "no_answer 97 not_judged_by_switch", true},
		{"its MAC", []hosttest.Mood{{Code: "A0"}}, "approved 00", false},
		{"MAC of the answer", []hosttest.Mood{{BadMAC: true}}, "approved 00", false},
		{"never a MAC", []hosttest.Mood{{NoMAC: true}, {NoMAC: true}}, "unauthenticated 00 answer_without_mac", true},
		{"another amount", []hosttest.Mood{{Amount: "000000009999"}, {Amount: "000000009999"}}, "unauthenticated 00 answer_amount_differs", true},
		{"closed", []hosttest.Mood{{Close: true}}, "approved 00", false},
		{"silence", []hosttest.Mood{silent, silent}, "no_answer  answer_timeout", true},
		{"silence, then under way", []hosttest.Mood{silent, {Code: "94"}}, "no_answer 94 not_judged_by_switch", true},
		{"silence, then no", []hosttest.Mood{silent, {Code: "64"}}, "declined 64", false},
	} {
		b := newBench(t)
		b.sw.Advices(c.moods...)
		r := b.refund(paid)
		if got := strings.TrimSpace(short(r)); got != c.want || b.due() != c.due {
			t.Errorf("%s: %q, due %v; want %q, due %v", c.name, got, b.due(), c.want, c.due)
		}
		if c.due {
			if r := b.refund(paid); short(r) != "not_sent  refund_pending" {
				t.Errorf("%s: another refund: %s", c.name, short(r))
			}
			if r := b.sale(); short(r) != "approved 00" {
				t.Errorf("%s: a sale: %s", c.name, short(r))
			}
			b.h.Close()
			if raw := string(b.disk.(*fake.Disk).Bytes("state/memory.json")); strings.Contains(raw, testPAN) || !strings.Contains(raw, `"version":2,`) {
				t.Errorf("%s: the memory is %s", c.name, raw)
			}
			b.open()
			if r := b.repeat(); r == nil || short(*r) != "approved 00" || r.Trace != 2 || b.due() {
				t.Errorf("%s: after a loss of power %+v, due %v", c.name, r, b.due())
			}
			books := b.sw.Books()
			if first, last := books[0], books[len(books)-1]; first != last {
				t.Errorf("%s: first %+v\nlast %+v", c.name, first, last)
			}
		}
		if r := b.repeat(); r != nil {
			t.Errorf("%s: sent again: %+v", c.name, r)
		}
		if r := b.refund(paid); short(r) != "approved 00" {
			t.Errorf("%s: the next refund: %s", c.name, short(r))
		}
		b.h.Close()
	}
}

// Of what surely did not leave nothing is kept; nor is it sent when it names no
// purchase, or as a sale, which is reversed.
func TestRefundIsNotSent(t *testing.T) {
	b := newBench(t)
	but := func(edit func(*host.Original)) host.Original { o := paid; edit(&o); return o }
	for name, o := range map[string]host.Original{
		"nothing": {}, "no number": but(func(o *host.Original) { o.RRN = "" }), "no trace": but(func(o *host.Original) { o.Trace = 0 }),
		"no batch": but(func(o *host.Original) { o.Batch = "" }), "a code": but(func(o *host.Original) { o.Auth = "A00001" }), "half a date": but(func(o *host.Original) { o.Date = "02" }),
	} {
		if r := b.refund(o); short(r) != "not_sent  sale_malformed" {
			t.Errorf("%s: %s", name, short(r))
		}
	}
	if r := b.h.Sale(t.Context(), host.Sale{Kind: host.KindRefund, Amount: 1, Card: b.card(), Original: paid}); short(r) != "not_sent  sale_malformed" {
		t.Errorf("as a sale: %s", short(r))
	}
	b.sw.Stop()
	if err := b.h.Echo(t.Context()); err == nil { // it notices that the connection is gone
		t.Error("an echo of nobody")
	}
	if r := b.h.Refund(t.Context(), host.Refund{Amount: 1234, Card: b.card(), Original: paid}); r.Outcome != host.NotSent || b.due() {
		t.Errorf("without a switch: %s, due %v", short(r), b.due())
	}
	if b.sw.Lines() != "" {
		t.Errorf("books %q", b.sw.Lines())
	}
}

// A refund that the switch answered and did not judge is forgotten when a person
// says so; one that got no answer at all is not.
func TestDiscardRefund(t *testing.T) {
	b := newBench(t)
	b.sw.Advices(hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true}, hosttest.Mood{Code: "94"}, hosttest.Mood{Code: "94"})
	b.refund(paid)
	if err := b.h.Discard(t.Context(), 2); !errors.Is(err, host.ErrNotRefused) {
		t.Errorf("unanswered: %v", err)
	}
	b.repeat()
	if err := b.h.Discard(t.Context(), 3); !errors.Is(err, host.ErrNotKept) {
		t.Errorf("another: %v", err)
	}
	if err := b.h.Discard(t.Context(), 2); err != nil || b.due() {
		t.Errorf("%v, due %v", err, b.due())
	}
}

// A refund that is not answered for longer than a switch may remember it is not
// sent again: it could be carried out twice.
func TestRefundTooOld(t *testing.T) {
	b := newBench(t)
	b.clock = fake.NewClock()
	b.h.Close()
	b.open()
	b.sw.Advices(hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true})
	b.refund(paid)
	b.clock.Advance(12 * time.Hour)
	if r := b.repeat(); short(*r) != "no_answer  answer_timeout" || len(b.sw.Books()) != 4 {
		t.Errorf("in time: %s, books %q", short(*r), b.sw.Lines())
	}
	for _, d := range []time.Duration{time.Second, -24 * time.Hour} {
		b.clock.StepWall(d)
		if r := b.repeat(); short(*r) != "no_answer  refund_too_old_to_repeat" || len(b.sw.Books()) != 4 {
			t.Errorf("%v later: %s, books %q", d, short(*r), b.sw.Lines())
		}
	}
	if err := b.h.Discard(t.Context(), 2); err != nil || b.due() {
		t.Errorf("%v, due %v", err, b.due())
	}
}

// Power is cut before every single disk operation of a refund that is answered at
// the second time: what the switch may have seen is sent again until it is
// answered, under its own trace number, and no other message has that number.
func TestPowerCutWhileRefunding(t *testing.T) {
	for _, keep := range fake.Keeps() {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk := b.disk.(*fake.Disk)
		type moment struct {
			disk *fake.Disk
			sent bool
			told bool
			name string
		}
		var all []moment
		told := false
		disk.OnOp(func(op fake.Op) {
			all = append(all, moment{disk.CrashClone(keep, uint64(op.K)), b.sw.Lines() != "", told, fmt.Sprintf("keep %s, %d %s", keep, op.K, op.Kind)})
		})
		b.sw.Advices(hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true})
		b.refund(paid)
		end := b.h.Repeat(t.Context())
		told = true
		b.told()
		b.refund(paid) // the next one
		disk.OnOp(nil)
		if len(all) < 12 || end.Outcome != host.Approved {
			t.Fatalf("only %d moments, %s", len(all), short(*end))
		}
		b.h.Close()
		for _, m := range all {
			b.disk = m.disk
			b.open()
			trace, due := b.h.RefundDue()
			if m.sent && !m.told && (!due || trace != 2) {
				t.Errorf("%s: sent and forgotten", m.name)
			}
			before := len(b.sw.Books())
			if r := b.repeat(); due != (r != nil) || due && (short(*r) != "approved 00" || b.sw.Books()[before].Trace != fmt.Sprintf("%06d", trace)) {
				t.Errorf("%s: %+v", m.name, r)
			}
			if r := b.sale(); m.sent && r.Trace <= 2 || r.Trace == trace {
				t.Errorf("%s: trace %d used again", m.name, r.Trace)
			}
			b.h.Close()
		}
	}
}
