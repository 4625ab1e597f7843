// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package env

import "net"

// servedBy cannot ask here: the owner of the file has to do.
func servedBy(net.Conn, int) bool { return true }
