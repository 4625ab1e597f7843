// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/dukpt"
	"tapswitch/internal/secret"
)

// TestNoDUKPTKeysInMemory: the keys of TDES DUKPT pass through this process.
// After a thousand operations neither Go's memory nor the driver's locked pages
// hold eight bytes of the BDK, the initial key or any working key.
func TestNoDUKPTKeysInMemory(t *testing.T) {
	n, m := newNeedles(t), module(t)
	ksn, err := hsm.ParseKSN([]byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x01, 0x55})
	if err != nil {
		t.Fatal(err)
	}
	room, err := clear.New()
	if err != nil {
		t.Fatal(err)
	}
	base := n.canary(t, m, "BDK", hsm.BDK, func(value []byte) {
		for use := dukpt.PIN; use <= dukpt.DataResponse; use++ {
			if !use.HasTDES() {
				continue
			}
			copy(room.Key(16), value)
			n.add("masked BDK", room.Masked())
			room.DUKPTInitial(ksn)
			n.add("initial key", room.Key(16))
			room.DUKPTWorking(ksn, use)
			n.add("working key", room.Key(16))
			n.add("companion of a working key", room.Doubled())
			room.Wipe()
		}
	})
	initial := n.canary(t, m, "IK", hsm.IK, func(value []byte) {
		copy(room.Key(16), value)
		room.DUKPTWorking(ksn, dukpt.MACRequest)
		n.add("working key of an IK", room.Key(16))
		room.Wipe()
	})
	if err := room.Close(); err != nil {
		t.Fatal(err)
	}
	key, data := hsm.DUKPTKey{Base: base, KSN: ksn, Type: hsm.TDES2}, bytes.Repeat([]byte{'m'}, 64)
	pan, err1 := secret.NewPAN([]byte("6224242300000069"))
	none, err2 := secret.NewPINBlock(data[:8])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	in := hsm.EncipheredPIN{Block: none, Format: hsm.ISO0, Key: base, KSN: ksn, Type: hsm.TDES2, PAN: pan}
	pvk := benchKey(t, m, hsm.PVK, hsm.TDES2)
	for range 250 {
		if _, err := m.DUKPTMAC(t.Context(), hsm.DUKPTKey{Base: initial, KSN: ksn, Type: hsm.TDES2}, hsm.Request, hsm.DUKPTRetail, data); err != nil {
			t.Fatal(err)
		}
		if _, err := m.GeneratePVV(t.Context(), in, pvk, '1'); !errors.Is(err, hsm.ErrPINBlock) { // under the PIN key, to nothing
			t.Fatal(err)
		}
		for _, dir := range []hsm.Direction{hsm.Request, hsm.Response} {
			if _, err := m.DUKPTMAC(t.Context(), key, dir, hsm.DUKPTRetail, data); err != nil {
				t.Fatal(err)
			}
			if _, err := m.EncipherDUKPTData(t.Context(), key, dir, hsm.ECB(), data); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.nothingLeft(t)
}
