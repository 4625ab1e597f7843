// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/journaltest"
	"tapswitch/switch/journal/segment"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

func open(s journaltest.Setup) (journal.Journal, error) {
	cfg := segment.Config{Dir: "data/journal", SegmentBytes: 1 << 20, OnBroken: s.OnBroken}
	if s.Small {
		cfg.SegmentBytes, cfg.AppendMax = 2048, journaltest.SmallAppend
	}
	j, err := segment.Open(s.Env, cfg)
	if err != nil {
		return nil, err
	}
	return j, nil
}

func TestConformance(t *testing.T) { journaltest.Run(t, open) }

// small is a journal of 2 KiB segments.
func small(t *testing.T, w *fake.World) *segment.Journal {
	t.Helper()
	j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 2048, AppendMax: 512})
	must(t, err)
	return j
}

func fill(t *testing.T, j *segment.Journal, n int, text string) {
	t.Helper()
	for i := range n {
		must(t, j.Append(journal.Record{Kind: 1, Body: fmt.Appendf(nil, "%s %d %100d", text, i, i)}))
	}
}

// TestForeignSegments puts segments of other journals into this one. Each is a
// good file by itself.
func TestForeignSegments(t *testing.T) {
	w := fake.New(1)
	j := small(t, w)
	fill(t, j, 20, "one")
	fork := w.Disk.CrashClone(fake.KeepAll, 0) // same identity, other future
	fill(t, j, 30, "one")
	must(t, j.Close())

	forked := fake.New(1)
	forked.Disk = fork
	j = small(t, forked)
	fill(t, j, 30, "two")
	must(t, j.Close())

	other := fake.New(2) // other identity, same records
	j = small(t, other)
	fill(t, j, 20, "one")
	fill(t, j, 30, "one")
	must(t, j.Close())

	for _, c := range []struct {
		from *fake.Disk
		file string
		want string
	}{
		{forked.Disk, "j/000000000003.seg", "does not follow the one before it"},
		{forked.Disk, "j/000000000004.seg", "does not follow the one before it"},
		{other.Disk, "j/000000000001.seg", "belongs to another journal"},
		{other.Disk, "j/000000000003.seg", "belongs to another journal"},
	} {
		mixed := w.Disk.CrashClone(fake.KeepAll, 0)
		mixed.SetBytes(c.file, c.from.Bytes(c.file))
		_, err := segment.Verify(mixed, "j")
		var fault *segment.Fault
		if !errors.As(err, &fault) || !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(fault.Reason, c.want) {
			t.Errorf("%s from elsewhere: %v, want %q", c.file, err, c.want)
		}
	}
}

