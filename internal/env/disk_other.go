// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package env

import "syscall"

func dataSync(fd int) error { return syscall.Fsync(fd) }

// allocate has no portable call; the caller writes zeros instead.
func allocate(int, int64) error { return syscall.EOPNOTSUPP }
