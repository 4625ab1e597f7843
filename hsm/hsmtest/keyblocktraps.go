// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
)

// trapHeaderMAC: no character of a header can be changed, respaced or lower-cased
// without a named refusal.
func trapHeaderMAC(s *suite) {
	for _, c := range []struct {
		kbpk, header string
		isAES        bool
	}{{tdeKBPK, "A0000M3TC00E0000", false}, {tdeKBPK, "B0000M3TC00E0100LB08ABCD", false}, {tdeKBPK, "C0000M3TC00E0000", false}, {aesKBPK, "D0000M3TC00E0000", true}, {aesKBPK, "E0000M3TC00E0000", true}} {
		kbpk, w := s.kbpk(unhex(s, c.kbpk), c.isAES), s.working(hsm.TAK, hsm.TDES2)
		good := s.closed(c.header, c.kbpk, unhex(s, testKey))
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, w, good); err != nil {
			s.Fatalf("%.16s: %v", good, err)
		}
		changed := []string{strings.ToLower(good), good[:len(c.header)] + strings.ToLower(good[len(c.header):]), " " + good, good + "\n", good[:16] + " " + good[16:]}
		for at := range len(c.header) {
			for _, r := range "09AEMNPSTcx \x00" {
				if other := good[:at] + string(r) + good[at+1:]; other != good {
					changed = append(changed, other)
				}
			}
		}
		for i := len(c.header); i < len(good); i += 7 { // and the body
			changed = append(changed, good[:i]+string("1032547698BADCFE"[strings.IndexByte("0123456789ABCDEF", good[i])])+good[i+1:])
		}
		for _, text := range changed {
			_, err := s.m.ImportKeyBlock(s.Context(), kbpk, w, text)
			if !errors.Is(err, hsm.ErrInput) && !errors.Is(err, hsm.ErrBinding) && !errors.Is(err, hsm.ErrUsage) {
				s.Errorf("%.30q: %v", text, err)
			}
		}
	}
}

// trapExtendedLength: the driver passes a block with a certificate on and reads it
// back; a length in bytes is refused.
func trapExtendedLength(s *suite) {
	data := "00" + strings.Repeat("QUJD", 80)
	kbpk := s.kbpk(unhex(s, aesKBPK), true)
	w := s.working(hsm.TAK, hsm.TDES2)
	w.Form = hsm.KeyBlockForm{Options: []hsm.KeyBlockOption{{ID: "CT", Data: data}}}
	_, out, err := s.m.GenerateSet(s.Context(), kbpk, w)
	if err != nil {
		s.Fatal(err)
	}
	if !strings.Contains(out[0].Block, fmt.Sprintf("CT0004%04X00QUJD", 10+len(data))) {
		s.Errorf("built as %.40s", out[0].Block)
	}
	if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TAK, hsm.TDES2), out[0].Block); err != nil {
		s.Error(err)
	}
	inBytes := strings.Replace(out[0].Block, fmt.Sprintf("CT0004%04X", 10+len(data)), fmt.Sprintf("CT0004%04X", (10+len(data))/2), 1)
	if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TAK, hsm.TDES2), inBytes); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("length in bytes: %v, want ErrInput", err)
	}
	w.Form.Options[0].Data = "00" + strings.Repeat("QUJD", 800) // more than a locked page holds
	if _, _, err := s.m.GenerateSet(s.Context(), kbpk, w); !errors.Is(err, keyblock.ErrTooLarge) || !errors.Is(err, hsm.ErrInput) {
		s.Errorf("a header larger than the memory for clear keys: %v", err)
	}
}

