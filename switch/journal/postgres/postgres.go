// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// Config says where the journal is.
type Config struct {
	URL       string        // postgres://user:password@host/database?search_path=schema; holds a secret
	MaxBytes  int64         // of all records and reserves; 0 is no bound
	QueueMax  int           // callers that may wait; 0 is 4096
	AppendMax int64         // bytes one Append may take; 0 is 256 KiB
	Timeout   time.Duration // of one statement and of one connection; 0 is 2 s
	Resolve   time.Duration // how long a broken connection is tried again; 0 is 5 s

	// OnBroken is called once, when nothing more will be stored: the process must
	// stop. It must not call the journal.
	OnBroken func(error)
}

// The defaults of a Config.
const (
	DefaultQueueMax  = 4096
	DefaultAppendMax = 256 << 10
	DefaultTimeout   = 2 * time.Second
	DefaultResolve   = 5 * time.Second
)

func (c Config) withDefaults() Config {
	if c.QueueMax == 0 {
		c.QueueMax = DefaultQueueMax
	}
	if c.AppendMax == 0 {
		c.AppendMax = DefaultAppendMax
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Resolve == 0 {
		c.Resolve = DefaultResolve
	}
	if c.OnBroken == nil {
		c.OnBroken = func(error) {}
	}
	return c
}

// Journal is an open journal.
type Journal struct {
	env    env.Env
	cfg    Config
	server *pgx.ConnConfig
	queue  *batch.Queue[*request]
	writer

	mu         sync.Mutex // guards what follows
	stats      Stats
	base       base // where the rows begin; the caller that leads a batch alone changes it, and may read it without mu
	readers    int  // of what was there when they began
	compacting bool
}

var _ journal.Journal = (*Journal)(nil)

// Stats is what the journal counts.
type Stats struct {
	Records    uint64
	Bytes      int64 // of all records, with journal.Overhead for each
	Reserved   int64 // outstanding for payments in flight
	Batches    uint64
	Appends    uint64
	Full       uint64 // refused with journal.ErrFull
	Retries    uint64 // of a statement after a serialization failure
	Reconnects uint64
	Resolved   uint64 // batches whose connection broke and whose end was found out
	Waiting    int
	Broken     bool
}

// Stats reads the counters as of the last batch.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	s := j.stats
	j.mu.Unlock()
	s.Waiting = j.queue.Waiting()
	return s
}

// Used is the bytes of all records, and the room outstanding for payments in
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
		r.size += size(records[i])
		r.net += int64(records[i].Reserve)
	}
	if r.size > j.cfg.AppendMax {
		return fmt.Errorf("%w: %d bytes in one append, %d are allowed", journal.ErrTooBig, r.size, j.cfg.AppendMax)
	}
	return j.do(&r)
}

// size is what a record is counted as.
func size(r journal.Record) int64 { return int64(len(r.Key) + len(r.Body) + journal.Overhead) }

func (j *Journal) do(r *request) error {
	if err := j.queue.Do(r); err != nil {
		if errors.Is(err, batch.ErrFull) {
			return journal.ErrBusy
		}
		return err
	}
	return r.err
}

// Close ends the journal once nobody appends any more; later Appends fail with
// journal.ErrBroken.
func (j *Journal) Close() error { return j.do(&request{close: true}) }
