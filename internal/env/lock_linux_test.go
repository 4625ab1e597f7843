// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"tapswitch/internal/env"
)

// A lock that was let go is free, although a copy of its file is open still: a
// child process has one from its fork to its exec.
func TestLockIsFreeBesideAFork(t *testing.T) {
	d := env.RealDisk()
	for what, take := range map[string]func(string) (io.Closer, error){"lock": d.(env.Locker).Lock, "turn": d.(env.Turns).Turn} {
		t.Run(what, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "lock")
			had, err := take(name)
			must(t, err)
			child := copyOf(t, name)
			defer syscall.Close(child)
			must(t, had.Close())
			again, err := d.(env.Locker).Lock(name)
			must(t, err)
			must(t, again.Close())
		})
	}
}

// copyOf duplicates the descriptor that this process has of name, as a fork does.
func copyOf(t *testing.T, name string) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, e := range open {
		if at, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || at != name {
			continue
		}
		var fd int
		_, err := fmt.Sscan(e.Name(), &fd)
		must(t, err)
		fd, err = syscall.Dup(fd)
		must(t, err)
		return fd
	}
	t.Fatal("the file is not open")
	return -1
}
