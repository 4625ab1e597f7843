// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// chunk is how many bytes are gathered before they are written without a sync.
const chunk = 1 << 20

// request is one Append, the Close, or a checkpoint to be put in its place.
type request struct {
	records []journal.Record
	size    int64 // on the disk
	net     int64 // reserve
	close   bool
	swap    *checkpoint
	err     error
}

// writer is what belongs to the one caller that leads a batch.
type writer struct {
	id       identity
	from     uint64 // the last segment that the checkpoint stands for
	reserved int64
	header   header // of the segment that is written
	file     env.File
	pos      position // behind what was handed to the file
	enc      encoder  // what was gathered since, and the chain
	batch    int64    // where the batch being gathered begins
	dirty    bool     // something was written since the last sync
	room     room
	spares   []spare

	pending []*request // encoded, not yet durable
	broken  error
	retryAt env.Mono // when to ask the disk for another segment again
	count   Stats
}

// spare is an allocated file without a header.
type spare struct {
	sequence uint64
	size     int64
	file     env.File
}

// serve commits a batch: one write and one sync, unless it reaches the end of
// a segment. Each request gets its own result.
func (j *Journal) serve(items []*request) error {
	j.count.Batches++
	for _, r := range items {
		switch {
		case r.close:
			r.err = j.shut()
		case j.broken != nil:
			r.err = j.broken
		case r.swap != nil:
			r.err = j.swap(r.swap)
		default:
			j.gather(r)
		}
	}
	j.flush()
	j.publish()
	return nil
}

// gather encodes r into the batch, or refuses it with nothing written.
func (j *Journal) gather(r *request) {
	if !j.admit(r) {
		if j.broken != nil {
			r.err = j.broken
			return
		}
		j.count.Full++
		if r.net <= 0 {
			j.count.Stranded++
		}
		r.err = journal.ErrFull
		return
	}
	if r.size > j.room.left {
		j.flush()
		j.roll()
		if j.broken != nil {
			r.err = j.broken
			return
		}
	}
	for i, rec := range r.records {
		flags := byte(flagMore)
		if i == len(r.records)-1 {
			flags = 0
		}
		j.enc.add(rec, flags, int(j.at()-j.batch))
	}
	j.count.Appends++
	j.reserved = settle(j.reserved, r.net)
	after, ok := j.room.take(r.size)
	if !ok || len(after.spares) != len(j.room.spares) {
		assert.Fail("segment: %d bytes were admitted to segment %d and do not fit", r.size, j.pos.sequence)
	}
	j.room = after
	j.pending = append(j.pending, r)
	if left := j.header.size - sealSize - j.at(); left != j.room.left {
		assert.Fail("segment: %d bytes left in segment %d, counted %d", left, j.pos.sequence, j.room.left)
	}
	if len(j.enc.buf) >= chunk {
		j.write()
	}
}

// admit says whether r may be written. A new payment needs room for itself, for
// what it reserves and for everything reserved before, and leaves one Append's
// worth for those who reserve nothing.
func (j *Journal) admit(r *request) bool {
	for {
		after, ok := j.room.take(r.size)
		if ok && (r.net <= 0 || after.holds(j.reserved+r.net+j.cfg.AppendMax)) {
			return true
		}
		// The limit of the configuration binds new payments. Who was promised
		// room gets it while the disk has any.
		if !j.ahead(r.net <= 0) {
			return false
		}
	}
}

// at is where the next record goes.
func (w *writer) at() int64 { return w.pos.at + int64(len(w.enc.bytes())) }

// write hands the gathered bytes to the file, without making them durable.
func (j *Journal) write() {
	b := j.enc.bytes()
	if j.broken != nil || len(b) == 0 {
		return
	}
	if j.pos.at+int64(len(b)) > j.header.size {
		assert.Fail("segment: a write of %d bytes at %d ends behind the segment", len(b), j.pos.at)
	}
	if _, err := j.file.WriteAt(b, j.pos.at); err != nil {
		j.fail(journal.ErrUnknown, err)
		return
	}
	j.pos.at += int64(len(b))
	j.enc.reset(j.enc.last())
	j.dirty = true
}

