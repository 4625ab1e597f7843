// SPDX-License-Identifier: Apache-2.0

package env

import (
	"syscall"
	_ "unsafe" // go:linkname
)

// dataSync makes the data of a file durable. It is known to wait for the disk, and so
// gives its place among GOMAXPROCS to another goroutine at once. A system call made
// in the common way keeps it until the runtime's monitor has seen it there twice, and
// the monitor sleeps for up to 10 ms between two looks: while the journal synced, one
// of two processors stood still (docs/adr/0030-a-sync-gives-its-processor-up.md).
func dataSync(fd int) error {
	if errno := blocking(syscall.SYS_FDATASYNC, uintptr(fd)); errno != 0 {
		return errno
	}
	return nil
}

// blocking is syscall.Syscall of a call with one argument that is not a pointer, but
// for the way in: the runtime has one for its own calls that wait. Between the two
// the goroutine's stack must not move, hence nosplit and nothing else in it.
//
//go:nosplit
func blocking(call, a uintptr) syscall.Errno {
	entersyscallblock()
	_, _, errno := syscall.RawSyscall(call, a, 0, 0)
	exitsyscall()
	return errno
}

// Two functions of the runtime that it keeps open to packages outside, with the
// promise not to change them (go.dev/issue/67401). Should they go, this does not
// link any more, and syscall.Fdatasync does the same but for the place.
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
