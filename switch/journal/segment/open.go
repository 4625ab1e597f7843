// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"tapswitch/internal/assert"
	"tapswitch/internal/batch"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// lockName is the file in the journal's directory that keeps a second process
// out.
const lockName = "lock"

// Open reads the whole journal in cfg.Dir, making it when there is none, cuts a
// torn end and is ready to append behind it. What is stored wrongly is a *Fault.
func Open(e env.Env, cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	j := &Journal{env: e, cfg: cfg}
	j.queue = batch.New(e.Waits, cfg.QueueMax, j.serve)
	j.room.waste = cfg.AppendMax
	if err := j.open(); err != nil {
		return nil, errors.Join(err, j.abandon())
	}
	j.publish()
	j.proven, j.provenBase = j.end, j.base
	return j, nil
}

// abandon closes what a failed Open has opened.
func (j *Journal) abandon() error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	for _, s := range j.spares {
		errs = append(errs, s.file.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
	}
	return errors.Join(errs...)
}

func (j *Journal) open() error {
	if err := j.env.Disk.MkdirAll(j.cfg.Dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if locker, ok := j.env.Disk.(env.Locker); ok {
		lock, err := locker.Lock(path.Join(j.cfg.Dir, lockName))
		if err != nil {
			return fmt.Errorf("journal: %w; stop the other process or use another directory", err)
		}
		j.lock = lock
	}
	s := scan{disk: j.env.Disk, dir: j.cfg.Dir}
	if err := s.run(); err != nil {
		return err
	}
	if err := j.clean(&s); err != nil {
		return err
	}
	if s.used == 0 {
		return j.create()
	}
	if err := j.resume(&s); err != nil {
		return err
	}
	if err := j.adopt(s.used+1, s.files); err != nil {
		return err
	}
	if s.last.sealed { // the crash came between the seal and the next header
		if len(j.spares) == 0 {
			return fmt.Errorf("journal: %s cannot be used; see that the disk can be written", fileName(j.cfg.Dir, s.used+1))
		}
		j.enter()
	}
	return j.broken
}

// clean removes what a crash during a compaction has left. That the checkpoint
// is there is made durable before.
func (j *Journal) clean(s *scan) error {
	names := s.found.stale(s.base)
	if len(names) == 0 {
		return nil
	}
	if err := j.env.Disk.SyncDir(j.cfg.Dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return j.remove(names)
}

// create makes the first segment. Until its header is durable there is no
// journal, and a crash leaves an empty file that is taken up again.
func (j *Journal) create() error {
	if err := j.syncParents(); err != nil {
		return err
	}
	if _, err := io.ReadFull(j.env.Rand, j.id[:]); err != nil {
		return fmt.Errorf("journal: identity: %w", err)
	}
	first, err := j.prepare(1)
	if err != nil {
		return err
	}
	h := header{sequence: 1, first: 1, size: first.size, id: j.id}
	j.enc.number = 1
	j.start(h, first.file)
	j.room.left = usable(first.size)
	j.count.Bytes = first.size
	if _, err := j.file.WriteAt(h.encode(), 0); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.ahead(false)
	return j.broken
}

// syncParents makes the way to the directory durable. A parent that may not be
// read is left to whoever made it.
func (j *Journal) syncParents() error {
	for dir := path.Clean(j.cfg.Dir); dir != "." && dir != "/"; {
		dir = path.Dir(dir)
		if err := j.env.Disk.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("journal: %w", err)
		}
	}
	return nil
}

// resume goes on behind the last whole Append of the last segment.
func (j *Journal) resume(s *scan) error {
	f, err := j.env.Disk.Open(s.last.name)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.file = f
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return fmt.Errorf("journal: read %s: %w", s.last.name, err)
	}
	h, _, err := decodeHeader(b)
	if err != nil {
		return s.last.fault(0, "%v", err)
	}
	j.from = s.base
	j.id, j.reserved = s.place.id, s.place.reserved
	j.start(h, f)
	j.enc.number = s.place.number
	end := s.end
	if s.last.sealed {
		end = tail{cut: s.last.at, dirty: s.last.at}
	}
	if end.cut < headerSize || end.dirty < end.cut {
		assert.Fail("segment: the end is cut at %d, dirty up to %d", end.cut, end.dirty)
	}
	if err := j.rewrite(s.last.batch, end); err != nil {
		return err
	}
	j.count.TornCut = end.dirty - end.cut
	if err := j.env.Disk.SyncDir(j.cfg.Dir); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.pos.at, j.batch = end.cut, end.cut
	j.enc.reset(s.place.chain)
	j.count.Bytes = s.bytes
	j.room.left = h.size - sealSize - end.cut
	if s.last.sealed {
		j.room.left = 0
	}
	return nil
}

