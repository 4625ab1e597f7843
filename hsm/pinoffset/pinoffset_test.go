// SPDX-License-Identifier: Apache-2.0

package pinoffset_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/pinoffset"
)

type inputs = map[string][]byte

// encrypted is one block under a double-length key of a vector.
func encrypted(t *testing.T, key []byte, block [8]byte) (out [8]byte) {
	t.Helper()
	c, err := des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	c.Encrypt(out[:], block[:])
	return out
}

// tsp lays a vector's parameter out.
func tsp(in inputs) (out [8]byte, err error) {
	pan := in["pan"]
	if pan == nil {
		pan = append(bytes.Clone(in["pan12"]), '0')
	}
	account, err := pinoffset.Account11(pan)
	if err != nil {
		return out, err
	}
	return out, pinoffset.TSP(&out, account, in["pvki"][0], in["pin"])
}

func TestTSPVector(t *testing.T) {
	hsmtest.Vectors(t, "pvv", "pin.visa_pvv_tsp", func(in inputs) ([]byte, error) {
		out, err := tsp(in)
		return out[:], err
	})
	hsmtest.Vectors(t, "pvv", "pin.visa_pvv_encrypted_tsp", func(in inputs) ([]byte, error) {
		out, err := tsp(in)
		out = encrypted(t, in["pvk"], out)
		return out[:], err
	})
	for _, function := range []string{"pin.visa_pvv", "pin.visa_pvv_pan12"} {
		hsmtest.Vectors(t, "pvv", function, func(in inputs) ([]byte, error) {
			out, err := tsp(in)
			pvv := pinoffset.Decimalise(encrypted(t, in["pvk"], out))
			return pvv[:], err
		})
	}
}

func TestTwoPassVectors(t *testing.T) {
	hsmtest.Vectors(t, "pvv", "decimalise.two_pass", func(in inputs) ([]byte, error) {
		text := in["hex_digits"]
		count, err := strconv.Atoi(string(in["count"]))
		if err != nil {
			return nil, err
		}
		block, err := hex.DecodeString(string(text[:len(text)/2*2])) // enough without an odd last digit
		if err != nil {
			return nil, err
		}
		out := make([]byte, count)
		return out[:pinoffset.TwoPass(out, block)], nil
	})
	// the second pass: too few digits, and none at all
	for block, want := range map[[8]byte]string{
		{0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0xCD}: "0123",
		{0xAB, 0xCD, 0xEF, 0xAB, 0xCD, 0xEF, 0xAB, 0x9C}: "9012",
		{0x12, 0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}: "1230",
	} {
		if got := pinoffset.Decimalise(block); string(got[:]) != want {
			t.Errorf("%X: %s, want %s", block, got, want)
		}
	}
}

func TestTSPRefuses(t *testing.T) {
	good := [11]byte([]byte("01234567891"))
	bad := good
	bad[10] = 'A'
	for name, c := range map[string]struct {
		account [11]byte
		index   byte
		pin     string
	}{"three digits": {good, '1', "123"}, "letter in PIN": {good, '1', "12a4"}, "letter in account": {bad, '1', "1234"}, "index 1 as a number": {good, 1, "1234"}} {
		tsp := [8]byte{1, 2, 3}
		if err := pinoffset.TSP(&tsp, c.account, c.index, []byte(c.pin)); !errors.Is(err, pinoffset.ErrDigits) {
			t.Errorf("%s: %v, want ErrDigits", name, err)
		}
	}
	for _, pan := range []string{"", "12345678901", "12345678901234567890", "12345678901A"} {
		if _, err := pinoffset.Account11([]byte(pan)); !errors.Is(err, pinoffset.ErrAccount) {
			t.Errorf("a PAN of %d characters: %v, want ErrAccount", len(pan), err)
		}
	}
}

// ruleOf is the rule of an IBM 3624 vector.
func ruleOf(t *testing.T, in inputs) hsm.OffsetRule {
	t.Helper()
	start, err1 := strconv.ParseUint(string(in["validation_start"]), 10, 8)
	length, err2 := strconv.ParseUint(string(in["validation_length"]), 10, 8)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	rule := hsm.OffsetRule{Table: [16]byte(in["decimalisation_table"]), Start: uint8(start), Length: uint8(length), Pad: in["validation_pad"][0]}
	if err := rule.Check(); err != nil {
		t.Error(err)
	}
	return rule
}

// natural is the natural PIN of a vector, n digits of it.
func natural(t *testing.T, in inputs, n int) []byte {
	t.Helper()
	rule := ruleOf(t, in)
	var data [8]byte
	if err := pinoffset.Validation(&data, rule, in["pan"]); err != nil || !bytes.Equal(data[:], in["validation_data"]) {
		t.Errorf("validation data %X, %v; want %X", data, err, in["validation_data"])
	}
	data = encrypted(t, in["pvk"], data)
	out := make([]byte, n)
	pinoffset.Natural(out, rule.Table, &data)
	return out
}

