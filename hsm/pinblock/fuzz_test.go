// SPDX-License-Identifier: Apache-2.0

package pinblock_test

import (
	"bytes"
	"errors"
	"testing"

	"tapswitch/hsm/pinblock"
)

// named reports whether an error is one of this package's refusals.
func named(err error) bool {
	for _, want := range []error{pinblock.ErrPINLength, pinblock.ErrPINDigits, pinblock.ErrControl, pinblock.ErrFiller, pinblock.ErrPANLength, pinblock.ErrBlockLength} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// round checks what holds for every decoding: a refusal has a name and leaves no
// digit behind, and what decodes encodes back to the same bytes.
func round(t *testing.T, raw []byte, decode func(pin *[pinblock.MaxPIN]byte) (int, error), encode func(pin []byte) ([]byte, error)) {
	t.Helper()
	var pin [pinblock.MaxPIN]byte
	n, err := decode(&pin)
	if err != nil {
		if n != 0 || pin != [pinblock.MaxPIN]byte{} || !named(err) {
			t.Fatalf("a refused block leaves digits behind, or has no name: %v", err)
		}
		return
	}
	if n < pinblock.MinPIN || n > pinblock.MaxPIN {
		t.Fatalf("a PIN of %d digits", n)
	}
	for i, c := range pin {
		if (c < '0' || c > '9') != (i >= n) {
			t.Fatalf("character %d of a PIN of %d digits", i, n)
		}
	}
	again, err := encode(pin[:n])
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("block that decodes does not encode back: %v", err)
	}
}

// fillOf takes the filler out of a clear block whose PIN has n digits.
func fillOf(clear [8]byte, n int) (out [pinblock.FillMax]byte) {
	for i := range out {
		out[i] = 0xA
		if at := 2 + n + i; at < 16 {
			out[i] = clear[at/2] >> (4 * (1 - at%2)) & 0xF
		}
	}
	return out
}

func FuzzDecode0(f *testing.F) {
	f.Add([]byte{0x04, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, []byte("555555123456"))
	f.Add([]byte{0x0F, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, []byte("555555123456"))
	f.Fuzz(func(t *testing.T, raw, digits []byte) {
		if len(raw) != 8 || len(digits) != 12 {
			return
		}
		block, account := [8]byte(raw), [12]byte(digits)
		round(t, raw, func(pin *[12]byte) (int, error) { return pinblock.Decode0(pin, &block, account) }, func(pin []byte) ([]byte, error) {
			var again [8]byte
			err := pinblock.Encode0(&again, pin, account)
			return again[:], err
		})
	})
}

func FuzzDecode1(f *testing.F) {
	f.Add([]byte{0x14, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{0x1C, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x0F})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 8 {
			return
		}
		block := [8]byte(raw)
		round(t, raw, func(pin *[12]byte) (int, error) { return pinblock.Decode1(pin, &block) }, func(pin []byte) ([]byte, error) {
			var again [8]byte
			fill := fillOf(block, len(pin))
			err := pinblock.Encode1(&again, pin, &fill)
			return again[:], err
		})
	})
}

func FuzzDecode2(f *testing.F) {
	f.Add([]byte{0x24, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	f.Add([]byte{0x2C, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0xCF})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 8 {
			return
		}
		block := [8]byte(raw)
		round(t, raw, func(pin *[12]byte) (int, error) { return pinblock.Decode2(pin, &block) }, func(pin []byte) ([]byte, error) {
			var again [8]byte
			err := pinblock.Encode2(&again, pin)
			return again[:], err
		})
	})
}

func FuzzDecode3(f *testing.F) {
	f.Add([]byte{0x34, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA9}, []byte("555555123456"))
	f.Add([]byte{0x34, 0x12, 0x61, 0xAA, 0xAA, 0xED, 0xCB, 0xA2}, []byte("555555123456"))
	f.Fuzz(func(t *testing.T, raw, digits []byte) {
		if len(raw) != 8 || len(digits) != 12 {
			return
		}
		block, account := [8]byte(raw), [12]byte(digits)
		round(t, raw, func(pin *[12]byte) (int, error) { return pinblock.Decode3(pin, &block, account) }, func(pin []byte) ([]byte, error) {
			plain, again := block, [8]byte{}
			for i := range 12 {
				plain[2+i/2] ^= (account[i] - '0') << (4 * (1 - i%2))
			}
			fill := fillOf(plain, len(pin))
			err := pinblock.Encode3(&again, pin, account, &fill)
			return again[:], err
		})
	})
}

func FuzzDecodeField4(f *testing.F) {
	f.Add([]byte{0x44, 0x12, 0x34, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0x2F, 0x69, 0xAD, 0xDE, 0x2E, 0x9E, 0x7A, 0xCE})
	f.Add([]byte{0x4C, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0xAB, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 16 {
			return
		}
		field := [16]byte(raw)
		round(t, raw, func(pin *[12]byte) (int, error) { return pinblock.DecodeField4(pin, &field) }, func(pin []byte) ([]byte, error) {
			var again [16]byte
			err := pinblock.EncodeField4(&again, pin, [8]byte(raw[8:]))
			return again[:], err
		})
	})
}

// FuzzPANField4: two card numbers never share a field, but for zeros in front
// of one that has fewer than twelve digits.
func FuzzPANField4(f *testing.F) {
	f.Add([]byte("4111111111111111"), []byte("1"))
	f.Add([]byte("000000000001"), []byte("123456789012345678901"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var fieldA, fieldB [16]byte
		errA, errB := pinblock.PANField4(&fieldA, a), pinblock.PANField4(&fieldB, b)
		for _, err := range []error{errA, errB} {
			if err != nil && !named(err) {
				t.Fatal(err)
			}
		}
		if errA != nil || errB != nil {
			return
		}
		same := func(pan []byte) string {
			for len(pan) < 12 {
				pan = append([]byte("0"), pan...)
			}
			return string(pan)
		}
		if (fieldA == fieldB) != (same(a) == same(b)) {
			t.Fatal("two card numbers share a PAN field")
		}
	})
}

func FuzzDecodeLegacy(f *testing.F) {
	f.Add([]byte{0x12, 0x34, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55})
	f.Add([]byte{0x41, 0x23, 0x40, 0x05, 0x55, 0x55, 0x55, 0x55})
	f.Add([]byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0xFA, 0xAA})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) != 8 {
			return
		}
		block := [8]byte(raw)
		for _, decode := range []func(*[12]byte, *[8]byte) (int, error){pinblock.DecodeECI2, pinblock.DecodeECI3, pinblock.DecodeVISA3} {
			round(t, raw, func(pin *[12]byte) (int, error) { return decode(pin, &block) }, func([]byte) ([]byte, error) { return raw, nil })
			if block != [8]byte(raw) {
				t.Fatal("decoding changed the block")
			}
		}
	})
}
