// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/env/fake"
)

// zoneSet is a whole set of a link: PIN, MAC and data key of one version.
func zoneSet(version uint32, usages ...hsm.Usage) (keys []hsm.Key) {
	for _, m := range Zone("bank") {
		if len(usages) == 0 || slices.Contains(usages, m.Usage) {
			k := key("link/bank", "", version)
			k.Name, k.Usage = m.Name, m.Usage
			keys = append(keys, k)
		}
	}
	return keys
}

// zone opens the store on a disk and loads the link's rotation. The store is left to
// the next process at once: these tests have one at a time by themselves.
func zone(t *testing.T, disk *fake.Disk) (*Store, *Rotation) {
	t.Helper()
	s, err := Open(disk, "keys")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := disk.SyncDir("."); err != nil { // the directory has been there since the installation
		t.Fatal(err)
	}
	r, err := Load(s, Zone("bank"))
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// versions of the newest set and the one before, 0 for none.
func versions(r *Rotation) (current, previous uint32) {
	c, p := r.Sets()
	if c != nil {
		current = c.Version
	}
	if p != nil {
		previous = p.Version
	}
	return current, previous
}

// TestRotation walks the life of zone keys: what is before the newest lives until the
// newest is proven, and a set that nobody proved takes no other's place.
func TestRotation(t *testing.T) {
	disk := fake.NewDisk()
	_, r := zone(t, disk)
	sets := make(map[uint32]*Set)
	for i, step := range []struct {
		do                string
		version           uint32
		current, previous uint32
	}{
		{"install", 1, 1, 0},
		{"install", 2, 2, 1}, // 1 is proven by nobody, but all there is
		{"prove", 1, 2, 1}, {"prove", 2, 2, 0}, {"prove", 1, 2, 0},
		{"install", 3, 3, 2}, {"restart", 0, 3, 2}, {"install", 4, 4, 2}, {"install", 7, 7, 2},
		{"prove", 4, 7, 2}, // went out unproven, so it is not one of the sets any more
		{"restart", 0, 7, 2}, {"prove", 7, 7, 0}, {"restart", 0, 7, 0},
		{"install", 8, 8, 7}, {"prove", 8, 8, 0},
	} {
		var err error
		switch step.do {
		case "install":
			err = r.Install(zoneSet(step.version)...)
			sets[step.version], _ = r.Sets()
		case "prove":
			err = r.Proven(sets[step.version])
		case "restart":
			_, r = zone(t, disk.CrashClone(fake.KeepNone, 1))
			c, p := r.Sets()
			for _, s := range []*Set{c, p} {
				if s != nil {
					sets[s.Version] = s
				}
			}
			_, r2 := zone(t, disk)
			if c2, p2 := versions(r2); c2 != step.current || p2 != step.previous {
				t.Errorf("step %d: reopened without a crash: %d, %d", i, c2, p2)
			}
		}
		current, previous := versions(r)
		if err != nil || current != step.current || previous != step.previous {
			t.Fatalf("step %d %s %d: current %d, previous %d, %v; want %d, %d", i, step.do, step.version, current, previous, err, step.current, step.previous)
		}
		if step.do == "restart" { // go on with the disk as it is
			_, r = zone(t, disk)
			c, p := r.Sets()
			for _, s := range []*Set{c, p} {
				if s != nil {
					sets[s.Version] = s
				}
			}
		}
		for _, s := range sets {
			for _, m := range Zone("bank") {
				if k := s.Key(m.Usage); k == nil || k.Version != s.Version || k.Name != m.Name {
					t.Fatalf("step %d: set %d is mixed: %+v", i, s.Version, k)
				}
			}
		}
	}
}

// TestRotationRefusals: what is no set of this rotation is not stored.
func TestRotationRefusals(t *testing.T) {
	s, r := zone(t, fake.NewDisk())
	if err := r.Install(zoneSet(5)...); err != nil {
		t.Fatal(err)
	}
	mixed := append(zoneSet(6, hsm.ZPK), zoneSet(7, hsm.ZAK)...)
	foreign := zoneSet(6)
	foreign[1].Name = "link/other/zak"
	wrong := zoneSet(6)
	wrong[0].Usage = hsm.ZAK
	for name, keys := range map[string][]hsm.Key{
		"none": nil, "without the PIN key": zoneSet(6, hsm.ZAK, hsm.ZDK), "two versions": mixed, "another's name": foreign,
		"another usage": wrong, "twice the same": append(zoneSet(6), zoneSet(6, hsm.ZPK)...), "same version": zoneSet(5), "older": zoneSet(4),
	} {
		if err := r.Install(keys...); !errors.Is(err, ErrSet) {
			t.Errorf("%s: %v, want ErrSet", name, err)
		}
	}
	if n := len(s.List()); n != 3 {
		t.Errorf("%d keys stored, want 3", n)
	}
	if v, err := r.NextVersion(); err != nil || v != 6 {
		t.Errorf("next version %d, %v", v, err)
	}
	if err := r.Install(zoneSet(1<<32-1, hsm.ZPK)...); err != nil {
		t.Errorf("a set without its optional keys: %v", err)
	}
	if _, err := r.NextVersion(); !errors.Is(err, ErrVersions) {
		t.Errorf("numbers used up: %v", err)
	}
	c, p := r.Sets()
	if c.Key(hsm.ZAK) != nil || p.Key(hsm.ZAK) == nil {
		t.Error("the set without a MAC key has one, or the one with has none")
	}
	if err := r.Proven(c); err != nil {
		t.Fatal(err)
	}
	if n := len(s.List()); n != 1 {
		t.Errorf("%d keys stored after the old set ended, want 1", n)
	}
}

// TestRotationThroughEveryFault lets each disk operation of a life fail, and the power
// after it: a set that Install returned nil for is there, whole, and so is the proven
// one before it until the newest is proven; never a mixed one.
func TestRotationThroughEveryFault(t *testing.T) {
	for k := 1; ; k++ {
		disk := fake.NewDisk()
		_, r := zone(t, disk)
		start := disk.Ops()
		disk.FailAt(start+k, errors.New("disk is gone"))
		var handed, proven uint32 // what the partner has, and what it has used
		for i := range uint32(8) {
			version, err := r.NextVersion()
			if err != nil {
				t.Fatal(err)
			}
			if r.Install(zoneSet(version)...) == nil {
				handed = version
			}
			if c, _ := r.Sets(); i%3 == 1 && c != nil {
				_ = r.Proven(c) // an error refuses nobody
				proven = c.Version
			}
		}
		faulted := disk.Ops() >= start+k
		for _, keep := range fake.Keeps() {
			_, after := zone(t, disk.CrashClone(keep, uint64(k)))
			current, previous := versions(after)
			live := []uint32{current, previous}
			if !slices.Contains(live, handed) || !slices.Contains(live, proven) && handed != proven {
				t.Errorf("fault %d, crash keeps %v: sets %v; %d was handed out, %d is proven", k, keep, live, handed, proven)
			}
			if v, err := after.NextVersion(); err != nil || v <= handed {
				t.Errorf("fault %d, crash keeps %v: version %d again", k, keep, v)
			}
		}
		if !faulted {
			return
		}
	}
}

// turn is a Keeper that lets a test do something in the middle of a write.
type turn struct {
	*Store
	before, after func()
}

func (k *turn) Replace(names []string, only func() []hsm.Key) error {
	before, after := k.before, k.after
	k.before, k.after = nil, nil
	if before != nil {
		before()
	}
	err := k.Store.Replace(names, only)
	if after != nil {
		after()
	}
	return err
}

// TestProvenDuringInstall: a set that is proven while a newer one is being stored in
// its place stays, in memory and on the disk.
func TestProvenDuringInstall(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		disk := fake.NewDisk()
		s, _ := zone(t, disk)
		k := &turn{Store: s}
		r, err := Load(k, Zone("bank"))
		if err != nil {
			t.Fatal(err)
		}
		for v := uint32(1); v <= 2; v++ {
			if err := r.Install(zoneSet(v)...); err != nil {
				t.Fatal(err)
			}
		}
		second, _ := r.Sets()
		prove := func() {
			if err := r.Proven(second); err != nil {
				t.Error(err)
			}
		}
		if when == "before" {
			k.before = prove
		} else {
			k.after = prove
		}
		if err := r.Install(zoneSet(3)...); err != nil {
			t.Fatal(err)
		}
		_, again := zone(t, disk.CrashClone(fake.KeepNone, 1))
		for name, r := range map[string]*Rotation{"in memory": r, "after a crash": again} {
			if c, p := versions(r); c != 3 || p != 2 {
				t.Errorf("proven %s the write, %s: current %d, previous %d; want 3, 2", when, name, c, p)
			}
		}
	}
}

