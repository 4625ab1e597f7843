// SPDX-License-Identifier: Apache-2.0

package emvkey_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/hsmtest"
)

// encipher is double-length DES of 16 bytes by the standard library.
func encipher(key []byte, data [16]byte) []byte {
	c, err := des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...))
	if err != nil {
		panic(err) // a vector's key has 16 bytes
	}
	out := make([]byte, 16)
	c.Encrypt(out, data[:8])
	c.Encrypt(out[8:], data[8:])
	return out
}

func TestCardKeyVectors(t *testing.T) {
	hsmtest.Vectors(t, "emv_keys", "emv.mk_option_a", func(in map[string][]byte) ([]byte, error) {
		y, err := emvkey.OptionA(in["pan"], [2]byte(in["psn"]))
		if err != nil {
			return nil, err
		}
		mk := encipher(in["imk"], emvkey.MasterKeyData(y))
		emvkey.OddParity(mk)
		return mk, nil
	})
}

func TestSessionKeyVectors(t *testing.T) {
	hsmtest.Vectors(t, "emv_keys", "emv.sk_common", func(in map[string][]byte) ([]byte, error) {
		sk := encipher(in["mk"], emvkey.SessionKeyData([8]byte(in["r"])))
		if string(in["parity"]) == "odd" {
			emvkey.OddParity(sk)
		}
		return sk, nil
	})
	if got := emvkey.CommonR([2]byte{0x34, 0x56}); got != [8]byte{0x34, 0x56} {
		t.Errorf("R %X: the ATC stands left", got)
	}
}

// TestTrapParity: a public "adjusted" key is even parity plus one.
func TestTrapParity(t *testing.T) {
	hsmtest.Vectors(t, "kcv", "key.odd_parity", func(in map[string][]byte) ([]byte, error) {
		emvkey.OddParity(in["key"])
		return in["key"], nil
	})
	for i := range 256 {
		b := []byte{byte(i)}
		emvkey.OddParity(b)
		ones := 0
		for v := b[0]; v != 0; v &= v - 1 {
			ones++
		}
		if ones%2 != 1 || b[0]>>1 != byte(i)>>1 {
			t.Errorf("%02X becomes %02X", i, b[0])
		}
	}
}

// tlvOf writes tags of a vector with the cryptogram tag they lack.
func tlvOf(in map[string][]byte, order ...string) []byte {
	var out []byte
	for _, tag := range order {
		v, ok := in[tag]
		if !ok {
			continue
		}
		raw, err := hex.DecodeString(tag)
		if err != nil {
			panic(err) // a tag written above
		}
		out = append(append(append(out, raw...), byte(len(v))), v...)
	}
	return out
}

var tags = []string{"9F26", "9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36", "9F10"}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sale is the printed example of Visa's list (emv_ac-047).
func sale(t testing.TB) map[string][]byte {
	out := make(map[string][]byte)
	for tag, v := range map[string]string{
		"9F26": "0102030405060708", "9F02": "000000000100", "9F03": "000000000000", "9F1A": "0840", "95": "0000000000", "5F2A": "0840",
		"9A": "181231", "9C": "01", "9F37": "ABCDEF10", "82": "1800", "9F36": "0002", "9F10": "06010A03000000",
	} {
		out[tag] = unhex(t, v)
	}
	return out
}