// flush makes everything gathered durable.
func (j *Journal) flush() {
	j.write()
	if j.broken != nil || !j.dirty {
		return
	}
	if !j.sync() {
		return
	}
	j.pending = clearAll(j.pending)
	j.batch = j.pos.at
	j.dirty = false
}

// sync is one fsync; when it fails, the journal is broken.
func (j *Journal) sync() bool {
	j.count.Syncs++
	if err := j.file.Sync(); err != nil {
		j.fail(journal.ErrBroken, err)
		return false
	}
	return true
}

// fail ends the journal: the requests under way get why, all later ones
// journal.ErrBroken. What was written may be durable.
func (j *Journal) fail(why, cause error) {
	if j.broken != nil {
		assert.Fail("segment: broken twice: %v, then %v", j.broken, cause)
	}
	j.broken = fmt.Errorf("%w: %w", journal.ErrBroken, cause)
	for _, r := range j.pending {
		r.err = fmt.Errorf("%w: %w", why, cause)
	}
	j.pending = clearAll(j.pending)
	j.cfg.OnBroken(j.broken)
}

// roll seals the segment and goes on in the first spare. Each step is durable
// before the next: the seal proves that another segment follows.
func (j *Journal) roll() {
	if j.broken != nil {
		return
	}
	if len(j.spares) == 0 || j.dirty || len(j.enc.bytes()) != 0 {
		assert.Fail("segment: roll of segment %d with %d spares, dirty %v", j.pos.sequence, len(j.spares), j.dirty)
	}
	behind := binary.LittleEndian.AppendUint64(nil, uint64(j.spares[0].size))
	behind = binary.LittleEndian.AppendUint32(behind, uint32(len(j.spares)))
	j.enc.add(journal.Record{Body: behind}, flagSeal, 0)
	j.dirty = true
	j.flush()
	if j.broken == nil {
		j.enter()
	}
	if j.broken == nil && len(j.spares) == 0 {
		j.ahead(false)
	}
}

// enter gives the first spare its header and makes it the segment that is
// written. The one before is sealed.
func (j *Journal) enter() {
	next, old := j.spares[0], j.file
	h := header{sequence: next.sequence, first: j.enc.number, size: next.size, id: j.id, before: j.enc.last()}
	j.start(h, next.file)
	j.spares = slices.Delete(j.spares, 0, 1)
	j.room.left, j.room.spares = j.room.spares[0], j.room.spares[1:]
	if err := old.Close(); err != nil {
		j.fail(journal.ErrBroken, err)
		return
	}
	if _, err := j.file.WriteAt(h.encode(), 0); err != nil {
		j.fail(journal.ErrUnknown, err)
		return
	}
	j.sync()
}

// start makes h the segment that is written, from behind its header on.
func (w *writer) start(h header, file env.File) {
	_, c, err := decodeHeader(h.encode())
	if err != nil {
		assert.Fail("segment: header %d does not read back: %v", h.sequence, err)
	}
	w.header, w.file = h, file
	w.pos = position{h.sequence, headerSize}
	w.batch = headerSize
	w.enc.seed = h.seed()
	w.enc.reset(c)
}

// shut closes the files, those of a broken journal too.
func (j *Journal) shut() error {
	j.flush()
	why := j.broken
	if why == nil {
		j.publish()
	}
	j.broken = errClosed
	err := j.abandon()
	j.file, j.spares, j.lock = nil, nil, nil
	return errors.Join(why, err)
}

// errClosed is what Append says after Close.
var errClosed = fmt.Errorf("%w: it was closed", journal.ErrBroken)

// publish shows the outside where the durable end is now.
func (j *Journal) publish() {
	s := j.count
	s.Records = j.enc.number - 1
	s.Segments = j.pos.sequence - j.from + uint64(len(j.spares))
	s.Reserved = j.reserved
	s.Free = j.room.free(j.reserved)
	s.Broken = j.broken != nil
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats = s
	j.base = j.from
	if j.broken == nil {
		j.end = j.pos
	}
}

func clearAll(list []*request) []*request {
	clear(list)
	return list[:0]
}
