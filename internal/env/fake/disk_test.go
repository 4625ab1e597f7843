// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
)

// TestCrashKeeps walks one file through write, sync and name sync and asks
// after each step what a crash would leave.
func TestCrashKeeps(t *testing.T) {
	d := fake.NewDisk()
	must(t, d.MkdirAll("a/b"))
	f, err := d.Create("a/b/one")
	must(t, err)
	left := func(keep fake.Keep) []byte { return d.CrashClone(keep, 1).Bytes("a/b/one") }

	write(t, f, "old", 0)
	must(t, f.Sync())
	if got := left(fake.KeepNone); got != nil {
		t.Fatalf("a name that was never synced is there: %q", got)
	}
	if got := left(fake.KeepAll); string(got) != "old" {
		t.Fatalf("all kept: %q", got)
	}
	must(t, d.SyncDir("a/b"))
	if got := left(fake.KeepNone); got != nil {
		t.Fatalf("the name is there without its directory: %q", got)
	}
	must(t, d.SyncDir("a"))
	must(t, d.SyncDir("."))
	if got := left(fake.KeepNone); string(got) != "old" {
		t.Fatalf("synced, but %q", got)
	}
	write(t, f, "new!", 0)
	if got := left(fake.KeepNone); string(got) != "old" {
		t.Fatalf("unsynced write kept: %q", got)
	}
	if got := left(fake.KeepAll); string(got) != "new!" {
		t.Fatalf("unsynced write lost: %q", got)
	}
	must(t, f.Sync())
	if got := left(fake.KeepNone); string(got) != "new!" {
		t.Fatalf("synced write lost: %q", got)
	}
}

func TestCrashTearsAtSectors(t *testing.T) {
	d := fake.NewDisk()
	f, err := d.Create("f")
	must(t, err)
	must(t, f.Allocate(8*fake.Sector))
	must(t, f.Sync())
	must(t, d.SyncDir("."))
	write(t, f, string(bytes.Repeat([]byte("x"), 4*fake.Sector)), fake.Sector/2)
	torn := false
	for seed := range uint64(20) {
		got := d.CrashClone(fake.KeepHalf, seed).Bytes("f")
		if !bytes.Equal(got, d.CrashClone(fake.KeepHalf, seed).Bytes("f")) {
			t.Fatal("the same seed gave two disks")
		}
		for i := 0; i < len(got); i += fake.Sector {
			s := got[i : i+fake.Sector]
			edge := i == 0 || i == 4*fake.Sector
			if n := bytes.Count(s, []byte("x")); n != 0 && n != fake.Sector && !(edge && n == fake.Sector/2) {
				t.Fatalf("sector %d is torn inside: %d bytes", i/fake.Sector, n)
			}
		}
		n := bytes.Count(got, []byte("x"))
		torn = torn || n > 0 && n < 4*fake.Sector
	}
	if !torn {
		t.Fatal("twenty seeds tore nothing")
	}
}

func TestFaults(t *testing.T) {
	d := fake.NewDisk()
	f, err := d.Create("f")
	must(t, err)
	must(t, d.SyncDir("."))
	write(t, f, "kept", 0)
	must(t, f.Sync())

	d.FailAt(d.Ops()+1, syscall.EIO)
	if n, err := f.WriteAt([]byte("half"), 4); n != 2 || !errors.Is(err, syscall.EIO) {
		t.Fatalf("failing write: %d, %v", n, err)
	}
	d.FailSyncs(syscall.EIO)
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("failing sync: %v", err)
	}
	d.FailSyncs(nil)
	must(t, f.Sync())
	if got := d.Bytes("f"); string(got) != "keptha" {
		t.Fatalf("the process sees %q", got)
	}
	if got := d.CrashClone(fake.KeepAll, 0).Bytes("f"); string(got) != "kept" {
		t.Fatalf("a failed sync kept %q", got)
	}
}

func TestCapacity(t *testing.T) {
	d := fake.NewDisk()
	d.SetCapacity(1000)
	f, err := d.Create("f")
	must(t, err)
	must(t, f.Allocate(900))
	if err := f.Allocate(1001); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("allocate past the end: %v", err)
	}
	write(t, f, "inside", 890)
	if _, err := f.WriteAt(make([]byte, 200), 890); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write past the end: %v", err)
	}
	if used := d.Used(); used > 1000 {
		t.Fatalf("%d bytes used", used)
	}
}

func TestHookSeesEveryOperation(t *testing.T) {
	d := fake.NewDisk()
	var seen []fake.Kind
	d.OnOp(func(op fake.Op) {
		if op.K != len(seen)+1 {
			t.Fatalf("operation %d is numbered %d", len(seen)+1, op.K)
		}
		d.CrashClone(fake.KeepAll, 0) // must not deadlock
		seen = append(seen, op.Kind)
	})
	f, err := d.Create("f")
	must(t, err)
	write(t, f, "x", 0)
	must(t, f.Sync())
	must(t, d.SyncDir("."))
	must(t, d.Rename("f", "g"))
	must(t, d.Remove("g"))
	if want := []fake.Kind{"create", "write", "sync", "syncdir", "rename", "remove"}; !slices.Equal(seen, want) {
		t.Fatalf("saw %q", seen)
	}
}

func TestNamesAndLocks(t *testing.T) {
	d := fake.NewDisk()
	if _, err := d.Create("no/such/dir"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("create without a directory: %v", err)
	}
	held, err := d.Lock("lock")
	must(t, err)
	if _, err := d.Lock("lock"); !errors.Is(err, env.ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	if _, err := d.CrashClone(fake.KeepAll, 0).Lock("lock"); err != nil {
		t.Fatalf("a lock outlived the crash: %v", err)
	}
	must(t, held.Close())
	if _, err := d.Create("lock"); !errors.Is(err, os.ErrExist) {
		t.Fatalf("create over a file: %v", err)
	}
}

func write(t *testing.T, f env.File, s string, at int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(s), at)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
