// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/dukpt"
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
	if err := room.Close(); err != nil {
		t.Fatal(err)
	}
	key, data := hsm.DUKPTKey{Base: base, KSN: ksn, Type: hsm.TDES2}, bytes.Repeat([]byte{'m'}, 64)
	for range 250 {
		for _, dir := range []hsm.Direction{hsm.Request, hsm.Response} {
			if _, err := m.DUKPTMAC(t.Context(), key, dir, hsm.DUKPTRetail, data); err != nil {
				t.Fatal(err)
			}
			if _, err := m.EncipherDUKPTData(t.Context(), key, dir, hsm.ECB(), data); err != nil {
				t.Fatal(err)
			}
		}
	}
	planted := bytes.Clone([]byte("a canary of DUKPT that is found"))
	n.add("planted", planted)
	time.Sleep(time.Second)
	ours, rest, looked := n.scan(t)
	runtime.KeepAlive(planted)
	t.Logf("%d MB looked through; left by the module or its binding: %v", looked>>20, rest)
	found := false
	for what, times := range ours {
		if strings.HasPrefix(what, "planted") {
			found = true
			continue
		}
		t.Errorf("in our memory: %s, %d times", what, times)
	}
	if !found {
		t.Error("what was planted was not found: the search looks at the wrong memory")
	}
}
