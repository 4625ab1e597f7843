// SPDX-License-Identifier: Apache-2.0

package number_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/number"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

const kind = 'N'

var config = number.Config{Kind: kind, Block: 500, Window: time.Minute}

// noon is the wall time of most tests: day 123 of 2031.
var noon = time.Date(2031, time.May, 3, 12, 0, 0, 0, time.UTC)

// log keeps records in memory; fail, if set, is asked first.
type log struct {
	mu      sync.Mutex
	records []journal.Record
	fail    func() error
}

func (l *log) Append(records ...journal.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(); err != nil {
			return err
		}
	}
	l.records = append(l.records, records...)
	return nil
}

// open starts numbers behind everything that l holds.
func (l *log) open(t *testing.T, cfg number.Config) *number.Numbers {
	t.Helper()
	var s number.State
	for _, r := range l.records {
		if r.Kind != kind || r.Reserve != 0 {
			t.Fatalf("record %+v", r)
		}
		must(t, s.Apply(r.Body))
	}
	n, err := number.Open(env.Real().Waits, l, s, cfg)
	must(t, err)
	return n
}

func next(t *testing.T, n *number.Numbers, now time.Time) (uint32, string) {
	t.Helper()
	stan, rrn, err := n.Next(now)
	must(t, err)
	return stan, string(rrn[:])
}

func TestNumbersInOrder(t *testing.T) {
	l := &log{}
	n := l.open(t, config)
	for i := range 1200 {
		stan, rrn := next(t, n, noon)
		if want := fmt.Sprintf("1123%08d", i); stan != uint32(i+1) || rrn != want {
			t.Fatalf("number %d: STAN %d, RRN %s", i, stan, rrn)
		}
	}
	if len(l.records) != 3 {
		t.Fatalf("%d reservations for 1200 numbers in blocks of 500", len(l.records))
	}
	if stan, rrn := next(t, l.open(t, config), noon); stan != 1501 || rrn != "112300001500" {
		t.Fatalf("after a restart: STAN %d, RRN %s", stan, rrn)
	}
	east := noon.In(time.FixedZone("east", 14*3600)) // already tomorrow there
	if _, rrn := next(t, n, east); !strings.HasPrefix(rrn, "1123") {
		t.Fatalf("the RRN's day is not UTC: %s", rrn)
	}
	if _, rrn := next(t, n, time.Date(2030, 12, 31, 23, 59, 59, 0, time.UTC)); !strings.HasPrefix(rrn, "0365") {
		t.Fatalf("last day of 2030: %s", rrn)
	}
}

func TestSTANWrapsOutsideTheWindow(t *testing.T) {
	cfg := config
	cfg.Block = 9_973
	l := &log{}
	n := l.open(t, cfg)
	now := noon
	for i := range number.STANMax {
		if stan, _ := next(t, n, now); stan != uint32(i+1) {
			t.Fatalf("number %d: STAN %d", i, stan)
		}
	}
	again := n
	for name, n := range map[string]*number.Numbers{"running": again, "restarted": l.open(t, cfg)} {
		if _, _, err := n.Next(now.Add(30 * time.Second)); !errors.Is(err, number.ErrExhausted) {
			t.Fatalf("%s: the first STAN within the window: %v", name, err)
		}
		if _, _, err := n.Next(now.Add(-30 * time.Second)); !errors.Is(err, number.ErrExhausted) {
			t.Fatalf("%s: the clock set back: %v", name, err)
		}
	}
	if stan, rrn := next(t, again, now.Add(time.Minute)); stan != 1 || rrn != "112300999999" {
		t.Fatalf("after the window: STAN %d, RRN %s", stan, rrn)
	}
}

// TestClockThatWasAhead gives numbers while the wall clock is a year ahead. When it is
// right again, neither the STANs nor the RRNs of the days wait for that year to pass.
func TestClockThatWasAhead(t *testing.T) {
	cfg := config
	cfg.Block = 50_000
	l := &log{}
	n := l.open(t, cfg)
	next(t, n, noon)
	next(t, n, noon.AddDate(1, 0, 0))
	for i := range number.STANMax + 10 {
		stan, _, err := n.Next(noon.Add(time.Duration(i) * time.Millisecond))
		if want := uint32(i+2)%number.STANMax + 1; err != nil || stan != want {
			t.Fatalf("number %d after the clock was ahead: STAN %d, not %d: %v", i, stan, want, err)
		}
	}
	for i := range uint64(3 * 100_000_000 / 50_000) { // three days of many payments
		l.records = append(l.records, journal.Record{Kind: kind, Body: body(1_100_000+i*50_000, noon.AddDate(0, 0, 1).Add(time.Duration(i)*43*time.Second))})
	}
	next(t, l.open(t, cfg), noon.AddDate(0, 0, 4))
}

// TestWindowCountsFromTheLastUse uses one block long after it was reserved.
func TestWindowCountsFromTheLastUse(t *testing.T) {
	cfg := config
	cfg.Block = 50_000
	n := (&log{}).open(t, cfg)
	next(t, n, noon)
	hour := noon.Add(time.Hour)
	for range number.STANMax - 1 {
		next(t, n, hour)
	}
	if _, _, err := n.Next(hour.Add(59 * time.Second)); !errors.Is(err, number.ErrExhausted) {
		t.Fatalf("a block used a moment ago: %v", err)
	}
	next(t, n, hour.Add(time.Minute))
}

