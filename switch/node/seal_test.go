// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

const otherSealHex = "F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF000102030405060708090A0B0C0D0E0F"

// keys changes the keystore while the switch is stopped.
func (r *rig) keys(change func(*keystore.Store) error) {
	r.Helper()
	store, err := keystore.Open(r.world.Disk, r.cfg.HSM.Keystore)
	if err == nil {
		err = change(store)
	}
	if err == nil {
		err = store.Close()
	}
	if err != nil {
		r.Fatal(err)
	}
}

// putSeal brings a key for card numbers in.
func (r *rig) putSeal(name string, version uint32, value string) {
	r.Helper()
	r.keys(func(store *keystore.Store) error {
		k, err := r.soft.LoadClear(context.Background(), hsm.Spec{Name: name, Usage: hsm.PANSeal, Algorithm: hsm.AES256, Owner: "store", Version: version}, r.secretKey(value))
		if err != nil {
			return err
		}
		return store.Put(k)
	})
}

// owing stops a switch of which one reversal waits for acq-a, which is back then.
func owing(t *testing.T) (r *rig, till *term) {
	t.Helper()
	r = newRig(t)
	till = r.term(0)
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	r.a.mood("silent-all")
	till.want(till.sale("unionpay", 200, ""), host.Declined, "98")
	r.a.mood("down")
	r.stop()
	r.a.mood("normal")
	r.a.listen(r.a.addr)
	return r, till
}

// Another key for card numbers, by name or by version, while a reversal waits: it is
// delivered, and so is the reversal of what was approved before.
func TestSealKeyChangesWhileAReversalWaits(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"another name": func(r *rig) {
			r.putSeal("store/pan-seal-2", 1, otherSealHex)
			r.cfg.PAN.Seal = "store/pan-seal-2"
		},
		"another version": func(r *rig) { r.putSeal("store/pan-seal", 2, otherSealHex) },
	} {
		t.Run(name, func(t *testing.T) {
			r, till := owing(t)
			change(r)
			r.start()
			r.settled()
			if r.a.taken() != 100 || r.a.count("0400")+r.a.count("0401") == 0 {
				t.Errorf("taken %d", r.a.taken())
			}
			till.reopen()
			if undo, err := till.host.Reverse(t.Context()); err != nil || !undo.Done {
				t.Fatalf("%+v %v", undo, err)
			}
			r.settled()
			got := till.want(till.sale("unionpay", 300, ""), host.Approved, "00")
			if p, _ := r.find(0, got.Trace); r.a.taken() != 300 || p.SealedBy != refOf(r.node.flow.Cards.(*cards).seal) {
				t.Errorf("taken %d, sealed by %v", r.a.taken(), p.SealedBy)
			}
		})
	}
}

// A start without the key of what waits is refused and names it; with the key back
// it is delivered. Of what may yet be reversed the log tells.
func TestSealKeyMissing(t *testing.T) {
	r, till := owing(t)
	r.putSeal("store/pan-seal-2", 1, otherSealHex)
	r.keys(func(s *keystore.Store) error { return s.Retire("store/pan-seal", 1) })
	r.cfg.PAN.Seal = "store/pan-seal-2"
	for range 2 {
		_, err := New(r.cfg, r.world, r.module, Options{Log: r.log})
		if err == nil || !strings.Contains(err.Error(), `no key "store/pan-seal" version 1, under which the card numbers of 1 waiting`) {
			t.Fatalf("started, or refused with %v", err)
		}
	}
	r.putSeal("store/pan-seal", 1, storageHex)
	r.start()
	r.settled()
	if r.a.taken() != 100 {
		t.Errorf("taken %d", r.a.taken())
	}
	r.stop()
	r.keys(func(s *keystore.Store) error { return s.Retire("store/pan-seal", 1) })
	r.start()
	told := r.log.events("payments are sealed under a key that the keystore does not have: a reversal of one could not be delivered; put the key back")
	if len(told) != 1 || told[0]["key"] != "store/pan-seal" || told[0]["version"] != 1.0 || told[0]["payments"] != 1.0 {
		t.Errorf("told %v", told)
	}
	till.reopen()
	if undo, err := till.host.Reverse(t.Context()); err != nil || !undo.Done {
		t.Fatalf("%+v %v", undo, err)
	}
	r.soon("an attempt without the key, which names it", func() bool {
		return strings.Contains(r.log.text(), `sealed under key \"store/pan-seal\" version 1`)
	})
	r.stop()
	r.putSeal("store/pan-seal", 1, storageHex)
	r.start()
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("taken %d", r.a.taken())
	}
}

// A start with another token key is refused and names it: with it used counters, wrong
// PINs and originals would not be found again.
func TestTokenKeyIsNotChanged(t *testing.T) {
	r, _ := owing(t)
	r.keys(func(store *keystore.Store) error {
		k, err := r.soft.LoadClear(context.Background(), hsm.Spec{Name: "store/pan-token-2", Usage: hsm.PANToken, Algorithm: hsm.AES256, Owner: "store", Version: 1}, r.secretKey(otherSealHex))
		if err != nil {
			return err
		}
		return store.Put(k)
	})
	before := r.cfg.PAN.Token
	r.cfg.PAN.Token = "store/pan-token-2"
	if _, err := New(r.cfg, r.world, r.module, Options{Log: r.log}); err == nil || !strings.Contains(err.Error(), `pan.token: key "store/pan-token-2" version 1 is not the one`) {
		t.Fatalf("started, or refused with %v", err)
	}
	r.cfg.PAN.Token = before
	r.start()
	r.settled()
}

// What was stored before keys were named is opened with the configured one.
func TestSealOfEarlierVersions(t *testing.T) {
	r := newRig(t)
	vault := r.node.flow.Cards.(*cards)
	in := &txn.Request{Key: txn.Key{Class: txn.Purchase, Trace: 7}}
	in.Card.PAN = r.tap("unionpay", 5).PAN
	p := txn.NewPayment(in)
	if err := vault.Protect(t.Context(), in, p); err != nil {
		t.Fatal(err)
	}
	old := *p
	old.SealedBy = txn.KeyRef{}
	pan, err := vault.open(t.Context(), &old)
	if err != nil || string(pan.Reveal(secret.ForTest)) != panA {
		t.Errorf("not opened: %v", err)
	}
	old.SealedBy = txn.KeyRef{Name: "store/gone", Version: 3}
	if _, err := vault.open(t.Context(), &old); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q version 3", "store/gone")) {
		t.Errorf("opened, or refused with %v", err)
	}
}
