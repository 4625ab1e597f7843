// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// Fault is what is wrong with the stored records, and where. It is a
// journal.ErrCorrupt.
type Fault struct {
	File   string
	Offset int64
	Reason string
}

// Error names file, offset and reason, and says what to do.
func (f *Fault) Error() string {
	return fmt.Sprintf("journal: %s: byte %d: %s; nothing was changed: restore the journal's directory from a good copy",
		f.File, f.Offset, f.Reason)
}

// Unwrap makes errors.Is(f, journal.ErrCorrupt) true.
func (f *Fault) Unwrap() error { return journal.ErrCorrupt }

// windowSize is how much of a file is read at a time. A record and the chain
// value before it fit.
const windowSize = 256 << 10

const _ = uint(windowSize - recordMax - chainSize)

// window is a view of a file that moves forward.
type window struct {
	file env.File
	size int64 // of the file when reading began
	buf  []byte
	from int64
}

// at gives n bytes from off on, fewer only at the end of the file. They are
// valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	if off >= w.from && off+int64(n) <= w.from+int64(len(w.buf)) {
		return w.buf[off-w.from:][:n], nil
	}
	if w.buf == nil {
		w.buf = make([]byte, min(windowSize, w.size))
	}
	w.from, w.buf = off, w.buf[:min(int64(cap(w.buf)), max(0, w.size-off))]
	got, err := w.file.ReadAt(w.buf, off)
	w.buf = w.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		w.buf = w.buf[:0]
		return nil, fmt.Errorf("journal: read: %w", err)
	}
	return w.buf[:min(n, got)], nil
}

// place is where reading has come in the chain of all segments.
type place struct {
	id       identity
	chain    chain
	number   uint64 // of the next record
	reserved int64
}

// settle counts the reserve of one whole Append. What is given back beyond
// what was asked for is not room.
func settle(reserved, net int64) int64 { return max(0, reserved+net) }

// reader walks the records of one segment.
type reader struct {
	place
	name string
	win  window
	size int64 // of the file
	seed uint32
	at   int64 // of the next record

	proven int64 // up to here hashes are not compared

	batch  int64 // where the batch of the last record begins, 0 before the first
	group  int64 // where the unfinished Append begins; at when none is unfinished
	net    int64 // reserve of the unfinished Append
	opened place // as it was at group
	sealed bool
	behind behind // what the seal says

	kept    bool // a checkpoint: numbers may be left out
	records uint64
	trailer trailer
}

// behind is what lay behind a segment when it was sealed.
type behind struct {
	size  int64  // of the next file
	files uint64 // how many there were
}

// entry is one record where it lies.
type entry struct {
	at int64
	head
	journal.Record // Key and Body are valid until the next record is read
}

func (r *reader) fault(at int64, format string, args ...any) error {
	return &Fault{File: r.name, Offset: at, Reason: fmt.Sprintf(format, args...)}
}

// attach begins to read file.
func (r *reader) attach(file env.File, name string) error {
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("journal: size of %s: %w", name, err)
	}
	r.name, r.size = name, size
	r.win = window{file: file, size: size}
	return nil
}

// open reads the header of segment sequence, which must follow from. False
// means that there is none: nothing was ever stored in this file.
func (r *reader) open(sequence uint64, from place) (bool, error) {
	b, err := r.win.at(0, headerSize)
	if err != nil {
		return false, err
	}
	h, c, wrong := header{}, chain{}, errors.New("the file ends inside its header")
	if len(b) == headerSize {
		h, c, wrong = decodeHeader(b)
	}
	switch {
	case wrong != nil:
		return false, r.mustBeEmpty(wrong)
	case h.kept:
		return false, r.fault(0, "this is a checkpoint, not a segment")
	case h.sequence != sequence:
		return false, r.fault(16, "this is segment %d, not %d: a copied or renamed file", h.sequence, sequence)
	case sequence > 1 && h.id != from.id:
		return false, r.fault(40, "this segment belongs to another journal")
	case h.first != from.number:
		return false, r.fault(24, "the first record is %d, but %d is next", h.first, from.number)
	case h.before != from.chain:
		return false, r.fault(56, "the segment does not follow the one before it")
	case h.size != r.size:
		return false, r.fault(min(h.size, r.size), "the file has %d bytes, not %d", r.size, h.size)
	}
	r.place = from
	r.id, r.chain, r.seed = h.id, c, h.seed()
	r.at, r.group = headerSize, headerSize
	r.opened = r.place
	return true, nil
}

