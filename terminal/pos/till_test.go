// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/simulators/reader"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

const (
	testPAN = "6224241357924684"
	testPIN = "739164"
	masked  = "622424******4684"
)

// rig is a till in front of the fake switch, steered by lines.
type rig struct {
	t      *testing.T
	sw     *hosttest.Switch
	chip   *reader.Reader // with newRigWithReader
	more   []string       // lines of the configuration
	dir    string
	in     *io.PipeWriter
	events chan pos.Event
	all    *safeBuffer
	ended  chan error
	cancel context.CancelFunc
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func source() pos.Source { return pos.Source{ReadFile: os.ReadFile, LookupEnv: os.LookupEnv} }

// settings writes a configuration for the fake switch.
func settings(t *testing.T, dir, address string, more ...string) pos.Config {
	t.Helper()
	writeFile(t, filepath.Join(dir, "tmk.hex"), hosttest.TMK+"\n")
	writeFile(t, filepath.Join(dir, "terminal.yaml"), fmt.Sprintf(`version: 1
id: "10000001"
merchant: "123456789012345"
tmk: ${file:tmk.hex}
switch: "%s"
private_line: true
reader: reader.tty
timeouts: { answer_ms: 300, connect_ms: 1000, card_ms: 1000, pin_ms: 1000 }
state: state
log: terminal.log
%s`, address, strings.Join(more, "\n")))
	cfg, err := pos.Load(filepath.Join(dir, "terminal.yaml"), source())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newRig(t *testing.T, taps pos.Tapper) *rig {
	r := &rig{t: t, sw: hosttest.Start(t), dir: t.TempDir()}
	r.start(taps)
	return r
}

func (r *rig) start(taps pos.Tapper) {
	r.t.Helper()
	cfg := settings(r.t, r.dir, r.sw.Address(), r.more...)
	log, err := pos.OpenLog(cfg.Log)
	if err != nil {
		r.t.Fatal(err)
	}
	inRead, in := io.Pipe()
	outRead, out := io.Pipe()
	events, ended := make(chan pos.Event, 100), make(chan error, 1)
	r.in, r.all, r.events, r.ended = in, &safeBuffer{}, events, ended
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	till, err := pos.New(ctx, cfg, pos.Options{World: env.Real(), Out: io.MultiWriter(out, r.all), Log: log, JSON: true, Taps: taps})
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		defer close(events)
		for s := bufio.NewScanner(outRead); s.Scan(); {
			var e pos.Event
			if err := json.Unmarshal(s.Bytes(), &e); err != nil {
				r.t.Errorf("output is no JSON object: %v", err)
			}
			events <- e
		}
	}()
	go func() {
		err := till.Run(ctx, inRead)
		if closeErr := till.Close(); err == nil {
			err = closeErr
		}
		out.Close()
		log.Close()
		ended <- err
	}()
	r.t.Cleanup(func() { cancel(); in.Close() })
}

func (r *rig) say(lines ...string) {
	r.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(r.in, l+"\n"); err != nil {
			r.t.Fatal(err)
		}
	}
}

// wait reads events until one of that name.
func (r *rig) wait(name string) pos.Event {
	r.t.Helper()
	timeout := time.After(5 * time.Second)
	for {
		select {
		case e, ok := <-r.events:
			if !ok {
				r.t.Fatalf("the till ended before %s; it said\n%s", name, r.all)
			}
			if e.Event == name {
				return e
			}
		case <-timeout:
			r.t.Fatalf("no %s; the till said\n%s", name, r.all)
		}
	}
}

// end quits and gives the names of all events that were not waited for.
func (r *rig) end() {
	r.t.Helper()
	r.say("quit")
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Error(err)
		}
	case <-time.After(5 * time.Second):
		r.t.Fatal("the till does not quit")
	}
}

