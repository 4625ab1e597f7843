// SPDX-License-Identifier: Apache-2.0

package keyblock_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/keyblock"
)

func keysOf(version byte, kbpk []byte) (keyblock.Keys, error) {
	return hsmtest.KeyBlockKeys(version, kbpk)
}

func unwrap(b *keyblock.Block, kbpk []byte) ([]byte, error) {
	keys, err := keysOf(b.Header.Version, kbpk)
	if err != nil {
		return nil, err
	}
	work := make([]byte, b.WorkLen())
	key, err := b.Unwrap(keys, work)
	if err != nil && !bytes.Equal(work, make([]byte, len(work))) {
		return nil, errors.New("clear bytes were left after a refusal")
	}
	return key, err
}

func wrap(header string, kbpk, key, padding []byte) (string, error) {
	h, err := keyblock.ParseHeader(header)
	if err != nil {
		return "", err
	}
	keys, err := keysOf(h.Version, kbpk)
	if err != nil {
		return "", err
	}
	return keyblock.Wrap(keys, h, key, padding, make([]byte, 16384))
}

func TestDerivationVectors(t *testing.T) {
	for name, p := range map[string]keyblock.Purpose{"tr31.derive_kbek": keyblock.Encipher, "tr31.derive_kbak": keyblock.Authenticate} {
		hsmtest.Vectors(t, "tr31", name, func(in map[string][]byte) ([]byte, error) {
			return hsmtest.KeyBlockKey(in["version"][0], in["kbpk"], p)
		})
	}
}

func TestWrapVectors(t *testing.T) {
	hsmtest.Vectors(t, "tr31", "tr31.wrap", func(in map[string][]byte) ([]byte, error) {
		text, err := wrap(string(in["header"]), in["kbpk"], in["key"], in["padding"])
		return []byte(text), err
	})
}

func TestUnwrapVectors(t *testing.T) {
	hsmtest.Vectors(t, "tr31", "tr31.unwrap", func(in map[string][]byte) ([]byte, error) {
		b, err := keyblock.Parse(string(in["key_block"]))
		if err != nil {
			return nil, err
		}
		return unwrap(b, in["kbpk"])
	})
	hsmtest.Vectors(t, "tr31", "tr31.unwrap_lenient", func(in map[string][]byte) ([]byte, error) {
		text := string(in["key_block"])
		if _, err := keyblock.Parse(text); !errors.Is(err, keyblock.ErrOptional) {
			t.Errorf("a KS block that is not hex: %v", err)
		}
		b, err := keyblock.ParseLenient(text)
		if err != nil {
			return nil, err
		}
		return unwrap(b, in["kbpk"])
	})
}

// reasons is the error of each reason class of the negative vectors.
var reasons = map[string]error{
	"alignment": keyblock.ErrAlignment, "mac_not_hex": keyblock.ErrMACHex, "mac_length": keyblock.ErrMACLength,
	"key_not_hex": keyblock.ErrKeyHex, "key_empty": keyblock.ErrKeyEmpty, "mac_mismatch": keyblock.ErrMAC,
	"kbpk_length": keyblock.ErrProtection, "key_length_bits": keyblock.ErrKeyBits,
	"key_length_exceeds_data": keyblock.ErrKeyExceeds, "length_field": keyblock.ErrLength,
}

// TestNegativeVectors: each is refused for its own reason.
func TestNegativeVectors(t *testing.T) {
	n := 0
	hsmtest.Refusals(t, "tr31", "tr31.unwrap", func(reason string, in map[string][]byte) error {
		n++
		b, err := keyblock.Parse(string(in["key_block"]))
		if err == nil {
			_, err = unwrap(b, in["kbpk"])
		}
		if want := reasons[reason]; want == nil || !errors.Is(err, want) {
			return fmt.Errorf("%v, want %v", err, want)
		}
		return nil
	})
	if n != 27 {
		t.Errorf("%d negative vectors, want 27", n)
	}
}

