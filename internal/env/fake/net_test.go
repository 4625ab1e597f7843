// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
)

// pair dials through a network and returns both ends.
func pair(t *testing.T, w *fake.World) (near *fake.Conn, far net.Conn) {
	t.Helper()
	l, err := w.Net.Listen("host:1")
	must(t, err)
	c, err := w.Net.Dial(context.Background(), "host:1")
	must(t, err)
	far, err = l.Accept()
	must(t, err)
	must(t, l.Close())
	return c.(*fake.Conn), far
}

func TestConnCarriesBytes(t *testing.T) {
	near, far := pair(t, fake.New(1))
	big := make([]byte, 300<<10)
	big[len(big)-1] = 7
	go func() {
		near.Write(big)
		near.Close()
	}()
	got, err := io.ReadAll(far)
	must(t, err)
	if len(got) != len(big) || got[len(got)-1] != 7 {
		t.Fatalf("%d bytes came", len(got))
	}
	if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("write to a closed end: %v", err)
	}
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("read after close: %v", err)
	}
}

func TestConnDeadline(t *testing.T) {
	w := fake.New(1)
	near, _ := pair(t, w)
	must(t, near.SetReadDeadline(w.Clock.Now().Add(time.Second)))
	failed := make(chan error)
	go func() {
		_, err := near.Read(make([]byte, 1))
		failed <- err
	}()
	w.Clock.Advance(time.Second)
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v", err)
	}
	must(t, near.SetReadDeadline(time.Time{}))
	must(t, near.SetWriteDeadline(w.Clock.Now()))
	if _, err := near.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v", err)
	}
}

func TestHalfWrittenThenBroken(t *testing.T) {
	near, far := pair(t, fake.New(1))
	near.BreakAfter(3)
	if n, err := near.Write([]byte("hello")); n != 3 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("write: %d, %v", n, err)
	}
	got, err := io.ReadAll(far)
	if string(got) != "hel" || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestDialRefusals(t *testing.T) {
	w := fake.New(1)
	ctx, cancel := context.WithCancel(context.Background())
	dial := func() error {
		_, err := w.Net.Dial(ctx, "host:1")
		return err
	}
	if err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("nobody listens: %v", err)
	}
	l, err := w.Net.Listen("host:1")
	must(t, err)
	if _, err := w.Net.Listen("host:1"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("second listener: %v", err)
	}
	w.Net.Refuse("host:1", syscall.EHOSTUNREACH)
	if err := dial(); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Fatalf("refused: %v", err)
	}
	w.Net.Refuse("host:1", nil)
	must(t, dial())
	if n := len(w.Net.Conns("host:1")); n != 1 {
		t.Fatalf("%d connections", n)
	}
	w.Net.Break("host:1")
	if n := len(w.Net.Conns("host:1")); n != 0 {
		t.Fatalf("%d connections after the break", n)
	}
	cancel()
	if err := dial(); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	must(t, l.Close())
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("accept after close: %v", err)
	}
}
