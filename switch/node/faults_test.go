// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/switch/config"
	"tapswitch/switch/link"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// Whatever a host does with one purchase: the terminal gets a named answer in
// time, and nobody has paid for nothing.
func TestMoodsOfTheAcquirer(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("unionpay", 1, ""), host.Approved, "00")
	for _, c := range []struct {
		mood, code, reason string
		outcome            host.Outcome
		state              txn.State
		taken              int64
		counted            string // metric that went up, without its name's front
	}{
		{"silent once", "98", "acquirer_no_answer", host.Declined, txn.Reversed, 0, `link_exchanges_total{link="acq-a",outcome="no_answer"}`},
		{"silent-before once", "98", "acquirer_no_answer", host.Declined, txn.Unmatched, 0, ""},
		{"late 2s once", "98", "acquirer_no_answer", host.Declined, txn.Reversed, 0, `link_late_answers_total{link="acq-a"}`},
		{"garbage once", "98", "acquirer_no_answer", host.Declined, txn.Reversed, 0, `link_events_total{event="host_message_unreadable",link="acq-a"}`},
		{"bad-mac once", "96", "acquirer_answer_mac_wrong", host.Declined, txn.Reversed, 0, `link_exchanges_total{link="acq-a",outcome="failed_checks"}`},
		{"wrong-amount once", "96", "acquirer_answer_failed_checks", host.Declined, txn.Reversed, 0, ""},
		{"duplicate once", "00", "", host.Approved, txn.Completed, 500, `link_events_total{event="answer_duplicate",link="acq-a"}`},
		{"hangup once", "98", "acquirer_no_answer", host.Declined, txn.Reversed, 0, `link_events_total{event="request_connection_lost",link="acq-a"}`},
	} {
		t.Run(strings.Fields(c.mood)[0], func(t *testing.T) {
			r.soon("link up", func() bool { return r.node.links.Up("acq-a") })
			taken, began := r.a.taken(), time.Now()
			before := r.metric("tapswitch_" + c.counted)
			r.a.mood(c.mood)
			got := till.want(till.sale("unionpay", 500, ""), c.outcome, c.code)
			if took := time.Since(began); took > 5*r.cfg.Payment.Deadline { // the machine may be busy
				t.Errorf("answered after %v", took)
			}
			r.soon("end of the payment", func() bool { p, _ := r.find(0, got.Trace); return p.State == c.state })
			r.settled()
			if r.a.taken() != taken+c.taken {
				t.Errorf("taken %d, was %d", r.a.taken(), taken)
			}
			p, _ := r.find(0, got.Trace)
			if string(p.UndoWhy) != c.reason {
				t.Errorf("undone because %q", p.UndoWhy)
			}
			if c.counted != "" {
				r.soon(c.counted, func() bool { return r.metric("tapswitch_"+c.counted) != before })
			}
		})
	}
	r.agree()
}

func TestLinkDownAndBack(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	if r.ready() != 200 {
		t.Error("not ready with both links up")
	}
	r.a.mood("silent-all")
	till.want(till.sale("unionpay", 200, ""), host.Declined, "98")
	r.a.mood("down")
	r.soon("the loss is noticed", func() bool { return !r.node.links.Up("acq-a") })
	till.want(till.sale("unionpay", 300, ""), host.Declined, "91")
	till.want(till.sale("visa", 400, ""), host.Approved, "00")
	if r.ready() != 503 || r.node.saf.Depth("acq-a") != 1 {
		t.Errorf("ready %d, %d reversals wait", r.ready(), r.node.saf.Depth("acq-a"))
	}
	r.stop()
	both := r.cfg.Links
	r.cfg.Links, r.cfg.BINs = both[1:], r.cfg.BINs[1:]
	n, err := New(r.cfg, r.world, r.module, Options{Log: r.log})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.log.text(), "wait for a link that is not configured") {
		t.Error("nobody is told that a reversal cannot be delivered")
	}
	if err := n.closeStores(); err != nil {
		t.Fatal(err)
	}
	r.cfg.Links = both
	r.a.mood("normal")
	r.a.listen(r.a.addr)
	r.start()
	r.settled()
	if r.a.taken() != 100 || r.b.taken() != 400 {
		t.Errorf("taken %d and %d", r.a.taken(), r.b.taken())
	}
}

