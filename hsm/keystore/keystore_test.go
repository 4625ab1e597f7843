// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file (a new format version only)")

// memory is a disk that keeps what was synced and what was not apart: crash
// loses the rest. failAt lets the k-th operation fail.
type memory struct {
	live, durable map[string]*inode
	ops, failAt   int
}

type inode struct{ data, synced []byte }

func newMemory() *memory {
	return &memory{live: map[string]*inode{}, durable: map[string]*inode{}}
}

var errDisk = errors.New("disk fault")

func (d *memory) op() error {
	d.ops++
	if d.ops == d.failAt {
		return errDisk
	}
	return nil
}

// crash returns what is on the disk after a power loss.
func (d *memory) crash() *memory {
	after := newMemory()
	for name, n := range d.durable {
		c := &inode{data: bytes.Clone(n.synced), synced: bytes.Clone(n.synced)}
		after.live[name], after.durable[name] = c, c
	}
	return after
}

type handle struct {
	d *memory
	n *inode
}

func (d *memory) Create(name string) (env.File, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	if d.live[name] != nil {
		return nil, fs.ErrExist
	}
	d.live[name] = &inode{}
	return &handle{d, d.live[name]}, nil
}

func (d *memory) Open(name string) (env.File, error) {
	if d.live[name] == nil {
		return nil, fs.ErrNotExist
	}
	return &handle{d, d.live[name]}, nil
}

func (d *memory) Rename(from, to string) error {
	if err := d.op(); err != nil {
		return err
	}
	d.live[to] = d.live[from]
	delete(d.live, from)
	return nil
}

func (d *memory) Remove(name string) error {
	if d.live[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.live, name)
	return nil
}

func (d *memory) List(dir string) (names []string, err error) {
	for name := range d.live {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	sort.Strings(names)
	return names, nil
}

func (d *memory) MkdirAll(string) error { return nil }

func (d *memory) SyncDir(string) error {
	if err := d.op(); err != nil {
		return err
	}
	d.durable = map[string]*inode{}
	for name, n := range d.live {
		d.durable[name] = n
	}
	return nil
}

func (h *handle) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.n.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, at int64) (int, error) {
	if err := h.d.op(); err != nil {
		h.n.data = append(h.n.data, p[:len(p)/2]...) // torn
		return len(p) / 2, err
	}
	h.n.data = append(h.n.data[:at], p...)
	return len(p), nil
}

func (h *handle) Sync() error {
	if err := h.d.op(); err != nil {
		return err
	}
	h.n.synced = bytes.Clone(h.n.data)
	return nil
}

func (h *handle) Close() error              { return nil }
func (h *handle) Size() (int64, error)      { return int64(len(h.n.data)), nil }
func (h *handle) Truncate(size int64) error { h.n.data = h.n.data[:size]; return nil }
func (h *handle) Allocate(int64) error      { return nil }

// key is a well-formed key that no HSM made.
func key(owner, name string, version uint32) hsm.Key {
	k := hsm.Key{Name: owner + "/" + name, Usage: hsm.TAK, Algorithm: hsm.TDES2, Owner: owner, Version: version, NotAfter: 1893456000, Wrapped: bytes.Repeat([]byte{byte(version)}, 48)}
	copy(k.KCV[:], "kcv")
	copy(k.LMK[:], "identity")
	copy(k.Binding[:], "sixteen bytes ok")
	return k
}

func set(owner string, version uint32) []hsm.Key {
	return []hsm.Key{key(owner, "tpk", version), key(owner, "tak", version)}
}

