// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/journaltest"
	"tapswitch/switch/journal/segment"
)

// compacting compacts after every third Append and keeps everything, so that
// whatever is true of a journal must be true of it.
type compacting struct {
	*segment.Journal
	mu sync.Mutex
	n  int
}

func (c *compacting) Append(records ...journal.Record) error {
	err := c.Journal.Append(records...)
	c.mu.Lock()
	c.n++
	due := c.n%3 == 0
	c.mu.Unlock()
	if due { // what it says is of no use to who appends; what it leaves behind is looked at
		_, _ = c.Compact(math.MaxUint64, func(uint64, journal.Record) bool { return true })
	}
	return err
}

// TestConformanceCompacting is the whole suite over a journal that compacts all
// the time: every crash, fault and flip also hits checkpoints in the making.
func TestConformanceCompacting(t *testing.T) {
	journaltest.Run(t, func(s journaltest.Setup) (journal.Journal, error) {
		j, err := open(s)
		if err != nil {
			return nil, err
		}
		return &compacting{Journal: j.(*segment.Journal)}, nil
	})
}

// numbered is what a journal replays, with the records' numbers.
func numbered(t *testing.T, j *segment.Journal) (all []string) {
	t.Helper()
	must(t, j.Replay(func(seq uint64, r journal.Record) error {
		all = append(all, fmt.Sprintf("%d: %d %x %s %d", seq, r.Kind, r.Key, r.Body, r.Reserve))
		return nil
	}))
	return all
}

// kept is what is left of all after a compaction of the records below before.
func kept(all []string, before int) (left []string) {
	for _, s := range all {
		var seq, kind int
		var key byte
		if _, err := fmt.Sscanf(s, "%d: %d %02x", &seq, &kind, &key); err != nil {
			panic(err)
		}
		if seq >= before || key%2 == 1 && kind == 1 {
			left = append(left, s)
		}
	}
	return left
}

func TestCompact(t *testing.T) {
	w := fake.New(1)
	j := small(t, w)
	journaltest.Lives(t, j, 0, 40)
	all, before := numbered(t, j), j.Stats()
	c, err := j.Compact(60, journaltest.Living)
	must(t, err)
	got := numbered(t, j)
	first := int(c.Kept+c.Dropped) + 1
	if want := kept(all, first); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%+v\n%s\nwant\n%s", c, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first > 60 || c.Kept == 0 || c.Dropped == 0 || c.Removed < 3 || c.Freed <= 0 {
		t.Fatalf("%+v", c)
	}
	after := j.Stats()
	if after.Records != before.Records || after.Bytes != before.Bytes-c.Freed || after.Segments != before.Segments-c.Removed {
		t.Fatalf("%+v\nthen %+v", before, after)
	}
	if dropped := before.Reserved - after.Reserved; dropped != int64(c.Kept)*40 { // an intent that is kept has lost its neighbour
		t.Fatalf("%d bytes of room came back", dropped)
	}
	if _, err := w.Disk.Open("j/000000000001.seg"); err == nil {
		t.Fatal("the first segment is still there")
	}

	again, err := j.Compact(60, journaltest.Living) // nothing new is closed
	must(t, err)
	if again != (journal.Compaction{}) {
		t.Fatalf("%+v", again)
	}
	journaltest.Lives(t, j, 40, 40)
	_, err = j.Compact(math.MaxUint64, journaltest.Living) // over the checkpoint
	must(t, err)
	got = numbered(t, j)
	reserved := j.Reserved()
	must(t, j.Close())
	r, err := segment.Verify(w.Disk, "j")
	must(t, err)
	if r.Records != uint64(len(got)) || r.Reserved != reserved || r.Purged < c.Removed || len(r.Head) != 32 {
		t.Fatalf("%+v, reserved %d, records %d", r, reserved, len(got))
	}
	j = small(t, w)
	if again := numbered(t, j); strings.Join(again, "\n") != strings.Join(got, "\n") || j.Reserved() != reserved {
		t.Fatal("after a restart it reads otherwise")
	}
	journaltest.Lives(t, j, 80, 1)
	must(t, j.Close())
}

