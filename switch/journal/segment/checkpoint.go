// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// trailerBody is the body of a checkpoint's last record: the chain value at the
// end of the last segment it stands for, the reserve outstanding there, and how
// many records were kept.
const trailerBody = chainSize + 8 + 8

// trailer is what the last record of a checkpoint says. Its own number is that
// of the first record behind the checkpoint.
type trailer struct {
	chain    chain
	reserved int64
	records  uint64
}

func (t trailer) encode() []byte {
	b := append([]byte(nil), t.chain[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.reserved))
	return binary.LittleEndian.AppendUint64(b, t.records)
}

func decodeTrailer(b []byte) trailer {
	return trailer{
		chain:    chain(b[:chainSize]),
		reserved: int64(binary.LittleEndian.Uint64(b[chainSize:])),
		records:  binary.LittleEndian.Uint64(b[chainSize+8:]),
	}
}

// checkpoint is a file being written that will stand for segments up to through.
type checkpoint struct {
	through  uint64
	name     string // until it is complete
	bytes    int64
	freed    int64 // bytes of the files it stands for
	kept     uint64
	dropped  uint64
	reserved int64 // outstanding by the kept records
	before   int64 // by all of them

	file env.File
	at   int64
	enc  encoder
	net  int64 // of the Append whose records are gathered
	open []entry
}

// writeCheckpoint walks segments up to through, those that the present
// checkpoint stands for included, and stores the records that keep chooses. The
// file is durable when it returns, and has a name that nobody reads yet.
func (j *Journal) writeCheckpoint(base, through uint64, keep func(uint64, journal.Record) bool) (*checkpoint, error) {
	c := &checkpoint{through: through, name: newName(j.cfg.Dir, through)}
	if err := j.dropFile(c.name); err != nil {
		return nil, err
	}
	f, err := j.env.Disk.Create(c.name)
	if err != nil {
		return nil, fmt.Errorf("journal: checkpoint: %w", err)
	}
	c.file = f
	err = j.fillCheckpoint(c, base, keep)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, j.env.Disk.Remove(c.name))
	}
	return c, nil
}

func (j *Journal) fillCheckpoint(c *checkpoint, base uint64, keep func(uint64, journal.Record) bool) error {
	h := header{kept: true, sequence: c.through, id: j.id}
	b := h.encode()
	if _, err := c.file.WriteAt(b, 0); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	c.at = headerSize
	c.enc.seed = h.seed()
	c.enc.reset(chain(b[headerSize-chainSize:]))
	s := scan{disk: j.env.Disk, dir: j.cfg.Dir, base: base, stop: position{c.through, noStop}, visit: func(_ string, e entry) error {
		return c.add(e, keep(e.number, e.Record))
	}}
	if err := s.run(); err != nil {
		return err
	}
	c.before, c.freed = s.place.reserved, s.bytes
	c.enc.number = s.place.number
	t := trailer{chain: s.place.chain, reserved: c.reserved, records: c.kept}
	c.enc.add(journal.Record{Body: t.encode()}, flagSeal, 0)
	if err := c.write(); err != nil {
		return err
	}
	c.bytes = c.at
	if err := c.file.Sync(); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	return nil
}

// add takes one record in order. Those of one Append stay one.
func (c *checkpoint) add(e entry, keep bool) error {
	last := e.flags&flagMore == 0
	if keep {
		c.kept++
		c.net += int64(e.Reserve)
		e.Key, e.Body = append([]byte(nil), e.Key...), append([]byte(nil), e.Body...)
		c.open = append(c.open, e)
	} else {
		c.dropped++
	}
	if !last {
		return nil
	}
	start := len(c.enc.bytes())
	for i, o := range c.open {
		flags := byte(flagMore)
		if i == len(c.open)-1 {
			flags = 0
		}
		c.enc.number = o.number
		c.enc.add(o.Record, flags, len(c.enc.bytes())-start)
	}
	c.reserved = settle(c.reserved, c.net)
	c.net, c.open = 0, c.open[:0]
	if len(c.enc.bytes()) < chunk {
		return nil
	}
	return c.write()
}

// write hands what was gathered to the file.
func (c *checkpoint) write() error {
	b := c.enc.bytes()
	if _, err := c.file.WriteAt(b, c.at); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	c.at += int64(len(b))
	c.enc.reset(c.enc.last())
	return nil
}

// noStop is an offset that no record has: the walk ends at the seal.
const noStop = math.MaxInt64

// checkpoint reads the checkpoint that stands for segments up to s.base. It was
// complete before it got its name, so nothing in it can be torn.
func (s *scan) checkpoint() (err error) {
	name := keptName(s.dir, s.base)
	f, err := s.disk.Open(name)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var r reader
	if err := r.attach(f, name); err != nil {
		return err
	}
	if err := r.openKept(s.base); err != nil {
		return err
	}
	if err := s.records(&r, s.base); err != nil {
		return err
	}
	t := r.trailer
	switch {
	case r.at != r.size:
		return r.fault(r.at, "the checkpoint ends here, but the file has %d bytes", r.size)
	case t.records != r.records:
		return r.fault(r.at, "the checkpoint has %d records, not the %d that its end says", r.records, t.records)
	case t.reserved != r.reserved:
		return r.fault(r.at, "the records reserve %d bytes, not the %d that the checkpoint's end says", r.reserved, t.reserved)
	}
	s.place = r.place
	s.place.chain = t.chain
	s.bytes += r.size
	return nil
}

// openKept reads the header of the checkpoint of segments up to sequence.
func (r *reader) openKept(sequence uint64) error {
	b, err := r.win.at(0, headerSize)
	if err != nil {
		return err
	}
	if len(b) < headerSize {
		return r.fault(int64(len(b)), "the file ends inside its header")
	}
	h, c, err := decodeHeader(b)
	switch {
	case err != nil:
		return r.fault(0, "%v", err)
	case !h.kept:
		return r.fault(0, "this is a segment, not a checkpoint")
	case h.sequence != sequence:
		return r.fault(16, "this checkpoint stands for segments up to %d, not %d: a copied or renamed file", h.sequence, sequence)
	}
	r.kept = true
	r.place = place{id: h.id, chain: c, number: 1}
	r.seed = h.seed()
	r.at, r.group, r.opened = headerSize, headerSize, r.place
	return nil
}
