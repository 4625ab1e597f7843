// SPDX-License-Identifier: Apache-2.0

package env

import (
	"net"
	"syscall"
)

// servedBy asks the kernel whose process is at the other end (unix(7), SO_PEERCRED).
func servedBy(c net.Conn, uid int) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		same = err == nil && int(peer.Uid) == uid
	})
	return err == nil && same
}