// log is the terminal log, an object a line.
func (r *rig) log() (all []pos.Event) {
	r.t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, "terminal.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var e pos.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// taps is a Tapper by script.
type taps struct {
	t    *testing.T
	next []pos.Tap
	hang bool     // wait for the end of the context
	want pos.Want // the last one
}

func (s *taps) Tap(ctx context.Context, want pos.Want, _ func()) pos.Tap {
	s.want = want
	if s.hang {
		<-ctx.Done()
		return pos.Tap{Outcome: pos.OutcomeCancelled, Err: ctx.Err()}
	}
	tap := s.next[0]
	if len(s.next) > 1 {
		s.next = s.next[1:]
	}
	if tap.Outcome == "" {
		tap.Card = testCard(s.t)
	}
	return tap
}

func (s *taps) Close() error { return nil }

func testCard(t *testing.T) host.Card {
	pan, err := secret.NewPAN([]byte(testPAN))
	if err != nil {
		t.Fatal(err)
	}
	track, err := secret.NewTrack2([]byte(testPAN + "D3012201"))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString("9F2608AD03EE811AFAD4849F36020ADC95050000000000")
	icc, err := secret.NewICC(raw)
	if err != nil {
		t.Fatal(err)
	}
	return host.Card{PAN: pan, PSN: "01", Expiry: "3012", Track2: track, ICC: icc, Entry: host.Contactless}
}

func short(e pos.Event) string {
	text := strings.Join([]string{e.Outcome, e.Code, e.Reason, e.CVM, e.Card}, " ")
	if e.Trace != 0 {
		text += fmt.Sprintf(" %06d", e.Trace)
	}
	return strings.Join(strings.Fields(text), " ")
}

func TestSaleWithPIN(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{PIN: true, CVM: "pin", Kernel: 7, Label: "UnionPay Debit"}}})
	if e := r.wait("signed_on"); e.Terminal != "10000001" || e.Batch != "000001" {
		t.Errorf("signed on as %+v", e)
	}
	r.wait("ready")
	r.say("sale 123456")
	if e := r.wait("present_card"); e.AmountMinor != 123456 {
		t.Errorf("asked for %d", e.AmountMinor)
	}
	if e := r.wait("enter_pin"); e.Card != masked {
		t.Errorf("PIN asked for card %s", e.Card)
	}
	r.say("pin " + testPIN)
	e := r.wait("result")
	if short(e) != "approved 00 pin "+masked+" 000002" || e.Auth != "A00002" || e.RRN != "000000000002" || e.Batch != "000001" ||
		e.AmountMinor != 123456 || e.Kernel != 7 || e.Label != "UnionPay Debit" || e.MSTotal == nil || e.MSCard == nil || e.MSHost == nil {
		t.Errorf("result %+v", e)
	}
	r.say("reverse")
	if e := r.wait("reversal"); e.Done == nil || !*e.Done || e.Why != "06" || e.Trace != 2 || e.Code != "00" {
		t.Errorf("reversal %+v", e)
	}
	r.say("reverse")
	if e := r.wait("error"); e.Reason != "nothing_to_reverse" {
		t.Errorf("second reversal: %+v", e)
	}
	r.say("echo")
	r.wait("echo")
	r.end()
	if books := r.sw.Books(); len(books) != 2 || !books[0].PIN || books[0].Entry != "071" || !books[0].MACRight {
		t.Errorf("books %+v", books)
	}
	if log := r.log(); len(log) != 2 || log[0].Event != "result" || log[0].Outcome != "approved" || log[1].Event != "reversal" || log[0].Time == "" || log[0].Merchant == "" {
		t.Errorf("log %+v", log)
	}
	r.nothingShows()
}