// A yes that nobody waits for, and that the link does not remember, still
// reopens a reversal that found nothing.
func TestYesAfterARestart(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.drained()
	r.a.mood("silent-before once")
	got := till.want(till.sale("unionpay", 500, ""), host.Declined, "98")
	r.settled()
	r.restart()
	p, _ := r.find(0, got.Trace)
	if p.State != txn.Unmatched {
		t.Fatalf("state %s", p.State)
	}
	said := []struct {
		outcome link.Outcome
		code    string
	}{{link.WrongLink, "00"}, {link.Unknown, "51"}, {link.Unknown, "00"}, {link.Unknown, "10"}} // 10 is a yes in part
	for _, s := range said {
		var b iso8583.Builder
		b.Reset(iso87ascii.New(), 0x0210)
		b.SetString(7, p.Numbers.At.Format("0102150405"))
		b.SetUint(11, uint64(p.Numbers.STAN))
		b.SetString(39, s.code)
		body, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.node.links["acq-a"].stray(r.node.flow.Late, link.Stray{Link: "acq-a", Outcome: s.outcome, Body: body})
		r.settled()
	}
	if q, _ := r.find(0, got.Trace); q.State != txn.Unmatched || q.Undo.STAN == p.Undo.STAN || r.a.count("0400") != 3 {
		t.Errorf("state %s, reversals %d", q.State, r.a.count("0400"))
	}
	moves := r.node.Moves()
	for e, want := range map[txn.Event]uint64{txn.SaidNo: 1, txn.SaidYes: 2} {
		to, _ := txn.Next(txn.Unmatched, e)
		if n := moves.Taken(txn.Arrow{From: txn.Unmatched, Event: e, To: to}); n != want {
			t.Errorf("unmatched + %s is counted %d times", e, n)
		}
	}
	r.node.gauges()
	if got := r.metric(`tapswitch_flow_moves_total{event="said_yes",state="unmatched"}`); got != "2" {
		t.Errorf("the metric says %q", got)
	}
	r.node.flow.Late(replay.LinkKey{Link: "acq-a", STAN: 1, At: "0101000000"}, txn.SaidYes) // nobody's
}

func TestHSMGoneAndBack(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	r.module.gone(true)
	began := time.Now()
	got := till.want(till.sale("unionpay", 200, ""), host.Unauthenticated, "A7")
	if took := time.Since(began); took > time.Second || got.Reason != host.ReasonNoMAC {
		t.Errorf("%v, %s", took, got.Reason)
	}
	if r.ready() != 503 || r.a.count("0200") != 1 {
		t.Errorf("ready %d, %d sent", r.ready(), r.a.count("0200"))
	}
	if r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="hsm_unavailable"}`) != "1" {
		t.Error("not counted by its name")
	}
	r.module.gone(false)
	till.drained()
	till.want(till.sale("unionpay", 300, ""), host.Approved, "00")
	r.soon("ready again", func() bool { return r.ready() == 200 })
	if r.a.taken() != 400 {
		t.Errorf("taken %d", r.a.taken())
	}
}

// The HSM fails in the middle of a payment, at each of its uses.
func TestHSMFailsOnce(t *testing.T) {
	for _, c := range []struct {
		op     string
		usage  hsm.Usage
		code   string
		mac    bool // of the answer
		sent   int
		reason txn.Reason // of the undo
	}{
		{"verify_mac", hsm.TAK, "A7", false, 0, ""},
		{"seal", hsm.PANSeal, "A7", true, 0, ""},
		{"translate_pin", hsm.TPK, "A7", true, 0, ""},
		{"mac", hsm.ZAK, "A7", true, 0, ""},                       // surely nothing left
		{"verify_mac", hsm.ZAK, "A7", true, 1, "hsm_unavailable"}, // the acquirer's answer
		{"mac", hsm.TAK, "A7", false, 1, "answer_not_written"},    // our own
	} {
		t.Run(fmt.Sprintf("%s_%s", c.op, c.usage), func(t *testing.T) {
			r := newRig(t)
			till := r.term(0)
			till.drained()
			var once atomic.Bool
			r.module.set(func(op string, key *hsm.Key) error {
				if op == c.op && key != nil && key.Usage == c.usage && once.CompareAndSwap(false, true) {
					return fmt.Errorf("%w: once", hsm.ErrUnavailable)
				}
				return nil
			})
			outcome := host.Declined
			if !c.mac {
				outcome = host.Unauthenticated
			}
			got := till.want(till.sale("unionpay", 150000, "1234"), outcome, c.code)
			till.drained()
			r.settled()
			p, _ := r.find(0, got.Trace)
			if r.a.taken() != 0 || r.a.count("0200") != c.sent || p.UndoWhy != c.reason {
				t.Errorf("taken %d, sent %d, undone because %q", r.a.taken(), r.a.count("0200"), p.UndoWhy)
			}
		})
	}
}

// A yes that became ready after its deadline is no yes.
func TestAnswerThatTookTooLong(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Payment.Deadline, c.Links[0].Timeout = 600*time.Millisecond, 300*time.Millisecond
	})
	till := r.term(0)
	till.drained()
	var once atomic.Bool
	r.module.set(func(op string, key *hsm.Key) error {
		if op == "mac" && key.Usage == hsm.TAK && once.CompareAndSwap(false, true) {
			time.Sleep(700 * time.Millisecond)
		}
		return nil
	})
	till.want(till.sale("unionpay", 500, ""), host.Declined, "98")
	r.settled()
	if r.a.taken() != 0 || r.a.count("0400") != 1 {
		t.Errorf("taken %d, reversals %d", r.a.taken(), r.a.count("0400"))
	}
}

// A payment in flight at shutdown is finished and answered, and nothing new begins.
func TestDrain(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.drained()
	r.a.mood("late 300ms once")
	done := make(chan host.Result)
	go func() { done <- till.sale("unionpay", 500, "") }()
	r.soon("a payment in flight", func() bool { return r.a.count("0200") == 1 })
	n, addr := r.node, r.addr
	if err := n.checks()[0].Ask(); err != nil {
		t.Errorf("serving, but %v", err)
	}
	r.cancel()
	till.want(<-done, host.Approved, "00")
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if n.checks()[0].Ask() == nil {
		t.Error("ready after the end")
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	r.start()
	if p, ok := r.find(0, 2); !ok || p.State != txn.Completed || r.a.taken() != 500 {
		t.Errorf("%v %s, taken %d", ok, p.State, r.a.taken())
	}
}

// Full: new payments are refused by name, what is in flight ends, reversals are served.
func TestJournalFull(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Journal.SegmentBytes, c.Journal.MaxBytes = 128<<10, 256<<10
		c.Links[0].Timeout, c.Links[1].Timeout = 2500*time.Millisecond, 2500*time.Millisecond // a busy machine is no full journal
	})
	slow, till := r.term(0), r.term(1)
	slow.drained()
	till.drained()
	r.a.mood("late 2s once")
	done := make(chan host.Result)
	go func() { done <- slow.sale("unionpay", 70, "") }()
	r.soon("a payment in flight", func() bool { return r.a.count("0200") == 1 })
	approved := int64(0)
	var last host.Result
	for last = till.sale("visa", 1, ""); last.Outcome == host.Approved; last = till.sale("visa", 1, "") {
		if approved++; approved > 2000 {
			t.Fatal("the journal has no end")
		}
	}
	till.want(last, host.Declined, "96")
	if r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="journal_full"}`) != "1" {
		t.Error("not counted by its name")
	}
	slow.want(<-done, host.Approved, "00")
	for _, who := range []*term{slow, till} {
		if undo, err := who.host.Reverse(t.Context()); err != nil || !undo.Done {
			t.Errorf("reversal on a full journal: %+v %v", undo, err)
		}
	}
	r.settled()
	if r.a.taken() != 0 || r.b.taken() != approved-1 {
		t.Errorf("taken %d and %d of %d", r.a.taken(), r.b.taken(), approved)
	}
	if s := r.node.segments.Stats(); s.Stranded != 0 {
		t.Errorf("%d records had no room though it was promised", s.Stranded)
	}
	r.restart()
	r.settled()
	if r.a.taken() != 0 || r.b.taken() != approved-1 {
		t.Errorf("after a restart: taken %d and %d", r.a.taken(), r.b.taken())
	}
}

