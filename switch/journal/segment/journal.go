// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// Config says where the journal is and how large it may be.
type Config struct {
	Dir          string
	SegmentBytes int64 // length of one file; 0 is 64 MiB
	MaxBytes     int64 // of all files; 0 is as much as the disk has
	QueueMax     int   // callers that may wait; 0 is 4096
	AppendMax    int64 // bytes one Append may take on the disk; 0 is 256 KiB

	// OnBroken is called once, when a write or a sync has failed and nothing
	// more will be stored: the process must stop. It must not call the journal.
	OnBroken func(error)
}

// The defaults and the bounds of a Config.
const (
	DefaultSegmentBytes = 64 << 20
	DefaultQueueMax     = 4096
	DefaultAppendMax    = 256 << 10

	// segmentBytesMax keeps distances within a segment in 32 bits.
	segmentBytesMax = 1 << 30

	// retryRoom is how long a disk that had no room for another segment is not
	// asked again.
	retryRoom = time.Second
)

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = DefaultSegmentBytes
	}
	if c.QueueMax == 0 {
		c.QueueMax = DefaultQueueMax
	}
	if c.AppendMax == 0 {
		c.AppendMax = min(DefaultAppendMax, c.SegmentBytes/4)
	}
	if c.OnBroken == nil {
		c.OnBroken = func(error) {}
	}
	return c
}

// Validate names everything that is wrong with the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var all []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("journal: "+format, args...))
		}
	}
	wrong(c.Dir == "", "no directory is named")
	wrong(c.SegmentBytes%sectorSize != 0, "segment_bytes %d is not a multiple of %d", c.SegmentBytes, sectorSize)
	wrong(c.SegmentBytes > segmentBytesMax, "segment_bytes %d is over %d", c.SegmentBytes, segmentBytesMax)
	wrong(c.AppendMax < recordMin, "append_max %d is under the %d bytes of the smallest record", c.AppendMax, recordMin)
	wrong(usable(c.SegmentBytes) < 2*c.AppendMax, "segment_bytes %d cannot hold two appends of %d", c.SegmentBytes, c.AppendMax)
	wrong(c.MaxBytes != 0 && c.MaxBytes < 2*c.SegmentBytes, "max_bytes %d is under two segments of %d", c.MaxBytes, c.SegmentBytes)
	wrong(c.QueueMax < 1, "queue_max %d leaves nobody to wait", c.QueueMax)
	return errors.Join(all...)
}

// Journal is an open journal.
type Journal struct {
	env   env.Env
	cfg   Config
	queue *batch.Queue[*request]
	lock  io.Closer
	writer
	mu         sync.Mutex // guards what follows
	stats      Stats
	end        position // all before it is durable
	base       uint64   // where reading begins: behind the segments a checkpoint stands for
	provenBase uint64
	proven     position // what Open has verified, for the first Replay; else none
	readers    int      // replays under way
	compacting bool
}

var _ journal.Journal = (*Journal)(nil)

// Stats is what the journal counts. Bytes are those of all files.
type Stats struct {
	Records  uint64
	Segments uint64 // with records or ready for them
	Bytes    int64
	Reserved int64 // outstanding for payments in flight
	Free     int64 // for new payments, on blocks the files already have
	Batches  uint64
	Appends  uint64
	Syncs    uint64
	Full     uint64 // refused with journal.ErrFull
	Stranded uint64 // of those, records that were owed room: never, while reserves are honest
	Waiting  int
	Broken   bool
	TornCut  int64 // bytes of a torn end that Open cut
}

// Stats reads the counters as of the last batch.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	s := j.stats
	j.mu.Unlock()
	s.Waiting = j.queue.Waiting()
	return s
}

// Used is the bytes of all files, and the room outstanding for payments in
// flight.
func (j *Journal) Used() (bytes, reserved int64) {
	s := j.Stats()
	return s.Bytes, s.Reserved
}

// Reserved is the room outstanding for payments in flight.
func (j *Journal) Reserved() int64 { return j.Stats().Reserved }

// Append makes the records durable together; see journal.Appender.
func (j *Journal) Append(records ...journal.Record) error {
	if len(records) == 0 {
		return nil
	}
	r := request{records: records}
	for i := range records {
		if err := records[i].Check(); err != nil {
			return err
		}
		r.size += int64(Size(records[i]))
		r.net += int64(records[i].Reserve)
	}
	if r.size > j.cfg.AppendMax {
		return fmt.Errorf("%w: %d bytes in one append, %d are allowed", journal.ErrTooBig, r.size, j.cfg.AppendMax)
	}
	return j.do(&r)
}

func (j *Journal) do(r *request) error {
	if err := j.queue.Do(r); err != nil {
		if errors.Is(err, batch.ErrFull) {
			return journal.ErrBusy
		}
		return err
	}
	return r.err
}

// Replay walks all records that were durable when it was called. It may run
// beside Append. The first one, at start, does not compute the hashes again that
// Open has just compared; checksums are.
func (j *Journal) Replay(fn func(seq uint64, r journal.Record) error) error {
	base, end, done := j.reading()
	defer done()
	s := scan{disk: j.env.Disk, dir: j.cfg.Dir, base: base, stop: end, proven: j.once(base), visit: func(_ string, e entry) error {
		return fn(e.number, e.Record)
	}}
	return s.run()
}

// once is what Open has verified, to the first who asks. A checkpoint made since
// then is not part of it.
func (j *Journal) once(base uint64) position {
	j.mu.Lock()
	defer j.mu.Unlock()
	proven := j.proven
	j.proven = position{}
	if base != j.provenBase {
		return position{}
	}
	return proven
}

// reading says from where to where the files can be read now. They stay until
// done is called.
func (j *Journal) reading() (base uint64, end position, done func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.readers++
	return j.base, j.end, func() {
		j.mu.Lock()
		j.readers--
		j.mu.Unlock()
	}
}

// Close ends the journal once nobody appends any more; later Appends fail with
// journal.ErrBroken. While the queue is full it fails with journal.ErrBusy.
func (j *Journal) Close() error { return j.do(&request{close: true}) }
