// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"encoding/binary"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
)

// store is what the benchmark compares. append returns when r is durable.
type store struct {
	append  func(r journal.Record) error
	commits func() uint64
	close   func() error
}

// peer opens a store in a folder of the benchmark.
type peer struct {
	name string
	open func(b *testing.B) store
}

func peers() []peer {
	return []peer{
		{"segment", openSegment},
		{"bare", openBare},
		{"pebble", func(b *testing.B) store { return openPebble(b, true) }},
		{"pebble-each", func(b *testing.B) store { return openPebble(b, false) }},
	}
}

func openSegment(b *testing.B) store {
	j, err := segment.Open(env.Real(), segment.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	return store{
		append:  func(r journal.Record) error { return j.Append(r) },
		commits: func() uint64 { return j.Stats().Syncs },
		close:   j.Close,
	}
}

// bare is the least that durability costs: bytes one after the other in an
// allocated file, one write and one fdatasync for all who wait. It has no
// format, no checksum and no bound, and nobody could read it back.
type bare struct {
	file      env.File
	at, until int64
	buf       []byte
	count     uint64
}

func openBare(b *testing.B) store {
	f, err := env.RealDisk().Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	w := &bare{file: f}
	if err := w.room(1); err != nil {
		b.Fatal(err)
	}
	queue := batch.New(env.Real().Waits, segment.DefaultQueueMax, w.serve)
	return store{append: queue.Do, commits: func() uint64 { return w.count }, close: f.Close}
}

// room allocates as the journal does.
func (w *bare) room(n int) error {
	if w.at+int64(n) <= w.until {
		return nil
	}
	w.until += segment.DefaultSegmentBytes
	return w.file.Allocate(w.until)
}

func (w *bare) serve(records []journal.Record) error {
	w.buf = w.buf[:0]
	for _, r := range records {
		w.buf = append(append(w.buf, r.Key...), r.Body...)
	}
	if err := w.room(len(w.buf)); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(w.buf, w.at); err != nil {
		return err
	}
	w.at += int64(len(w.buf))
	w.count++
	return w.file.Sync()
}

// openPebble is a store of others with settings for a log: no compaction, tables in
// memory so large that a round fills few, no sync of its own in between, its log's
// files used again. Together puts all who wait into one batch; otherwise each
// caller commits its own, and Pebble shares syncs among those that come at once.
func openPebble(b *testing.B, together bool) store {
	db, err := pebble.Open(b.TempDir(), &pebble.Options{
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 8,
		DisableAutomaticCompactions: true,
		L0StopWritesThreshold:       1 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      silent{b},
	})
	if err != nil {
		b.Fatal(err)
	}
	var commits, last atomic.Uint64
	put := func(records ...journal.Record) error {
		commits.Add(1)
		group := db.NewBatchWithSize(len(records) * 400)
		defer group.Close()
		for _, r := range records {
			entry := group.SetDeferred(8, len(r.Key)+len(r.Body))
			binary.BigEndian.PutUint64(entry.Key, last.Add(1))
			copy(entry.Value[copy(entry.Value, r.Key):], r.Body)
			if err := entry.Finish(); err != nil {
				return err
			}
		}
		return group.Commit(pebble.Sync)
	}
	s := store{
		append:  func(r journal.Record) error { return put(r) },
		commits: commits.Load,
		close:   db.Close,
	}
	if together {
		queue := batch.New(env.Real().Waits, segment.DefaultQueueMax, func(records []journal.Record) error { return put(records...) })
		s.append = queue.Do
	}
	return s
}

// silent keeps what Pebble tells of its files out of the figures; what it cannot
// survive fails the benchmark.
type silent struct{ b *testing.B }

func (silent) Infof(string, ...any)                {}
func (silent) Errorf(string, ...any)               {}
func (s silent) Fatalf(format string, args ...any) { s.b.Fatalf(format, args...) }
