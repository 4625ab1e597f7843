// SPDX-License-Identifier: Apache-2.0

package env_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
)

func TestEvent(t *testing.T) {
	e := env.Real()
	ev := e.Waits.NewEvent()
	if ev.Wait(e.Clock.Mono()) {
		t.Fatal("woken before Wake")
	}
	before := e.Clock.Mono()
	if ev.Wait(before.Add(5 * time.Millisecond)) {
		t.Fatal("woken before Wake")
	}
	if d := e.Clock.Mono().Sub(before); d < 5*time.Millisecond {
		t.Fatalf("came back after %v, before its deadline", d)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if !ev.Wait(env.Never) {
				t.Error("Wait(Never) returned false")
			}
			if !ev.Wait(0) {
				t.Error("a woken event did not stay woken")
			}
		})
	}
	for range 4 {
		all.Go(ev.Wake)
	}
	all.Wait()
}

func TestDisk(t *testing.T) {
	d := env.RealDisk()
	dir := filepath.Join(t.TempDir(), "a", "b")
	must(t, d.MkdirAll(dir))
	name := filepath.Join(dir, "one")
	f, err := d.Create(name)
	must(t, err)
	must(t, f.Allocate(1<<16))
	if n, err := f.Size(); err != nil || n != 1<<16 {
		t.Fatalf("size %d, %v", n, err)
	}
	_, err = f.WriteAt([]byte("hello"), 100)
	must(t, err)
	must(t, f.Sync())
	got := make([]byte, 7)
	_, err = f.ReadAt(got, 99)
	must(t, err)
	if string(got) != "\x00hello\x00" {
		t.Fatalf("read %q", got)
	}
	if _, err := f.ReadAt(got, 1<<16); err != io.EOF {
		t.Fatalf("read past the end: %v", err)
	}
	must(t, f.Truncate(3))
	must(t, f.Close())
	if err := f.Sync(); err == nil {
		t.Fatal("sync of a closed file succeeded")
	}
	if _, err := d.Create(name); !errors.Is(err, os.ErrExist) {
		t.Fatalf("second create: %v", err)
	}
	if _, err := d.Open(name + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("open of nothing: %v", err)
	}
	must(t, d.Rename(name, name+"2"))
	must(t, d.SyncDir(dir))
	names, err := d.List(dir)
	must(t, err)
	if !slices.Equal(names, []string{"one2"}) {
		t.Fatalf("listed %q", names)
	}
	must(t, d.Remove(name+"2"))
}

func TestLock(t *testing.T) {
	d := env.RealDisk().(env.Locker)
	name := filepath.Join(t.TempDir(), "lock")
	held, err := d.Lock(name)
	must(t, err)
	if _, err := d.Lock(name); !errors.Is(err, env.ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	must(t, held.Close())
	held, err = d.Lock(name)
	must(t, err)
	must(t, held.Close())
}

func TestTurnsAreTaken(t *testing.T) {
	d := env.RealDisk().(env.Turns)
	name := filepath.Join(t.TempDir(), "turn")
	inside, most := 0, 0
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			held, err := d.Turn(name)
			must(t, err)
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			must(t, held.Close())
		})
	}
	group.Wait()
	if most != 1 {
		t.Errorf("%d had the turn at the same time", most)
	}
	if _, err := d.Turn(filepath.Join(name, "below")); err == nil {
		t.Error("a turn at a place that cannot be")
	}
}

func TestNetwork(t *testing.T) {
	e := env.Real()
	l, err := e.Net.Listen("127.0.0.1:0")
	must(t, err)
	defer l.Close()
	var served sync.WaitGroup
	served.Go(func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(c, c)
		c.Close()
	})
	c, err := e.Net.Dial(context.Background(), l.Addr().String())
	must(t, err)
	_, err = c.Write([]byte("ping"))
	must(t, err)
	got := make([]byte, 4)
	_, err = io.ReadFull(c, got)
	must(t, err)
	if string(got) != "ping" {
		t.Fatalf("read %q", got)
	}
	must(t, c.Close())
	served.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
