// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
)

// arpcMethodVectors give the key itself. A MAC of one block is E-D-E of it, and
// method 2 is a MAC: the module's own serves for both.
func arpcMethodVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "emv_arpc", "emv.arpc_method1"), load(s, "emv_arpc", "emv.arpc_method2")...) {
		arqc := [8]byte(v.bytes(s, "arqc"))
		var data []byte
		if v.Function == "emv.arpc_method1" {
			block := emvkey.ARPC1(arqc, [2]byte(v.bytes(s, "arc")))
			data = block[:]
		} else {
			padded, err := emvkey.ARPC2(arqc, hsm.CSU{Status: [4]byte(v.bytes(s, "csu")), Proprietary: v.bytes(s, "proprietary")})
			if err != nil {
				s.Fatal(err)
			}
			data = padded
		}
		got, err := s.m.MAC(s.Context(), s.key(hsm.ZAK, v.bytes(s, "key")), hsm.MACRetail, data)
		if err != nil || upper(got[:])[:len(v.want())] != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 19)
}

// underKey is the cryptogram of one block under a clear key, by the standard
// library: what a module that derived the same key answers.
func underKey(s *suite, key []byte, block string) [8]byte {
	return [8]byte(tdes(s, key, unhex(s, block), false))
}

// masterKeyVectors: a card key never leaves, so it shows in a cryptogram of one
// block, which is E-D-E of it.
func masterKeyVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "emv_keys", "emv.mk_option_a"), load(s, "emv_keys", "emv.mk_option_b")...) {
		g := hsm.Given{PAN: s.pan(v.text("pan")), PSN: psn(v), Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone, Data: make([]byte, 8)}
		if v.Function == "emv.mk_option_b" {
			g.Option = hsm.OptionB
		}
		g.AC = underKey(s, unhex(s, v.want()), "0000000000000000")
		if err := s.m.VerifyGiven(s.Context(), s.key(hsm.IMKAC, v.bytes(s, "imk")), g); err != nil {
			s.Errorf("%s: %v", v.ID, err)
		}
		n++
	}
	s.count(n, 31)
}

// treeVectors derive from a card key that is given, so the module gets an issuer
// key of which that card's is the cipher.
func treeVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_keys", "emv.sk_emv2000_tree") {
		tree := hsm.Tree{Height: v.number("height"), Branch: v.number("branch_factor"), IV: [16]byte(v.bytes(s, "iv"))}
		var keys [48]byte
		copy(keys[:], v.bytes(s, "mk"))
		err := emvkey.Tree(&keys, tree, [2]byte(v.bytes(s, "atc")), func(key, data []byte) error {
			copy(data, tdes(s, key, data, false))
			return nil
		})
		if err != nil || upper(keys[:16]) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, keys[:16], err, v.want())
		}
		// The same tree over the module's card key, against the standard library.
		imk := unhex(s, testKey)
		copy(keys[:], tdes(s, imk, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false))
		emvkey.OddParity(keys[:16])
		_ = emvkey.Tree(&keys, tree, [2]byte(v.bytes(s, "atc")), func(key, data []byte) error {
			copy(data, tdes(s, key, data, false))
			return nil
		})
		g := hsm.Given{PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Session: hsm.SessionEMV2000, Answer: hsm.SessionNone, Tree: tree, ATC: [2]byte(v.bytes(s, "atc")),
			Padding: hsm.PaddingNone, Data: unhex(s, "1122334455667788"), AC: underKey(s, keys[:16], "1122334455667788")}
		if err := s.m.VerifyGiven(s.Context(), s.key(hsm.IMKAC, imk), g); err != nil {
			s.Errorf("%s in the module: %v", v.ID, err)
		}
		n++
	}
	s.count(n, 9)
}

