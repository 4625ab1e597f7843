// SPDX-License-Identifier: Apache-2.0

package env

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
)

// Locker is a Disk that can keep a second process out. Both the real and the
// fake disk are one.
type Locker interface {
	// Lock creates the file name if need be and locks it until the closer is
	// closed or the process ends. It fails at once with ErrLocked when somebody
	// else has it.
	Lock(name string) (io.Closer, error)
}

// Turns is a Disk on which processes can take turns. The real one is.
type Turns interface {
	// Turn creates the file name if need be and waits until nobody else has the
	// turn; it ends with the closer, or with the process.
	Turn(name string) (io.Closer, error)
}

// ErrLocked is the refusal of Lock.
var ErrLocked = errors.New("in use by another process")

// The modes of what the switch stores: nobody but its own user may read it.
const (
	fileMode = 0o600
	dirMode  = 0o700
)

// RealDisk is the machine's file system.
func RealDisk() Disk { return realDisk{} }

type realDisk struct{}

func (realDisk) Create(name string) (File, error) {
	return openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (realDisk) Open(name string) (File, error) {
	return openFile(name, os.O_RDWR)
}

func openFile(name string, flags int) (File, error) {
	f, err := os.OpenFile(name, flags, fileMode)
	if err != nil {
		return nil, err
	}
	return realFile{f}, nil
}

func (realDisk) Rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) Remove(name string) error     { return os.Remove(name) }
func (realDisk) MkdirAll(dir string) error    { return os.MkdirAll(dir, dirMode) }

func (realDisk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

func (realDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func (realDisk) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = control(f, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) })
	if err == nil {
		return held{f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	return nil, fmt.Errorf("lock %s: %w", name, err)
}

func (realDisk) Turn(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := control(f, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_EX) }); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the turn at %s: %w", name, err), f.Close())
	}
	return held{f}, nil
}

// held is a file with a lock on it. The lock belongs to the open file, of which
// a child process has a copy between its fork and its exec: closing ours alone
// would leave the lock there for that moment.
type held struct{ *os.File }

// Close lets go of the lock, whoever else has the file open, and closes it.
func (h held) Close() error {
	err := control(h.File, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_UN) })
	return errors.Join(wrap("unlock", h.Name(), err), h.File.Close())
}

// realFile is an *os.File; ReadAt, WriteAt, Close and Truncate are its own.
type realFile struct{ *os.File }

// Sync makes the data and what is needed to find it durable; times of access
// and change may be lost, nobody here reads them.
func (f realFile) Sync() error {
	return wrap("fdatasync", f.Name(), control(f.File, dataSync))
}

func (f realFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f realFile) Allocate(size int64) error {
	err := control(f.File, func(fd int) error { return allocate(fd, size) })
	if errors.Is(err, syscall.EOPNOTSUPP) {
		err = f.fill(size)
	}
	return wrap("allocate", f.Name(), err)
}

// fill writes zeros from the present end on, for file systems that cannot
// allocate. What lies before the end was allocated by an earlier fill.
func (f realFile) fill(size int64) error {
	at, err := f.Size()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at < size {
		n := min(int64(len(zeros)), size-at)
		if _, err := f.WriteAt(zeros[:n], at); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// control runs call on the descriptor, again after a signal, and never on one
// that was closed meanwhile.
func control(f *os.File, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if callErr = call(int(fd)); callErr != syscall.EINTR {
				return
			}
		}
	})
	return errors.Join(err, callErr)
}

func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}