// nothingShows looks for card data and PIN in all that the terminal wrote.
func (r *rig) nothingShows() {
	r.t.Helper()
	texts := map[string]string{"output": r.all.String()}
	err := filepath.WalkDir(r.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		texts[filepath.Base(name)] = string(raw)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for name, text := range texts {
		for _, word := range []string{testPIN, testPAN, testPAN[6:12], "3012201", "AD03EE81", "ad03ee81"} {
			if strings.Contains(text, word) {
				r.t.Errorf("%s shows what it must not (%d characters)", name, len(word))
			}
		}
	}
}

// What ends at the card or the PIN pad never reaches the switch.
func TestEndsWithoutTheSwitch(t *testing.T) {
	pin := pos.Tap{PIN: true, CVM: "pin"}
	for _, c := range []struct {
		name  string
		tap   pos.Tap
		lines []string
		want  string
	}{
		{"declined offline", pos.Tap{Outcome: pos.OutcomeOffline, Reason: "card_declined"}, nil, "declined_offline card_declined"},
		{"unsupported", pos.Tap{Outcome: pos.OutcomeUnsupported, Reason: "no_application_in_common"}, nil, "unsupported_card no_application_in_common"},
		{"collision", pos.Tap{Outcome: pos.OutcomeCollision}, nil, "collision"},
		{"removed", pos.Tap{Outcome: pos.OutcomeRemoved}, nil, "card_removed"},
		{"reader gone", pos.Tap{Outcome: pos.OutcomeReaderGone}, nil, "reader_gone"},
		{"cancelled at the PIN", pin, []string{"cancel"}, "cancelled pin_cancelled pin " + masked},
		{"PIN too short", pin, []string{"pin 739"}, "pin_error pin_must_have_4_to_12_digits pin " + masked},
		{"PIN of letters", pin, []string{"pin 73a164"}, "pin_error pin_must_have_4_to_12_digits pin " + masked},
		{"no PIN", pin, nil, "pin_timeout pin " + masked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &taps{t: t, next: []pos.Tap{c.tap}})
			r.wait("ready")
			r.say("sale 100")
			if c.tap.PIN {
				r.wait("enter_pin")
			}
			r.say(c.lines...)
			if got := short(r.wait("result")); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			r.end()
			if got := r.sw.Lines(); got != "" {
				t.Errorf("the switch heard %s", got)
			}
			r.nothingShows()
		})
	}
}

func TestCancelWhileWaitingForACard(t *testing.T) {
	r := newRig(t, &taps{t: t, hang: true})
	r.wait("ready")
	r.say("sale 100")
	r.wait("present_card")
	r.say("cancel")
	if got := short(r.wait("result")); got != "cancelled" {
		t.Errorf("got %q", got)
	}
	r.say("sale 100")
	r.wait("present_card")
	r.cancel() // as SIGTERM does
	if got := short(r.wait("result")); got != "cancelled" {
		t.Errorf("got %q", got)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// A script may send everything at once: commands wait their turn, and a PIN
// typed ahead is taken when it is asked for.
func TestScriptAtOnce(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{PIN: true, CVM: "pin"}, {CVM: "none"}}})
	r.wait("ready")
	r.say("sale 100", "pin "+testPIN, "sale 200", "sale", "sale -5", "pin", "nonsense", strings.Repeat("x", 400))
	results := []string{short(r.wait("result")), short(r.wait("result"))}
	if fmt.Sprint(results) != "[approved 00 pin "+masked+" 000002 approved 00 none "+masked+" 000003]" {
		t.Errorf("results %q", results)
	}
	for range 5 {
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("got %+v", e)
		}
	}
	r.say("echo")
	r.wait("echo")
	time.Sleep(10 * time.Millisecond)
	r.say("pin 1111")
	if e := r.wait("error"); e.Reason != "no_pin_wanted" {
		t.Errorf("a PIN without a sale: %+v", e)
	}
	r.end()
	r.nothingShows()
}

