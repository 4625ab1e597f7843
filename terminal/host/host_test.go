// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pinpad"
)

const (
	testPAN   = "6224241357924684"
	testTrack = "6224241357924684D30122010000000000"
	testPIN   = "739164"
	testICC   = "9F2608AD03EE811AFAD4849F2701809F101307010103A00000010A010000038787868FD1FC" +
		"9F370401020304" + "9F36020ADC" + "9505" + "0000000000" + "9A03260203" + "9C0100" + "9F02060000000001005F2A020156" +
		"82027C009F1A0201569F03060000000000009F3303E0F0C8" + "9F1E083132333435363738"
)

// bench is one terminal against the fake switch.
type bench struct {
	t     *testing.T
	sw    *hosttest.Switch
	disk  env.Disk
	notes []host.Note
	h     *host.Host
	soft  *soft.Module
	cfg   func(*host.Config)
	clock *fake.Clock // nil: the real one
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, sw: hosttest.Start(t), disk: fake.NewDisk()}
	b.open()
	return b
}

func key(t testing.TB, s string) secret.Key {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const storageKey = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

// open starts the terminal program, as after a power cut when one ran before.
func (b *bench) open() {
	b.t.Helper()
	if err := b.tryOpen(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) tryOpen() error {
	b.t.Helper()
	world := env.Real()
	world.Disk = b.disk
	if b.clock != nil {
		world.Clock = b.clock
	}
	m, err := soft.New(world.Rand, world.Clock)
	if err != nil {
		return err
	}
	keys, err := host.SoftKeys(b.t.Context(), m, "10000001", key(b.t, hosttest.TMK), key(b.t, storageKey))
	if err != nil {
		return err
	}
	cfg := host.Config{Terminal: "10000001", Merchant: "123456789012345", TPDU: [5]byte{0x60, 0, 3, 0, 0}, Header: [6]byte{0x61, 0x31, 0, 0x31, 0x11, 0x08},
		Address: b.sw.Address(), Answer: 150 * time.Millisecond, Dial: time.Second, Dir: "state",
		Note: func(n host.Note) { b.notes = append(b.notes, n) }}
	if b.cfg != nil {
		b.cfg(&cfg)
	}
	h, err := host.Open(b.t.Context(), world, keys, cfg)
	if err != nil {
		return err
	}
	b.soft, b.h = m, h
	b.t.Cleanup(func() { h.Close() })
	return nil
}

func (b *bench) card() host.Card {
	b.t.Helper()
	pan, err := secret.NewPAN([]byte(testPAN))
	if err != nil {
		b.t.Fatal(err)
	}
	track, err := secret.NewTrack2([]byte(testTrack))
	if err != nil {
		b.t.Fatal(err)
	}
	raw, err := hex.DecodeString(testICC)
	if err != nil {
		b.t.Fatal(err)
	}
	icc, err := secret.NewICC(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	return host.Card{PAN: pan, PSN: "01", Expiry: "3012", Track2: track, ICC: icc, Entry: host.Contactless}
}

// sale is Ready and Sale in one, as a script writes it.
func (b *bench) sale() host.Result {
	b.t.Helper()
	if _, reason, err := b.h.Ready(b.t.Context()); err != nil || reason != host.ReasonNone {
		return host.Result{Outcome: host.NotSent, Reason: reason, Err: err}
	}
	return b.h.Sale(b.t.Context(), host.Sale{Amount: 1234, Card: b.card()})
}

func short(r host.Result) string {
	return strings.TrimRight(fmt.Sprintf("%s %s %s", r.Outcome, r.Code, r.Reason), " ")
}

// Every way in which a sale can end, what the switch had in its books then, and
// after the terminal was ready again.
func TestOutcomes(t *testing.T) {
	const one, two = "0200 000002", "0400 000002"
	for _, c := range []struct {
		name  string
		moods []hosttest.Mood
		want  string
		after string // books after the next Ready
		notes string
	}{
		{"approved", nil, "approved 00", one, ""},
		{"declined", []hosttest.Mood{{Code: "51"}}, "declined 51", one, ""},
		{"declined, sign on again", []hosttest.Mood{{Code: "99"}}, "declined 99", one, ""},
		{"partly approved", []hosttest.Mood{{Code: "10"}}, "declined 10 partial_approval_not_supported", one + " | " + two + " 06", ""},
		{"silent", []hosttest.Mood{{Silent: true}}, "no_answer  answer_timeout", one + " | " + two + " 98", ""},
		{"late", []hosttest.Mood{{Late: 220 * time.Millisecond}}, "no_answer  answer_timeout", one + " | " + two + " 98", "stale_answer_ignored 0210 2"},
		{"closed", []hosttest.Mood{{Close: true}}, "no_answer  connection_lost", one + " | " + two + " 98", ""},
		{"bad MAC", []hosttest.Mood{{BadMAC: true}}, "unauthenticated 00 answer_mac_wrong", one + " | " + two + " A0", ""},
		{"no MAC", []hosttest.Mood{{Code: "A7", NoMAC: true}}, "unauthenticated A7 answer_without_mac", one + " | " + two + " A0", ""},
		{"other amount", []hosttest.Mood{{Amount: "000000001235"}}, "unauthenticated 00 answer_amount_differs", one + " | " + two + " 06", ""},
		{"other terminal", []hosttest.Mood{{Terminal: "10000002"}}, "unauthenticated 00 answer_terminal_differs", one + " | " + two + " 06", ""},
		{"answer of another sale first", []hosttest.Mood{{StaleMTI: true}}, "approved 00", one, "stale_answer_ignored 0210 999998"},
		{"unreadable message first", []hosttest.Mood{{Garbage: true}}, "approved 00", one, "answer_unreadable  0"},
		{"impossible frame", []hosttest.Mood{{BadFrames: true}}, "no_answer  connection_lost", one + " | " + two + " 98", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.sw.Sales(c.moods...)
			r := b.sale()
			if got := short(r); got != c.want {
				t.Errorf("got %q (%v), want %q", got, r.Err, c.want)
			}
			if r.Outcome == host.Approved && (r.Auth != "A00002" || r.RRN != "000000000002" || r.Trace != 2 || r.Batch != "000001") {
				t.Errorf("approved with %+v", r)
			}
			if _, reason, err := b.h.Ready(t.Context()); reason != "" || err != nil {
				t.Errorf("not ready: %s %v", reason, err)
			}
			if got := b.sw.Lines(); got != c.after {
				t.Errorf("books %q, want %q", got, c.after)
			}
			for _, r := range b.sw.Books() {
				if !r.MACRight {
					t.Errorf("%s %s: MAC of the terminal is wrong", r.MTI, r.Trace)
				}
			}
			var notes []string
			for _, n := range b.notes {
				notes = append(notes, fmt.Sprintf("%s %s %d", n.Name, n.MTI, n.Trace))
			}
			if got := strings.Join(notes, ", "); got != c.notes {
				t.Errorf("notes %q, want %q", got, c.notes)
			}
		})
	}
}

func TestSaleOnTheWire(t *testing.T) {
	b := newBench(t)
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	entry, err := pinpad.NewTyped([]byte(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	card := b.card()
	block, err := pinpad.Pad{Entry: entry, Cipher: b.soft}.Block(t.Context(), card.PAN, b.h.PINKey())
	if err != nil {
		t.Fatal(err)
	}
	if r := b.h.Sale(t.Context(), host.Sale{Amount: 1234, Card: card, PIN: block}); r.Outcome != host.Approved {
		t.Fatalf("got %+v", r)
	}
	if undo, err := b.h.Reverse(t.Context()); err != nil || undo == nil || !undo.Done || undo.Why != "06" {
		t.Fatalf("reverse: %+v, %v", undo, err)
	}
	if _, err := b.h.Reverse(t.Context()); !errors.Is(err, host.ErrNothing) {
		t.Errorf("second reverse: %v", err)
	}
	want := []hosttest.Request{
		{MTI: "0200", Trace: "000002", Batch: "000001", Amount: "000000001234", Entry: "071", PAN: testPAN, Kind: "000000 00 22",
			MACRight: true, PIN: true, Track: true, Chip: strings.ToLower(testICC)},
		{MTI: "0400", Trace: "000002", Batch: "000001", Amount: "000000001234", Entry: "071", PAN: testPAN, Kind: "000000 00 22", Why: "06", Auth: "A00002", MACRight: true,
			Chip: "950500000000009f1e0831323334353637389f101307010103a00000010a010000038787868fd1fc9f36020adc"},
	}
	for i, got := range b.sw.Books() {
		if i >= len(want) || got != want[i] {
			t.Errorf("books line %d: got %+v", i, got)
		}
	}
}

func TestAdmit(t *testing.T) {
	b := newBench(t)
	sale := func(change func(*host.Sale)) string {
		s := host.Sale{Amount: 1234, Card: b.card()}
		change(&s)
		r := b.h.Sale(t.Context(), s)
		if r.Outcome != host.NotSent || r.Err == nil {
			t.Errorf("got %+v", r)
		}
		return string(r.Reason)
	}
	if got := sale(func(*host.Sale) {}); got != "not_signed_on" {
		t.Errorf("before sign-on: %s", got)
	}
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*host.Sale){
		"amount": func(s *host.Sale) { s.Amount = 0 },
		"large":  func(s *host.Sale) { s.Amount = money.Max + 1 },
		"pan":    func(s *host.Sale) { s.Card.PAN = secret.PAN{} },
		"expiry": func(s *host.Sale) { s.Card.Expiry = "12/30" },
		"psn":    func(s *host.Sale) { s.Card.PSN = "1" },
		"entry":  func(s *host.Sale) { s.Card.Entry = "7" },
	} {
		if got := sale(change); got != "sale_malformed" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := b.sw.Lines(); got != "" {
		t.Errorf("something was sent: %s", got)
	}
}

func TestSignOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(*hosttest.Switch)
		want   host.Reason
	}{
		{"granted", func(*hosttest.Switch) {}, ""},
		{"refused", func(s *hosttest.Switch) { s.SignOnCode("97") }, host.ReasonSignOnRefused},
		{"wrong check value", func(s *hosttest.Switch) { s.SpoilKCV(true) }, host.ReasonKeys},
		{"nobody there", func(s *hosttest.Switch) { s.Stop() }, host.ReasonUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			c.script(b.sw)
			_, reason, err := b.h.Ready(t.Context())
			if reason != c.want || (err != nil) != (c.want != "") {
				t.Errorf("got %q, %v", reason, err)
			}
			if r := b.h.Sale(t.Context(), host.Sale{Amount: 1, Card: b.card()}); c.want != "" && r.Reason != host.ReasonNotSignedOn {
				t.Errorf("sale without keys: %+v", r)
			}
		})
	}
}

func TestSignOnAgainAfterItsCodes(t *testing.T) {
	for code, want := range map[string]int{"A0": 2, "99": 2, "77": 2, "97": 2, "51": 1, "96": 1} {
		b := newBench(t)
		b.sw.Sales(hosttest.Mood{Code: code})
		b.sale()
		b.sale()
		if got := b.sw.SignOns(); got != want {
			t.Errorf("after %s: %d sign-ons, want %d", code, got, want)
		}
	}
}

func TestNetworkMessages(t *testing.T) {
	b := newBench(t)
	b.sw.NewBatch("000077")
	if err := errors.Join(b.h.SignOn(t.Context()), b.h.Echo(t.Context())); err != nil {
		t.Fatal(err)
	}
	if b.h.Batch() != "000077" {
		t.Errorf("batch %s", b.h.Batch())
	}
	if err := b.h.SignOff(t.Context()); err != nil || b.h.PINKey() != nil {
		t.Errorf("sign-off: %v, key still there: %v", err, b.h.PINKey() != nil)
	}
	b.h.Close()
	b.open()
	if b.h.Batch() != "000077" {
		t.Errorf("batch after restart %s", b.h.Batch())
	}
}

// An idle connection that the switch closed costs nothing: it is noticed
// before the sale leaves.
func TestReconnectBeforeTheSale(t *testing.T) {
	b := newBench(t)
	if r := b.sale(); r.Outcome != host.Approved {
		t.Fatal(short(r))
	}
	b.sw.Hang()
	time.Sleep(20 * time.Millisecond)
	if r := b.sale(); r.Outcome != host.Approved {
		t.Fatal(short(r))
	}
	b.sw.Stop()
	time.Sleep(20 * time.Millisecond)
	if r := b.h.Sale(t.Context(), host.Sale{Amount: 1234, Card: b.card()}); short(r) != "not_sent  host_unreachable" {
		t.Errorf("got %s", short(r))
	}
	if _, due := b.h.Pending(); due {
		t.Error("a reversal is due for what was not sent")
	}
}

// A reversal that is not acknowledged stops sales and is repeated; it survives
// restarts; an answer without a MAC acknowledges nothing.
func TestReversalIsRepeatedUntilDone(t *testing.T) {
	b := newBench(t)
	b.sw.Sales(hosttest.Mood{Silent: true})
	b.sale()
	b.sw.Undos(hosttest.Mood{Silent: true}, hosttest.Mood{Close: true}, hosttest.Mood{NoMAC: true}, hosttest.Mood{Code: "96"}, hosttest.Mood{BadMAC: true}, hosttest.Mood{Code: "25"})
	for _, want := range []string{"connection_lost", "answer_without_mac", "reversal_refused"} {
		undo, reason, _ := b.h.Ready(b.t.Context())
		if reason != host.ReasonReversalDue || undo == nil || undo.Done || string(undo.Reason) != want {
			t.Fatalf("got %+v, %s, want %s", undo, reason, want)
		}
		if r := b.h.Sale(t.Context(), host.Sale{Amount: 1, Card: b.card()}); r.Reason != host.ReasonReversalDue {
			t.Errorf("sale while a reversal is due: %+v", r)
		}
		b.h.Close()
		b.open()
	}
	if undo, reason, err := b.h.Ready(t.Context()); err != nil || reason != "" || undo == nil || !undo.Done || undo.Code != "25" {
		t.Fatalf("got %+v, %s, %v", undo, reason, err)
	}
	if r := b.sale(); r.Outcome != host.Approved {
		t.Error(short(r))
	}
	if got := strings.Count(b.sw.Lines(), "0400 000002 98"); got != 6 {
		t.Errorf("%d reversals in %s", got, b.sw.Lines())
	}
}

func TestTraceWrapsAndSurvives(t *testing.T) {
	b := newBench(t)
	disk := b.disk.(*fake.Disk)
	b.sale()
	b.h.Close()
	raw := strings.Replace(string(disk.Bytes("state/memory.json")), `"trace":2`, `"trace":999998`, 1)
	disk.SetBytes("state/memory.json", []byte(raw))
	b.open()
	var traces []uint32
	for range 2 {
		traces = append(traces, b.sale().Trace)
	}
	if fmt.Sprint(traces) != "[1 2]" { // 999999 was the sign-on's
		t.Errorf("traces %v", traces)
	}
}

func TestOneProgramPerDirectory(t *testing.T) {
	b := newBench(t)
	first := b.h
	if err := b.tryOpen(); !errors.Is(err, host.ErrLocked) {
		t.Errorf("got %v", err)
	}
	first.Close()
	b.open()
}

// ctxGone: a customer who left before the sale leaves nothing behind.
func TestCancelledBeforeSending(t *testing.T) {
	b := newBench(t)
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := b.h.Sale(ctx, host.Sale{Amount: 1234, Card: b.card()}); short(r) != "not_sent  cancelled" {
		t.Errorf("got %s", short(r))
	}
	if got := b.sw.Lines(); got != "" {
		t.Errorf("sent %s", got)
	}
}
