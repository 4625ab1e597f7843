// SPDX-License-Identifier: Apache-2.0

package pinblock_test

import (
	"bytes"
	"errors"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/pinblock"
)

func TestEncodeVectors(t *testing.T) {
	hsmtest.Vectors(t, "pinblock", "pinblock.iso0.encode", func(in map[string][]byte) ([]byte, error) {
		account, err := pinblock.Account(in["pan"])
		if err != nil {
			return nil, err
		}
		var block [8]byte
		err = pinblock.Encode0(&block, in["pin"], account)
		return block[:], err
	})
}

func TestDecodeVectors(t *testing.T) {
	hsmtest.Vectors(t, "pinblock", "pinblock.iso0.decode", func(in map[string][]byte) ([]byte, error) {
		account, err := pinblock.Account(in["pan"])
		if err != nil {
			return nil, err
		}
		if len(in["block"]) != 8 {
			return nil, pinblock.ErrControl // no place for it in the type
		}
		var pin [pinblock.MaxPIN]byte
		block := [8]byte(in["block"])
		n, err := pinblock.Decode0(&pin, &block, account)
		if block != [8]byte(in["block"]) {
			t.Error("decoding changed the block")
		}
		return pin[:n], err
	})
}

// TestTrapShortPAN: hosts that zero fill a PAN of 12 digits make the value of
// the vector; here it is refused, because two cards could share it.
func TestTrapShortPAN(t *testing.T) {
	for _, pan := range []string{"", "123456789012", "12345678901234567890", "123456789012A"} {
		if _, err := pinblock.Account([]byte(pan)); !errors.Is(err, pinblock.ErrPANLength) {
			t.Errorf("a PAN of %d characters: %v, want ErrPANLength", len(pan), err)
		}
	}
	got, err := pinblock.Account([]byte("9999999123456789012X"[:19]))
	if err != nil || string(got[:]) != "912345678901" {
		t.Errorf("account %q, %v", got, err)
	}
}

func FuzzDecode0(f *testing.F) {
	f.Add([]byte{0x04, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, []byte("555555123456"))
	f.Add([]byte{0x0F, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, []byte("555555123456"))
	f.Fuzz(func(t *testing.T, raw, digits []byte) {
		if len(raw) != 8 || len(digits) != 12 {
			return
		}
		block, account := [8]byte(raw), [12]byte(digits)
		var pin [pinblock.MaxPIN]byte
		n, err := pinblock.Decode0(&pin, &block, account)
		if err != nil {
			if n != 0 || pin != [pinblock.MaxPIN]byte{} {
				t.Fatal("a refused block leaves digits behind")
			}
			return
		}
		var again [8]byte
		if err := pinblock.Encode0(&again, pin[:n], account); err != nil || !bytes.Equal(again[:], raw) {
			t.Fatalf("block that decodes does not encode back: %v", err)
		}
	})
}
