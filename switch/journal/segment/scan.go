// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"tapswitch/internal/env"
)

const (
	suffix     = ".seg"
	nameDigits = 12
)

// fileName is the name of segment sequence in dir.
func fileName(dir string, sequence uint64) string {
	return path.Join(dir, fmt.Sprintf("%0*d%s", nameDigits, sequence, suffix))
}

// segments is how many segment files dir has; they must be numbered from 1
// without a gap.
func segments(disk env.Disk, dir string) (uint64, error) {
	names, err := disk.List(dir)
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	next := uint64(1)
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || len(digits) != nameDigits {
			return 0, &Fault{File: path.Join(dir, name), Reason: "not the name of a segment"}
		}
		if n != next {
			return 0, &Fault{File: fileName(dir, next), Reason: "this segment is missing, but a later one exists"}
		}
		next++
	}
	return next - 1, nil
}

// scan is a walk over all segments in order.
type scan struct {
	disk  env.Disk
	dir   string
	visit func(name string, e entry) error // may be nil
	stop  position                         // where to end; the zero position is the judged end

	files uint64 // how many there are
	used  uint64 // how many of them have a header
	place place  // behind the last whole Append
	last  reader // of the last segment with a header
	end   tail   // of that segment
	bytes int64  // of all segments with a header
}

// position is a place in the files.
type position struct {
	sequence uint64
	at       int64
}

// run walks everything from the first record on.
func (s *scan) run() error {
	s.files, s.place = s.stop.sequence, place{number: 1}
	if s.files == 0 {
		var err error
		if s.files, err = segments(s.disk, s.dir); err != nil {
			return err
		}
	}
	for sequence := uint64(1); sequence <= s.files; sequence++ {
		if err := s.file(sequence); err != nil {
			return err
		}
	}
	if !s.last.sealed || s.stop.sequence != 0 {
		return nil
	}
	// A crash came between the seal and the next header. Since then no file was
	// made, and none was lost.
	if now := s.files - s.used; now != s.last.behind.files {
		return &Fault{File: fileName(s.dir, s.used+1), Reason: fmt.Sprintf(
			"the segment before it is sealed and had %d files behind it; now there are %d, the next without a header",
			s.last.behind.files, now)}
	}
	return nil
}

// file walks one segment, or makes sure that it is a spare.
func (s *scan) file(sequence uint64) (err error) {
	name := fileName(s.dir, sequence)
	f, err := s.disk.Open(name)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var r reader
	if err := r.attach(f, name); err != nil {
		return err
	}
	if sequence != s.used+1 || s.used > 0 && !s.last.sealed {
		return s.mustBeSpare(&r)
	}
	if s.used > 0 && s.last.behind.size != r.size {
		return r.fault(min(r.size, s.last.behind.size), "the file has %d bytes, not the %d that the segment before says",
			r.size, s.last.behind.size)
	}
	ok, err := r.open(sequence, s.place)
	if err != nil || !ok {
		return err
	}
	if err := s.records(&r, sequence); err != nil {
		return err
	}
	s.used, s.last, s.place = sequence, r, r.opened
	s.bytes += r.size
	s.last.win = window{} // the file is about to be closed
	return nil
}

// mustBeSpare refuses a header where none may be, and a second file where not
// even the first has one: it is durable before there is a second.
func (s *scan) mustBeSpare(r *reader) error {
	b, err := r.win.at(0, headerSize)
	if err != nil {
		return err
	}
	if s.used == 0 || !zero(b) && s.last.sealed {
		return &Fault{File: fileName(s.dir, s.used+1), Reason: "the header is missing or damaged, but a later segment exists"}
	}
	if !zero(b) {
		return s.last.fault(s.last.at, "the segment ends here without a seal, but %s follows", path.Base(r.name))
	}
	return r.mustBeEmpty(errors.New("the header is missing"))
}

// records walks the records of one segment up to its seal, the stop or its
// judged end. An Append whose end is missing is not visited.
func (s *scan) records(r *reader, sequence uint64) error {
	var group []entry
	for {
		if s.stop == (position{sequence, r.at}) {
			return nil
		}
		e, ok, wrong, err := r.next()
		if err != nil {
			return err
		}
		if !ok {
			if r.sealed {
				return nil
			}
			s.end, err = r.tail(wrong)
			return err
		}
		if s.visit == nil {
			continue
		}
		if r.group != r.at { // the Append goes on
			e.Key, e.Body = slices.Clone(e.Key), slices.Clone(e.Body)
			group = append(group, e)
			continue
		}
		for _, g := range append(group, e) {
			if err := s.visit(r.name, g); err != nil {
				return err
			}
		}
		group = group[:0]
	}
}