// TestCompactCrash crashes at every operation of two compactions: what is left
// is the journal before or after, and it goes on.
func TestCompactCrash(t *testing.T) {
	for _, keep := range fake.Keeps() {
		w := fake.New(2)
		j := small(t, w)
		var states []string // that the journal may have
		state := func() { states = append(states, strings.Join(numbered(t, j), "\n")) }
		journaltest.Lives(t, j, 0, 30)
		state()
		at, moments := 0, []*fake.World(nil)
		var which []int
		w.Disk.OnOp(func(op fake.Op) {
			if op.Kind != fake.OpRead { // a read changes nothing
				moments, which = append(moments, w.Restart(keep, uint64(op.K))), append(which, at)
			}
		})
		for _, before := range []uint64{40, math.MaxUint64} {
			_, err := j.Compact(before, journaltest.Living)
			must(t, err)
			hook := len(moments)
			state()
			moments, which = moments[:hook], which[:hook] // the replay of state is none of it
			at++
		}
		w.Disk.OnOp(nil)
		for i, m := range moments {
			j := small(t, m)
			got := strings.Join(numbered(t, j), "\n")
			if got != states[which[i]] && got != states[which[i]+1] {
				t.Fatalf("crash %d in compaction %d, %v kept: neither before nor after:\n%s", i, which[i], keep, got)
			}
			journaltest.Lives(t, j, 90, 2)
			must(t, j.Close())
			for _, name := range m.Disk.Files() {
				if strings.HasSuffix(name, ".new") {
					t.Fatalf("crash %d: %s is left", i, name)
				}
			}
			must(t, small(t, m).Close())
		}
		t.Logf("%d crashes, %v kept", len(moments), keep)
	}
}

// TestCompactFault fails every operation of a compaction. The journal is as it
// was or compacted, and goes on; only a failed sync of the directory, which
// leaves open which it is, stops it.
func TestCompactFault(t *testing.T) {
	broken := 0
	for k := 1; ; k++ {
		w := fake.New(3)
		j := small(t, w)
		journaltest.Lives(t, j, 0, 30)
		old := numbered(t, j)
		at := w.Disk.Ops() + k
		w.Disk.FailAt(at, syscall.EIO)
		_, err := j.Compact(math.MaxUint64, journaltest.Living)
		hit := w.Disk.Ops() >= at
		w.Disk.FailAt(at, nil)
		if hit == (err == nil) {
			t.Fatalf("operation %d failed, and Compact says %v", k, err)
		}
		if j.Stats().Broken {
			broken++
		} else {
			journaltest.Lives(t, j, 90, 1)
			if c, err := j.Compact(math.MaxUint64, journaltest.Living); err != nil {
				t.Fatalf("after a fault at operation %d: %+v, %v", k, c, err)
			}
		}
		closeErr := j.Close()
		j = small(t, w.Restart(fake.KeepHalf, uint64(k)))
		got := numbered(t, j)
		if n := len(kept(old, len(old)+1)); len(got) != len(old) && len(got) < n {
			t.Fatalf("fault at operation %d: %d of %d records are left, %v", k, len(got), len(old), closeErr)
		}
		must(t, j.Close())
		if !hit {
			t.Logf("%d operations failed", k-1)
			break
		}
	}
	if broken != 1 {
		t.Fatalf("%d faults stopped the journal", broken)
	}
}

