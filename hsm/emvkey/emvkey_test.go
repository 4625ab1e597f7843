// SPDX-License-Identifier: Apache-2.0

package emvkey_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/secret"
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
	for function, option := range map[string]hsm.MKOption{"emv.mk_option_a": hsm.OptionA, "emv.mk_option_b": hsm.OptionB} {
		hsmtest.Vectors(t, "emv_keys", function, func(in map[string][]byte) ([]byte, error) {
			data, err := emvkey.CardData(option, in["pan"], [2]byte(in["psn"]))
			if err != nil {
				return nil, err
			}
			mk := encipher(in["imk"], data)
			emvkey.OddParity(mk)
			return mk, nil
		})
	}
	hsmtest.Vectors(t, "emv_keys", "emv.option_b_digits", func(in map[string][]byte) ([]byte, error) {
		y, err := emvkey.OptionB(in["pan"], [2]byte(in["psn"]))
		return []byte(hex.EncodeToString(y[:])), err
	})
	if _, err := emvkey.CardData(2, []byte("5413339000006165"), [2]byte{'0', '0'}); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("option 2: %v, want ErrInput", err)
	}
}

func TestSessionKeyVectors(t *testing.T) {
	hsmtest.Vectors(t, "emv_keys", "emv.sk_common", func(in map[string][]byte) ([]byte, error) {
		sk := encipher(in["mk"], emvkey.SessionKeyData([8]byte(in["r"])))
		if string(in["parity"]) == "odd" {
			emvkey.OddParity(sk)
		}
		return sk, nil
	})
	hsmtest.Vectors(t, "emv_keys", "emv.sk_visa_sm", func(in map[string][]byte) ([]byte, error) {
		emvkey.VisaScriptKey(in["mk"], [2]byte(in["atc"]))
		return in["mk"], nil
	})
	hsmtest.Vectors(t, "emv_keys", "emv.sk_emv2000_tree", func(in map[string][]byte) ([]byte, error) {
		var keys [48]byte
		copy(keys[:], in["mk"])
		tree := hsm.Tree{Height: number(t, in["height"]), Branch: number(t, in["branch_factor"]), IV: [16]byte(in["iv"])}
		err := emvkey.Tree(&keys, tree, [2]byte(in["atc"]), func(key, data []byte) error {
			copy(data, encipher(key, [16]byte(data)))
			return nil
		})
		return keys[:16], err
	})
	if got := emvkey.CommonR([2]byte{0x34, 0x56}); got != [8]byte{0x34, 0x56} {
		t.Errorf("R %X: the ATC stands left", got)
	}
	if got := emvkey.MChipR([2]byte{0x34, 0x56}, [4]byte{1, 2, 3, 4}); got != [8]byte{0x34, 0x56, 0, 0, 1, 2, 3, 4} {
		t.Errorf("R %X: ATC left, UN right", got)
	}
}

func number(t *testing.T, text []byte) int {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTreeRefuses: a tree with too few or too many leaves, and a cipher that fails.
func TestTreeRefuses(t *testing.T) {
	fails := errors.New("no cipher")
	for _, tree := range []hsm.Tree{{}, {Height: 8, Branch: 2}, {Height: 16, Branch: 4}, {Height: -8, Branch: 4}} {
		if err := emvkey.Tree(new([48]byte), tree, [2]byte{}, func(_, _ []byte) error { return nil }); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%d and %d: %v, want ErrInput", tree.Height, tree.Branch, err)
		}
	}
	if err := emvkey.Tree(new([48]byte), hsm.Tree{Height: 8, Branch: 4}, [2]byte{}, func(_, _ []byte) error { return fails }); !errors.Is(err, fails) {
		t.Errorf("a cipher that fails: %v", err)
	}
}