// badDisk fails every sync of a journal file while it is bad.
type badDisk struct {
	env.Disk
	bad atomic.Bool
}

type badFile struct {
	env.File
	disk *badDisk
}

func (d *badDisk) wrap(f env.File, err error, name string) (env.File, error) {
	if err != nil || !strings.HasSuffix(name, ".seg") {
		return f, err
	}
	return badFile{f, d}, nil
}

func (d *badDisk) Create(name string) (env.File, error) {
	f, err := d.Disk.Create(name)
	return d.wrap(f, err, name)
}

func (d *badDisk) Open(name string) (env.File, error) {
	f, err := d.Disk.Open(name)
	return d.wrap(f, err, name)
}

func (f badFile) Sync() error {
	if f.disk.bad.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// A journal that cannot be written stops the process: no answer leaves, and the
// next start takes the payment to its end.
func TestJournalBroken(t *testing.T) {
	r := newRig(t)
	r.stop()
	disk := &badDisk{Disk: r.world.Disk}
	r.world.Disk = disk
	r.start()
	till := r.term(0)
	till.drained()
	r.a.mood("late 200ms once")
	done := make(chan host.Result)
	go func() { done <- till.sale("unionpay", 500, "") }()
	r.soon("a payment in flight", func() bool { return r.a.count("0200") == 1 })
	disk.bad.Store(true)
	till.want(<-done, host.NoAnswer, "")
	if err := r.wait(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the switch ended with %v", err)
	}
	disk.bad.Store(false)
	r.start()
	till.reopen()
	till.drained()
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("taken %d", r.a.taken())
	}
	till.want(till.sale("unionpay", 600, ""), host.Approved, "00")
}

// A start that fails leaves nothing open behind.
func TestStartThatFails(t *testing.T) {
	r := newRig(t)
	r.stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, edit := range []func(*config.Config){
		func(c *config.Config) { c.Observe.Address = l.Addr().String() },
		func(c *config.Config) { c.Listeners[0].Address = l.Addr().String() },
	} {
		cfg := *r.cfg
		cfg.Listeners = append([]config.Listener(nil), r.cfg.Listeners...)
		edit(&cfg)
		n, err := New(&cfg, r.world, r.module, Options{Log: r.log})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("ended with %v", err)
		}
	}
	r.start()
}
