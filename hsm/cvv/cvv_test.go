// SPDX-License-Identifier: Apache-2.0

package cvv_test

import (
	"crypto/des"
	"errors"
	"strconv"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/cvv"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/secret"
)

// alg3 is the MAC of two blocks by the standard library.
func alg3(t *testing.T, key []byte, in [16]byte) (out [8]byte) {
	t.Helper()
	left, err1 := des.NewCipher(key[:8])
	whole, err2 := des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	left.Encrypt(out[:], in[:8])
	for i := range out {
		out[i] ^= in[8+i]
	}
	whole.Encrypt(out[:], out[:])
	return out
}

// TestFullDecimalised has ready digits and keeps more than three of the result:
// no driver can be asked for that.
func TestFullDecimalised(t *testing.T) {
	hsmtest.Vectors(t, "cvv", "card.cvv_full_decimalised", func(in map[string][]byte) ([]byte, error) {
		digits := string(in["digits"]) // sixteen of PAN, four of date, three of service code
		c := card(t, digits[:16], digits[16:20], digits[20:])
		block, err := cvv.Input(c)
		if err != nil {
			return nil, err
		}
		count, err := strconv.Atoi(string(in["count"]))
		if err != nil {
			return nil, err
		}
		mac, out := alg3(t, in["cvk"], block), make([]byte, count)
		cvv.Decimalise(out, mac[:])
		if value := cvv.Value(mac); string(value[:]) != string(out[:3]) {
			t.Errorf("value %s, digits %s", value, out)
		}
		return out, nil
	})
}

func card(t testing.TB, pan, expiry, service string) hsm.CardValueData {
	t.Helper()
	p, err := secret.NewPAN([]byte(pan))
	if err != nil {
		t.Fatal(err)
	}
	return hsm.CardValueData{Kind: hsm.CardCVV, PAN: p, Expiry: [4]byte([]byte(expiry)), Order: hsm.YYMM, ServiceCode: [3]byte([]byte(service))}
}

func TestDecimalise(t *testing.T) {
	for in, want := range map[string]string{
		"\x12\x34\x56\x78\x90\xAB\xCD\xEF": "1234567890012345", // letters in the second pass
		"\xAB\xCD\xEF\xAB\xCD\xEF\xAB\x1C": "1012345012345012",
		"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF": "5555555555555555",
	} {
		out := make([]byte, 16)
		cvv.Decimalise(out, []byte(in))
		if string(out) != want {
			t.Errorf("%X gives %s, want %s", in, out, want)
		}
	}
}

// TestTrapServiceCodes: CVV, CVV2 and iCVV differ in the service code alone, so
// a kind that accepts another's code is that other value.
func TestTrapServiceCodes(t *testing.T) {
	good := card(t, "4123456789012345", "8701", "101")
	blocks := map[[16]byte]bool{}
	for _, kind := range []hsm.CardValueKind{hsm.CardCVV, hsm.CardCVV2, hsm.CardICVV} {
		c := good
		c.Kind = kind
		if kind != hsm.CardCVV {
			c.ServiceCode = [3]byte{}
		}
		block, err := cvv.Input(c)
		if err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		blocks[block] = true
	}
	if len(blocks) != 3 {
		t.Error("two kinds have one input")
	}
	for name, change := range map[string]func(c *hsm.CardValueData){
		"CVV with 000":      func(c *hsm.CardValueData) { c.ServiceCode = [3]byte([]byte("000")) },
		"CVV with 999":      func(c *hsm.CardValueData) { c.ServiceCode = [3]byte([]byte("999")) },
		"CVV without":       func(c *hsm.CardValueData) { c.ServiceCode = [3]byte{} },
		"CVV2 with a code":  func(c *hsm.CardValueData) { c.Kind = hsm.CardCVV2 },
		"iCVV with a code":  func(c *hsm.CardValueData) { c.Kind = hsm.CardICVV },
		"CVV2 with 000":     func(c *hsm.CardValueData) { c.Kind, c.ServiceCode = hsm.CardCVV2, [3]byte([]byte("000")) },
		"no kind":           func(c *hsm.CardValueData) { c.Kind = 0 },
		"unknown kind":      func(c *hsm.CardValueData) { c.Kind = 4 },
		"no order":          func(c *hsm.CardValueData) { c.Order = 0 },
		"unknown order":     func(c *hsm.CardValueData) { c.Order = 3 },
		"date of letters":   func(c *hsm.CardValueData) { c.Expiry = [4]byte([]byte("26AB")) },
		"service of spaces": func(c *hsm.CardValueData) { c.ServiceCode = [3]byte([]byte(" 01")) },
		"no PAN":            func(c *hsm.CardValueData) { c.PAN = secret.PAN{} },
	} {
		c := good
		change(&c)
		if block, err := cvv.Input(c); !errors.Is(err, hsm.ErrInput) || block != [16]byte{} {
			t.Errorf("%s: %v, want ErrInput and nothing", name, err)
		} else if strings.Contains(err.Error(), "4123") {
			t.Errorf("%s: the error repeats the PAN", name)
		}
	}
}