// trapMisprints: as printed the samples are refused, each for its reason; put right
// they open.
func trapMisprints(s *suite) {
	for _, c := range []struct {
		what, kbpk, block string
		isAES             bool
		w                 hsm.WorkingKey
		want              error
	}{
		{"X9.143:2021 8.2, KS is not hex", "E38331FBACE33F0B8694ABA5DC611CA20831949FEB8988102147291578F704E1",
			"D0192C0AVA1N0300KS08VM9ATS1A2018-06-18T20:42:39.22PB0E00000000005FDAFA00A1E84F599C2EB51A1F7A767D5E42314F0E84A3FC1A7B84C1DE81114659E6306AD544208F68F15602BD3E12DA0C7F9FC551F1C8E6385FAFC1F7B499F5",
			true, s.working(hsm.CVK, hsm.TDES2), keyblock.ErrOptional},
		{"X9.143:2021 8.3.2.1, length", "89E88CF7931444F334BD7547FC3F380C",
			"A0072P0TE00E0000A8974C06DBFD58D197101A28DEC1A6C7C23F00A3B18EC6D538DE4A5B5F49A542D61A8A8B", false, s.working(hsm.TPK, hsm.TDES2), keyblock.ErrLength},
		{"X9.143:2021 8.3.2.2, length", "DD7515F2BFC17F85CE48F3CA25CB21F6",
			"B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A38C6B0A146BF1B0BE0D3277F17A3AD5146EED7B727B8A248E", false, s.working(hsm.TPK, hsm.TDES2), keyblock.ErrLength},
		{"PIN pad manual, two MAC digits swapped", "19191919191919195B5B5B5B5B5B5B5B",
			"A0072K0TD00N00007D2D21FC9ECD3EECBB0A2615BD8F05605722120BDFF2CCAC319C3198", false, s.working(hsm.TMK, hsm.TDES2), keyblock.ErrAgree},
	} {
		kbpk := s.kbpk(unhex(s, c.kbpk), c.isAES)
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, c.w, c.block); !errors.Is(err, c.want) && !errors.Is(err, keyblock.ErrMAC) {
			s.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	// the manual's mode of use, D, is the terminal's half of a TMK; in the form that
	// agrees the swapped MAC is seen
	kbpk := s.kbpk(unhex(s, tdeKBPK), false)
	good := s.closed("A0000K0TN00N0000", tdeKBPK, unhex(s, testKey))
	n := len(good)
	swapped := good[:n-3] + string(good[n-2]) + string(good[n-3]) + good[n-1:]
	if good[n-2] == good[n-3] {
		s.Fatal("the digits to swap are equal")
	}
	if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TMK, hsm.TDES2), good); err != nil {
		s.Error(err)
	}
	if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TMK, hsm.TDES2), swapped); !errors.Is(err, hsm.ErrBinding) || !errors.Is(err, keyblock.ErrMAC) {
		s.Errorf("two MAC digits swapped: %v, want ErrBinding", err)
	}
}

func trapVersions(s *suite) {
	kbpk := s.kbpk(unhex(s, tdeKBPK), false)
	for _, version := range []byte{'A', 'C'} {
		w := s.working(hsm.TAK, hsm.TDES2)
		w.Form.Version = version
		if _, _, err := s.m.GenerateSet(s.Context(), kbpk, w); !errors.Is(err, hsm.ErrInput) || !strings.Contains(err.Error(), "withdrawn") {
			s.Errorf("version %c made: %v", version, err)
		}
		block := s.closed(fmt.Sprintf("%c0000M3TC00E0000", version), tdeKBPK, unhex(s, testKey))
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TAK, hsm.TDES2), block); err != nil {
			s.Errorf("version %c read: %v", version, err)
		}
		out, err := s.m.TranslateKeyBlock(s.Context(), kbpk, kbpk, block, hsm.KeyBlockForm{})
		if err != nil || out[0] != 'B' || upper(s.opened(out, tdeKBPK)) != testKey {
			s.Errorf("version %c passed on: %.16s, %v", version, out, err)
		}
	}
}