// TestInstallDuringProven: the end of an old set does not take a set with it that came
// in between.
func TestInstallDuringProven(t *testing.T) {
	disk := fake.NewDisk()
	s, _ := zone(t, disk)
	k := &turn{Store: s}
	r, err := Load(k, Zone("bank"))
	if err != nil {
		t.Fatal(err)
	}
	for v := uint32(1); v <= 2; v++ {
		if err := r.Install(zoneSet(v)...); err != nil {
			t.Fatal(err)
		}
	}
	k.before = func() {
		if err := r.Install(zoneSet(3)...); err != nil {
			t.Error(err)
		}
	}
	second, _ := r.Sets()
	if err := r.Proven(second); err != nil {
		t.Fatal(err)
	}
	_, again := zone(t, disk.CrashClone(fake.KeepNone, 1))
	for _, r := range []*Rotation{r, again} {
		if c, p := versions(r); c != 3 || p != 2 {
			t.Errorf("current %d, previous %d; want 3, 2", c, p)
		}
	}
}

// TestStoredSetsAreChecked: what the store gives back is checked before it is used;
// part of a set is left alone and its number not used again.
func TestStoredSetsAreChecked(t *testing.T) {
	pin := func(v uint32) hsm.Key { return zoneSet(v, hsm.ZPK)[0] }
	mac := func(v uint32) hsm.Key { return zoneSet(v, hsm.ZAK)[0] }
	members := []Member{{Name: "link/bank/zpk", Usage: hsm.ZPK}, {Name: "link/bank/zak", Usage: hsm.ZAK}}
	foreign, wrong := pin(1), pin(1)
	foreign.Name, wrong.Usage = "foreign", hsm.ZAK
	for _, pins := range [][]hsm.Key{{foreign}, {wrong}, {pin(1), pin(1)}, {pin(1), pin(2)}} {
		if _, err := Load(shelf{"link/bank/zpk": pins}, members); !errors.Is(err, ErrStored) {
			t.Errorf("%v: %v", pins, err)
		}
	}
	for _, c := range []struct {
		pins, macs              []hsm.Key
		current, previous, last uint32
	}{
		{nil, nil, 0, 0, 0},
		{[]hsm.Key{pin(3), pin(1)}, []hsm.Key{mac(3), mac(1)}, 3, 1, 3},
		{[]hsm.Key{pin(1)}, []hsm.Key{mac(2), mac(1)}, 1, 0, 2},
		{[]hsm.Key{pin(3)}, []hsm.Key{mac(3), mac(1)}, 3, 0, 3},
		{[]hsm.Key{pin(4)}, []hsm.Key{mac(7)}, 0, 0, 7},
		{nil, []hsm.Key{mac(7)}, 0, 0, 7},
	} {
		r, err := Load(shelf{"link/bank/zpk": c.pins, "link/bank/zak": c.macs}, members)
		if err != nil {
			t.Fatal(err)
		}
		if current, previous := versions(r); current != c.current || previous != c.previous || r.last != c.last {
			t.Errorf("%v, %v: current %d, previous %d, last %d", c.pins, c.macs, current, previous, r.last)
		}
	}
}

