// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// putZAK makes a new version of acq-a's MAC key current; the switch is stopped.
func (r *rig) putZAK(version uint32, value string) {
	r.Helper()
	store, err := keystore.Open(r.world.Disk, r.cfg.HSM.Keystore)
	if err != nil {
		r.Fatal(err)
	}
	spec := hsm.Spec{Name: "link/acq-a/zak", Usage: hsm.ZAK, Algorithm: hsm.TDES2, Owner: "link/acq-a", Version: version}
	k, err := r.soft.LoadClear(context.Background(), spec, r.secretKey(value))
	if err == nil {
		err = store.Put(k)
	}
	if err != nil {
		r.Fatal(err)
	}
	if err := store.Close(); err != nil {
		r.Fatal(err)
	}
}

// What waits is a meaning and not a message: after a change of the MAC key the
// reversal goes out under the new one.
func TestReversalIsAuthenticatedWhenSent(t *testing.T) {
	const zak2 = "9B2C3D4E5F60718292A1B0C3D5E6F708"
	r := newRig(t)
	till := r.term(0)
	till.drained()
	r.a.mood("silent-all")
	got := till.want(till.sale("unionpay", 700, ""), host.Declined, "98")
	r.soon("a first attempt under the old key", func() bool { return r.a.count("0400") == 1 })
	r.stop()
	before := len(r.a.host.Books())
	r.putZAK(2, zak2)
	r.a.rekey(zak2)
	r.start()
	r.settled()
	p, _ := r.find(0, got.Trace)
	if p.State != txn.Reversed || r.a.taken() != 0 {
		t.Errorf("state %s, taken %d", p.State, r.a.taken())
	}
	sent := 0
	for _, e := range r.a.host.Books()[before:] {
		if e.MTI != "0400" && e.MTI != "0401" {
			continue
		}
		if sent++; e.MAC != "ok" {
			t.Errorf("%s of STAN %s has MAC %s under the new key", e.MTI, e.STAN, e.MAC)
		}
	}
	if sent == 0 {
		t.Error("no reversal was sent under the new key")
	}
}

// A switch that starts on a journal with payments in flight sends what undoes
// them, and none of them again.
func TestRestartSendsNoRequest(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.drained()
	r.a.mood("silent-all")
	left := filepath.Join(t.TempDir(), "journal")
	done := make(chan host.Result)
	go func() { done <- till.sale("unionpay", 900, "") }()
	r.soon("the request at the host", func() bool { return r.a.count("0200") == 1 })
	if err := os.CopyFS(left, os.DirFS(r.cfg.Journal.Dir)); err != nil { // power is lost here
		t.Fatal(err)
	}
	<-done
	r.stop()
	undone := r.a.count("0400")
	r.a.mood("normal")
	r.cfg.Journal.Dir = left
	r.start()
	r.settled()
	if n := r.a.count("0200"); n != 1 {
		t.Errorf("%d requests, one of them by the restart", n)
	}
	if n := r.a.count("0400"); n <= undone || r.a.taken() != 0 {
		t.Errorf("%d reversals after the restart, taken %d", n-undone, r.a.taken())
	}
}
