// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// moved is a key under another local master key.
func moved(k hsm.Key) (hsm.Key, error) {
	copy(k.LMK[:], "generat2")
	k.Wrapped = append([]byte{^k.Wrapped[0]}, k.Wrapped[1:]...)
	k.Binding[0] ^= 0xFF
	return k, nil
}

func move(k hsm.Key) (hsm.Key, error) {
	if string(k.LMK[:]) == "generat2" {
		return k, nil
	}
	return moved(k)
}

// TestBesideNeedsTurns: without them two would write over each other.
func TestBesideNeedsTurns(t *testing.T) {
	if _, err := Beside(newMemory(), "keys"); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("%v, want ErrInput", err)
	}
	if _, err := Beside(env.RealDisk(), filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("opened a directory that is not there")
	}
}

func TestRewrap(t *testing.T) {
	d := newMemory()
	s := open(t, d)
	for _, owner := range []string{"a", "b", "c"} {
		put(t, s, set(owner, 1)...)
		put(t, s, set(owner, 2)...)
	}
	before := s.List()
	if n, err := s.Rewrap(move); err != nil || n != 12 {
		t.Fatalf("%d keys, %v; want 12", n, err)
	}
	ops := d.ops
	if n, err := s.Rewrap(move); err != nil || n != 0 || d.ops != ops {
		t.Fatalf("again: %d keys, %v, %d disk operations", n, err, d.ops-ops)
	}
	for _, store := range []*Store{s, open(t, d.crash())} {
		after := store.List()
		for i, k := range after {
			if !sameKey(k, before[i]) || string(k.LMK[:]) != "generat2" || k.Binding == before[i].Binding {
				t.Errorf("%s version %d is not the moved one", k.Name, k.Version)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%d keys, want %d", len(after), len(before))
		}
	}
}

// TestRewrapRefuses to put other keys in place of what is there.
func TestRewrapRefuses(t *testing.T) {
	s := open(t, newMemory())
	put(t, s, set("a", 1)...)
	for name, change := range map[string]func(k *hsm.Key){
		"name": func(k *hsm.Key) { k.Name += "x" }, "usage": func(k *hsm.Key) { k.Usage = hsm.ZAK }, "version": func(k *hsm.Key) { k.Version++ },
		"owner": func(k *hsm.Key) { k.Owner = "b" }, "check value": func(k *hsm.Key) { k.KCV[0]++ }, "validity": func(k *hsm.Key) { k.NotAfter++ },
		"algorithm": func(k *hsm.Key) { k.Algorithm = hsm.TDES3 },
	} {
		_, err := s.Rewrap(func(k hsm.Key) (hsm.Key, error) { change(&k); return moved(k) })
		if !errors.Is(err, hsm.ErrInput) {
			t.Errorf("other %s: %v, want ErrInput", name, err)
		}
	}
	fault := errors.New("module gone")
	if _, err := s.Rewrap(func(hsm.Key) (hsm.Key, error) { return hsm.Key{}, fault }); !errors.Is(err, fault) {
		t.Errorf("the module's fault is %v", err)
	}
	if k, ok := s.Get("a/tpk"); !ok || string(k.LMK[:]) != "identity" {
		t.Error("the key changed all the same")
	}
}

// TestRewrapCrashesAnywhere fails and crashes at every disk operation: every key
// is there under one of the two, and the next run ends the work.
func TestRewrapCrashesAnywhere(t *testing.T) {
	for k := 1; ; k++ {
		d := newMemory()
		s := open(t, d)
		put(t, s, set("a", 1)...)
		put(t, s, set("b", 1)...)
		d.ops, d.failAt = 0, k
		_, err := s.Rewrap(move)
		faults := d.ops >= k
		d.failAt = 0
		for name, after := range map[string]*Store{"crashed": open(t, d.crash()), "going on": s} {
			if keys := after.List(); len(keys) != 4 || keys[0].LMK != keys[1].LMK || keys[2].LMK != keys[3].LMK {
				t.Fatalf("fault %d, %s: %d keys, or a torn owner", k, name, len(keys))
			}
			if _, err := after.Rewrap(move); err != nil {
				t.Fatalf("fault %d, %s: the next run: %v", k, name, err)
			}
			for _, k := range after.List() {
				if string(k.LMK[:]) != "generat2" {
					t.Fatalf("%s was left behind", k.Name)
				}
			}
		}
		if err != nil && !errors.Is(err, errDisk) {
			t.Fatalf("fault %d: %v", k, err)
		}
		if !faults {
			return
		}
	}
}

// TestBesideAProcess: one puts new versions of its keys while another moves them;
// no version is lost and, after a last run, none is left behind.
func TestBesideAProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	serving, err := Open(env.RealDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Close()
	put(t, serving, set("a", 1)...)
	beside := func() *Store {
		s, err := Beside(env.RealDisk(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	moving := beside()
	const versions = 40
	var both sync.WaitGroup
	both.Go(func() {
		for v := uint32(2); v <= versions; v++ {
			if err := serving.Put(set("a", v)...); err != nil {
				t.Error(err)
			}
		}
	})
	both.Go(func() {
		for range versions {
			if _, err := moving.Rewrap(move); err != nil {
				t.Error(err)
			}
		}
	})
	both.Wait()
	last := beside()
	if n, err := last.Rewrap(move); err != nil || n > 4 {
		t.Errorf("last run: %d keys, %v", n, err)
	}
	for _, name := range []string{"a/tpk", "a/tak"} {
		current, _ := last.Get(name)
		previous, _ := last.Previous(name)
		if current.Version != versions || previous.Version != versions-1 || string(current.LMK[:]) != "generat2" {
			t.Errorf("%s: versions %d and %d", name, current.Version, previous.Version)
		}
	}
}
