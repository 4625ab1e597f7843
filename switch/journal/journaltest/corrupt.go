// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// perSector is how many of the script's Appends may lie in one sector.
const perSector = 4

// sampleSize is how many Appends make up the sample: enough for several files,
// the last one well filled.
const sampleSize = 24

// sample is a small journal that was closed in good order.
type sample struct {
	open   Open
	disk   *fake.Disk
	groups []group
}

func newSample(t *testing.T, open Open) sample {
	w := fake.New(6)
	j := open.mustSmall(t, w, "new")
	s := sample{open: open, disk: w.Disk, groups: script(6, sampleSize)}
	for _, g := range s.groups {
		must(t, j.Append(g...))
	}
	must(t, j.Close())
	return s
}

// runCorrupt changes the files in every way there is: what was stored comes
// back exactly, or the journal is refused and the file named.
func runCorrupt(t *testing.T, open Open) {
	s := newSample(t, open)
	files := s.disk.Files()
	t.Run("flip", func(t *testing.T) { s.flips(t, files) })
	t.Run("truncate", func(t *testing.T) { s.lengths(t, files) })
	t.Run("order", func(t *testing.T) { s.orders(t, files) })
	t.Run("foreign", func(t *testing.T) { s.foreign(t, files) })
	t.Run("zeroed sector", func(t *testing.T) {
		for _, name := range files {
			for at := 0; at < len(s.disk.Bytes(name)); at += fake.Sector {
				// Where the newest Appends lie this is what a torn write looks like.
				s.must(t, damage{what: fmt.Sprintf("%s zeroed at %d", name, at), names: []string{name}, lost: perSector, do: func(d *fake.Disk) {
					b := d.Bytes(name)
					clear(b[at:min(len(b), at+fake.Sector)])
					d.SetBytes(name, b)
				}})
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
				if s.must(t, damage{what: fmt.Sprintf("%s: byte %d flipped by %#x", name, i, mask), names: []string{name}, do: func(d *fake.Disk) {
					b := d.Bytes(name)
					b[i] ^= mask
					d.SetBytes(name, b)
				}}) {
					refused++
				}
			}
		}
	}
	if refused == 0 {
		t.Fatal("no flip at all was noticed")
	}
	t.Logf("%d flips refused", refused)
}

// lengths gives every file every length below its own, and some above.
func (s sample) lengths(t *testing.T, files []string) {
	cuts := 0
	for _, name := range files {
		full := len(s.disk.Bytes(name))
		for n := range full {
			s.must(t, damage{what: fmt.Sprintf("%s cut at %d", name, n), names: files, do: func(d *fake.Disk) {
				d.SetBytes(name, d.Bytes(name)[:n])
			}})
			cuts++
		}
		for _, more := range [][]byte{{0}, {1}, make([]byte, fake.Sector), s.disk.Bytes(files[len(files)-1])} {
			s.must(t, damage{what: fmt.Sprintf("%s made %d bytes longer", name, len(more)), names: files, do: func(d *fake.Disk) {
				d.SetBytes(name, append(d.Bytes(name), more...))
			}})
		}
	}
	t.Logf("%d cuts", cuts)
}

// orders removes, swaps, copies and duplicates whole files; where a file goes
// or comes, those behind it move up or down, so that no number is missing.
func (s sample) orders(t *testing.T, files []string) {
	for i, a := range files {
		s.must(t, damage{what: a + " removed", names: files, do: func(d *fake.Disk) { d.Delete(a) }})
		s.must(t, damage{what: a + " removed, the later ones moved down", names: files, do: func(d *fake.Disk) {
			for k := i; k+1 < len(files); k++ {
				d.SetBytes(files[k], d.Bytes(files[k+1]))
			}
			d.Delete(files[len(files)-1])
		}})
		for k, b := range files {
			s.must(t, damage{what: a + " copied to " + b, names: files, do: func(d *fake.Disk) { d.SetBytes(b, d.Bytes(a)) }})
			s.must(t, damage{what: a + " and " + b + " swapped", names: files, do: func(d *fake.Disk) {
				x, y := d.Bytes(a), d.Bytes(b)
				d.SetBytes(a, y)
				d.SetBytes(b, x)
			}})
			s.duplicate(t, files, a, k)
		}
		s.duplicate(t, files, a, len(files))
	}
}

// foreign puts each file of another journal in the place of ours: one that
// begins like ours and goes another way, and one with the same records.
func (s sample) foreign(t *testing.T, files []string) {
	fork, other := fake.New(6), fake.New(7)
	j := s.open.mustSmall(t, fork, "fork")
	for i, g := range script(6, len(s.groups)) {
		if i >= len(s.groups)/4 {
			g[0].Body[0] ^= 1 // other records in the same places
		}
		must(t, j.Append(g...))
	}
	must(t, j.Close())
	j = s.open.mustSmall(t, other, "other")
	for _, g := range s.groups {
		must(t, j.Append(g...))
	}
	must(t, j.Close())
	for _, w := range []*fake.World{fork, other} {
		for _, name := range files {
			if b := w.Disk.Bytes(name); b != nil {
				s.must(t, damage{what: name + " from another journal", names: files, do: func(d *fake.Disk) { d.SetBytes(name, b) }})
			}
		}
	}
}

// duplicate puts a second copy of file a at place k, the later ones moved up.
// Files without a number in their name have no place for another.
func (s sample) duplicate(t *testing.T, files []string, a string, k int) {
	numbered := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return after(name) == name })
	if !slices.Contains(numbered, a) {
		return
	}
	one := after(numbered[len(numbered)-1])
	list := append(numbered, one)
	k = min(k, len(numbered))
	s.must(t, damage{what: fmt.Sprintf("%s inserted at place %d", a, k+1), names: list, do: func(d *fake.Disk) {
		again := d.Bytes(a)
		for i := len(list) - 1; i > k; i-- {
			d.SetBytes(list[i], d.Bytes(list[i-1]))
		}
		d.SetBytes(list[k], again)
	}})
}

