// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"tapswitch/internal/env"
)

const (
	suffix     = ".seg"
	keptSuffix = ".kept" // a checkpoint
	newSuffix  = ".new"  // a checkpoint that is not complete
	nameDigits = 12
)

// fileName is the name of segment sequence in dir.
func fileName(dir string, sequence uint64) string { return numbered(dir, sequence, suffix) }

// keptName is the name of the checkpoint that stands for segments up to sequence.
func keptName(dir string, sequence uint64) string { return numbered(dir, sequence, keptSuffix) }

// newName is its name before it is complete.
func newName(dir string, sequence uint64) string { return numbered(dir, sequence, newSuffix) }

func numbered(dir string, sequence uint64, suffix string) string {
	return path.Join(dir, fmt.Sprintf("%0*d%s", nameDigits, sequence, suffix))
}

// files is what a journal's directory holds, in order.
type files struct {
	segments, kept []uint64
	unfinished     []string
}

// stored lists dir. A file with one of our endings and another name is refused.
func stored(disk env.Disk, dir string) (files, error) {
	names, err := disk.List(dir)
	if err != nil {
		return files{}, fmt.Errorf("journal: %w", err)
	}
	var all files
	for _, name := range names {
		ending := path.Ext(name)
		if ending == newSuffix {
			all.unfinished = append(all.unfinished, name)
		}
		if ending != suffix && ending != keptSuffix {
			continue
		}
		digits := strings.TrimSuffix(name, ending)
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || len(digits) != nameDigits || n == 0 {
			return files{}, &Fault{File: path.Join(dir, name), Reason: "not the name of a segment or a checkpoint"}
		}
		if ending == suffix {
			all.segments = append(all.segments, n)
		} else {
			all.kept = append(all.kept, n)
		}
	}
	return all, nil
}

// base is the segment up to which the newest checkpoint stands, 0 without one.
func (f files) base() uint64 {
	if len(f.kept) == 0 {
		return 0
	}
	return f.kept[len(f.kept)-1]
}

// stale names what a checkpoint up to base has made useless, and what was never
// finished.
func (f files) stale(base uint64) []string {
	names := slices.Clone(f.unfinished)
	for _, n := range f.segments {
		if n <= base {
			names = append(names, fileName("", n))
		}
	}
	for _, n := range f.kept {
		if n < base {
			names = append(names, keptName("", n))
		}
	}
	return names
}

// last is the last segment behind the checkpoint; they must be numbered without
// a gap, and behind a checkpoint there is always one.
func (f files) last(dir string) (uint64, error) {
	next := f.base() + 1
	for _, n := range f.segments {
		if n < next {
			continue
		}
		if n != next {
			reason := "this segment is missing, but a later one exists"
			if next == f.base()+1 {
				reason += ", and so is a checkpoint " + path.Base(keptName(dir, n-1))
			}
			return 0, &Fault{File: fileName(dir, next), Reason: reason}
		}
		next++
	}
	if f.base() > 0 && next == f.base()+1 {
		return 0, &Fault{File: fileName(dir, next), Reason: fmt.Sprintf("this segment is missing, but %s comes before it", path.Base(keptName(dir, f.base())))}
	}
	return next - 1, nil
}

// scan is a walk over all segments in order.
type scan struct {
	disk  env.Disk
	dir   string
	visit func(name string, e entry) error // may be nil
	base  uint64                           // the checkpoint to begin with; 0 is none
	stop  position                         // where to end; the zero position is the judged end

	proven position // up to where hashes have been compared just before

	found files  // what the directory holds, unless a stop was given
	files uint64 // the last of them
	used  uint64 // the last of them that has a header
	place place  // behind the last whole Append
	last  reader // of the last segment with a header
	end   tail   // of that segment
	bytes int64  // of the checkpoint and of all segments with a header
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
		if s.found, err = stored(s.disk, s.dir); err != nil {
			return err
		}
		s.base = s.found.base()
		if s.files, err = s.found.last(s.dir); err != nil {
			return err
		}
	}
	if s.base > 0 {
		if err := s.checkpoint(); err != nil {
			return err
		}
	}
	s.used = s.base
	for sequence := s.base + 1; sequence <= s.files; sequence++ {
		if err := s.file(sequence); err != nil {
			return err
		}
	}
	if s.base > 0 && s.used == s.base {
		return &Fault{File: fileName(s.dir, s.base+1), Reason: "the header is missing or damaged, but a checkpoint comes before it"}
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
	if sequence != s.used+1 || s.used > s.base && !s.last.sealed {
		return s.mustBeSpare(&r)
	}
	if s.used > s.base && s.last.behind.size != r.size {
		return r.fault(min(r.size, s.last.behind.size), "the file has %d bytes, not the %d that the segment before says",
			r.size, s.last.behind.size)
	}
	ok, err := r.open(sequence, s.place)
	if err != nil || !ok {
		return err
	}
	r.proven = s.provenIn(sequence)
	if err := s.records(&r, sequence); err != nil {
		return err
	}
	s.used, s.last, s.place = sequence, r, r.opened
	s.bytes += r.size
	s.last.win = window{} // the file is about to be closed
	return nil
}

// provenIn is up to where the hashes of a segment, or of the checkpoint up to it,
// need not be compared again.
func (s *scan) provenIn(sequence uint64) int64 {
	switch {
	case sequence < s.proven.sequence:
		return math.MaxInt64
	case sequence == s.proven.sequence:
		return s.proven.at
	}
	return 0
}

// mustBeSpare refuses a header where none may be, and a second file where not
// even the first has one: it is durable before there is a second.
func (s *scan) mustBeSpare(r *reader) error {
	b, err := r.win.at(0, headerSize)
	if err != nil {
		return err
	}
	if s.used == s.base || !zero(b) && s.last.sealed {
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
	var held []byte // keys and bodies of group
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
			if r.kept {
				return r.cutShort(wrong)
			}
			s.end, err = r.tail(wrong)
			return err
		}
		if s.visit == nil {
			continue
		}
		if r.group != r.at { // the Append goes on
			e.Key, held = hold(held, e.Key)
			e.Body, held = hold(held, e.Body)
			group = append(group, e)
			continue
		}
		group = append(group, e)
		for _, g := range group {
			if err := s.visit(r.name, g); err != nil {
				return err
			}
		}
		group, held = group[:0], held[:0]
	}
}

// hold copies b behind what is held, and gives the copy. When there is no room for it
// what was copied before stays where it is.
func hold(held, b []byte) (copied, all []byte) {
	at := len(held)
	held = append(held, b...)
	return held[at:len(held):len(held)], held
}

// cutShort refuses a checkpoint that does not come to its end.
func (r *reader) cutShort(wrong *bad) error {
	if wrong != nil {
		return wrong.fault
	}
	return r.fault(r.at, "the checkpoint ends without its last record")
}
