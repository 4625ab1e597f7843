// SPDX-License-Identifier: Apache-2.0

package pinblock_test

import (
	"crypto/aes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/pinblock"
)

// reasons are the classes of negative vectors by the errors of this package.
// "123A" is counted among wrong lengths there.
var reasons = map[string][]error{
	"pin_length":     {pinblock.ErrPINLength, pinblock.ErrPINDigits},
	"pan_length":     {pinblock.ErrPANLength},
	"control_nibble": {pinblock.ErrControl},
	"filler":         {pinblock.ErrFiller},
	"pin_not_digits": {pinblock.ErrPINDigits},
	"block_length":   {pinblock.ErrBlockLength},
}

type inputs = map[string][]byte

// vectors runs every vector of a function of pinblock.json.
func vectors(t *testing.T, function string, compute func(in inputs) ([]byte, error)) {
	t.Run(function, func(t *testing.T) {
		hsmtest.VectorsBy(t, "pinblock", "pinblock."+function, reasons, compute)
	})
}

// fill is filler as the package takes it: numbers, in their order.
func fill(text []byte) (out [pinblock.FillMax]byte) {
	for i := range out {
		out[i] = 0xA
		if i < len(text) {
			b, err := hex.DecodeString("0" + string(text[i:i+1]))
			if err != nil {
				return [pinblock.FillMax]byte{}
			}
			out[i] = b[0]
		}
	}
	return out
}

// withAccount runs an encoding that takes the account's digits.
func withAccount(in inputs, encode func(block *[8]byte, account [12]byte) error) ([]byte, error) {
	account, err := pinblock.Account(in["pan"])
	if err != nil {
		return nil, err
	}
	var block [8]byte
	err = encode(&block, account)
	return block[:], err
}

// decode8 runs a decoding of eight bytes, twice: the block stays as it was.
func decode8(t *testing.T, in inputs, decode func(pin *[pinblock.MaxPIN]byte, block *[8]byte) (int, error)) ([]byte, error) {
	if len(in["block"]) != 8 {
		return nil, pinblock.ErrBlockLength // no place for it in the type
	}
	block, pin := [8]byte(in["block"]), [pinblock.MaxPIN]byte{}
	n, err := decode(&pin, &block)
	if block != [8]byte(in["block"]) {
		t.Error("decoding changed the block")
	}
	if err != nil && (n != 0 || pin != [pinblock.MaxPIN]byte{}) {
		t.Error("a refused block leaves digits behind")
	}
	return pin[:n], err
}

func TestFormats03Vectors(t *testing.T) {
	vectors(t, "iso0.encode", func(in inputs) ([]byte, error) {
		return withAccount(in, func(b *[8]byte, a [12]byte) error { return pinblock.Encode0(b, in["pin"], a) })
	})
	vectors(t, "iso3.encode", func(in inputs) ([]byte, error) {
		f := fill(in["fill"])
		return withAccount(in, func(b *[8]byte, a [12]byte) error { return pinblock.Encode3(b, in["pin"], a, &f) })
	})
	for _, function := range []string{"iso0.decode", "iso3.decode", "iso3.decode_lenient"} {
		vectors(t, function, func(in inputs) ([]byte, error) {
			account, err := pinblock.Account(in["pan"])
			if err != nil {
				return nil, err
			}
			return decode8(t, in, func(pin *[12]byte, block *[8]byte) (int, error) {
				if function == "iso0.decode" {
					return pinblock.Decode0(pin, block, account)
				}
				return pinblock.Decode3(pin, block, account)
			})
		})
	}
}

func TestFormats12Vectors(t *testing.T) {
	vectors(t, "iso1.encode", func(in inputs) ([]byte, error) {
		f, block := fill(in["fill"]), [8]byte{}
		err := pinblock.Encode1(&block, in["pin"], &f)
		return block[:], err
	})
	vectors(t, "iso2.encode", func(in inputs) ([]byte, error) {
		var block [8]byte
		err := pinblock.Encode2(&block, in["pin"])
		return block[:], err
	})
	vectors(t, "iso1.decode", func(in inputs) ([]byte, error) { return decode8(t, in, pinblock.Decode1) })
	vectors(t, "iso2.decode", func(in inputs) ([]byte, error) { return decode8(t, in, pinblock.Decode2) })
}

// steps4 are the steps of format 4 up to the one that is asked for.
func steps4(in inputs, last string) ([]byte, error) {
	var field, pan, out [16]byte
	if last == "pan" {
		err := pinblock.PANField4(&pan, in["pan"])
		return pan[:], err
	}
	if err := pinblock.EncodeField4(&field, in["pin"], [8]byte(in["random"])); err != nil || last == "pin" {
		return field[:], err
	}
	key, err := aes.NewCipher(in["key"])
	if err != nil {
		return nil, err
	}
	if key.Encrypt(out[:], field[:]); last == "a" {
		return out[:], nil
	}
	if err := pinblock.PANField4(&pan, in["pan"]); err != nil {
		return nil, err
	}
	for i := range out {
		out[i] ^= pan[i]
	}
	if last != "b" {
		key.Encrypt(out[:], out[:])
	}
	return out[:], nil
}

