// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// Why a socket in the file system is not used.
var (
	ErrServed   = errors.New("another process serves it")
	ErrUnserved = errors.New("no process serves it")
	ErrForeign  = errors.New("it belongs to another user")
	ErrNoSocket = errors.New("a file of another kind has its name")
	ErrTooLong  = errors.New("its path is too long for a socket")
)

// PathMax is the longest path of a socket in bytes (unix(7): sun_path has 108 with
// its end).
const PathMax = 107

// private is the mode of a socket: its owner alone may connect.
const private = 0o600

// unixPath takes an address apart: "unix:PATH" is a socket in the file system.
func unixPath(address string) (path string, is bool) { return strings.CutPrefix(address, "unix:") }

// socketAt looks at what has the name: nil when it is a socket of the user uid.
func socketAt(path string, uid int) error {
	if len(path) > PathMax {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(path), PathMax)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return ErrNoSocket
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != uid {
		return ErrForeign
	}
	return nil
}

// listenUnix makes a socket that only this user may connect to, from its first
// moment on. What a process that was killed left behind is taken away; what another
// process serves, and what is no socket of this user, is not touched.
func listenUnix(path string, uid int) (net.Listener, error) {
	switch err := socketAt(path, uid); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("socket %s: %w", path, err)
	default:
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("socket %s: %w", path, ErrServed)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("socket %s: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("socket %s, left behind: %w", path, err)
		}
	}
	// The mode of the file is that of the socket before it gets its name.
	early := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), private) }); err != nil {
			return err
		}
		return failed
	}}
	l, err := early.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(path, private); err != nil { // where the system does not do it by itself
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), l.Close())
	}
	return l, nil
}

// dialUnix connects to a socket that this user serves.
func dialUnix(ctx context.Context, path string, uid int) (net.Conn, error) {
	err := socketAt(path, uid)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrUnserved
	}
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("socket %s: %w", path, ErrUnserved)
	case err != nil:
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if !servedBy(c, uid) { // it was exchanged between the look and the call
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, ErrForeign), c.Close())
	}
	return c, nil
}