func TestVerifyAndDump(t *testing.T) {
	w := fake.New(1)
	j := small(t, w)
	fill(t, j, 40, "text")
	must(t, j.Append(journal.Record{Kind: 2, Key: []byte("k"), Reserve: 50}))
	must(t, j.Append(journal.Record{Kind: 2, Key: []byte("k"), Reserve: -80})) // gives back too much
	must(t, j.Append(journal.Record{Kind: 2, Key: []byte("k"), Reserve: 7}))
	if n := j.Reserved(); n != 7 {
		t.Fatalf("reserved %d", n)
	}
	must(t, j.Close())

	before := w.Disk.CrashClone(fake.KeepAll, 0)
	r, err := segment.Verify(w.Disk, "j")
	must(t, err)
	if r.Records != 43 || r.Reserved != 7 || r.TornBytes != 0 || r.Segments < 3 || r.Spares < 1 {
		t.Fatalf("%+v", r)
	}
	n := uint64(0)
	for e, err := range segment.Dump(w.Disk, "j") {
		must(t, err)
		if n++; e.Number != n || e.Offset%16 != 0 || e.File == "" {
			t.Fatalf("entry %d: %+v", n, e)
		}
	}
	if n != 43 {
		t.Fatalf("%d entries", n)
	}
	for range segment.Dump(w.Disk, "j") {
		break // leaving early is no error
	}
	for _, name := range w.Disk.Files() {
		if !bytes.Equal(w.Disk.Bytes(name), before.Bytes(name)) {
			t.Fatalf("reading changed %s", name)
		}
	}
	b := w.Disk.Bytes("j/000000000002.seg")
	b[700] ^= 1
	w.Disk.SetBytes("j/000000000002.seg", b)
	var last error
	for _, last = range segment.Dump(w.Disk, "j") {
	}
	var fault *segment.Fault
	if !errors.As(last, &fault) || fault.File != "j/000000000002.seg" || fault.Offset > 700 || fault.Offset < 500 {
		t.Fatalf("a changed byte 700: %v", last)
	}
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	w := fake.New(1)
	j := small(t, w)
	if _, err := segment.Open(w.Env(), segment.Config{Dir: "j"}); !errors.Is(err, env.ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	must(t, j.Close())
	must(t, small(t, w).Close())
}

func TestConfigNamesAllMistakes(t *testing.T) {
	err := segment.Config{SegmentBytes: 1000, AppendMax: 800, MaxBytes: 1500, QueueMax: -1}.Validate()
	for _, want := range []string{"directory", "multiple of 512", "two appends", "two segments", "queue_max"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

// TestBatchesShareASync holds the disk up in a sync: all who come meanwhile are
// one batch, and who finds the queue full is told so.
func TestBatchesShareASync(t *testing.T) {
	const waiters = 10
	w := fake.New(1)
	j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 1 << 16, QueueMax: waiters})
	must(t, err)
	held, release := make(chan bool), make(chan bool)
	var once sync.Once
	w.Disk.OnOp(func(op fake.Op) {
		if op.Kind == fake.OpSync {
			once.Do(func() { held <- true; <-release })
		}
	})
	var all sync.WaitGroup
	add := func() {
		if err := j.Append(journal.Record{Kind: 1, Body: []byte("x")}); err != nil {
			t.Error(err)
		}
	}
	all.Go(add)
	<-held
	before := j.Stats()
	for range waiters {
		all.Go(add)
	}
	for j.Stats().Waiting < waiters {
		runtime.Gosched()
	}
	if err := j.Append(journal.Record{Kind: 1}); !errors.Is(err, journal.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	close(release)
	all.Wait()
	if s := j.Stats(); s.Syncs != before.Syncs+2 || s.Appends != waiters+1 || s.Records != waiters+1 {
		t.Fatalf("%d syncs for %d appends", s.Syncs-before.Syncs, s.Appends)
	}
}

// TestLimitBindsNewPaymentsAlone fills the journal up to MaxBytes.
func TestLimitBindsNewPaymentsAlone(t *testing.T) {
	w := fake.New(1)
	j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 4096, AppendMax: 512, MaxBytes: 4 * 4096})
	must(t, err)
	n := 0
	for ; ; n++ {
		if err := j.Append(journal.Record{Kind: 1, Body: make([]byte, 200), Reserve: 300}); err != nil {
			if !errors.Is(err, journal.ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if s := j.Stats(); s.Bytes != 4*4096 || s.Full != 1 || s.Reserved != int64(n)*300 {
		t.Fatalf("%d payments: %+v", n, s)
	}
	for range 3 * n { // far beyond what was reserved: nothing is stranded
		must(t, j.Append(journal.Record{Kind: 2, Body: make([]byte, 200)}))
	}
	if s := j.Stats(); s.Stranded != 0 || s.Bytes <= 4*4096 {
		t.Fatalf("%+v", s)
	}
}

// TestGolden compares the format with a file that is never edited.
func TestGolden(t *testing.T) {
	w := fake.New(7)
	j := small(t, w)
	records := [][]journal.Record{
		{{Kind: 1, Key: []byte("key"), Body: []byte("an intent"), Reserve: 400}},
		{{Kind: 2, Key: []byte("key"), Body: []byte("an outcome"), Reserve: -400}, {Kind: 3}},
	}
	for _, r := range records {
		must(t, j.Append(r...))
	}
	must(t, j.Close())
	name := "j/000000000001.seg"
	got := hex.Dump(bytes.TrimRight(w.Disk.Bytes(name), "\x00"))
	const golden = "testdata/v1.hex"
	if *rewrite {
		must(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got != string(want) {
		t.Errorf("the format has changed:\n%s\nwant:\n%s", got, want)
	}
	old := fake.New(8)
	must(t, old.Disk.MkdirAll("j"))
	old.Disk.SetBytes(name, append(undump(t, want), make([]byte, 2048)...)[:2048])
	var read []journal.Record
	must(t, small(t, old).Replay(func(_ uint64, r journal.Record) error {
		r.Key, r.Body = slices.Clone(r.Key), slices.Clone(r.Body)
		read = append(read, r)
		return nil
	}))
	if len(read) != 3 || string(read[1].Body) != "an outcome" || read[1].Reserve != -400 || read[2].Kind != 3 {
		t.Fatalf("the golden file reads as %+v", read)
	}
}

// undump is the inverse of hex.Dump.
func undump(t *testing.T, dump []byte) []byte {
	t.Helper()
	var all []byte
	for line := range strings.Lines(string(dump)) {
		digits, _, _ := strings.Cut(line[8:], "|")
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		must(t, err)
		all = append(all, b...)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