// mustBeEmpty refuses a file without a good header in which something lies
// behind it: a header is durable before anything else is written. A header with
// nothing behind it may be one that a crash or a failed write left unfinished.
func (r *reader) mustBeEmpty(wrong error) error {
	for at := int64(headerSize); at < r.size; at += windowSize {
		b, err := r.win.at(at, int(min(windowSize, r.size-at)))
		if err != nil {
			return err
		}
		if !zero(b) {
			return r.fault(0, "%v, and the file is not empty", wrong)
		}
	}
	return nil
}

// next reads one record. False without an error is the end: a seal, zeros, or
// bytes that are no record; the latter come with what is wrong with them.
func (r *reader) next() (e entry, ok bool, wrong *bad, err error) {
	b, err := r.win.at(r.at, headSize)
	if err != nil {
		return entry{}, false, nil, err
	}
	if len(b) < headSize {
		return entry{}, false, nil, r.fault(r.at, "the file ends without a seal")
	}
	if zero(b) {
		return entry{}, false, nil, nil
	}
	h, good := decodeHead(b, r.seed)
	if !good {
		return entry{}, false, r.judge(b, "no record begins here"), nil
	}
	if wrong := r.misplaced(h); wrong != "" {
		return entry{}, false, nil, r.fault(r.at, "%s", wrong)
	}
	b, err = r.win.at(r.at-chainSize, chainSize+h.length)
	if err != nil {
		return entry{}, false, nil, err
	}
	c, broken := checkRecord(b, r.seed, r.at < r.proven)
	if broken != nil {
		return entry{}, false, r.judge(b[chainSize:], broken.Error()), nil
	}
	e, ok = r.accept(h, b[chainSize:], c)
	return e, ok, nil, nil
}

// misplaced compares a good head with where it stands.
func (r *reader) misplaced(h head) string {
	start := r.at - int64(h.batch)
	switch {
	case r.kept && h.number < r.number:
		return fmt.Sprintf("record %d comes after one before it", h.number)
	case !r.kept && h.number != r.number:
		return fmt.Sprintf("record %d where %d is next", h.number, r.number)
	case r.at+int64(h.length) > r.size:
		return "the record is longer than the file"
	case start != r.at && start != r.batch:
		return "the record belongs to no batch"
	case start == r.at && r.group != r.at:
		return "a new batch inside an append"
	case h.flags&flagSeal != 0 && (h.flags != flagSeal || h.key != 0 || h.body != r.sealBody() || r.group != r.at):
		return "a seal inside an append"
	}
	return ""
}

// sealBody is the length of the last record's body.
func (r *reader) sealBody() int {
	if r.kept {
		return trailerBody
	}
	return sealBody
}

// accept moves behind a good record; false when it is the seal.
func (r *reader) accept(h head, b []byte, c chain) (entry, bool) {
	e := entry{at: r.at, head: h, Record: journal.Record{Kind: h.kind, Reserve: h.reserve}}
	e.Key = b[headSize:][:h.key:h.key]
	e.Body = b[headSize+h.key:][:h.body:h.body]
	r.batch = r.at - int64(h.batch)
	r.chain = c
	r.at += int64(h.length)
	if h.flags&flagSeal != 0 {
		r.sealed, r.group, r.number = true, r.at, h.number
		r.opened = r.place
		if r.kept {
			r.trailer = decodeTrailer(e.Body)
			return entry{}, false
		}
		r.behind.size = int64(binary.LittleEndian.Uint64(e.Body))
		r.behind.files = uint64(binary.LittleEndian.Uint32(e.Body[8:]))
		return entry{}, false
	}
	r.records++
	r.number = h.number + 1
	r.net += int64(h.reserve)
	if h.flags&flagMore == 0 {
		r.reserved = settle(r.reserved, r.net)
		r.net, r.group, r.opened = 0, r.at, r.place
	}
	return e, true
}

// zero says whether all of b are zeros: the first is, and each is as the one before
// it, which is compared in strides.
func zero(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}
