// SPDX-License-Identifier: Apache-2.0

package pinblock_test

import (
	"bytes"
	"errors"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/pinblock"
)

func TestSM4WideVector(t *testing.T) {
	hsmtest.Vectors(t, "sm", "sm4.pin_field_x98_16", func(in map[string][]byte) ([]byte, error) {
		account, err := pinblock.Account(in["pan"])
		if err != nil {
			return nil, err
		}
		var block [16]byte
		err = pinblock.EncodeSM4Wide(&block, in["pin"], account)
		return block[:], err
	})
}

// shapes are both ways to and from a block.
var shapes = map[string]struct {
	encode func(block *[16]byte, pin []byte, account [12]byte) error
	decode func(pin *[pinblock.MaxPIN]byte, block *[16]byte, account [12]byte) (int, error)
}{
	"filled": {pinblock.EncodeSM4Filled, pinblock.DecodeSM4Filled},
	"wide":   {pinblock.EncodeSM4Wide, pinblock.DecodeSM4Wide},
}

// TestSM4Refuses goes through every byte of a good block: a change is refused,
// or it changes the PIN, but nothing decodes to the same PIN.
func TestSM4Refuses(t *testing.T) {
	account := [12]byte([]byte("660100772688"))
	for name, s := range shapes {
		for _, digits := range []string{"1234", "123654", "123456789012"} {
			var block [16]byte
			if err := s.encode(&block, []byte(digits), account); err != nil {
				t.Fatal(err)
			}
			for bit := range 128 {
				wrong := block
				wrong[bit/8] ^= 0x80 >> (bit % 8)
				var pin [pinblock.MaxPIN]byte
				n, err := s.decode(&pin, &wrong, account)
				if err == nil && string(pin[:n]) == digits || err != nil && (n != 0 || pin != [pinblock.MaxPIN]byte{}) {
					t.Errorf("%s, bit %d: decodes, or leaves digits behind", name, bit)
				}
			}
			var pin [pinblock.MaxPIN]byte
			if _, err := s.decode(&pin, &block, [12]byte([]byte("660100772689"))); err == nil {
				t.Errorf("%s: decodes with another account", name)
			}
		}
		var block [16]byte
		if err := s.encode(&block, []byte("123"), account); !errors.Is(err, pinblock.ErrPINLength) {
			t.Errorf("%s: a PIN of 3 digits: %v", name, err)
		}
		if err := s.encode(&block, []byte("1234"), [12]byte{}); !errors.Is(err, pinblock.ErrPANLength) {
			t.Errorf("%s: no account: %v", name, err)
		}
		var pin [pinblock.MaxPIN]byte
		if _, err := s.decode(&pin, &block, [12]byte{}); !errors.Is(err, pinblock.ErrPANLength) {
			t.Errorf("%s: no account: %v", name, err)
		}
	}
}

func FuzzDecodeSM4(f *testing.F) {
	f.Add([]byte{0x06, 0x12, 0x36, 0x54, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x99, 0xFE, 0xFF, 0x88, 0xD9, 0x77}, []byte("660100772688"))
	f.Add([]byte{0x06, 0x12, 0x50, 0x55, 0xFF, 0x88, 0xD9, 0x77, 0, 0, 0, 0, 0, 0, 0, 0}, []byte("660100772688"))
	f.Fuzz(func(t *testing.T, raw, digits []byte) {
		if len(raw) != 16 || len(digits) != 12 {
			return
		}
		account := [12]byte(digits)
		for name, s := range shapes {
			block := [16]byte(raw)
			var pin [pinblock.MaxPIN]byte
			n, err := s.decode(&pin, &block, account)
			if !bytes.Equal(block[:], raw) {
				t.Fatalf("%s: decoding changes the block", name)
			}
			if err != nil {
				continue
			}
			var again [16]byte
			if err := s.encode(&again, pin[:n], account); err != nil || !bytes.Equal(again[:], raw) {
				t.Fatalf("%s: a block that decodes does not encode back: %v", name, err)
			}
		}
	})
}