// shelf is a Keeper that only gives: the versions of each name, the newest first.
type shelf map[string][]hsm.Key

func (s shelf) Replace([]string, func() []hsm.Key) error { return errors.New("not asked for here") }
func (s shelf) Get(name string) (hsm.Key, bool)          { return s.age(name, 0) }
func (s shelf) Previous(name string) (hsm.Key, bool)     { return s.age(name, 1) }

func (s shelf) age(name string, n int) (hsm.Key, bool) {
	if n >= len(s[name]) {
		return hsm.Key{}, false
	}
	return s[name][n], true
}

// TestReplace: exactly these, of one owner, at most two of a name.
func TestReplace(t *testing.T) {
	d := newMemory()
	s := open(t, d)
	put(t, s, set("a", 1)...)
	put(t, s, key("b", "tpk", 1))
	only := func(keys ...hsm.Key) func() []hsm.Key { return func() []hsm.Key { return keys } }
	names := []string{"a/tpk", "a/tak"}
	for what, c := range map[string]struct {
		names []string
		keys  []hsm.Key
		want  error
	}{
		"nothing":           {names, nil, ErrUnknown},
		"another name":      {[]string{"a/tpk"}, set("a", 2), ErrUnknown},
		"another owner":     {[]string{"a/tpk", "b/tpk"}, []hsm.Key{key("a", "tpk", 2), key("b", "tpk", 2)}, ErrOwners},
		"third of its name": {names, append(set("a", 2), key("a", "tpk", 3), key("a", "tpk", 4)), ErrVersion},
	} {
		if err := s.Replace(c.names, only(c.keys...)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if got := fmt.Sprint(len(s.List())); got != "3" {
			t.Fatalf("%s: %s keys after a refusal", what, got)
		}
	}
	if err := s.Replace(names, only(key("a", "tpk", 7))); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, open(t, d.crash())} {
		if _, ok := s.Get("a/tak"); ok || len(s.List()) != 2 {
			t.Errorf("%d keys, the MAC key is there: %v", len(s.List()), ok)
		}
	}
	if err := s.Put(key("a", "tak", 1)); err != nil { // its name is free again
		t.Error(err)
	}
}

// TestRotationKeepsRewrappedKeys: a set that was rewrapped under another local master
// key while it was in use does not go back to its old form when the next one comes.
func TestRotationKeepsRewrappedKeys(t *testing.T) {
	s, r := zone(t, fake.NewDisk())
	if err := r.Install(zoneSet(1)...); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Rewrap(move); err != nil || n != 3 {
		t.Fatalf("%d rewrapped, %v", n, err)
	}
	if err := r.Install(zoneSet(2)...); err != nil {
		t.Fatal(err)
	}
	for _, k := range s.List() {
		if rewrapped := string(k.LMK[:]) == "generat2"; rewrapped != (k.Version == 1) {
			t.Errorf("%s version %d: rewrapped %v", k.Name, k.Version, rewrapped)
		}
	}
}