func open(t *testing.T, d env.Disk) *Store {
	t.Helper()
	s, err := Open(d, "keys")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, keys ...hsm.Key) {
	t.Helper()
	if err := s.Put(keys...); err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	d := newMemory()
	s := open(t, d)
	for v := uint32(1); v <= 3; v++ {
		put(t, s, set("10000001", v)...)
	}
	put(t, s, set("10000002", 7)...)
	for _, s := range []*Store{s, open(t, d.crash())} {
		current, ok := s.Get("10000001/tak")
		previous, ok2 := s.Previous("10000001/tak")
		if !ok || !ok2 || current.Version != 3 || previous.Version != 2 {
			t.Errorf("current %d %v, previous %d %v; want 3, 2", current.Version, ok, previous.Version, ok2)
		}
		if !reflect.DeepEqual(current, key("10000001", "tak", 3)) {
			t.Errorf("key came back changed: %+v", current)
		}
		if n := len(s.List()); n != 6 {
			t.Errorf("%d keys listed, want 6", n)
		}
		if _, ok := s.Previous("10000002/tpk"); ok {
			t.Error("first version has a previous one")
		}
		if _, ok := s.Get("nobody"); ok {
			t.Error("unknown name found")
		}
	}
	if err := s.Retire("10000001/tak", 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Retire("10000001/tak", 2); !errors.Is(err, ErrUnknown) {
		t.Errorf("retired twice: %v", err)
	}
	if _, ok := open(t, d.crash()).Previous("10000001/tak"); ok {
		t.Error("retired key is there after a crash")
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, newMemory())
	put(t, s, set("a", 5)...)
	stolen := key("b", "tak", 9)
	stolen.Name = "a/tak"
	for name, c := range map[string]struct {
		keys []hsm.Key
		want error
	}{
		"same version":     {set("a", 5), ErrVersion},
		"older version":    {set("a", 4), ErrVersion},
		"second is old":    {[]hsm.Key{key("a", "tpk", 6), key("a", "tak", 5)}, ErrVersion},
		"two owners":       {[]hsm.Key{key("a", "tpk", 6), key("b", "tak", 6)}, ErrOwners},
		"name of another":  {[]hsm.Key{stolen}, ErrOwners},
		"no owner":         {[]hsm.Key{key("", "tpk", 1)}, hsm.ErrInput},
		"owner not UTF-8":  {[]hsm.Key{key("\xff", "tpk", 1)}, hsm.ErrInput},
		"twice in one set": {[]hsm.Key{key("a", "tpk", 6), key("a", "tpk", 6)}, ErrVersion},
	} {
		if err := s.Put(c.keys...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if k, _ := s.Get("a/tpk"); k.Version != 5 {
			t.Errorf("%s: current is %d after a refusal", name, k.Version)
		}
	}
	k, _ := s.Get("a/tpk")
	k.Wrapped[0] ^= 1
	if again, _ := s.Get("a/tpk"); again.Wrapped[0] == k.Wrapped[0] {
		t.Error("a caller's change reached the store")
	}
}

// TestSetIsAtomic fails and crashes at every disk operation of a Put: the set
// is current as a whole or not at all, and what Put returned nil for stays.
func TestSetIsAtomic(t *testing.T) {
	for k := 1; ; k++ {
		d := newMemory()
		s := open(t, d)
		put(t, s, set("10000001", 1)...)
		d.ops, d.failAt = 0, k
		err := s.Put(set("10000001", 2)...)
		faults := d.ops >= k
		for _, after := range []*Store{open(t, d.crash()), open(t, d)} {
			tpk, _ := after.Get("10000001/tpk")
			tak, _ := after.Get("10000001/tak")
			if tpk.Version != tak.Version {
				t.Fatalf("fault %d: set is torn: %d and %d", k, tpk.Version, tak.Version)
			}
			if err == nil && tpk.Version != 2 {
				t.Fatalf("fault %d: Put returned nil, version %d is current", k, tpk.Version)
			}
		}
		if err != nil {
			d.failAt = 0
			put(t, s, set("10000001", 3)...) // the store goes on
			if got, _ := open(t, d.crash()).Get("10000001/tak"); got.Version != 3 {
				t.Fatalf("fault %d: after it version %d is current", k, got.Version)
			}
		}
		if !faults {
			return
		}
	}
}

// TestDamage changes, cuts and lengthens a file at every byte.
func TestDamage(t *testing.T) {
	d := newMemory()
	put(t, open(t, d), set("10000001", 1)...)
	name := "keys/10000001.keys"
	good := bytes.Clone(d.live[name].data)
	try := func(what string, raw []byte) {
		d := d.crash()
		d.live[name].data = raw
		_, err := Open(d, "keys")
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x01
		try(fmt.Sprintf("byte %d changed", i), bad)
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
	try("longer", append(bytes.Clone(good), '\n'))
	other := d.crash()
	other.live["keys/10000002.keys"] = other.live[name]
	if _, err := Open(other, "keys"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("file under another owner's name: %v", err)
	}
}

func TestFileName(t *testing.T) {
	for owner, want := range map[string]string{"10000001": "10000001.keys", "link A": "link%20A.keys", "../etc/x": "%2E%2E%2Fetc%2Fx.keys", "": ".keys"} {
		if got := fileName(owner); got != want {
			t.Errorf("%q: %s, want %s", owner, got, want)
		}
	}
}

// TestGolden reads the first file of format version 1. It is never edited.
func TestGolden(t *testing.T) {
	want := append(set("10000001", 1), set("10000001", 2)...)
	sort.Slice(want, func(i, j int) bool {
		return want[i].Name < want[j].Name || want[i].Name == want[j].Name && want[i].Version < want[j].Version
	})
	raw, err := encode("10000001", want)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/v1.keys"
	if *rewrite {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	owner, keys, err := decode(old)
	if err != nil || owner != "10000001" || !reflect.DeepEqual(keys, want) {
		t.Errorf("golden file reads as %q, %+v, %v", owner, keys, err)
	}
	if !bytes.Equal(raw, old) {
		t.Error("what is written today differs from the golden file: raise the format version")
	}
}

// TestGoldenOffset reads the first file with a decimalisation table. It is never
// edited. A table that is cut, or at a key that has none, is refused.
func TestGoldenOffset(t *testing.T) {
	k := key("issuer", "pvk", 1)
	k.Usage = hsm.PVKOffset
	k.Offset = hsm.OffsetRule{Table: [16]byte([]byte("0123456789012345")), Start: 1, Length: 14, Pad: 'F'}
	raw, err := encode("issuer", []hsm.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/v1-offset.keys"
	if *rewrite {
		if err := os.WriteFile(golden, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	owner, keys, err := decode(old)
	if err != nil || owner != "issuer" || !reflect.DeepEqual(keys, []hsm.Key{k}) {
		t.Errorf("golden file reads as %q, %+v, %v", owner, keys, err)
	}
	if !bytes.Equal(raw, old) {
		t.Error("what is written today differs from the golden file: raise the format version")
	}
	line, _, _ := strings.Cut(string(old), "\n")
	for _, change := range [][2]string{
		{`"0123456789012345"`, `"012345678901234"`}, {`"0123456789012345"`, `"0000000000000000"`}, {`:"F"`, `:"FF"`}, {`:"F"`, `:""`}, {`:"F"`, `:"f"`},
		{`"validation_length":14`, `"validation_length":17`}, {`"validation_length":14`, `"validation_length":-1`}, {`"usage":15`, `"usage":6`},
		{`"validation_start"`, `"validation_begin"`},
	} {
		body := strings.Replace(line, change[0], change[1], 1) + "\n"
		if body == line+"\n" {
			t.Fatalf("the golden file has no %s", change[0])
		}
		if _, _, err := decode(fmt.Appendf([]byte(body), "crc32c %08x\n", checksum([]byte(body)))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", change[1], err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	raw, err := encode("10000001", set("10000001", 1)[:1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("{}\ncrc32c 00000000\n"))
	offset, err := os.ReadFile("testdata/v1-offset.keys")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(offset)
	f.Fuzz(func(t *testing.T, line []byte) {
		// with its own right checksum, so that the fuzzer gets behind it
		body, _, _ := bytes.Cut(line, []byte("\n"))
		body = append(bytes.Clone(body), '\n')
		owner, keys, err := decode(fmt.Appendf(bytes.Clone(body), "crc32c %08x\n", checksum(body)))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v is not ErrCorrupt", err)
			}
			return
		}
		again, err := encode(owner, keys)
		if err != nil {
			t.Fatal(err)
		}
		owner2, keys2, err := decode(again)
		if err != nil || owner2 != owner || !reflect.DeepEqual(keys, keys2) {
			t.Fatalf("not the same after writing: %v", err)
		}
	})
}

// TestOneProcess: a second Open is refused while the first is not closed; Read
// sees what is current meanwhile and leaves the other's unfinished work alone.
func TestOneProcess(t *testing.T) {
	w := fake.New(1)
	if _, err := Read(w.Disk, "keys"); err == nil {
		t.Error("a directory that is not there was read")
	}
	s, err := Open(w.Disk, "keys")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(key("a", "tpk", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.Disk, "keys"); !errors.Is(err, env.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if f, err := w.Disk.Create("keys/a.keys.tmp"); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	got, err := Read(w.Disk, "keys")
	if err != nil || len(got) != 1 || got[0].Name != "a/tpk" {
		t.Errorf("read %v, %v", got, err)
	}
	if names, err := w.Disk.List("keys"); err != nil || !slices.Contains(names, "a.keys.tmp") {
		t.Errorf("Read removed the work of another: %v, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(w.Disk, "keys"); err != nil || len(s.List()) != 1 {
		t.Errorf("after Close: %v", err)
	}
}