// What the switch says or does not say, as cashier and log see it.
func TestResultsOfTheSwitch(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	for _, c := range []struct {
		mood     hosttest.Mood
		undo     []hosttest.Mood
		want     string
		reversal string
	}{
		{hosttest.Mood{Code: "55"}, nil, "declined 55 none " + masked, ""},
		{hosttest.Mood{Silent: true}, nil, "no_answer answer_timeout none " + masked, "98 true "},
		{hosttest.Mood{BadMAC: true}, nil, "unauthenticated 00 answer_mac_wrong none " + masked, "A0 true "},
		{hosttest.Mood{Code: "A7", NoMAC: true}, []hosttest.Mood{{Code: "A7", NoMAC: true}}, "unauthenticated A7 answer_without_mac none " + masked, "A0 false answer_without_mac"},
		{hosttest.Mood{}, []hosttest.Mood{{Code: "A7", NoMAC: true}}, "not_sent reversal_pending", ""},
		{hosttest.Mood{}, nil, "approved 00 none " + masked, ""},
	} {
		r.sw.Sales(c.mood)
		r.sw.Undos(c.undo...)
		r.say("sale 100")
		e := r.wait("result")
		if got := short(e); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if c.reversal == "" {
			continue
		}
		if c.mood.BadMAC { // new keys first, and the cashier sees it
			r.wait("signed_on")
		}
		if e := r.wait("reversal"); fmt.Sprintf("%s %v %s", e.Why, *e.Done, e.Reason) != c.reversal {
			t.Errorf("reversal %+v, want %q", e, c.reversal)
		}
	}
	r.end()
	var got []string
	for _, e := range r.log() {
		if e.Event == "reversal" {
			got = append(got, fmt.Sprintf("%06d %s %v", e.Trace, e.Why, *e.Done))
		}
	}
	if want := "000003 98 true|000004 A0 true|000006 A0 false|000006 A0 false|000006 A0 true"; strings.Join(got, "|") != want {
		t.Errorf("reversals %q, want %q", got, want)
	}
}

// A till that was killed reverses what it left behind when it starts again,
// and with an unreachable switch it says so and lives on.
func TestRestart(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	r.sw.Sales(hosttest.Mood{Silent: true})
	r.sw.Undos(hosttest.Mood{Silent: true})
	r.say("sale 100")
	r.wait("result")
	r.end()
	r.start(&taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	if e := r.wait("reversal"); e.Done == nil || !*e.Done || e.Trace != 2 {
		t.Errorf("at start: %+v", e)
	}
	r.wait("ready")
	r.end()
	r.sw.Stop()
	r.start(&taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	if e := r.wait("error"); e.Reason != "host_unreachable" {
		t.Errorf("got %+v", e)
	}
	r.wait("ready")
	r.say("sale 100")
	if got := short(r.wait("result")); got != "not_sent host_unreachable" {
		t.Errorf("got %q", got)
	}
	r.end()
}

// An approval is on the disk before it is told: a till whose power failed in between
// tells it when it starts again, so that nobody sells the same goods twice.
func TestLastApprovalIsTold(t *testing.T) {
	tapped := func() *taps { return &taps{t: t, next: []pos.Tap{{CVM: "none"}}} }
	r := newRig(t, tapped())
	r.wait("ready")
	r.say("last")
	if e := r.wait("error"); e.Reason != "nothing_to_reverse" {
		t.Errorf("nothing was sold: %+v", e)
	}
	r.say("sale 1234")
	sold := r.wait("result")
	want := pos.Event{Event: "last", Outcome: "approved", AmountMinor: 1234, Card: masked, Trace: sold.Trace, Batch: sold.Batch, Auth: sold.Auth, RRN: sold.RRN}
	r.say("last")
	if e := r.wait("last"); e != want {
		t.Errorf("asked for: %+v, want %+v", e, want)
	}
	r.end()
	r.start(tapped())
	r.wait("ready")
	if e := r.wait("last"); e != want {
		t.Errorf("at start: %+v, want %+v", e, want)
	}
	r.say("reverse")
	r.wait("reversal")
	r.say("last")
	if e := r.wait("error"); e.Reason != "nothing_to_reverse" {
		t.Errorf("taken back: %+v", e)
	}
	r.end()
}
