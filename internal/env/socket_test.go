// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A socket belongs to its owner alone from its first moment on, and its file goes
// with its listener.
func TestSocketIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Real().Net.Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(c, c)
			c.Close()
		}
	}()
	c, err := Real().Net.Dial(context.Background(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	back := make([]byte, 3)
	if _, err := c.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, back); err != nil || string(back) != "abc" {
		t.Errorf("%q, %v", back, err)
	}
	c.Close()
	l.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// Whatever else has the name is refused by its own error, and not touched; only
// what a killed process left behind is taken away.
func TestSocketsOfOthers(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("served", in("link")); err != nil {
		t.Fatal(err)
	}
	served, err := listenUnix(in("served"), os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	left, err := net.Listen("unix", in("left"))
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	long := in(strings.Repeat("n", PathMax))
	me, other := os.Geteuid(), os.Geteuid()+1
	for _, c := range []struct {
		name         string
		uid          int
		listen, dial error
	}{
		{in("file"), me, ErrNoSocket, ErrNoSocket},
		{in("link"), me, ErrNoSocket, ErrNoSocket},
		{in("served"), other, ErrForeign, ErrForeign},
		{in("served"), me, ErrServed, nil},
		{long, me, ErrTooLong, ErrTooLong},
		{in("absent"), me, nil, ErrUnserved},
		{in("left"), other, ErrForeign, ErrForeign},
		{in("left"), me, nil, ErrUnserved},
	} {
		conn, err := dialUnix(context.Background(), c.name, c.uid)
		if !errors.Is(err, c.dial) || (err == nil) != (c.dial == nil) {
			t.Errorf("dial %s as %d: %v, want %v", filepath.Base(c.name), c.uid, err, c.dial)
		}
		if conn != nil {
			conn.Close()
		}
		l, err := listenUnix(c.name, c.uid)
		if !errors.Is(err, c.listen) || (err == nil) != (c.listen == nil) {
			t.Errorf("listen on %s as %d: %v, want %v", filepath.Base(c.name), c.uid, err, c.listen)
		}
		if l != nil {
			l.Close()
		}
	}
	if b, err := os.ReadFile(in("file")); err != nil || string(b) != "x" {
		t.Errorf("the file: %q, %v", b, err)
	}
	if conn, err := net.Dial("unix", in("served")); err != nil {
		t.Error(err)
	} else {
		if servedBy(conn, other) || !servedBy(conn, me) {
			t.Error("the other end is not who it is")
		}
		conn.Close()
	}
}