// trapCVN17: the same byte 11 (hex) in the issuer data, another list under
// another key; and a byte that says one scheme under the other's profile.
func trapCVN17(s *suite) {
	value := unhex(s, testKey)
	imk, f := s.key(hsm.IMKAC, value), sale()
	card := tdes(s, value, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	f["9F10"] = "06011103A0B0C0"
	f["9F26"] = upper(mac3(s, card, f["9F02"]+f["9F37"]+f["9F36"]+"A0"+"000000"))
	check := func(profile hsm.Profile, f fields) error {
		return s.m.VerifyARQC(s.Context(), imk, hsm.Cryptogram{Profile: profile, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)})
	}
	if err := check(hsm.VisaCVN17, f); err != nil {
		s.Errorf("Visa CVN 17: %v", err)
	}
	if err := check(hsm.MChipCVN17, f); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("Visa's issuer data under Mastercard's profile: %v, want ErrInput", err)
	}
	f["9F10"] = "0111A00003220000B6A400000000000322FF"
	session := tdes(s, card, unhex(s, f["9F36"]+"F000"+f["9F37"]+f["9F36"]+"0F00"+f["9F37"]), false)
	list := f["9F02"] + f["9F03"] + f["9F1A"] + f["95"] + f["5F2A"] + f["9A"] + f["9C"] + f["9F37"] + f["82"] + f["9F36"]
	f["9F26"] = upper(mac3(s, session, list+"A00003220000"+"00000000000322FF"+"80"))
	if err := check(hsm.MChipCVN17, f); err != nil {
		s.Errorf("Mastercard CVN 17: %v", err)
	}
	if err := check(hsm.VisaCVN17, f); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("Mastercard's cryptogram under Visa's profile: %v, want ErrCryptogram", err)
	}
	if err := check(hsm.MChipCVN21, f); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("CVN 17 under CVN 21: %v, want ErrCryptogram", err)
	}
}

// mac3 is algorithm 3 by the standard library over hex of whole blocks.
func mac3(s *suite, key []byte, padded string) []byte {
	in, chain := unhex(s, padded), make([]byte, 8)
	if len(in)%8 != 0 {
		s.Fatalf("%d bytes are no whole blocks", len(in))
	}
	for ; len(in) > 0; in = in[8:] {
		for i := range chain {
			chain[i] ^= in[i]
		}
		if len(in) == 8 {
			return tdes(s, key, chain, false)
		}
		chain = tdes(s, key[:8], chain, false)
	}
	return nil
}

// trapPBOC: a worked example of a Chinese bank card, printed with its issuer key
// in public pages: the session key is JR/T 0025.7's, not EMV's, and the ARC is
// two ASCII characters. No test set of UnionPay is public.
func trapPBOC(s *suite) {
	f := fields{
		"9F26": "5D016C91005E7CC2", "9F10": "07000103A04002010A010000001000D1F61152", "9F37": "1E78EEBC", "9F36": "0240", "95": "0080046000",
		"9A": "140701", "9C": "00", "9F02": "000000000001", "5F2A": "0156", "82": "7D00", "9F1A": "0156", "9F03": "000000000000",
	}
	imk := s.key(hsm.IMKAC, unhex(s, "F0C34A8124CEE0A91A0B034AA97D6EAC"))
	c := hsm.Cryptogram{Profile: hsm.UnionPayPBOC, PAN: s.pan("6228000100001"), PSN: [2]byte{'0', '1'}, Data: f.icc(s)}
	if err := s.m.VerifyARQC(s.Context(), imk, c); err != nil {
		s.Errorf("published cryptogram: %v", err)
	}
	got, err := s.m.ARPC(s.Context(), imk, c, [2]byte{'0', '1'})
	if want := "21415243527CE78F3031"; err != nil || upper(got[:]) != want {
		s.Errorf("published answer: %X, %v; want %s", got, err, want)
	}
	c.Profile = hsm.UnionPayCVN01
	if err := s.m.VerifyARQC(s.Context(), imk, c); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("under EMV's session key: %v, want ErrCryptogram", err)
	}
}

// trapOptionB: option B is option A up to 16 digits; above it, the value of
// EMVCo's example is right and a "corrected" one in public is not.
func trapOptionB(s *suite) {
	v := load(s, "rejected", "emv.mk_option_b")[0]
	imk := s.key(hsm.IMKAC, v.bytes(s, "imk"))
	check := func(option hsm.MKOption, pan, key string) error {
		g := hsm.Given{Option: option, PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone,
			Data: make([]byte, 8), AC: underKey(s, unhex(s, key), "0000000000000000")}
		return s.m.VerifyGiven(s.Context(), imk, g)
	}
	if err := check(hsm.OptionB, v.text("pan"), "767C587A614CC729972C92E392ECA45B"); err != nil {
		s.Errorf("EMVCo's example: %v", err)
	}
	if err := check(hsm.OptionB, v.text("pan"), v.want()); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("the rejected value: %v, want ErrCryptogram", err)
	}
	if err := check(hsm.OptionA, v.text("pan"), "767C587A614CC729972C92E392ECA45B"); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("option A for a long PAN: %v, want ErrCryptogram", err)
	}
	for _, option := range []hsm.MKOption{hsm.OptionA, hsm.OptionB} {
		if err := check(option, "5413339000006165", "08DF34253220A720EFF2C1343852E63D"); err != nil {
			s.Errorf("16 digits, option %d: %v", option, err)
		}
	}
	// 17 and 19 digits have odd lengths with the sequence number.
	for pan, y := range map[string]string{"12345678901234567": "1C13AE23B54AF7BA49FBE09192C87983"} {
		other := s.key(hsm.IMKAC, unhex(s, testKey))
		g := hsm.Given{Option: hsm.OptionB, PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone,
			Data: make([]byte, 8), AC: underKey(s, unhex(s, y), "0000000000000000")}
		if err := s.m.VerifyGiven(s.Context(), other, g); err != nil {
			s.Errorf("%d digits: %v", len(pan), err)
		}
	}
}