// disagreements: the table, the wrong way round.
func disagreements(s *suite) {
	kbpk := s.kbpk(unhex(s, aesKBPK), true)
	wish := func(u hsm.Usage, a hsm.Algorithm) hsm.WorkingKey { return s.working(u, a) }
	for name, c := range map[string]struct {
		header string
		w      hsm.WorkingKey
	}{
		"a PIN key as MAC key":          {"D0000P0TB00E0000", wish(hsm.TAK, hsm.TDES2)},
		"a MAC key as PIN key":          {"D0000M3TC00E0000", wish(hsm.ZPK, hsm.TDES2)},
		"a BDK as IK":                   {"D0000B0TX00E0000", wish(hsm.IK, hsm.TDES2)},
		"E0 as script key":              {"D0000E0TX00E0000", wish(hsm.IMKSMI, hsm.TDES2)},
		"V1 as PVV key":                 {"D0000V1TC00E0000", wish(hsm.PVK, hsm.TDES2)},
		"AES header, DES wish":          {"D0000P0AB00E0000", wish(hsm.ZPK, hsm.TDES2)},
		"DES header, AES wish":          {"D0000P0TB00E0000", wish(hsm.ZPK, hsm.AES128)},
		"three parts, two wished":       {"D0000P0TB00E0000", wish(hsm.ZPK, hsm.TDES3)},
		"generate only":                 {"D0000M3TG00E0000", wish(hsm.TAK, hsm.TDES2)},
		"encipher only, for a zone":     {"D0000P0TE00E0000", wish(hsm.ZPK, hsm.TDES2)},
		"decipher only, for a zone":     {"D0000P0TD00E0000", wish(hsm.ZPK, hsm.TDES2)},
		"a component":                   {"D0000P0TBc2E0000", wish(hsm.ZPK, hsm.TDES2)},
		"proprietary usage":             {"D000010TN00E0000", wish(hsm.ZPK, hsm.TDES2)},
		"proprietary mode":              {"D0000P0T100E0000", wish(hsm.ZPK, hsm.TDES2)},
		"a KBPK, which never travels":   {"D0000K1TB00E0000", wish(hsm.KBPK, hsm.TDES2)},
		"a card-number key, likewise":   {"D0000D0AB00E0000", wish(hsm.PANSeal, hsm.AES256)},
		"CMAC key as retail MAC of AES": {"D0000M3AC00E0000", wish(hsm.TAK, hsm.AES128)},
	} {
		block := s.closed(c.header, aesKBPK, unhex(s, testKey))
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, c.w, block); !errors.Is(err, hsm.ErrUsage) {
			s.Errorf("%s: %v, want ErrUsage", name, err)
		}
	}
	for _, u := range usages {
		w := hsm.WorkingKey{Spec: s.spec(u)}
		if u == hsm.TPK || u == hsm.TMK {
			w.Form.Mode = 'B' // the whole of it, not the terminal's half
		}
		keys, out, err := s.m.GenerateSet(s.Context(), kbpk, w)
		if travels := hsm.OpTravelsInKeyBlock.Allows(u); travels != (err == nil) || !travels && !errors.Is(err, hsm.ErrUsage) {
			s.Errorf("%s in a key block: %v", u, err)
		} else if travels && out[0].Block[11] != 'N' {
			s.Errorf("%s leaves as %.16s: exportable unless it was asked for", u, out[0].Block)
		} else if travels {
			if again, err := s.m.ImportKeyBlock(s.Context(), kbpk, w, out[0].Block); err != nil || again.KCV != keys[0].KCV {
				s.Errorf("%s does not come back as it left: %v", u, err)
			}
		}
	}
}

// checkValueBlocks: KC is the key's own, KP the protection key's.
func checkValueBlocks(s *suite) {
	kbpk := s.kbpk(unhex(s, aesKBPK), true)
	own := checkOf(s, hsm.TDES2, unhex(s, testKey))
	for name, c := range map[string]struct {
		options string
		want    error
	}{
		"right KC":             {"0200KC0C00" + upper(own[:]) + "PB14" + strings.Repeat("0", 16), nil},
		"wrong KC":             {"0200KC0C00000000PB14" + strings.Repeat("0", 16), hsm.ErrInput},
		"KC by CMAC, not ours": {"0200KC0C01000000PB14" + strings.Repeat("0", 16), nil},
		"right KP":             {"0200KP0C01" + upper(kbpk.KCV[:]) + "PB14" + strings.Repeat("0", 16), nil},
		"wrong KP":             {"0200KP0C01000000PB14" + strings.Repeat("0", 16), hsm.ErrInput},
	} {
		block := s.closed("D0000M3TC00E"+c.options[:2]+c.options[2:], aesKBPK, unhex(s, testKey))
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TAK, hsm.TDES2), block); !errors.Is(err, c.want) {
			s.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
