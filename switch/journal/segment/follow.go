// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"

	"tapswitch/switch/journal"
)

// Tail reads an open journal beside its writers, each time from where it came
// to. One goroutine at a time may use it.
type Tail struct {
	j    *Journal
	next uint64 // number of the record that would be read next; 0 is not known
	at   uint64 // segment in which it would be
	last reader // of that segment, behind the last record read
}

// Tail makes a reader that has read nothing.
func (j *Journal) Tail() *Tail { return &Tail{j: j} }

// Last is the number of the newest durable record, 0 before the first.
func (t *Tail) Last() uint64 { return t.j.Stats().Records }

// Follow gives fn every durable record behind number after, in order. Asked for
// what comes behind the last record it gave, it reads only that; any other time,
// and after an error, it reads the journal from its beginning. Key and Body are
// valid until fn returns.
func (t *Tail) Follow(after uint64, fn func(seq uint64, r journal.Record) error) error {
	base, end, done := t.j.reading()
	defer done()
	s := scan{disk: t.j.env.Disk, dir: t.j.cfg.Dir, base: base, stop: end, visit: func(_ string, e entry) error {
		if e.number <= after {
			return nil
		}
		return fn(e.number, e.Record)
	}}
	from := *t
	t.next = 0
	var err error
	if from.next == after+1 && from.at > base { // else a checkpoint has taken its segment's place
		err = s.resume(from)
	} else {
		err = s.run()
	}
	if err != nil {
		return err
	}
	t.next, t.at, t.last = s.place.number, s.used, s.last
	return nil
}

// resume is run from where t came to.
func (s *scan) resume(t Tail) error {
	s.files, s.used, s.last, s.place = s.stop.sequence, t.at, t.last, t.last.opened
	if !s.last.sealed {
		if err := s.goOn(); err != nil {
			return err
		}
	}
	for sequence := s.used + 1; sequence <= s.files; sequence++ {
		if err := s.file(sequence); err != nil {
			return err
		}
	}
	return nil
}

// goOn walks the rest of the last segment.
func (s *scan) goOn() (err error) {
	r := s.last
	f, err := s.disk.Open(r.name)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := r.attach(f, r.name); err != nil {
		return err
	}
	if err := s.records(&r, s.used); err != nil {
		return err
	}
	s.last, s.place = r, r.opened
	s.last.win = window{} // the file is about to be closed
	return nil
}