// trapMChipR: R is ATC‖0000‖UN, the ATC binary and left. CVN 16 checks under the
// session key and answers under the card key; CVN 20 has no UN in its key.
func trapMChipR(s *suite) {
	value := unhex(s, testKey)
	imk, f := s.key(hsm.IMKAC, value), sale()
	card := tdes(s, value, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	f["9F10"] = "0110A00003220000B6A4000000000000000000"
	list := f["9F02"] + f["9F03"] + f["9F1A"] + f["95"] + f["5F2A"] + f["9A"] + f["9C"] + f["9F37"] + f["82"] + f["9F36"]
	block := func(key []byte, ac string) string {
		return upper(tdes(s, key, xor(unhex(s, ac), []byte{0x00, 0x10}), false)) + "0010"
	}
	for profile, r := range map[hsm.Profile]string{hsm.MChipCVN16: f["9F36"] + "%s00" + f["9F37"], hsm.MChipCVN20: f["9F36"] + "%s0000000000"} {
		session := tdes(s, card, unhex(s, fmt.Sprintf(r, "F0")+fmt.Sprintf(r, "0F")), false)
		f["9F26"] = upper(mac3(s, session, list+"A00003220000"+"80"))
		c := hsm.Cryptogram{Profile: profile, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)}
		if err := s.m.VerifyARQC(s.Context(), imk, c); err != nil {
			s.Errorf("profile %d: %v", profile, err)
		}
		answer := card
		if profile == hsm.MChipCVN20 {
			answer = session
		}
		got, err := s.m.ARPC(s.Context(), imk, c, [2]byte{0x00, 0x10})
		if want := block(answer, f["9F26"]); err != nil || upper(got[:]) != want {
			s.Errorf("profile %d: answer %X, %v; want %s", profile, got, err, want)
		}
	}
}

// trapIAD: what of the issuer application data is covered, byte by byte.
func trapIAD(s *suite) {
	imk := s.good(hsm.IMKAC)
	for profile, c := range map[hsm.Profile]struct {
		iad     string
		covered [2]int
		hole    [2]int // not covered within
	}{
		hsm.VisaCVN10:     {"06010A03A0B0C0", [2]int{3, 7}, [2]int{}},
		hsm.VisaCVN17:     {"06011103A0B0C0", [2]int{4, 5}, [2]int{}},
		hsm.VisaCVN18:     {"06011203A0B0C0", [2]int{0, 7}, [2]int{}},
		hsm.VisaCVN22:     {"06011603A0B0C0", [2]int{0, 7}, [2]int{}},
		hsm.MChipCVN16:    {"0110A00003220000B6A400000000000322FF", [2]int{2, 8}, [2]int{}},
		hsm.MChipCVN17:    {"0111A00003220000B6A400000000000322FF", [2]int{2, 18}, [2]int{8, 10}},
		hsm.MChipCVN20:    {"0114A00003220000B6A400000000000322FF", [2]int{2, 8}, [2]int{}},
		hsm.MChipCVN21:    {"0115A00003220000B6A400000000000322FF", [2]int{2, 18}, [2]int{8, 10}},
		hsm.CCD:           {"0FA500A03800000000000000000000000F010000000000000000000000000000", [2]int{0, 32}, [2]int{}},
		hsm.InteracCVN133: {"1501850440B100000000B00000000000000000000000", [2]int{0, 22}, [2]int{}},
	} {
		f := sale()
		f["9F10"] = c.iad
		right := s.acOf(profile, f)
		for i := range len(c.iad) / 2 {
			iad := unhex(s, c.iad)
			iad[i] ^= 1
			f["9F26"], f["9F10"] = upper(right[:]), upper(iad)
			err := s.m.VerifyARQC(s.Context(), imk, hsm.Cryptogram{Profile: profile, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)})
			covered := i >= c.covered[0] && i < c.covered[1] && (i < c.hole[0] || i >= c.hole[1])
			if covered != errors.Is(err, hsm.ErrCryptogram) || !covered && err != nil {
				s.Errorf("profile %d, byte %d of the issuer data changed: %v", profile, i, err)
			}
		}
	}
}

