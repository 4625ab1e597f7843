// SPDX-License-Identifier: Apache-2.0

package mac_test

import (
	"bytes"
	"strconv"
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
	for method, function := range map[int]string{1: "mac.pad_iso_1", 2: "mac.pad_iso_2", 3: "mac.pad_iso_3"} {
		hsmtest.Vectors(t, "mac", function, func(in map[string][]byte) ([]byte, error) {
			block, err := strconv.Atoi(string(in["block_size"]))
			return mac.AppendPad(nil, in["data"], method, block), err
		})
	}
	for _, block := range []int{8, 16} {
		for n := range 3*block + 1 {
			data := bytes.Repeat([]byte{0x11}, n)
			one := mac.AppendPad([]byte("x"), data, 1, block)[1:]
			if len(one)%block != 0 || len(one) == 0 || len(one)-n > block || n > 0 && len(one)-n > block-1 {
				t.Errorf("method 1 of %d bytes gives %d", n, len(one))
			}
			two := mac.AppendPad(nil, data, 2, block)
			if len(two)%block != 0 || len(two)-n > block || len(two) == n || two[n] != 0x80 {
				t.Errorf("method 2 of %d bytes gives %d", n, len(two))
			}
			three := mac.AppendPad(nil, data, 3, block)
			if !bytes.Equal(three[block:], one) || three[block-1] != byte(8*n) || three[block-2] != byte(n>>5) {
				t.Errorf("method 3 of %d bytes: %X", n, three[:block])
			}
		}
	}
}

// TestTrapAlignedData: method 1 adds nothing to whole blocks, method 2 always
// adds a block to them.
func TestTrapAlignedData(t *testing.T) {
	data := bytes.Repeat([]byte{0xA5}, 24)
	if got := mac.AppendPad1(nil, data); !bytes.Equal(got, data) {
		t.Errorf("method 1 adds %d bytes to whole blocks", len(got)-len(data))
	}
	if got := mac.AppendPad2(nil, data); len(got) != 32 {
		t.Errorf("method 2 makes %d bytes of 24", len(got))
	}
}

// TestPaddingRefusesNonsense: no method, no block: nothing is appended, and the
// drivers' ciphers refuse what is not whole blocks.
func TestPaddingRefusesNonsense(t *testing.T) {
	for _, c := range [][2]int{{0, 8}, {4, 8}, {1, 0}, {3, 3}} {
		if got := mac.AppendPad(nil, []byte("data"), c[0], c[1]); len(got) != 0 {
			t.Errorf("method %d, block %d: %X", c[0], c[1], got)
		}
	}
}