const (
	kbpkD  = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6"
	blockD = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34"
	kbpkB  = "1D22BF32387C600AD97F9B97A51311AC"
	blockB = "B0104B0TX12S0100KS1800604B120F9292800000BB68BE8680A400D9191AD4ECE45B6E6C0D21C4738A52190E248719E24B433627"
	kbpkC  = "B8ED59E0A279A295E9F5ED7944FD06B9"
	blockC = "C0096B0TX12S0100KS1800604B120F9292800000BFB9B689CB567E66FC3FEE5AD5F52161FC6545B9D60989015D02155C"
	kbpkE  = "3235362D62697420414553207772617070696E67202849534F20323030333829"
	blockE = "E0084B0TV16N0000B2AE5E26BBA7F246E84D5EA24167E208A6B66EF2E27E55A52DB52F0AEACB94C57547"
)

// TestEveryCharacterChanged: whatever printable character replaces whatever
// character of a block, the block is refused.
func TestEveryCharacterChanged(t *testing.T) {
	for kbpk, text := range map[string]string{kbpkB: blockB, kbpkC: blockC, kbpkD: blockD, kbpkE: blockE} {
		good, err := keyblock.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unwrap(good, unhex(t, kbpk)); err != nil {
			t.Fatal(err)
		}
		for at := range text {
			for c := byte(0x1F); c <= 0x7F; c++ {
				changed := text[:at] + string(rune(c)) + text[at+1:]
				if changed == text {
					continue
				}
				b, err := keyblock.Parse(changed)
				if err == nil {
					_, err = unwrap(b, unhex(t, kbpk))
				}
				if !named(err) {
					t.Errorf("%c: character %d replaced by %q: %v", text[0], at, c, err)
				}
			}
		}
	}
}

// all are the errors of the package.
var all = []error{
	keyblock.ErrVersion, keyblock.ErrLength, keyblock.ErrAlignment, keyblock.ErrHeader, keyblock.ErrOptional, keyblock.ErrMACLength, keyblock.ErrMACHex,
	keyblock.ErrKeyHex, keyblock.ErrKeyEmpty, keyblock.ErrMAC, keyblock.ErrProtection, keyblock.ErrKeyBits, keyblock.ErrKeyExceeds, keyblock.ErrKeyLength, keyblock.ErrTooLarge,
}

