// SPDX-License-Identifier: Apache-2.0

package mac_test

import (
	"bytes"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/mac"
)

func TestFoldVector(t *testing.T) {
	hsmtest.Vectors(t, "mac", "mac.unionpay_xor_fold", func(in map[string][]byte) ([]byte, error) {
		got := mac.Fold(in["data"])
		return got[:], nil
	})
}

// TestFoldTakesEveryByteOnce: lengths around the block, folded one by one.
func TestFoldTakesEveryByteOnce(t *testing.T) {
	for n := range 70 {
		data := make([]byte, n)
		var want [8]byte
		for i := range data {
			data[i] = byte(i*7 + 1)
			want[i%8] ^= data[i]
		}
		if got := mac.Fold(data); got != want {
			t.Errorf("%d bytes: %X, want %X", n, got, want)
		}
	}
}

func TestHalvesAndText(t *testing.T) {
	left, right := mac.Halves([8]byte{0xB9, 0xF9, 0xB9, 0x6A, 0xA4, 0xFD, 0xB5, 0x7F})
	if string(left[:]) != "B9F9B96A" || string(right[:]) != "A4FDB57F" {
		t.Errorf("halves %q, %q", left, right)
	}
	if got := mac.Text([8]byte{0xE2, 0x67, 0xB6, 0xE2, 1, 2, 3, 4}); string(got[:]) != "E267B6E2" {
		t.Errorf("text %q", got)
	}
}

func TestPaddingVectors(t *testing.T) {
	onlyEight := func(pad func(dst, data []byte) []byte) func(in map[string][]byte) ([]byte, error) {
		return func(in map[string][]byte) ([]byte, error) { return pad(nil, in["data"]), nil }
	}
	// vectors of blocks of 4 start with the same bytes: padding for 8 is longer or equal
	hsmtest.Vectors(t, "mac", "mac.pad_iso_1", onlyEight(mac.AppendPad1))
	hsmtest.Vectors(t, "mac", "mac.pad_iso_2", onlyEight(mac.AppendPad2))
	for n := range 25 {
		data := bytes.Repeat([]byte{0x11}, n)
		one, two := mac.AppendPad1([]byte("x"), data)[1:], mac.AppendPad2(nil, data)
		if len(one)%8 != 0 || len(one) == 0 || len(one)-n > 8 || n > 0 && len(one)-n > 7 {
			t.Errorf("method 1 of %d bytes gives %d", n, len(one))
		}
		if len(two)%8 != 0 || len(two)-n > 8 || len(two) == n || two[n] != 0x80 {
			t.Errorf("method 2 of %d bytes gives %d", n, len(two))
		}
	}
}
