// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// perSector is how many of the script's Appends may lie in one sector.
const perSector = 4

// sample is a small journal that was closed in good order.
type sample struct {
	open   Open
	disk   *fake.Disk
	groups []group
}

func newSample(t *testing.T, open Open) sample {
	w := fake.New(6)
	j := open.mustSmall(t, w, "new")
	s := sample{open: open, disk: w.Disk, groups: script(6, 13)}
	for _, g := range s.groups {
		must(t, j.Append(g...))
	}
	must(t, j.Close())
	return s
}

// runCorrupt changes the files in every way there is: what was stored comes
// back exactly, or the journal is refused.
func runCorrupt(t *testing.T, open Open) {
	s := newSample(t, open)
	files := s.disk.Files()
	t.Run("flip", func(t *testing.T) { s.flips(t, files) })
	t.Run("truncate", func(t *testing.T) {
		for _, name := range files {
			for n := 0; n < len(s.disk.Bytes(name)); n += 61 {
				s.must(t, fmt.Sprintf("%s cut at %d", name, n), 0, func(d *fake.Disk) {
					d.SetBytes(name, d.Bytes(name)[:n])
				})
			}
		}
	})
	t.Run("delete", func(t *testing.T) {
		for _, name := range files {
			s.must(t, name+" deleted", 0, func(d *fake.Disk) { d.Delete(name) })
		}
	})
	t.Run("swap and copy", func(t *testing.T) {
		for _, a := range files {
			for _, b := range files {
				s.must(t, a+" copied to "+b, 0, func(d *fake.Disk) { d.SetBytes(b, d.Bytes(a)) })
				s.must(t, a+" and "+b+" swapped", 0, func(d *fake.Disk) {
					x, y := d.Bytes(a), d.Bytes(b)
					d.SetBytes(a, y)
					d.SetBytes(b, x)
				})
			}
		}
	})
	t.Run("zeroed sector", func(t *testing.T) {
		for _, name := range files {
			for at := 0; at < len(s.disk.Bytes(name)); at += fake.Sector {
				// Where the newest Appends lie this is what a torn write looks like.
				s.must(t, fmt.Sprintf("%s zeroed at %d", name, at), perSector, func(d *fake.Disk) {
					b := d.Bytes(name)
					clear(b[at:min(len(b), at+fake.Sector)])
					d.SetBytes(name, b)
				})
			}
		}
	})
}

// flips changes every byte by one bit, and every eighth by all bits.
func (s sample) flips(t *testing.T, files []string) {
	refused := 0
	for _, name := range files {
		for i := range s.disk.Bytes(name) {
			for _, mask := range []byte{1 << (i % 8), 0xff} {
				if mask == 0xff && i%8 != 0 {
					continue
				}
				if s.must(t, fmt.Sprintf("%s: byte %d flipped by %#x", name, i, mask), 0, func(d *fake.Disk) {
					b := d.Bytes(name)
					b[i] ^= mask
					d.SetBytes(name, b)
				}) {
					refused++
				}
			}
		}
	}
	t.Logf("%d flips refused", refused)
}

// must opens a damaged copy: refused as corrupt (true), or everything is there
// but at most lost of the last Appends.
func (s sample) must(t *testing.T, what string, lost int, damage func(*fake.Disk)) bool {
	t.Helper()
	w := fake.New(6)
	w.Disk = s.disk.CrashClone(fake.KeepAll, 0)
	damage(w.Disk)
	j, err := s.open.small(w)
	if errors.Is(err, journal.ErrCorrupt) {
		return true
	}
	if err != nil {
		t.Fatalf("%s: refused, but not as corrupt: %v", what, err)
	}
	got := stored(t, j)
	if n := wholeGroups(got, s.groups); n < len(s.groups)-lost {
		t.Fatalf("%s: opened with %d of %d appends", what, n, len(s.groups))
	}
	must(t, j.Close())
	return false
}
