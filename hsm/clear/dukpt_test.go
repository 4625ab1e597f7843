// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

// TestDES: the same blocks as the standard library, both ways, any key.
func TestDES(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eight := rapid.SliceOfN(rapid.Byte(), 8, 8)
		key, block := eight.Draw(t, "key"), eight.Draw(t, "block")
		c, err := des.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		want, got := make([]byte, 8), bytes.Clone(block)
		c.Encrypt(want, block)
		schedule := make([]byte, scheduleLen)
		desSchedule(schedule, key)
		if desBlock(schedule, got, false); !bytes.Equal(got, want) {
			t.Fatalf("enciphered %x, want %x", got, want)
		}
		if desBlock(schedule, got, true); !bytes.Equal(got, block) {
			t.Fatalf("deciphered %x, want %x", got, block)
		}
	})
}

// TestDUKPTInTheRoom: the published keys, and nothing left beside them.
func TestDUKPTInTheRoom(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	ksn, err := hsm.ParseKSN([]byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x01})
	if err != nil {
		t.Fatal(err)
	}
	want := func(step, key string) {
		t.Helper()
		if got := hex.EncodeToString(r.Key(16)); got != key {
			t.Errorf("%s %s, want %s", step, got, key)
		}
		left := bytes.Clone(r.mem)
		clear(left[keyAt : keyAt+16])
		if !bytes.Equal(left, make([]byte, pageSize)) {
			t.Errorf("%s: the room holds more than the key", step)
		}
	}
	if _, err := hex.Decode(r.Key(16), []byte("0123456789abcdeffedcba9876543210")); err != nil {
		t.Fatal(err)
	}
	r.DUKPTInitial(ksn)
	want("initial key", "6ac292faa1315b4d858ab3a3d7d5933a")
	r.DUKPTWorking(ksn, dukpt.PIN)
	want("PIN key", "042666b49184cf5c68de9628d0397b36")
	r.Wipe()
	if !bytes.Equal(r.mem, make([]byte, pageSize)) {
		t.Error("the room holds something after Wipe")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkDUKPTWorking is a derivation with the most steps a counter can have.
func BenchmarkDUKPTWorking(b *testing.B) {
	r := Unlocked()
	ksn, err := hsm.ParseKSN([]byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xFF, 0xF8, 0x00})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r.DUKPTWorking(ksn, dukpt.DataRequest)
	}
}