// after is name with the number in it raised by one; name itself when it has
// none, or none that can be raised.
func after(name string) string {
	at := lastNumber.FindStringIndex(name)
	if at == nil {
		return name
	}
	n, err := strconv.ParseUint(name[at[0]:at[1]], 10, 64)
	if err != nil {
		return name
	}
	return fmt.Sprintf("%s%0*d%s", name[:at[0]], at[1]-at[0], n+1, name[at[1]:])
}

var lastNumber = regexp.MustCompile(`[0-9]{4,}`)

// damage is one way to hurt the stored journal.
type damage struct {
	what  string
	names []string // a refusal must name one of these files
	lost  int      // Appends at the end that may be gone without a refusal
	do    func(*fake.Disk)
}

// must opens a damaged copy: refused as corrupt with the file named (true), or
// everything is there but at most lost of the last Appends, and the journal
// goes on from there.
func (s sample) must(t *testing.T, c damage) bool {
	t.Helper()
	w := fake.New(6)
	w.Disk = s.disk.CrashClone(fake.KeepAll, 0)
	c.do(w.Disk)
	j, err := s.open.small(w)
	if errors.Is(err, journal.ErrCorrupt) {
		if !slices.ContainsFunc(c.names, func(name string) bool { return strings.Contains(err.Error(), path.Base(name)) }) {
			t.Fatalf("%s: refused without the file's name: %v", c.what, err)
		}
		return true
	}
	if err != nil {
		t.Fatalf("%s: refused, but not as corrupt: %v", c.what, err)
	}
	got := stored(t, j)
	n := wholeGroups(got, s.groups)
	if n < len(s.groups)-c.lost || !same(got, flat(s.groups[:n])) {
		t.Fatalf("%s: opened with %d records, %d of %d appends", c.what, len(got), n, len(s.groups))
	}
	more := journal.Record{Kind: 7, Body: []byte("after the damage")}
	must(t, j.Append(more))
	must(t, j.Close())
	if j, err = s.open.small(w); err != nil {
		t.Fatalf("%s: opened once and not again: %v", c.what, err)
	}
	if again := stored(t, j); !same(again, append(got, more)) {
		t.Fatalf("%s: %d records, then one more, then %d", c.what, len(got), len(again))
	}
	must(t, j.Close())
	return false
}
