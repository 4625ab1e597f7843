// SPDX-License-Identifier: Apache-2.0

package env

import "syscall"

func dataSync(fd int) error { return syscall.Fdatasync(fd) }

func allocate(fd int, size int64) error { return syscall.Fallocate(fd, 0, 0, size) }