func TestDataLists(t *testing.T) {
	const list = "00000000010000000000000008400000000000084018123101ABCDEF1018000002"
	for profile, want := range map[hsm.Profile]string{
		hsm.VisaCVN10:     list + "03000000" + "000000",
		hsm.VisaCVN18:     list + "06010A03000000",
		hsm.UnionPayCVN01: list + "03000000" + "800000",
	} {
		in, err := emvkey.Prepare(profile, tlvOf(sale(t), tags...))
		if err != nil {
			t.Fatal(err)
		}
		if profile == hsm.VisaCVN18 {
			want += "8000000000000000" // 40 bytes are whole blocks: method 2 adds one
		}
		if got := in.Padded(); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("profile %d: %X, want %s", profile, got, want)
		}
		if in.ATC != [2]byte{0, 2} || in.ARQC != [8]byte(sale(t)["9F26"]) || in.Session == (profile == hsm.VisaCVN10) {
			t.Errorf("profile %d: %+v", profile, in)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	whole := tlvOf(sale(t), tags...)
	for name, icc := range map[string][]byte{
		"cut":           whole[:len(whole)-1],
		"tag twice":     append(bytes.Clone(whole), unhex(t, "9C0101")...),
		"trailing byte": append(bytes.Clone(whole), 0x9F),
		"nothing":       nil,
	} {
		if _, err := emvkey.Prepare(hsm.VisaCVN10, icc); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	for tag, v := range map[string]string{"9F10": "06010A030000", "9F36": "000002", "9F26": "01"} {
		f := sale(t)
		f[tag] = unhex(t, v)
		if _, err := emvkey.Prepare(hsm.VisaCVN18, tlvOf(f, tags...)); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%s of %d bytes: %v, want ErrInput", tag, len(v)/2, err)
		}
	}
}

func TestFind(t *testing.T) {
	data := unhex(t, "9F2601AA"+"5F2A02"+"0840"+"9F8101"+"01BB"+"8281"+"02"+"1800"+"950200FF")
	for tag, want := range map[uint16]string{0x9F26: "AA", 0x5F2A: "0840", 0x82: "1800", 0x95: "00FF"} {
		v, ok, err := emvkey.Find(data, tag)
		if err != nil || !ok || !bytes.Equal(v, unhex(t, want)) {
			t.Errorf("%X: %X, %v, %v", tag, v, ok, err)
		}
	}
	if _, ok, err := emvkey.Find(data, 0x84); ok || err != nil {
		t.Errorf("missing tag: %v, %v", ok, err)
	}
	for _, bad := range []string{"9F", "9F26", "82", "8280", "8283000001AA", "828201", "8202AA", "9FFFFFFF01AA"} {
		if _, _, err := emvkey.Find(unhex(t, bad), 0x82); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%s: %v, want ErrInput", bad, err)
		}
	}
}

func FuzzPrepare(f *testing.F) {
	f.Add(byte(1), tlvOf(sale(f), tags...))
	f.Add(byte(2), unhex(f, "9F2601AA5F2A020840828102"))
	f.Fuzz(func(t *testing.T, profile byte, icc []byte) {
		in, err := emvkey.Prepare(hsm.Profile(profile), icc)
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) {
				t.Fatalf("%v is not ErrInput", err)
			}
			return
		}
		if n := len(in.Padded()); n == 0 || n%8 != 0 || n > 80 {
			t.Fatalf("%d bytes of input", n)
		}
	})
}

func FuzzFind(f *testing.F) {
	f.Add(uint16(0x82), unhex(f, "82021800"))
	f.Add(uint16(0x9F26), unhex(f, "9F810101019F2601AA"))
	f.Fuzz(func(t *testing.T, tag uint16, data []byte) {
		v, ok, err := emvkey.Find(data, tag)
		if err != nil && (ok || v != nil) || ok && len(v) > len(data) {
			t.Fatalf("%d bytes, %v, %v", len(v), ok, err)
		}
	})
}

func FuzzOptionA(f *testing.F) {
	f.Add([]byte("6224242300000069"), []byte("01"))
	f.Fuzz(func(t *testing.T, pan, psn []byte) {
		if len(psn) != 2 {
			return
		}
		y, err := emvkey.OptionA(pan, [2]byte(psn))
		if err != nil {
			if y != [8]byte{} {
				t.Fatal("a refused PAN leaves data")
			}
			return
		}
		digits := append(bytes.Repeat([]byte("0"), 16), append(bytes.Clone(pan), psn...)...)
		if hex.EncodeToString(y[:]) != string(digits[len(digits)-16:]) {
			t.Fatal("not the 16 rightmost digits")
		}
	})
}