// rewrite writes the last batch once more and zeros what is torn behind it.
// Only this makes sure that what was read is on the disk: the page cache shows
// writes whose sync failed. The first sector of the torn end is zeroed durably
// before the rest: from then on the end is where it is, whatever happens.
func (j *Journal) rewrite(batch int64, end tail) error {
	kept := make([]byte, max(0, end.cut-batch))
	if _, err := j.file.ReadAt(kept, batch); err != nil {
		return fmt.Errorf("journal: read: %w", err)
	}
	if _, err := j.file.WriteAt(kept, batch); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	zeros := make([]byte, windowSize)
	for at := end.cut; at < end.dirty; {
		n := min(windowSize, end.dirty-at)
		if at == end.cut {
			n = min(n, sectorSize-at%sectorSize)
		}
		if _, err := j.file.WriteAt(zeros[:n], at); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if at == end.cut {
			if err := j.file.Sync(); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
		}
		at += n
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// adopt takes up the spares from sequence first to last, and one more when
// there is none. Those behind one that has no room stay for later.
func (j *Journal) adopt(first, last uint64) error {
	for n := first; n <= last; n++ {
		s, err := j.prepare(n)
		if errors.Is(err, journal.ErrBroken) {
			return err
		}
		if err != nil {
			break
		}
		j.add(s)
	}
	if len(j.spares) == 0 {
		j.ahead(false)
	}
	return j.broken
}

// ahead makes one more spare; false when there is no room for it. Beyond says
// that the configured limit does not count.
func (j *Journal) ahead(beyond bool) bool {
	if j.broken != nil {
		return false
	}
	now := j.env.Clock.Mono()
	if !beyond {
		bytes := j.count.Bytes + j.cfg.SegmentBytes
		if j.cfg.MaxBytes > 0 && bytes > j.cfg.MaxBytes || now < j.retryAt {
			return false
		}
	}
	s, err := j.prepare(j.pos.sequence + uint64(len(j.spares)) + 1)
	if errors.Is(err, journal.ErrBroken) {
		j.fail(journal.ErrBroken, err)
		return false
	}
	if err != nil {
		j.retryAt = now.Add(retryRoom)
		return false
	}
	j.add(s)
	return true
}

// prepare makes or takes up the file of segment n, with all its blocks and its
// name durable. An error that is journal.ErrBroken is a failed sync; any other
// means that there is no room.
func (j *Journal) prepare(n uint64) (spare, error) {
	name := fileName(j.cfg.Dir, n)
	f, err := j.env.Disk.Create(name)
	created := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = j.env.Disk.Open(name)
	}
	if err != nil {
		return spare{}, fmt.Errorf("journal: %w", err)
	}
	size, err := f.Size()
	if err == nil {
		size = max(size, j.cfg.SegmentBytes)
		err = f.Allocate(size)
	}
	if err != nil {
		errs := []error{fmt.Errorf("journal: %w", err), f.Close()}
		if created { // give back what a full disk did allocate
			errs = append(errs, j.env.Disk.Remove(name))
		}
		return spare{}, errors.Join(errs...)
	}
	if err := errors.Join(f.Sync(), j.env.Disk.SyncDir(j.cfg.Dir)); err != nil {
		return spare{}, errors.Join(fmt.Errorf("%w: %w", journal.ErrBroken, err), f.Close())
	}
	return spare{sequence: n, size: size, file: f}, nil
}

func (j *Journal) add(s spare) {
	if want := j.pos.sequence + uint64(len(j.spares)) + 1; s.sequence != want {
		assert.Fail("segment: spare %d where %d is next", s.sequence, want)
	}
	j.spares = append(j.spares, s)
	j.room.spares = append(j.room.spares, usable(s.size))
	j.count.Bytes += s.size
}