// TestPBOCWorkedExample is a bank card's cryptogram printed with its issuer key
// in public pages of Chinese engineers; no test set has this derivation.
func TestPBOCWorkedExample(t *testing.T) {
	y, err := emvkey.OptionA([]byte("6228000100001"), [2]byte{'0', '1'})
	if err != nil {
		t.Fatal(err)
	}
	sk := encipher(encipher(unhex(t, "F0C34A8124CEE0A91A0B034AA97D6EAC"), emvkey.MasterKeyData(y)), emvkey.PBOCData([2]byte{0x02, 0x40}))
	block := emvkey.ARPC1([8]byte(unhex(t, "5D016C91005E7CC2")), [2]byte{'0', '1'})
	if got := encipher(sk, [16]byte(append(block[:], block[:]...)))[:8]; !bytes.Equal(got, unhex(t, "21415243527CE78F")) {
		t.Errorf("answer %X", got)
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

func prepare(t testing.TB, profile hsm.Profile, icc []byte) (emvkey.Input, error) {
	t.Helper()
	c := hsm.Cryptogram{Profile: profile, PSN: [2]byte{'0', '0'}}
	var err error
	if c.PAN, err = secret.NewPAN([]byte("5413339000006165")); err != nil {
		t.Fatal(err)
	}
	if len(icc) > 0 {
		if c.Data, err = secret.NewICC(icc); err != nil {
			return emvkey.Input{}, hsm.ErrInput // longer than field 55 can be
		}
	}
	return emvkey.Prepare(c)
}

func TestDataLists(t *testing.T) {
	const list = "00000000010000000000000008400000000000084018123101ABCDEF1018000002"
	for profile, want := range map[hsm.Profile]string{
		hsm.VisaCVN10:     list + "03000000" + "000000",
		hsm.VisaCVN17:     "000000000100ABCDEF100002" + "00" + "000000",
		hsm.VisaCVN18:     list + "06010A03000000" + "8000000000000000", // 40 bytes are whole blocks: method 2 adds one
		hsm.VisaCVN22:     list + "06010A03000000" + "8000000000000000",
		hsm.UnionPayCVN01: list + "03000000" + "800000",
		hsm.UnionPayPBOC:  list + "03000000" + "800000",
		hsm.InteracCVN133: list + "06010A03000000" + "8000000000000000",
	} {
		in, err := prepare(t, profile, tlvOf(sale(t), tags...))
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Padded(); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("profile %d: %X, want %s", profile, got, want)
		}
		plain := profile == hsm.VisaCVN10 || profile == hsm.VisaCVN17
		if in.AC != [8]byte(sale(t)["9F26"]) || in.Key.Derived == plain || in.Answer != in.Key {
			t.Errorf("profile %d: %+v", profile, in)
		}
	}
	if _, err := prepare(t, hsm.InteracCVN133+1, tlvOf(sale(t), tags...)); !errors.Is(err, hsm.ErrInput) {
		t.Errorf("a profile too many: %v, want ErrInput", err)
	}
}

// TestACDataVectors: the data of the printed layouts, and the list alone.
func TestACDataVectors(t *testing.T) {
	raw, err := os.ReadFile("../hsmtest/testdata/emv_ac.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		ID, Function, Expected string
		Inputs                 struct {
			Layout string
			Tags   map[string]string
			Values []string
		}
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	layouts := map[string]hsm.Profile{"visa_cvn10": hsm.VisaCVN10, "mchip_cvn16": hsm.MChipCVN16, "ccd": hsm.CCD}
	n := 0
	for _, v := range all {
		f, profile := sale(t), layouts[v.Inputs.Layout]
		switch v.Function {
		case "emv.ac_data":
			for tag, value := range v.Inputs.Tags {
				f[tag] = unhex(t, value)
			}
		case "emv.cdol_concat": // the ten values of the list, in its order
			profile = hsm.VisaCVN10
			for i, tag := range []string{"9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36"} {
				f[tag] = unhex(t, v.Inputs.Values[i])
			}
		default:
			continue
		}
		in, err := prepare(t, profile, tlvOf(f, tags...))
		want := unhex(t, v.Expected)
		got := in.Covered()
		if v.Function == "emv.cdol_concat" && len(got) == 37 {
			got = got[:33] // without the issuer's part
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.Expected)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d vectors of data, want 4", n)
	}
}

// TestIssuerDataLengths: an IAD of another length than the profile's is refused.
func TestIssuerDataLengths(t *testing.T) {
	for profile, good := range map[hsm.Profile][2]int{
		hsm.VisaCVN10: {7, 32}, hsm.VisaCVN17: {7, 32}, hsm.VisaCVN18: {7, 32}, hsm.VisaCVN22: {7, 32}, hsm.UnionPayCVN01: {7, 32}, hsm.UnionPayPBOC: {7, 32},
		hsm.MChipCVN16: {18, 32}, hsm.MChipCVN20: {18, 32}, hsm.MChipCVN17: {18, 18}, hsm.MChipCVN21: {18, 18}, hsm.CCD: {32, 32}, hsm.InteracCVN133: {7, 32},
	} {
		for size := range 40 {
			f := sale(t)
			f["9F10"] = make([]byte, size)
			_, err := prepare(t, profile, tlvOf(f, tags...))
			if ok := size >= good[0] && size <= good[1]; ok != (err == nil) || err != nil && !errors.Is(err, hsm.ErrInput) {
				t.Errorf("profile %d, issuer data of %d bytes: %v", profile, size, err)
			}
		}
	}
}

func TestScriptBlockVectors(t *testing.T) {
	hsmtest.Vectors(t, "emv_sm", "emv.vis_pin_block", func(in map[string][]byte) ([]byte, error) {
		var block [8]byte
		err := emvkey.VIS(&block, in["udk_ac"][:8], in["pin"], in["current_pin"])
		return block[:], err
	})
	hsmtest.Vectors(t, "emv_sm", "emv.script_pin_block_iso2", func(in map[string][]byte) ([]byte, error) {
		var block [8]byte
		err := emvkey.ISO2(&block, in["pin"])
		return block[:], err
	})
	for _, wrong := range []string{"", "123", "1234567890123", "12A4"} {
		var block [8]byte
		if err := emvkey.ISO2(&block, []byte(wrong)); !errors.Is(err, hsm.ErrInput) || block != [8]byte{} {
			t.Errorf("a PIN of %d characters: %v", len(wrong), err)
		}
		if wrong == "" {
			continue // no current PIN
		}
		if err := emvkey.VIS(&block, make([]byte, 8), []byte("1234"), []byte(wrong)); !errors.Is(err, hsm.ErrInput) || block != [8]byte{} {
			t.Errorf("a current PIN of %d characters: %v", len(wrong), err)
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
		if _, err := prepare(t, hsm.VisaCVN10, icc); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	for tag, v := range map[string]string{"9F10": "06010A030000", "9F36": "000002", "9F26": "01"} {
		f := sale(t)
		f[tag] = unhex(t, v)
		if _, err := prepare(t, hsm.VisaCVN18, tlvOf(f, tags...)); !errors.Is(err, hsm.ErrInput) {
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
		in, err := prepare(t, hsm.Profile(profile), icc)
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) {
				t.Fatalf("%v is not ErrInput", err)
			}
			return
		}
		if n := len(in.Padded()); n == 0 || n%8 != 0 || n > 80 || in.Key.Tree.Height != 0 {
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

// FuzzIssuerData gives every profile issuer data of any form inside a good sale.
func FuzzIssuerData(f *testing.F) {
	f.Add(byte(hsm.MChipCVN17), unhex(f, "0111A00003220000B6A400000000000322FF"))
	f.Add(byte(hsm.CCD), unhex(f, "0FA500A03800000000000000000000000F010000000000000000000000000000"))
	f.Add(byte(hsm.VisaCVN17), unhex(f, "06011103A0B0C0"))
	f.Fuzz(func(t *testing.T, profile byte, iad []byte) {
		if len(iad) > 127 {
			return
		}
		tagged := sale(t)
		tagged["9F10"] = iad
		in, err := prepare(t, hsm.Profile(profile), tlvOf(tagged, tags...))
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) || in.Padded() != nil {
				t.Fatalf("%v, with %d bytes", err, len(in.Padded()))
			}
			return
		}
		if n := len(in.Padded()); n == 0 || n%8 != 0 || n > 80 {
			t.Fatalf("%d bytes of input", n)
		}
	})
}

// FuzzGiven lays out data of callers.
func FuzzGiven(f *testing.F) {
	f.Add(byte(0), byte(2), byte(3), []byte("5413339000006165"), []byte("data"))
	f.Add(byte(1), byte(6), byte(1), []byte("541333900000616512"), make([]byte, 8))
	pans := secret.NewPAN
	f.Fuzz(func(t *testing.T, option, session, padding byte, pan, data []byte) {
		g := hsm.Given{Option: hsm.MKOption(option), PSN: [2]byte{'0', '1'}, Session: hsm.Session(session), Answer: hsm.SessionNone, Padding: hsm.Padding(padding), Data: data,
			Tree: hsm.Tree{Height: 8, Branch: 4}}
		g.PAN, _ = pans(pan) // none: must be refused
		in, err := emvkey.PrepareGiven(g)
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) {
				t.Fatalf("%v is not ErrInput", err)
			}
			return
		}
		if n := len(in.Padded()); n%8 != 0 || n < len(data) || n > len(data)+8 {
			t.Fatalf("%d bytes become %d", len(data), n)
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