func TestRRNsOfADayAreCounted(t *testing.T) {
	l := &log{}
	n := l.open(t, config)
	next(t, n, noon)
	// Ten hours later a hundred million numbers have gone: the records say so.
	for i := uint64(1); i <= 100_000_000/50_000; i++ {
		l.records = append(l.records, journal.Record{Kind: kind, Body: body(500+i*50_000, noon.Add(time.Duration(i)*18*time.Second))})
	}
	n = l.open(t, config)
	late := noon.Add(11 * time.Hour)
	if _, _, err := n.Next(late); !errors.Is(err, number.ErrExhausted) || !strings.Contains(err.Error(), "RRN") {
		t.Fatalf("number %d of the day: %v", 100_000_500, err)
	}
	if _, rrn := next(t, n, noon.Add(12*time.Hour)); !strings.HasPrefix(rrn, "1124") {
		t.Fatalf("the next day: %s", rrn)
	}
}

// body is the golden format, built by hand.
func body(next uint64, at time.Time) []byte {
	b := []byte{1}
	for _, v := range []uint64{next, uint64(at.Unix())} {
		for shift := 56; shift >= 0; shift -= 8 {
			b = append(b, byte(v>>shift))
		}
	}
	return b
}

func TestGolden(t *testing.T) {
	l := &log{}
	n := l.open(t, config)
	for range 501 {
		next(t, n, noon)
	}
	var got bytes.Buffer
	for i, r := range l.records {
		fmt.Fprintln(&got, hex.EncodeToString(r.Body))
		if want := body(uint64(500*(i+1)), noon); !bytes.Equal(r.Body, want) {
			t.Errorf("record %d: %x, want %x", i, r.Body, want)
		}
	}
	const golden = "testdata/block-v1.hex"
	if *rewrite {
		must(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got.String() != string(want) {
		t.Errorf("the format has changed:\n%s\nwant:\n%s", got.String(), want)
	}
	old := &log{}
	for line := range strings.Lines(string(want)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		must(t, err)
		old.records = append(old.records, journal.Record{Kind: kind, Body: b})
	}
	if stan, _ := next(t, old.open(t, config), noon); stan != 1001 {
		t.Fatalf("after the golden records: STAN %d", stan)
	}
}

func TestBadRecordsAreRefused(t *testing.T) {
	good := body(500, noon)
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:16], "long": append(slices.Clone(good), 0), "version": append([]byte{2}, good[1:]...),
	} {
		var s number.State
		if err := s.Apply(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var s number.State
	must(t, s.Apply(good))
	must(t, s.Apply(good)) // a reservation that was tried again
	if err := s.Apply(body(499, noon)); err == nil {
		t.Error("a block that goes back was accepted")
	}
	if err := (number.Config{Block: 1}).Validate(); err == nil || !strings.Contains(err.Error(), "block") || !strings.Contains(err.Error(), "window") {
		t.Errorf("validate: %v", err)
	}
}

// TestManyCallersOneReservation lets callers meet an empty block: one makes it
// durable, and its failure is everybody's.
func TestManyCallersOneReservation(t *testing.T) {
	const callers, each = 16, 400
	l := &log{}
	n := l.open(t, config)
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				stan, rrn, err := n.Next(noon)
				mu.Lock()
				if key := fmt.Sprint(stan, string(rrn[:])); err != nil || seen[key] {
					t.Errorf("%s: given twice, or %v", key, err)
				} else {
					seen[key] = true
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(seen) != callers*each || len(l.records) != (callers*each+499)/500 {
		t.Fatalf("%d numbers by %d reservations", len(seen), len(l.records))
	}
	l.fail = func() error { return journal.ErrFull }
	for range 500 {
		if _, _, err := n.Next(noon); err != nil {
			if !errors.Is(err, journal.ErrFull) {
				t.Fatalf("a failed reservation: %v", err)
			}
			l.fail = nil
			next(t, n, noon)
			return
		}
	}
	t.Fatal("a failed reservation was not noticed")
}

// TestNoNumberTwiceAcrossCrashes takes numbers over the segment journal and
// crashes at every operation of the disk: what was given before is never given
// after.
func TestNoNumberTwiceAcrossCrashes(t *testing.T) {
	cfg := config
	cfg.Block = 100
	open := func(w *fake.World) (*segment.Journal, *number.Numbers) {
		j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 2048})
		must(t, err)
		var s number.State
		must(t, j.Replay(func(_ uint64, r journal.Record) error { return s.Apply(r.Body) }))
		n, err := number.Open(w.Clock, j, s, cfg)
		must(t, err)
		return j, n
	}
	w := fake.New(1)
	given := uint32(0)
	type crash struct {
		given uint32
		world *fake.World
	}
	var crashes []crash
	w.Disk.OnOp(func(op fake.Op) {
		for _, keep := range fake.Keeps() {
			crashes = append(crashes, crash{given, w.Restart(keep, uint64(op.K))})
		}
	})
	j, n := open(w)
	for range 3000 {
		given, _ = next(t, n, w.Clock.Now())
	}
	must(t, j.Close())
	w.Disk.OnOp(nil)
	for _, c := range crashes {
		j, n := open(c.world)
		stan, _ := next(t, n, c.world.Clock.Now())
		if stan <= c.given || stan > c.given+2*uint32(cfg.Block)+1 {
			t.Fatalf("%d were given, and after the crash comes %d", c.given, stan)
		}
		must(t, j.Close())
	}
	if len(crashes) < 100 {
		t.Fatalf("only %d crashes", len(crashes))
	}
}

func BenchmarkNext(b *testing.B) {
	n, err := number.Open(env.Real().Waits, &log{}, number.State{}, number.Config{Kind: kind, Block: 1000, Window: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	now := noon
	for b.Loop() {
		now = now.Add(2 * time.Microsecond)
		if _, _, err := n.Next(now); err != nil {
			b.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
