// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"encoding/binary"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

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
		{"bbolt", func(b *testing.B) store { return openBolt(b, true) }},
		{"bbolt-each", func(b *testing.B) store { return openBolt(b, false) }},
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

// openBolt is a store of others with its best settings for a log: keys in order,
// pages filled, its free list not written. Together puts all who wait into one
// transaction; otherwise each caller commits its own.
func openBolt(b *testing.B, together bool) store {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bolt"), 0o600,
		&bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	log := []byte("log")
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(log)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	var count atomic.Uint64 // two syncs each: pages, then the root
	put := func(records ...journal.Record) error {
		count.Add(1)
		return db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(log)
			bucket.FillPercent = 1
			for _, r := range records {
				n, err := bucket.NextSequence()
				if err != nil {
					return err
				}
				value := append(append(make([]byte, 0, len(r.Key)+len(r.Body)), r.Key...), r.Body...)
				if err := bucket.Put(binary.BigEndian.AppendUint64(nil, n), value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	s := store{
		append:  func(r journal.Record) error { return put(r) },
		commits: count.Load,
		close:   db.Close,
	}
	if together {
		queue := batch.New(env.Real().Waits, segment.DefaultQueueMax, func(records []journal.Record) error { return put(records...) })
		s.append = queue.Do
	}
	return s
}