// TestTrapDateOrder: the order changes the input of every kind, unless year and
// month are one number.
func TestTrapDateOrder(t *testing.T) {
	c := card(t, "4123456789012345", "2502", "101")
	c.Kind, c.ServiceCode = hsm.CardCVV2, [3]byte{}
	one, err1 := cvv.Input(c)
	c.Order = hsm.MMYY
	two, err2 := cvv.Input(c)
	if err1 != nil || err2 != nil || one == two {
		t.Errorf("the orders give one input: %v, %v", err1, err2)
	}
	if string(two[8:10]) != "\x02\x25" {
		t.Errorf("MMYY gives %X", two[8:10])
	}
}

// TestTrapZeroFill: a CVC3 of a small number keeps its leading zeros.
func TestTrapZeroFill(t *testing.T) {
	for _, c := range []struct {
		tail   [2]byte
		digits int
		want   string
	}{{[2]byte{0, 7}, 3, "007"}, {[2]byte{0, 7}, 5, "00007"}, {[2]byte{0xFF, 0xFF}, 5, "65535"}, {[2]byte{0x03, 0xE8}, 3, "000"}, {[2]byte{0xB1, 0x6F}, 1, "3"}} {
		out := cvv.CVC3([8]byte{6: c.tail[0], 7: c.tail[1]}, c.digits)
		if got := string(out[:c.digits]); got != c.want {
			t.Errorf("%X cut to %d digits: %s, want %s", c.tail, c.digits, got, c.want)
		}
	}
}

// TestCardKeyData: option B hashes short PANs too, odd numbers of digits get one
// leading zero, and what has no form is refused.
func TestCardKeyData(t *testing.T) {
	pan := card(t, "1234567890123456", "1310", "226").PAN
	a, errA := cvv.CardKeyData(hsm.CardKeyA, pan, [2]byte{'0', '0'})
	b, errB := cvv.CardKeyData(hsm.CardKeyB, pan, [2]byte{'0', '0'})
	if errA != nil || errB != nil || a == b {
		t.Errorf("options A and B of a PAN of 16 digits: %v, %v", errA, errB)
	}
	for _, data := range [][16]byte{a, b} {
		for i := range 8 {
			if data[i] != ^data[8+i] || data[i]>>4 > 9 || data[i]&0x0F > 9 {
				t.Errorf("derivation data %X", data)
			}
		}
	}
	if _, err := cvv.CardKeyData(0, pan, [2]byte{'0', '0'}); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("no method: %v", err)
	}
	for _, method := range []hsm.CardKeyMethod{hsm.CardKeyA, hsm.CardKeyB} {
		if _, err := cvv.CardKeyData(method, pan, [2]byte{}); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("no sequence number: %v", err)
		}
		if _, err := cvv.CardKeyData(method, secret.PAN{}, [2]byte{'0', '0'}); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("no PAN: %v", err)
		}
	}
}

// FuzzInput: whatever the fields, a block has packed digits and nothing panics.
func FuzzInput(f *testing.F) {
	f.Add([]byte("4123456789012345"), []byte("8701101"), uint8(1), uint8(1))
	f.Add([]byte("1234567890123456789"), []byte("1310\x00\x00\x00"), uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, pan, fields []byte, kind, order uint8) {
		p, err := secret.NewPAN(pan)
		if err != nil || len(fields) != 7 {
			return
		}
		date, service := [4]byte(fields), [3]byte(fields[4:])
		one, err1 := cvv.Input(hsm.CardValueData{Kind: hsm.CardValueKind(kind), PAN: p, Expiry: date, Order: hsm.DateOrder(order), ServiceCode: service})
		two, err2 := cvv.CAVVInput(hsm.AuthenticationData{PAN: p, Unpredictable: date, Result: service[0], SecondFactor: [2]byte(service[1:])})
		three, err3 := cvv.DCVVInput(hsm.DCVVData{PAN: p, Expiry: date, ServiceCode: service, ATC: date})
		for i, block := range [][16]byte{one, two, three} {
			for _, c := range block {
				if c>>4 > 9 || c&0x0F > 9 {
					t.Fatalf("block %d is not packed digits", i)
				}
			}
		}
		if err1 == nil && kind == 1 && order == 1 && (err2 != nil || one != two) {
			t.Fatal("a CAVV is not a CVV of other fields")
		}
		if (err2 == nil) != (err3 == nil) {
			t.Fatalf("refusals differ: %v, %v", err2, err3)
		}
	})
}