func TestIBM3624Vectors(t *testing.T) {
	hsmtest.Vectors(t, "ibm3624", "pin.ibm3624.natural_pin", func(in inputs) ([]byte, error) {
		n, err := strconv.Atoi(string(in["pin_length"]))
		return natural(t, in, n), err
	})
	hsmtest.Vectors(t, "ibm3624", "pin.ibm3624.pin_from_offset", func(in inputs) ([]byte, error) {
		out := make([]byte, len(in["offset"]))
		return out, pinoffset.PIN(out, natural(t, in, len(out)), in["offset"])
	})
	hsmtest.Vectors(t, "ibm3624", "pin.ibm3624.offset", func(in inputs) ([]byte, error) {
		out := make([]byte, len(in["pin"]))
		return out, pinoffset.Offset(out, in["pin"], natural(t, in, len(out)))
	})
	hsmtest.Vectors(t, "ibm3624", "pin.ibm3624.encrypted_validation_data", func(in inputs) ([]byte, error) {
		out := encrypted(t, in["pvk"], [8]byte(in["validation_data"]))
		return out[:], nil
	})
}

func TestIBM3624Refuses(t *testing.T) {
	rule := hsm.OffsetRule{Table: [16]byte([]byte("0123456789012345")), Start: 2, Length: 14, Pad: 'F'}
	var data [8]byte
	for _, pan := range []string{"", "123456789012345", "12345678901234A6"} {
		if err := pinoffset.Validation(&data, rule, []byte(pan)); !errors.Is(err, pinoffset.ErrValidation) {
			t.Errorf("a PAN of %d characters: %v, want ErrValidation", len(pan), err)
		}
	}
	for name, c := range map[string][2]string{"three": {"123", "123"}, "thirteen": {"1234567890123", "1234567890123"}, "unlike": {"1234", "12345"}, "letters": {"12A4", "1234"}, "offset of letters": {"1234", "12F4"}} {
		out := make([]byte, len(c[0]))
		if err := pinoffset.Offset(out, []byte(c[0]), []byte(c[1])); !errors.Is(err, pinoffset.ErrLength) {
			t.Errorf("%s: %v, want ErrLength", name, err)
		}
	}
}

// FuzzOffset: offset and PIN undo each other for every natural PIN, and what is
// not decimal of one length is refused.
func FuzzOffset(f *testing.F) {
	f.Add([]byte("1234"), []byte("4524"))
	f.Add([]byte("123456789012"), []byte("000000000000"))
	f.Add([]byte("12F4"), []byte("4524"))
	f.Fuzz(func(t *testing.T, pin, natural []byte) {
		offset, back := make([]byte, len(pin)), make([]byte, len(pin))
		if err := pinoffset.Offset(offset, pin, natural); err != nil {
			if !errors.Is(err, pinoffset.ErrLength) || !bytes.Equal(offset, make([]byte, len(pin))) {
				t.Fatalf("refused with %v, or something was written", err)
			}
			return
		}
		if err := pinoffset.PIN(back, natural, offset); err != nil || !bytes.Equal(back, pin) {
			t.Fatalf("the offset does not lead back: %v", err)
		}
	})
}

// FuzzValidation: whatever rule and card, validation data are sixteen hex digits
// of the card and the pad, or a refusal with a name.
func FuzzValidation(f *testing.F) {
	f.Add([]byte("0123456789012345"), uint8(0), uint8(16), byte('F'), []byte("1122334455667788"))
	f.Add([]byte("1234567890123456"), uint8(2), uint8(14), byte('1'), []byte("1122334455667788"))
	f.Add([]byte("1234567890123456"), uint8(18), uint8(16), byte('1'), []byte("1122334455667788"))
	f.Fuzz(func(t *testing.T, table []byte, start, length uint8, pad byte, pan []byte) {
		if len(table) != 16 {
			return
		}
		rule := hsm.OffsetRule{Table: [16]byte(table), Start: start, Length: length, Pad: pad}
		if err := rule.Check(); err != nil {
			if !errors.Is(err, hsm.ErrInput) {
				t.Fatal(err)
			}
			return
		}
		var data [8]byte
		if err := pinoffset.Validation(&data, rule, pan); err != nil {
			if !errors.Is(err, pinoffset.ErrValidation) {
				t.Fatal(err)
			}
			return
		}
		want := append(bytes.Clone(pan[start:int(start)+int(length)]), bytes.Repeat([]byte{pad}, 16)...)[:16]
		if got := bytes.ToUpper([]byte(hex.EncodeToString(data[:]))); !bytes.Equal(got, want) {
			t.Fatal("validation data are not what the rule says")
		}
	})
}
