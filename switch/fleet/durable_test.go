// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"errors"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
)

var _ keystore.Keeper = (*keystore.Store)(nil)

// rig is a fleet of one terminal over a real module, and the terminal.
type rig struct {
	t      *testing.T
	module *soft.Module // the switch's
	pos    *soft.Module // the terminal's
	tmk    [2]hsm.Key   // the master key in each
	world  *fake.World
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, world: fake.New(1)}
	part, err := secret.NewKey([]byte("0123456789abcdeF"))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range []**soft.Module{&r.module, &r.pos} {
		if *m, err = soft.New(fake.NewRand(uint64(i)), r.world.Clock); err != nil {
			t.Fatal(err)
		}
		spec := hsm.Spec{Name: "tmk", Usage: hsm.TMK, Algorithm: hsm.TDES2, Owner: "terminal/" + termID, Version: 1}
		if r.tmk[i], err = (*m).LoadClear(t.Context(), spec, part); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// fleet starts the switch's side over a disk, as after any restart.
func (r *rig) fleet(disk *fake.Disk) (*Fleet, *Terminal, error) {
	r.t.Helper()
	store, err := keystore.Open(disk, "keys")
	if err != nil {
		return nil, nil, err
	}
	if err := disk.SyncDir("."); err != nil { // the store's directory has been there since the installation
		return nil, nil, err
	}
	term := one()
	term.TMK, term.DataKey = &r.tmk[0], true
	f, err := New(Config{Clock: r.world.Clock, Waits: r.world.Clock, Store: store, Maker: r.module, MACer: r.module, SignOnWait: time.Second}, []Terminal{term})
	if err != nil {
		return nil, nil, err
	}
	return f, f.terminals[termID], nil
}

// mac is the terminal's MAC under a key that a sign-on handed to it.
func (r *rig) mac(key hsm.Exported) [8]byte {
	r.t.Helper()
	want := hsm.WorkingKey{Spec: hsm.Spec{Name: "tak", Usage: hsm.TAK, Algorithm: hsm.TDES2, Owner: "x", Version: 1}}
	k, err := r.pos.LoadSet(r.t.Context(), &r.tmk[1], []hsm.WorkingKey{want}, []hsm.Exported{key})
	if err != nil {
		r.t.Fatal(err)
	}
	mac, err := r.pos.MAC(r.t.Context(), &k[0], hsm.MACUnionPayECB, []byte("a message of the terminal"))
	if err != nil {
		r.t.Fatal(err)
	}
	return [8]byte(mac)
}

func (r *rig) verify(f *Fleet, t *Terminal, mac [8]byte) (KeySet, error) {
	return f.VerifyMAC(r.t.Context(), t, hsm.MACUnionPayECB, []byte("a message of the terminal"), mac)
}

// Whichever operation of the disk fails, and whatever a crash then keeps: the
// keys of the last sign-on that was answered verify, and so do those before
// them as long as the terminal has not used the new ones.
func TestKeysSurviveEveryFault(t *testing.T) {
	r := newRig(t)
	for k := 1; ; k++ {
		disk := fake.NewDisk()
		f, term, err := r.fleet(disk)
		if err != nil {
			t.Fatal(err)
		}
		start := disk.Ops()
		disk.FailAt(start+k, errors.New("disk is gone"))
		inUse, newest := r.life(k, f, term)
		if disk.Ops() < start+k {
			return // fewer operations than that: every one has failed once
		}
		for _, keep := range fake.Keeps() {
			for name, mac := range map[string][8]byte{"in use": inUse, "newest": newest} {
				if name == "in use" && inUse == newest {
					continue
				}
				// A fleet of its own for each: the newest would end the other.
				f, term, err := r.fleet(disk.CrashClone(keep, uint64(k)))
				if err != nil {
					t.Fatalf("fault %d, crash keeps %v: %v", k, keep, err)
				}
				if _, err := r.verify(f, term, mac); err != nil {
					t.Errorf("fault %d, crash keeps %v: keys %s: %v", k, keep, name, err)
				}
			}
		}
	}
}

// life is three sign-ons; the terminal uses the keys of the first two. It
// returns MACs under the last keys used and the last handed out.
func (r *rig) life(k int, f *Fleet, term *Terminal) (inUse, newest [8]byte) {
	for i := range 3 {
		out, err := f.SignOn(r.t.Context(), term)
		if err != nil {
			continue // the terminal goes on with what it has
		}
		newest = r.mac(out.MAC)
		if i == 2 {
			break
		}
		set, err := r.verify(f, term, newest)
		if err != nil || set.Version != out.Version {
			r.t.Fatalf("fault %d: version %d, %v", k, set.Version, err)
		}
		if set.Data == nil || set.Data.Version != set.Version || set.PIN.Version != set.Version || len(out.Data.Cryptogram) != 16 {
			r.t.Fatalf("fault %d: the set is not of three keys: %+v", k, set)
		}
		inUse = newest
	}
	return inUse, newest
}
