// SPDX-License-Identifier: Apache-2.0

package env

import "syscall"

func allocate(fd int, size int64) error { return syscall.Fallocate(fd, 0, 0, size) }