func TestFormat4Vectors(t *testing.T) {
	for function, step := range map[string]string{"pin_field": "pin", "pan_field": "pan", "intermediate_a": "a", "intermediate_b": "b", "encipher": "all"} {
		vectors(t, "iso4."+function, func(in inputs) ([]byte, error) { return steps4(in, step) })
	}
	decode := func(field []byte) ([]byte, error) {
		if len(field) != 16 {
			return nil, pinblock.ErrBlockLength
		}
		pin, f := [pinblock.MaxPIN]byte{}, [16]byte(field)
		n, err := pinblock.DecodeField4(&pin, &f)
		if err != nil && (n != 0 || pin != [pinblock.MaxPIN]byte{}) {
			t.Error("a refused field leaves digits behind")
		}
		return pin[:n], err
	}
	vectors(t, "iso4.pin_field_decode", func(in inputs) ([]byte, error) { return decode(in["field"]) })
	vectors(t, "iso4.decipher", func(in inputs) ([]byte, error) {
		var pan [16]byte
		if err := pinblock.PANField4(&pan, in["pan"]); err != nil {
			return nil, err
		}
		key, err := aes.NewCipher(in["key"])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 16)
		key.Decrypt(out, in["block"])
		for i := range out {
			out[i] ^= pan[i]
		}
		key.Decrypt(out, out)
		return decode(out)
	})
}

func TestLegacyVectors(t *testing.T) {
	diebold := func(in inputs) ([]byte, error) {
		var block [8]byte
		err := pinblock.EncodeDiebold(&block, in["pin"], fill(in["fill"])[0])
		return block[:], err
	}
	vectors(t, "diebold.encode", diebold)
	vectors(t, "encrypt_ibm3624", func(in inputs) ([]byte, error) {
		var block [8]byte
		if err := pinblock.EncodeIBM3624(&block, in["pin"], fill(in["fill"])[0]); err != nil {
			return nil, err
		}
		key, err := des.NewTripleDESCipher(append(append([]byte{}, in["key"]...), in["key"][:8]...))
		if err != nil {
			return nil, err
		}
		key.Encrypt(block[:], block[:])
		return block[:], nil
	})
	for function, decode := range map[string]func(*[pinblock.MaxPIN]byte, *[8]byte) (int, error){
		"eci2.decode": pinblock.DecodeECI2, "eci3.decode": pinblock.DecodeECI3, "visa2.decode": pinblock.DecodeECI3, "visa3.decode": pinblock.DecodeVISA3,
	} {
		vectors(t, function, func(in inputs) ([]byte, error) { return decode8(t, in, decode) })
	}
	if err := pinblock.EncodeIBM3624(new([8]byte), []byte("1234"), 5); !errors.Is(err, pinblock.ErrFiller) {
		t.Errorf("decimal filler behind a PIN: %v, want ErrFiller", err)
	}
	if err := pinblock.EncodeDiebold(new([8]byte), []byte("1234"), 16); !errors.Is(err, pinblock.ErrFiller) {
		t.Errorf("filler 16: %v, want ErrFiller", err)
	}
}

// TestTrapShortPAN: hosts that zero fill a PAN of 12 digits make the value of
// the vector; here it is refused, because two cards could share it.
func TestTrapShortPAN(t *testing.T) {
	hsmtest.Vectors(t, "pinblock", "pinblock.iso0.encode_short_pan", func(in inputs) ([]byte, error) {
		if _, err := pinblock.Account(in["pan"]); !errors.Is(err, pinblock.ErrPANLength) {
			t.Errorf("a PAN of 12 digits: %v, want ErrPANLength", err)
		}
		var block [8]byte // what those hosts do, from outside
		err := pinblock.Encode0(&block, in["pin"], [12]byte(append([]byte("0"), in["pan"][:11]...)))
		return block[:], err
	})
	for _, pan := range []string{"", "123456789012", "12345678901234567890", "123456789012A"} {
		if _, err := pinblock.Account([]byte(pan)); !errors.Is(err, pinblock.ErrPANLength) {
			t.Errorf("a PAN of %d characters: %v, want ErrPANLength", len(pan), err)
		}
	}
	got, err := pinblock.Account([]byte("9999999123456789012"))
	if err != nil || string(got[:]) != "912345678901" {
		t.Errorf("account %q, %v", got, err)
	}
}

// TestFiller: filler of a wrong kind is refused, and what is made of random
// bytes is of the right one, every value of it.
func TestFiller(t *testing.T) {
	var block [8]byte
	bad := fill([]byte("AAAAAAAAA9"))
	if err := pinblock.Encode3(&block, []byte("1234"), [12]byte([]byte("123456789012")), &bad); !errors.Is(err, pinblock.ErrFiller) {
		t.Errorf("decimal filler in format 3: %v, want ErrFiller", err)
	}
	bad[9] = 0x10
	if err := pinblock.Encode1(&block, []byte("1234"), &bad); !errors.Is(err, pinblock.ErrFiller) {
		t.Errorf("filler 16 in format 1: %v, want ErrFiller", err)
	}
	if got := pinblock.Fill3([8]byte{}); got != fill([]byte("AAAAAAAAAA")) {
		t.Errorf("filler of zeros %X", got)
	}
	if got := pinblock.Fill3([8]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}); got != fill([]byte("FFFFFFFFFF")) {
		t.Errorf("filler of ones %X", got)
	}
	if got := pinblock.Fill1([8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB}); got != fill([]byte("0123456789")) {
		t.Errorf("filler of format 1 %X", got)
	}
	seen := [pinblock.FillMax][16]int{}
	const rounds = 600
	for i := range rounds {
		x := uint64(i) * 0x9E3779B97F4A7C15 // evenly over the whole range
		for at, v := range pinblock.Fill3([8]byte{byte(x >> 56), byte(x >> 48), byte(x >> 40), byte(x >> 32), byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)}) {
			seen[at][v]++
		}
	}
	for at, counts := range seen {
		for v, n := range counts {
			if (n > 0) != (v >= 0xA) || v >= 0xA && (n < rounds/12 || n > rounds/3) {
				t.Errorf("filler digit %d is %X %d times of %d", at, v, n, rounds)
			}
		}
	}
}
