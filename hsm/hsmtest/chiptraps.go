// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"errors"
	"strings"

	"tapswitch/hsm"
)

// trapShortPAN: PAN‖PSN of less than 16 digits is filled with zeros on the left;
// filled on the right it is another card.
func trapShortPAN(s *suite) {
	value := unhex(s, testKey)
	imk := s.key(hsm.IMKAC, value)
	for _, pan := range []string{"41234567", "4123456789012", "412345678901234"} {
		left := strings.Repeat("0", 14-min(14, len(pan))) + pan + "00"
		right := (pan + "00" + "00000000")[:16]
		g := hsm.Given{PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone, Data: make([]byte, 8)}
		for y, want := range map[string]error{left[len(left)-16:]: nil, right: hsm.ErrCryptogram} {
			card := unhex(s, y)
			for _, c := range unhex(s, y) {
				card = append(card, ^c)
			}
			g.AC = underKey(s, tdes(s, value, card, false), "0000000000000000")
			if err := s.m.VerifyGiven(s.Context(), imk, g); !errors.Is(err, want) {
				s.Errorf("%d digits as %s: %v, want %v", len(pan), y, err, want)
			}
		}
	}
}

// trapARC: hosts agree on the form of the response code, two ASCII characters or
// two bytes; the driver takes the two bytes as they are and turns neither into
// the other.
func trapARC(s *suite) {
	value := unhex(s, testKey)
	imk, f := s.key(hsm.IMKAC, value), sale()
	f["9F26"] = "1122334455667788"
	card := tdes(s, value, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	c := hsm.Cryptogram{Profile: hsm.VisaCVN10, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)}
	for arc, block := range map[[2]byte]string{{'0', '0'}: "2112334455667788", {}: "1122334455667788"} {
		got, err := s.m.ARPC(s.Context(), imk, c, arc)
		if want := upper(tdes(s, card, unhex(s, block), false)) + upper(arc[:]); err != nil || upper(got[:]) != want {
			s.Errorf("ARC %X: %X, %v; want %s", arc, got, err, want)
		}
	}
}

// trapScriptPadding: three schemes lay one script out in three ways, and differ
// most where the data is whole blocks.
func trapScriptPadding(s *suite) {
	imk := unhex(s, testKey)
	card := tdes(s, imk, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	session := tdes(s, card, unhex(s, "0102F003040506070102"+"0F0304050607"), false)
	seven, eight := "A1A2A3A4A5A6A7", "A1A2A3A4A5A6A7A8"
	for _, c := range []struct {
		padding    hsm.ScriptPadding
		data, laid string
		chained    bool
	}{
		{hsm.ScriptLength, seven, "07" + seven, false},
		{hsm.ScriptLength, eight, "08" + eight + "80000000000000", false},
		{hsm.ScriptAligned, seven, seven + "80", true},
		{hsm.ScriptAligned, eight, eight, true},
		{hsm.ScriptPad2, seven, seven + "80", true},
		{hsm.ScriptPad2, eight, eight + "8000000000000000", true},
	} {
		sc := hsm.Script{Rules: hsm.ScriptRules{Session: hsm.ScriptCommon, Padding: c.padding}, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, ARQC: [8]byte{1, 2, 0xF0, 3, 4, 5, 6, 7}}
		got, err := s.m.EncipherScript(s.Context(), s.key(hsm.IMKSMC, imk), sc, unhex(s, c.data))
		if want := chain(s, session, unhex(s, c.laid), c.chained); err != nil || !bytes.Equal(got, want) {
			s.Errorf("padding %d of %d bytes: %X, %v; want %X", c.padding, len(c.data)/2, got, err, want)
		}
	}
	for profile, want := range map[hsm.Profile]hsm.ScriptPadding{hsm.VisaCVN10: hsm.ScriptLength, hsm.VisaCVN22: hsm.ScriptLength,
		hsm.MChipCVN16: hsm.ScriptAligned, hsm.MChipCVN21: hsm.ScriptAligned, hsm.InteracCVN133: hsm.ScriptAligned, hsm.CCD: hsm.ScriptPad2} {
		if rules, ok := profile.ScriptRules(); !ok || rules.Padding != want {
			s.Errorf("profile %d has padding %d, want %d", profile, rules.Padding, want)
		}
	}
}

// trapSessionParity: a session key is used as it was derived. Nothing adjusts it,
// and a card key and session key that are adjusted make the same cryptogram, so
// that only who compares printed keys sees a difference.
func trapSessionParity(s *suite) {
	value, f := unhex(s, testKey), sale()
	card := tdes(s, value, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	session := tdes(s, card, unhex(s, f["9F36"]+"F00000000000"+f["9F36"]+"0F0000000000"), false)
	adjusted := adjust(session)
	if bytes.Equal(session, adjusted) || !bytes.Equal(tdes(s, adjust(card), make([]byte, 8), false), tdes(s, card, make([]byte, 8), false)) {
		s.Fatal("this session key has odd parity already: it shows nothing")
	}
	for _, key := range [][]byte{session, adjusted} {
		g := hsm.Given{PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, ATC: [2]byte(unhex(s, f["9F36"])), Session: hsm.SessionCommon, Answer: hsm.SessionNone,
			Padding: hsm.PaddingNone, Data: unhex(s, "1122334455667788"), AC: underKey(s, key, "1122334455667788")}
		if err := s.m.VerifyGiven(s.Context(), s.key(hsm.IMKAC, value), g); err != nil {
			s.Errorf("under %X: %v", key, err)
		}
	}
}

// adjust sets the low bit of every byte for odd parity.
func adjust(key []byte) []byte {
	out := bytes.Clone(key)
	for i, b := range out {
		odd := b >> 1
		odd ^= odd >> 4
		odd ^= odd >> 2
		odd ^= odd >> 1
		out[i] = b&^1 | ^odd&1
	}
	return out
}