// TestDamagedCheckpoint changes every byte of a checkpoint, cuts it at every
// length and takes it away.
func TestDamagedCheckpoint(t *testing.T) {
	w := fake.New(4)
	j := small(t, w)
	journaltest.Lives(t, j, 0, 40)
	_, err := j.Compact(40, journaltest.Living)
	must(t, err)
	older := w.Disk.CrashClone(fake.KeepAll, 0)
	_, err = j.Compact(math.MaxUint64, journaltest.Living)
	must(t, err)
	must(t, j.Close())
	name, oldName := "", ""
	for _, n := range w.Disk.Files() {
		if strings.HasSuffix(n, ".kept") {
			name = n
		}
	}
	for _, n := range older.Files() {
		if strings.HasSuffix(n, ".kept") {
			oldName = n
		}
	}
	refused := func(what string, do func(*fake.Disk)) {
		t.Helper()
		d := w.Disk.CrashClone(fake.KeepAll, 0)
		do(d)
		_, err := segment.Verify(d, "j")
		var fault *segment.Fault
		if !errors.As(err, &fault) || fault.File == "" {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := range w.Disk.Bytes(name) {
		refused(fmt.Sprintf("byte %d", i), func(d *fake.Disk) {
			b := d.Bytes(name)
			b[i] ^= 1 << (i % 8)
			d.SetBytes(name, b)
		})
		refused(fmt.Sprintf("cut at %d", i), func(d *fake.Disk) { d.SetBytes(name, d.Bytes(name)[:i]) })
	}
	refused("longer", func(d *fake.Disk) { d.SetBytes(name, append(d.Bytes(name), make([]byte, 16)...)) })
	refused("taken away", func(d *fake.Disk) { d.Delete(name) })
	refused("an older one", func(d *fake.Disk) { d.SetBytes(name, older.Bytes(oldName)) })
	refused("only an older one", func(d *fake.Disk) { d.Delete(name); d.SetBytes(oldName, older.Bytes(oldName)) })
	refused("a segment", func(d *fake.Disk) { d.SetBytes(name, older.Bytes("j/000000000009.seg")) })
	refused("nothing behind it", func(d *fake.Disk) {
		for _, n := range d.Files() {
			if strings.HasSuffix(n, ".seg") {
				d.Delete(n)
			}
		}
	})
}

// TestCompactBesideReplay removes nothing that a replay still reads, and the
// next compaction does.
func TestCompactBesideReplay(t *testing.T) {
	w := fake.New(5)
	j := small(t, w)
	journaltest.Lives(t, j, 0, 40)
	all := numbered(t, j)
	seen := 0
	must(t, j.Replay(func(seq uint64, _ journal.Record) error {
		if seen++; seen == 3 {
			if _, err := j.Compact(50, journaltest.Living); err != nil {
				return err
			}
			journaltest.Lives(t, j, 40, 1)
		}
		return nil
	}))
	if seen != len(all) {
		t.Fatalf("%d of %d records", seen, len(all))
	}
	if w.Disk.Bytes("j/000000000001.seg") == nil {
		t.Fatal("removed under the eyes of its reader")
	}
	_, err := j.Compact(math.MaxUint64, journaltest.Living)
	must(t, err)
	if w.Disk.Bytes("j/000000000001.seg") != nil {
		t.Fatal("never removed")
	}
	must(t, j.Close())
}

// TestCompactUnderLoad compacts while callers append.
func TestCompactUnderLoad(t *testing.T) {
	w := fake.New(6)
	j := small(t, w)
	var all sync.WaitGroup
	const callers, each = 4, 60
	for c := range callers {
		all.Go(func() {
			for i := range each {
				if err := j.Append(journal.Record{Kind: byte(c), Key: []byte{byte(c)}, Body: fmt.Appendf(nil, "%100d", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 10 {
			if _, err := j.Compact(math.MaxUint64, func(_ uint64, r journal.Record) bool { return r.Kind != 0 }); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	_, err := j.Compact(math.MaxUint64, func(_ uint64, r journal.Record) bool { return r.Kind != 0 })
	must(t, err)
	count := map[byte]int{}
	must(t, j.Replay(func(_ uint64, r journal.Record) error { count[r.Kind]++; return nil }))
	for c := byte(1); c < callers; c++ {
		if count[c] != each {
			t.Errorf("caller %d: %d records", c, count[c])
		}
	}
	if count[0] >= each {
		t.Error("nothing was dropped")
	}
	must(t, j.Close())
}

// TestCompactKilled kills the process between the renaming of a checkpoint and
// its sync: the next one sees a checkpoint that a crash may take back. At every
// operation of its start the power goes.
func TestCompactKilled(t *testing.T) {
	for seed := range uint64(20) {
		w := fake.New(7)
		j := small(t, w)
		journaltest.Lives(t, j, 0, 30)
		old := strings.Join(numbered(t, j), "\n")
		w.Disk.OnOp(func(op fake.Op) {
			if op.Kind == fake.OpRename {
				w.Disk.FailAt(op.K+1, syscall.EIO)
			}
		})
		if _, err := j.Compact(math.MaxUint64, journaltest.Living); !errors.Is(err, journal.ErrBroken) {
			t.Fatalf("a failed sync of the directory: %v", err)
		}
		must(t, ignore(j.Close(), journal.ErrBroken))
		var moments []*fake.World
		w.Disk.OnOp(func(op fake.Op) {
			if op.Kind != fake.OpRead {
				moments = append(moments, w.Restart(fake.KeepHalf, seed*1000+uint64(op.K)))
			}
		})
		j = small(t, w)
		w.Disk.OnOp(nil)
		compacted := strings.Join(numbered(t, j), "\n")
		if compacted == old {
			t.Fatal("the checkpoint was not seen")
		}
		for i, m := range moments {
			j := small(t, m)
			if got := strings.Join(numbered(t, j), "\n"); got != old && got != compacted {
				t.Fatalf("seed %d, crash %d: %s", seed, i, got)
			}
			must(t, j.Close())
		}
	}
}

// ignore is err unless it is want.
func ignore(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return err
}
