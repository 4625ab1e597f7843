// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/hex"
	"errors"
	"iter"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// Report is what Verify found up to the end, or up to the first fault.
type Report struct {
	Segments  uint64 // with a header
	Purged    uint64 // that a checkpoint stands for; 0 without one
	Spares    uint64
	Records   uint64
	Reserved  int64
	Head      string // chain value behind the last whole Append, hexadecimal
	TornBytes int64  // behind the last whole Append; Open will cut them
}

// Verify reads every record in dir and changes nothing. The first thing that
// is wrong comes back as a *Fault. While a switch writes there, its newest
// batch may look torn.
func Verify(disk env.Disk, dir string) (Report, error) {
	var r Report
	s := scan{disk: disk, dir: dir, visit: func(string, entry) error {
		r.Records++
		return nil
	}}
	err := s.run()
	r.Segments, r.Purged = s.used-min(s.base, s.used), s.base
	r.Head = hex.EncodeToString(s.place.chain[:])
	r.Reserved = s.place.reserved
	if err == nil {
		r.Spares = s.files - s.used
		r.TornBytes = s.end.dirty - s.end.cut
	}
	return r, err
}

// Entry is one record with the place where it is stored.
type Entry struct {
	File   string
	Offset int64
	Number uint64
	journal.Record
}

// errStop ends a walk whose reader has seen enough.
var errStop = errors.New("enough")

// Dump gives every record in dir in order; Key and Body are valid until the
// next one. An error comes last, with the zero Entry.
func Dump(disk env.Disk, dir string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := scan{disk: disk, dir: dir, visit: func(name string, e entry) error {
			if !yield(Entry{File: name, Offset: e.at, Number: e.number, Record: e.Record}, nil) {
				return errStop
			}
			return nil
		}}
		if err := s.run(); err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, err)
		}
	}
}