func named(err error) bool {
	for _, e := range all {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// TestTrapMACCoversTheHeaderAsItStands: a respaced or lower-cased header or body is
// another text.
func TestTrapMACCoversTheHeaderAsItStands(t *testing.T) {
	for name, change := range map[string]func(s string) string{
		"lower case":        strings.ToLower,
		"lower case body":   func(s string) string { return s[:40] + strings.ToLower(s[40:]) },
		"lower case KS":     func(s string) string { return strings.Replace(s, "4B120F", "4b120f", 1) },
		"a space":           func(s string) string { return s[:16] + " " + s[16:] },
		"a line end behind": func(s string) string { return s + "\n" },
		"a space in front":  func(s string) string { return " " + s },
	} {
		b, err := keyblock.Parse(change(blockB))
		if err == nil {
			_, err = unwrap(b, unhex(t, kbpkB))
		}
		if !named(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTrapExtendedLengthCountsCharacters: X9.143 samples 8.5 and 8.6 count hex
// characters. (That they open is shown by the vectors; here, that bytes do not.)
func TestTrapExtendedLengthCountsCharacters(t *testing.T) {
	data := "00" + strings.Repeat("QUJD", 80) // 322 characters
	chars := fmt.Sprintf("D0000P0AE00E0100CT0004%04X%s", 10+len(data), data)
	bytes := fmt.Sprintf("D0000P0AE00E0100CT0002%02X%s", (8+len(data))/2, data)
	pad := func(s string) string {
		n := 32 - (len(s)-16)%16
		return strings.Replace(s, "E0100", "E0200", 1) + fmt.Sprintf("PB%02X", n) + strings.Repeat("0", n-4)
	}
	h, err := keyblock.ParseHeader(pad(chars))
	if got, _ := h.Option("CT"); err != nil || got != data {
		t.Errorf("characters: %v", err)
	}
	if _, err := keyblock.ParseHeader(pad(bytes)); !named(err) {
		t.Errorf("bytes: %v", err)
	}
	// what we build is what we read, in the standard's four characters
	h.Options = h.Options[:1]
	keys, err := keysOf('D', unhex(t, kbpkD))
	if err != nil {
		t.Fatal(err)
	}
	text, err := keyblock.Wrap(keys, h, make([]byte, 16), make([]byte, h.PaddingLen(16)), make([]byte, 16384))
	if err != nil || !strings.Contains(text, "CT00040"+fmt.Sprintf("%X", 10+len(data))) {
		t.Errorf("built: %.60s, %v", text, err)
	}
	if _, err := keyblock.Parse(text); err != nil {
		t.Error(err)
	}
}

// TestHeaderRules: one rule, one refusal.
func TestHeaderRules(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"short":                 {"D0112P0AE00E000", keyblock.ErrLength},
		"version":               {"F0112P0AE00E0000", keyblock.ErrVersion},
		"version in lower case": {"d0112P0AE00E0000", keyblock.ErrVersion},
		"key usage":             {"D0112Q0AE00E0000", keyblock.ErrHeader},
		"key usage of a space":  {"D0112 PAE00E0000", keyblock.ErrHeader},
		"algorithm":             {"D0112P0XE00E0000", keyblock.ErrHeader},
		"AES under DES":         {"B0112P0AE00E0000", keyblock.ErrHeader},
		"I outside of E":        {"D0112M7IC00E0000", keyblock.ErrHeader},
		"mode of use":           {"D0112P0AZ00E0000", keyblock.ErrHeader},
		"key version":           {"D0112P0AE-0E0000", keyblock.ErrHeader},
		"component number":      {"D0112P0AEc-E0000", keyblock.ErrHeader},
		"exportability":         {"D0112P0AE00X0000", keyblock.ErrHeader},
		"number of options":     {"D0112P0AE00E0A00", keyblock.ErrHeader},
		"key context":           {"D0112P0AE00E0030", keyblock.ErrHeader},
		"reserved":              {"D0112P0AE00E0001", keyblock.ErrHeader},
		"not printable":         {"D0112P0AE00E000\x07", keyblock.ErrHeader},
		"not ASCII":             {"D0112P0AE00E00\xc3\xa9", keyblock.ErrHeader},
		"option that is cut":    {"D0112P0AE00E0100KS1", keyblock.ErrOptional},
		"option not there":      {"D0112P0AE00E0100", keyblock.ErrOptional},
		"option too long":       {"D0112P0AE00E0100LB1000000000000", keyblock.ErrOptional},
		"option shorter than 4": {"D0112P0AE00E0100LB03000000000000", keyblock.ErrOptional},
		"option id":             {"D0112P0AE00E0100k-10000000000000", keyblock.ErrOptional},
		"options not aligned":   {"D0112P0AE00E0100LB080000", keyblock.ErrAlignment},
		"padding not last":      {"D0112P0AE00E0200PB080000LB080000", keyblock.ErrOptional},
		"option twice":          {"D0112P0AE00E0200LB080000LB080000", keyblock.ErrOptional},
		"extended, no length":   {"D0112P0AE00E0100LB00000000000000", keyblock.ErrOptional},
		"extended, too short":   {"D0112P0AE00E0100LB000400050000000", keyblock.ErrOptional},
		"behind the options":    {"D0112P0AE00E0000LB080000", keyblock.ErrHeader},
	} {
		if _, err := keyblock.ParseHeader(c.header); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, good := range []string{"D0000P0AEc1E0020", "E0000M7IC99S0010", "B0000" + "10" + "T100N0000"} {
		if _, err := keyblock.ParseHeader(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

// TestOptionForms: the data of every optional block of the standard, right and wrong.
func TestOptionForms(t *testing.T) {
	for id, c := range map[string]struct{ good, bad []string }{
		"AL": {[]string{"0100", "0101"}, []string{"", "0102", "01", "0200"}},
		"BI": {[]string{"00FFFF123456", "0112345678"}, []string{"", "0012345678", "01FFFF123456", "0212345678", "00FFFF12345g"}},
		"CT": {[]string{"00QUJD", "01QUI=", "0200"}, []string{"", "00", "00QUJ", "03QUJD", "00****"}},
		"DA": {[]string{"01P0TE0", "01P0TE0M3TC0"}, []string{"", "01", "01P0TE", "02P0TE0"}},
		"HM": {[]string{"10", "21", "41"}, []string{"", "2", "26", "210", " 2"}},
		"IK": {[]string{"0123456789ABCDEF"}, []string{"", "0123456789ABCDE", "0123456789abcdef"}},
		"KC": {[]string{"00ABCDEF", "00ABCD", "01ABCDEF1234"}, []string{"", "00", "00ABCDEF12", "01ABCDEF12345678", "02ABCDEF", "00ABCDE"}},
		"KP": {[]string{"00ABCDEF", "01ABCDEF1234"}, []string{"", "03ABCDEF"}},
		"KS": {[]string{"0123456789ABCDEF", "00604B120F9292800000"}, []string{"", "VM9A", "0123456789ABCDEF01"}},
		"KV": {[]string{"0001", "AB12"}, []string{"", "001", "00 1"}},
		"LB": {[]string{"", "a label, printable"}, []string{"\x00", "\x7f"}},
		"PB": {[]string{"", "0000"}, []string{"\n"}},
		"PK": {[]string{"00ABCDEF"}, []string{"0"}},
		"TC": {[]string{"20200818221218Z", "2020-08-18T22:12:18Z"}, []string{"", "20200818221218", "2020-08-18 22:12:18Z"}},
		"TS": {[]string{"2020081822121899Z", "2020-08-18T22:12:18.99Z"}, []string{"2018-06-18T20:42:39.22"}},
		"WP": {[]string{"000", "003"}, []string{"", "00", "004", "010"}},
		"10": {[]string{"anything"}, []string{"\x01"}},
	} {
		for i, data := range append(append([]string{}, c.good...), c.bad...) {
			h := keyblock.Header{Version: 'D', Usage: "P0", Algorithm: 'A', Mode: 'E', KeyVersion: "00", Exportability: 'E', Context: '0', Options: []keyblock.Option{{ID: id, Data: data}}}
			keys, err := keysOf('D', unhex(t, kbpkD))
			if err != nil {
				t.Fatal(err)
			}
			text, err := keyblock.Wrap(keys, h, make([]byte, 16), make([]byte, 14), make([]byte, 1024))
			wantGood := i < len(c.good) && (id != "PB" || len(data) == 12)
			switch {
			case wantGood && err != nil:
				t.Errorf("%s %q: %v", id, data, err)
			case !wantGood && !named(err):
				t.Errorf("%s %q: %v", id, data, err)
			case wantGood:
				b, err := keyblock.Parse(text)
				if err != nil {
					t.Errorf("%s %q does not read back: %v", id, data, err)
				} else if got, _ := b.Header.Option(id); got != data {
					t.Errorf("%s reads back as %q, want %q", id, got, data)
				}
			}
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	if _, err := fmt.Sscanf(s, "%X", &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTrapMisprints: what standards and a manual print wrongly is not what we compute;
// put right it is.
func TestTrapMisprints(t *testing.T) {
	open := func(kbpk, text string) string {
		b, err := keyblock.Parse(text)
		if err != nil {
			return err.Error()
		}
		key, err := unwrap(b, unhex(t, kbpk))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%X", key)
	}
	const (
		iso20038 = "D0112M3TV16N000018462FA5903B8D2B82FEE26B29713C0BE7ED81601087F12252093D06FC0A012C1CF769AD0E3E9E4877166AB013FC22B4"
		manual   = "A0072K0TD00N00007D2D21FC9ECD3EECBB0A2615BD8F05605722120BDFF2CCAC"
		pinPad   = "19191919191919195B5B5B5B5B5B5B5B"
	)
	for name, c := range map[string]struct{ kbpk, text, want string }{
		"ISO 20038 B.3 names the key 76726170…; its own MAC input shows this one":  {kbpkE, iso20038, "767361707064642032454552206B6479"},
		"the manual's line swaps two digits of the MAC":                            {pinPad, manual + "319C3198", keyblock.ErrMAC.Error()},
		"its message frame does not":                                               {pinPad, manual + "319C3918", "AA55AA55AA55AA553434343434343434"},
		"X9.143:2021 8.3.2.1 says 0072 of 88 characters; with 0088 the MAC is off": {"89E88CF7931444F334BD7547FC3F380C", "A0088P0TE00E0000A8974C06DBFD58D197101A28DEC1A6C7C23F00A3B18EC6D538DE4A5B5F49A542D61A8A8B", keyblock.ErrMAC.Error()},
	} {
		if got := open(c.kbpk, c.text); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
