// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"tapswitch/switch/journal"
)

// Compact replaces the closed segments that hold only records numbered below
// before by a checkpoint: a file with those of their records that keep chooses,
// numbered as they were. Keep is asked once about each, in order; an Append of
// several may be kept in part. Whoever decides must know that no record that
// stays needs one that is dropped: ClosedBelow says how far the closed segments
// reach. The room that dropped records reserve is given back.
//
// It may run beside Append and Replay, but not beside another Compact
// (journal.ErrBusy). Before anything is removed the checkpoint is durable; a
// crash leaves either the old segments or the checkpoint. An error means that
// the records are as they were, or that only the removal failed, which the next
// Compact or Open does again.
func (j *Journal) Compact(before uint64, keep func(seq uint64, r journal.Record) bool) (journal.Compaction, error) {
	j.mu.Lock()
	base, end, running := j.base, j.end, j.compacting
	j.compacting = true
	j.mu.Unlock()
	if running {
		return journal.Compaction{}, fmt.Errorf("%w: another compaction is under way", journal.ErrBusy)
	}
	defer func() {
		j.mu.Lock()
		j.compacting = false
		j.mu.Unlock()
	}()
	through, _, err := j.closedBelow(base, end.sequence, before)
	if err != nil || through <= base {
		return journal.Compaction{}, err
	}
	c, err := j.writeCheckpoint(base, through, keep)
	if err != nil {
		return journal.Compaction{}, err
	}
	if err := j.do(&request{swap: c}); err != nil {
		return journal.Compaction{}, err
	}
	return journal.Compaction{Removed: through - base, Kept: c.kept, Dropped: c.dropped, Freed: c.freed - c.bytes}, j.sweep()
}

// ClosedBelow is the greatest number not above before that a segment behind a
// closed one begins with: Compact of that number takes every record below it
// and none above. Without such a segment it is 0.
func (j *Journal) ClosedBelow(before uint64) (uint64, error) {
	j.mu.Lock()
	base, end := j.base, j.end
	j.mu.Unlock()
	_, first, err := j.closedBelow(base, end.sequence, before)
	return first, err
}

// closedBelow is the last segment that is closed and, with all before it, holds
// only records numbered below before; and the first number behind it.
func (j *Journal) closedBelow(base, writing, before uint64) (through, first uint64, err error) {
	through = base
	for n := base + 1; n <= writing; n++ {
		h, err := j.headerOf(n)
		if err != nil {
			return 0, 0, err
		}
		if h.first > before || n == 1 {
			continue
		}
		through, first = n-1, h.first
	}
	return through, first, nil
}

func (j *Journal) headerOf(sequence uint64) (h header, err error) {
	name := fileName(j.cfg.Dir, sequence)
	f, err := j.env.Disk.Open(name)
	if err != nil {
		return header{}, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return header{}, fmt.Errorf("journal: read %s: %w", name, err)
	}
	h, _, err = decodeHeader(b)
	if err != nil {
		return header{}, &Fault{File: name, Reason: err.Error()}
	}
	return h, nil
}

// swap puts the checkpoint in its place: from here on it is what is read. Only
// the caller that leads a batch comes here.
func (j *Journal) swap(c *checkpoint) error {
	if err := j.env.Disk.Rename(c.name, keptName(j.cfg.Dir, c.through)); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	if err := j.env.Disk.SyncDir(j.cfg.Dir); err != nil {
		j.fail(journal.ErrBroken, err) // which of the two a crash leaves is not known
		return j.broken
	}
	j.from = c.through
	j.count.Bytes += c.bytes - c.freed
	j.reserved = settle(j.reserved, c.reserved-c.before)
	return nil
}

// sweep removes what the checkpoint stands for, unless somebody still reads it:
// the next sweep does it then.
func (j *Journal) sweep() error {
	j.mu.Lock()
	base, busy := j.base, j.readers > 0
	j.mu.Unlock()
	if busy {
		return nil
	}
	names, err := stored(j.env.Disk, j.cfg.Dir)
	if err != nil {
		return err
	}
	return j.remove(names.stale(base))
}

// remove takes files away that nobody reads any more.
func (j *Journal) remove(names []string) error {
	for _, name := range names {
		if err := j.dropFile(path.Join(j.cfg.Dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// dropFile removes a file that may be there.
func (j *Journal) dropFile(name string) error {
	if err := j.env.Disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