// acOf computes a profile's cryptogram under testKey by the standard library,
// out of the input that package emvkey lays out.
func (s *suite) acOf(profile hsm.Profile, f fields) [8]byte {
	in, err := emvkey.Prepare(hsm.Cryptogram{Profile: profile, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)})
	if err != nil {
		s.Fatal(err)
	}
	key := tdes(s, unhex(s, testKey), in.Key.Card[:], false)
	if in.Key.Derived {
		key = tdes(s, key, in.Key.Data[:], false)
	}
	return [8]byte(mac3(s, key, upper(in.Padded())))
}

// trapScriptParity: the bytes that Visa's PIN block takes of the card's AC key
// are those of the adjusted key; a key as it was enciphered gives another block.
// The script key (card key xor ATC) is adjusted too, which no cipher sees.
func trapScriptParity(s *suite) {
	value := unhex(s, testKey)
	raw := tdes(s, value, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	adjusted := append([]byte{}, raw...)
	emvkey.OddParity(adjusted)
	if upper(raw[4:8]) == upper(adjusted[4:8]) {
		s.Fatal("the card key of this test is adjusted already: it shows nothing")
	}
	rules, _ := hsm.VisaCVN10.ScriptRules()
	sc := hsm.Script{Rules: rules, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, ATC: [2]byte{0x01, 0x5A}}
	key := append([]byte{}, adjusted...)
	for i, c := range sc.ATC {
		key[6+i] ^= c
		key[14+i] ^= ^c
	}
	p := hsm.PINChange{AC: s.key(hsm.IMKAC, value), SMI: s.key(hsm.IMKSMI, value), SMC: s.key(hsm.IMKSMC, value),
		New: s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), "1234", testPAN)}
	got, err := s.m.ChangePIN(s.Context(), sc, p)
	if err != nil || len(got) != 29 {
		s.Fatalf("%X, %v", got, err)
	}
	block := xor(unhex(s, "041234FFFFFFFFFF"), append(make([]byte, 4), adjusted[4:8]...))
	if clear, want := upper(tdes(s, key, got[5:21], true)), "08"+upper(block)+"80000000000000"; clear != want {
		s.Errorf("the enciphered block is %s, want %s", clear, want)
	}
	mac := upper(mac3(s, key, "8424000218"+upper(sc.ATC[:])+"0000000000000000"+upper(got[5:21])+"80"))
	if upper(got[21:]) != mac {
		s.Errorf("MAC %X, want %s", got[21:], mac)
	}
}

// trapBare: the same command of another transaction has the same MAC, and only
// for Interac's cards.
func trapBare(s *suite) {
	smi := s.good(hsm.IMKSMI)
	made := func(profile hsm.Profile, atc byte) [8]byte {
		rules, ok := profile.ScriptRules()
		if !ok {
			s.Fatalf("profile %d has no script rules", profile)
		}
		sc := hsm.Script{Rules: rules, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, ATC: [2]byte{0, atc}, ARQC: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
		out, err := s.m.ScriptMAC(s.Context(), smi, sc, [5]byte{0x84, 0x18, 0, 0, 8}, nil)
		if err != nil {
			s.Fatal(err)
		}
		return out
	}
	if made(hsm.InteracCVN133, 1) != made(hsm.InteracCVN133, 2) {
		s.Error("Interac: the ATC reaches the MAC")
	}
	for _, p := range []hsm.Profile{hsm.VisaCVN10, hsm.VisaCVN22, hsm.MChipCVN17, hsm.CCD} {
		if made(p, 1) == made(p, 2) {
			s.Errorf("profile %d: the ATC does not reach the MAC", p)
		}
	}
	if _, ok := hsm.UnionPayCVN01.ScriptRules(); ok {
		s.Error("UnionPay has script rules, though none are public")
	}
}

func xor(a, b []byte) []byte {
	out := append([]byte{}, a...)
	for i := range b {
		out[i] ^= b[i]
	}
	return out
}
