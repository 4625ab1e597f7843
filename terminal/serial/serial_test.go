// SPDX-License-Identifier: Apache-2.0

package serial

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/creack/pty"
)

// device makes a pty whose slave stands at a link, as a reader simulator does.
func device(t *testing.T, link string) *os.File {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	_ = os.Remove(link)
	if err := os.Symlink(slave.Name(), link); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	return master
}

func pair(t *testing.T) (*Port, *os.File) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "tty")
	master := device(t, link)
	p, err := Open(link, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, master
}

func TestBytesPassUnchanged(t *testing.T) {
	p, master := pair(t)
	all := make([]byte, 256) // also the bytes a cooked tty would eat
	for i := range all {
		all[i] = byte(i)
	}
	p.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := master.Write(all); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 256)
	if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("in: %v, equal %v", err, bytes.Equal(got, all))
	}
	p.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if n, err := p.Write(all); n != len(all) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
	if _, err := io.ReadFull(master, got); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("out: %v, equal %v", err, bytes.Equal(got, all))
	}
}

func TestReadEndsAtItsDeadline(t *testing.T) {
	p, _ := pair(t)
	p.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	n, err := p.Read(make([]byte, 8))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d, %v", n, err)
	}
	// A deadline that comes while a Read waits is seen too.
	p.SetReadDeadline(time.Time{})
	time.AfterFunc(30*time.Millisecond, func() { p.SetReadDeadline(time.Unix(1, 0)) })
	if _, err = p.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestWriteEndsAtItsDeadline(t *testing.T) {
	p, _ := pair(t) // nobody reads the other side
	p.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := p.Write(make([]byte, 1<<20))
	if err == nil {
		t.Fatal("a megabyte went into a line nobody reads")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, ErrPortGone) {
		t.Fatalf("got %v", err)
	}
}

func TestCloseEndsARead(t *testing.T) {
	p, _ := pair(t)
	time.AfterFunc(30*time.Millisecond, func() { p.Close() })
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := p.Write([]byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if err := p.Reopen(); !errors.Is(err, ErrClosed) {
		t.Errorf("Reopen after Close: %v", err)
	}
}

func TestUnpluggedAndBack(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	if _, err := Open(link, 0); !errors.Is(err, ErrPortGone) {
		t.Fatalf("open of nothing: %v", err)
	}
	master := device(t, link)
	p, err := Open(link, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	unplug := master.Close
	time.AfterFunc(30*time.Millisecond, func() { _ = unplug() })
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, ErrPortGone) {
		t.Fatalf("unplugged: %v", err)
	}
	if _, err := p.Write([]byte{1}); !errors.Is(err, ErrPortGone) {
		t.Errorf("write: %v", err)
	}
	if err := p.DiscardInput(); !errors.Is(err, ErrPortGone) {
		t.Errorf("discard: %v", err)
	}
	master = device(t, link)
	if err := p.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	p.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(p, got); err != nil || string(got) != "stale" {
		t.Fatalf("after it came back: %q, %v", got, err)
	}
	if err := p.DiscardInput(); err != nil {
		t.Fatal(err)
	}
}
