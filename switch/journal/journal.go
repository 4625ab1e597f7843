// SPDX-License-Identifier: Apache-2.0

// Package journal is the contract of the switch's durable memory.
//
// Promise: when Append returns nil the records are durable, in order, all of
// them or (after a crash in between) none of a later batch before an earlier.
// An append that failed with ErrUnknown may still be durable.
//
// How: journal/segment is the default; it shares one write and one sync among
// all who wait. The journal knows no meaning: kinds and bodies belong to
// switch/record.
//
// Imported by: flow's ports, saf, replay, recover, number. Imports: nothing of ours.
package journal

import (
	"errors"
	"fmt"
	"math"
)

// Record is one entry.
type Record struct {
	Kind byte
	Key  []byte // at most MaxKey bytes
	Body []byte // at most MaxBody bytes
	// Reserve is room asked for (positive: bytes that later records of the same
	// payment will need) or given back (negative) together with this record.
	// A record with Reserve > 0 is refused with ErrFull unless that room is there
	// beyond everything reserved before; a record with Reserve <= 0 may use
	// reserved room. The records of one Append are counted as one: their sum asks
	// or gives back. Ask for Overhead with every record that is to come.
	Reserve int
}

// The bounds of one record.
const (
	MaxKey  = 255
	MaxBody = 64 << 10

	// Overhead is the most a store takes for one record beyond key and body.
	Overhead = 96
)

// Errors of Append. Any other error, too, means that the record may be durable.
var (
	ErrFull    = errors.New("journal: no room for a new payment")    // nothing was written
	ErrBusy    = errors.New("journal: queue full")                   // nothing was written
	ErrTooBig  = errors.New("journal: record beyond its bounds")     // nothing was written
	ErrUnknown = errors.New("journal: write failed; may be durable") // treat as unknown
	ErrBroken  = errors.New("journal: stopped after a failed fsync") // the process must stop
	ErrCorrupt = errors.New("journal: stored records are not what was written")
)

// Check holds a record to its bounds; beyond them it is ErrTooBig.
func (r Record) Check() error {
	switch {
	case len(r.Key) > MaxKey:
		return fmt.Errorf("%w: a key of %d bytes, %d are allowed", ErrTooBig, len(r.Key), MaxKey)
	case len(r.Body) > MaxBody:
		return fmt.Errorf("%w: a body of %d bytes, %d are allowed", ErrTooBig, len(r.Body), MaxBody)
	case r.Reserve > math.MaxInt32 || r.Reserve < -math.MaxInt32:
		return fmt.Errorf("%w: a reserve of %d", ErrTooBig, r.Reserve)
	}
	return nil
}

// Appender makes records durable together: all in one batch, in this order.
type Appender interface {
	Append(records ...Record) error
}

// Replayer walks all records in order. The slices are only valid during fn.
type Replayer interface {
	Replay(fn func(seq uint64, r Record) error) error
}

// Compaction is what a store removed of records that are not needed any more.
type Compaction struct {
	Removed uint64 // segments, or rows, that are gone or about to be
	Kept    uint64 // records carried forward
	Dropped uint64
	Freed   int64 // bytes
}

// Compacter is a journal that can remove records: all numbered below before, but
// those that keep chooses. ClosedBelow is the greatest number up to before for
// which it can do that exactly.
type Compacter interface {
	Replayer
	ClosedBelow(before uint64) (uint64, error)
	Compact(before uint64, keep func(seq uint64, r Record) bool) (Compaction, error)
}

// Journal appends and replays.
type Journal interface {
	Appender
	Replayer
	Close() error
}
