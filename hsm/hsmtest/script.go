// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

// chipCases are cryptograms, their answers, and issuer scripts.
func chipCases() []testCase {
	return []testCase{
		{"vectors/emv.arqc", arqcVectors},
		{"vectors/emv.arpc", arpcVectors},
		{"vectors/emv.arpc_method1 and 2", arpcMethodVectors},
		{"vectors/emv.mk_option_a and b", masterKeyVectors},
		{"vectors/emv.sk_emv2000_tree", treeVectors},
		{"vectors/emv.script_mac_from_imk", scriptMACVectors},
		{"vectors/emv.script_mac_chain", scriptChainVectors},
		{"vectors/emv.script_mac", scriptRawVectors},
		{"vectors/emv.script_encrypt", scriptEncipherVectors},
		{"vectors/emv.pin_change_apdu", pinChangeVectors},
		{"vectors/emv.script_pin_from_zpk", pinFromZoneVectors},
		{"trap/CVN byte of the card chooses nothing", trapCVN},
		{"trap/CVN 17 is Visa's and Mastercard's", trapCVN17},
		{"trap/UnionPay profile covers the CVR only", trapUnionPay},
		{"trap/PBOC session key, a published example", trapPBOC},
		{"trap/long PAN keeps its right end, no PSN is 00", trapLongPAN},
		{"trap/option B above 16 digits, odd length, digits first", trapOptionB},
		{"trap/ARC is padded on the right, ARPC key follows the profile", trapARPC},
		{"trap/ATC stands left in R, UN right", trapMChipR},
		{"trap/CVR alone with padding 1, whole IAD with padding 2", trapIAD},
		{"trap/Visa script PIN block is of the adjusted card key", trapScriptParity},
		{"trap/Interac scripts cover neither ATC nor ARQC", trapBare},
		{"trap/short PAN is filled with zeros on the left", trapShortPAN},
		{"trap/ARC as characters and as bytes are two answers", trapARC},
		{"trap/scripts are padded as their scheme does", trapScriptPadding},
		{"trap/session keys keep their parity, which changes no cryptogram", trapSessionParity},
		{"refuse/scripts of a wrong form", wrongScripts},
		{"refuse/AES application cryptograms", refuseAES},
	}
}

// script is a vector's script under the rules of its scheme.
func (s *suite) script(v vector) hsm.Script {
	s.Helper()
	rules, ok := named(v).ScriptRules()
	if !ok {
		s.Fatalf("%s: scheme %q has no script rules", v.ID, v.text("scheme"))
	}
	return s.scriptWith(v, rules)
}

func (s *suite) scriptWith(v vector, rules hsm.ScriptRules) hsm.Script {
	out := hsm.Script{Rules: rules, PAN: s.pan(v.text("pan")), PSN: psn(v)}
	copy(out.ATC[:], v.bytes(s, "atc"))
	copy(out.ARQC[:], v.bytes(s, "arqc"))
	return out
}

func scriptMACVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_sm", "emv.script_mac_from_imk") {
		smi := s.key(hsm.IMKSMI, v.bytes(s, "imk_smi"))
		got, err := s.m.ScriptMAC(s.Context(), smi, s.script(v), [5]byte(v.bytes(s, "header")), nil)
		if err != nil || upper(got[:]) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 6)
}

// scriptChainVectors print the whole of what is covered.
func scriptChainVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_sm", "emv.script_mac_chain") {
		rules := hsm.ScriptRules{Session: hsm.ScriptCommon}
		if v.text("skd") == "visa_sm" {
			rules.Session = hsm.ScriptVisa
		}
		data, sc := v.bytes(s, "data"), s.scriptWith(v, rules)
		if !bytes.Equal(data[5:15], append(sc.ATC[:], sc.ARQC[:]...)) {
			s.Fatalf("%s covers no ATC and ARQC", v.ID)
		}
		got, err := s.m.ScriptMAC(s.Context(), s.key(hsm.IMKSMI, v.bytes(s, "imk_smi")), sc, [5]byte(data), data[15:])
		if err != nil || upper(got[:]) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 3)
}

// scriptRawVectors give the session key itself: the module's MAC of it.
func scriptRawVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "emv_sm", "emv.script_mac"), load(s, "emv_sm", "emv.script_mac_pin_change")...) {
		data := append(v.bytes(s, "data"), v.bytes(s, "encrypted_pin")...)
		var header [5]byte
		copy(header[:], data)
		padded, err := emvkey.ScriptInput(hsm.Script{Rules: hsm.ScriptRules{Bare: true}}, header, data[5:])
		if err != nil {
			s.Fatal(err)
		}
		got, err := s.m.MAC(s.Context(), s.key(hsm.ZAK, v.bytes(s, "sk")), hsm.MACRetail, padded)
		if err != nil || upper(got[:]) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 24)
}

// scriptEncipherVectors give the session key itself, so blocks are enciphered
// by the standard library; what is in a module is in pinChangeVectors and here
// behind: one script of each padding, deciphered again.
func scriptEncipherVectors(s *suite) {
	paddings := map[string]hsm.ScriptPadding{"visa": hsm.ScriptLength, "mastercard": hsm.ScriptAligned, "emv": hsm.ScriptPad2}
	n := 0
	for _, v := range load(s, "emv_sm", "emv.script_encrypt") {
		padded, chained, err := emvkey.ScriptPadded(nil, v.bytes(s, "data"), paddings[v.text("scheme")])
		if err != nil {
			s.Fatal(err)
		}
		if got := upper(chain(s, v.bytes(s, "sk"), padded, chained)); got != v.want() {
			s.Errorf("%s: %s, want %s", v.ID, got, v.want())
		}
		n++
	}
	s.count(n, 15)
	imk := unhex(s, testKey)
	card := tdes(s, imk, unhex(s, "2424230000006900DBDBDCFFFFFF96FF"), false)
	session := tdes(s, card, unhex(s, "0102F003040506070102"+"0F0304050607"), false)
	for _, padding := range paddings {
		sc := hsm.Script{Rules: hsm.ScriptRules{Session: hsm.ScriptCommon, Padding: padding}, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, ARQC: [8]byte{1, 2, 0xF0, 3, 4, 5, 6, 7}}
		for size := 1; size <= 24; size++ {
			data := bytes.Repeat([]byte{0xA5}, size)
			padded, chained, err := emvkey.ScriptPadded(nil, data, padding)
			if err != nil {
				s.Fatal(err)
			}
			got, err := s.m.EncipherScript(s.Context(), s.key(hsm.IMKSMC, imk), sc, data)
			if want := chain(s, session, padded, chained); err != nil || !bytes.Equal(got, want) {
				s.Errorf("padding %d, %d bytes: %X, %v; want %X", padding, size, got, err, want)
			}
		}
	}
}

// chain enciphers whole blocks by the standard library, by CBC when chained.
func chain(s *suite, key, padded []byte, chained bool) []byte {
	if !chained {
		return tdes(s, key, padded, false)
	}
	var out []byte
	last := make([]byte, 8)
	for ; len(padded) > 0; padded = padded[8:] {
		for i := range last {
			last[i] ^= padded[i]
		}
		last = tdes(s, key, last, false)
		out = append(out, last...)
	}
	return out
}

// change is a vector's PIN change with the keys it gives.
func (s *suite) change(v vector) hsm.PINChange {
	return hsm.PINChange{
		AC: s.key(hsm.IMKAC, v.bytes(s, "imk_ac")), SMI: s.key(hsm.IMKSMI, v.bytes(s, "imk_smi")), SMC: s.key(hsm.IMKSMC, v.bytes(s, "imk_smc")),
	}
}

func pinChangeVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_sm", "emv.pin_change_apdu") {
		p := s.change(v)
		p.New = s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), v.text("pin"), v.text("pan"))
		if v.text("current_pin") != "" {
			p.Current = s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), v.text("current_pin"), v.text("pan"))
		}
		got, err := s.m.ChangePIN(s.Context(), s.script(v), p)
		if err != nil || upper(got) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 9)
}

// pinFromZoneVectors mix padding, block and session key as no scheme does, with
// a header whose length byte is of another command.
func pinFromZoneVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_sm", "emv.script_pin_from_zpk") {
		rules := hsm.ScriptRules{
			Session: map[string]hsm.ScriptSession{"common": hsm.ScriptCommon, "visa_sm": hsm.ScriptVisa}[v.text("skd")],
			Padding: map[string]hsm.ScriptPadding{"visa": hsm.ScriptLength, "mastercard": hsm.ScriptAligned, "emv": hsm.ScriptPad2}[v.text("scheme")],
			Block:   map[string]hsm.ScriptBlock{"vis": hsm.ScriptVIS, "iso2": hsm.ScriptISO2}[v.text("pin_block")],
		}
		rules.Current = rules.Block
		p := s.change(v)
		in := hsm.EncipheredPIN{Format: hsm.ISO0, Key: s.key(hsm.ZPK, v.bytes(s, "zpk")), PAN: s.pan(v.text("pan"))}
		p.New, p.Current, p.Header = in, in, [5]byte(v.bytes(s, "header"))
		p.New.Block = s.block(v.bytes(s, "new_pin_block"))
		if v.text("current_pin_block") != "" {
			p.Current.Block = s.block(v.bytes(s, "current_pin_block"))
		}
		got, err := s.m.ChangePIN(s.Context(), s.scriptWith(v, rules), p)
		if err != nil || len(got) < 5 || upper(got[5:]) != v.want() {
			s.Errorf("%s: %X, %v; want a header and %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 5)
}

// scriptFunctions are the uses of issuer script keys, good under testKey.
func (s *suite) scriptFunctions() []function {
	m, value := s.m, unhex(s, testKey)
	rules, _ := hsm.VisaCVN10.ScriptRules()
	sc := hsm.Script{Rules: rules, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}}
	in := s.arrived(hsm.ZPK, hsm.ISO0, value, "1234", testPAN)
	change := hsm.PINChange{AC: s.key(hsm.IMKAC, value), SMI: s.key(hsm.IMKSMI, value), SMC: s.key(hsm.IMKSMC, value), New: in}
	with := func(put func(p *hsm.PINChange, k *hsm.Key)) func(ctx context.Context, k *hsm.Key) error {
		return func(ctx context.Context, k *hsm.Key) error {
			p := change
			put(&p, k)
			return second(m.ChangePIN(ctx, sc, p))
		}
	}
	c := hsm.Cryptogram{Profile: hsm.VisaCVN18, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: sale().icc(s)}
	g := hsm.Given{PAN: c.PAN, PSN: c.PSN, Session: hsm.SessionCommon, Answer: hsm.SessionNone, Padding: hsm.Padding2, Data: []byte("x")}
	imkac := []hsm.Usage{hsm.IMKAC}
	return []function{
		{"ScriptMAC", []hsm.Usage{hsm.IMKSMI}, func(ctx context.Context, k *hsm.Key) error {
			return second(m.ScriptMAC(ctx, k, sc, [5]byte{0x84, 0x18, 0, 0, 8}, nil))
		}},
		{"EncipherScript", []hsm.Usage{hsm.IMKSMC}, func(ctx context.Context, k *hsm.Key) error {
			return second(m.EncipherScript(ctx, k, sc, []byte("x")))
		}},
		{"ChangePIN AC", imkac, with(func(p *hsm.PINChange, k *hsm.Key) { p.AC = k })},
		{"ChangePIN SMI", []hsm.Usage{hsm.IMKSMI}, with(func(p *hsm.PINChange, k *hsm.Key) { p.SMI = k })},
		{"ChangePIN SMC", []hsm.Usage{hsm.IMKSMC}, with(func(p *hsm.PINChange, k *hsm.Key) { p.SMC = k })},
		{"ChangePIN new block", []hsm.Usage{hsm.TPK, hsm.ZPK}, with(func(p *hsm.PINChange, k *hsm.Key) { p.New.Key = k })},
		{"ChangePIN current block", []hsm.Usage{hsm.TPK, hsm.ZPK}, with(func(p *hsm.PINChange, k *hsm.Key) { p.Current = in; p.Current.Key = k })},
		{"ARPC2", imkac, func(ctx context.Context, k *hsm.Key) error { return second(m.ARPC2(ctx, k, c, hsm.CSU{})) }},
		{"VerifyGiven", imkac, func(ctx context.Context, k *hsm.Key) error { return m.VerifyGiven(ctx, k, g) }},
		{"GivenARPC1", imkac, func(ctx context.Context, k *hsm.Key) error { return second(m.GivenARPC1(ctx, k, g, [2]byte{})) }},
		{"GivenARPC2", imkac, func(ctx context.Context, k *hsm.Key) error { return second(m.GivenARPC2(ctx, k, g, hsm.CSU{})) }},
	}
}

func wrongScripts(s *suite) {
	rules, _ := hsm.MChipCVN16.ScriptRules()
	sc := hsm.Script{Rules: rules, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}}
	smi, smc := s.good(hsm.IMKSMI), s.good(hsm.IMKSMC)
	good := s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, testKey), "1234", testPAN)
	with := func(change func(sc *hsm.Script, p *hsm.PINChange)) error {
		wrong, p := sc, hsm.PINChange{AC: s.good(hsm.IMKAC), SMI: smi, SMC: smc, New: good}
		change(&wrong, &p)
		_, err := s.m.ChangePIN(s.Context(), wrong, p)
		return err
	}
	enciphered := func(padding hsm.ScriptPadding, size int) error {
		wrong := sc
		wrong.Rules.Padding = padding
		return second(s.m.EncipherScript(s.Context(), smc, wrong, make([]byte, size)))
	}
	other := sc
	other.Rules.Session = 0
	for name, err := range map[string]error{
		"no new PIN":          with(func(_ *hsm.Script, p *hsm.PINChange) { p.New.Block = secret.PINBlock{} }),
		"AES PIN block":       with(func(_ *hsm.Script, p *hsm.PINChange) { p.New.Block = s.block(make([]byte, 16)) }),
		"current PIN, M/Chip": with(func(_ *hsm.Script, p *hsm.PINChange) { p.Current = good }),
		"no block":            with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.Block = 0 }),
		"no session key":      with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.Session = 9 }),
		"no padding":          with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.Padding = 0 }),
		"MAC of 3":            with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.MAC = 3 }),
		"MAC of 9":            with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.MAC = 9 }),
		"PIN of another card": with(func(_ *hsm.Script, p *hsm.PINChange) { p.New.PAN = s.pan("6224242300990069") }),
		"short PAN":           with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.PAN = s.pan("12345678") }),
		"option 2":            with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Option = 2 }),
		"script of nothing":   enciphered(hsm.ScriptPad2, 0),
		"script of 256":       enciphered(hsm.ScriptPad2, 256),
		"padding 9":           enciphered(9, 1),
		"MAC of 256 bytes":    second(s.m.ScriptMAC(s.Context(), smi, sc, [5]byte{}, make([]byte, 256))),
		"MAC, no session key": second(s.m.ScriptMAC(s.Context(), smi, other, [5]byte{}, nil)),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	err := with(func(_ *hsm.Script, p *hsm.PINChange) {
		p.New.Block = s.pinBlock(unhex(s, testKey), "1234", "6224242300990069")
	})
	if !errors.Is(err, hsm.ErrPINBlock) {
		s.Errorf("PIN block of another account: %v, want ErrPINBlock", err)
	}
	err = with(func(_ *hsm.Script, p *hsm.PINChange) { p.New.Key = s.pinKey(hsm.ZPK, hsm.ISO4, unhex(s, testKey)) })
	if !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("format 0 under an AES zone key: %v, want ErrUsage", err)
	}
	if err := with(func(sc *hsm.Script, _ *hsm.PINChange) { sc.Rules.MAC = 4 }); err != nil {
		s.Errorf("MAC of 4: %v", err)
	}
}

// refuseAES: option C and AES session keys have no vectors of a standard and are
// not built; no key for them can be made.
func refuseAES(s *suite) {
	for _, u := range []hsm.Usage{hsm.IMKAC, hsm.IMKSMI, hsm.IMKSMC} {
		spec := s.spec(u)
		spec.Algorithm = hsm.AES128
		if _, err := s.m.LoadClear(s.Context(), spec, clearKey(s, make([]byte, 16))); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s of AES: %v, want ErrInput", u, err)
		}
	}
	g := hsm.Given{PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Session: 99, Answer: hsm.SessionNone, Padding: hsm.Padding2, Data: []byte("x")}
	for name, change := range map[string]func(g *hsm.Given){
		"session 99": func(*hsm.Given) {},
		"option 2":   func(g *hsm.Given) { g.Session, g.Option = hsm.SessionNone, 2 },
		"padding 0":  func(g *hsm.Given) { g.Session, g.Padding = hsm.SessionNone, 0 },
		"no padding": func(g *hsm.Given) { g.Session, g.Padding = hsm.SessionNone, hsm.PaddingNone },
		"no data":    func(g *hsm.Given) { g.Session, g.Data = hsm.SessionNone, nil },
		"tree":       func(g *hsm.Given) { g.Session, g.Tree = hsm.SessionEMV2000, hsm.Tree{Height: 7, Branch: 4} },
		"answer":     func(g *hsm.Given) { g.Session, g.Answer = hsm.SessionNone, 0 },
	} {
		wrong := g
		change(&wrong)
		if err := s.m.VerifyGiven(s.Context(), s.good(hsm.IMKAC), wrong); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	_, err := s.m.GivenARPC2(s.Context(), s.good(hsm.IMKAC), hsm.Given{PAN: g.PAN, PSN: g.PSN, Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.Padding2, Data: g.Data}, hsm.CSU{Proprietary: make([]byte, 9)})
	if !errors.Is(err, hsm.ErrInput) {
		s.Errorf("proprietary data of 9 bytes: %v, want ErrInput", err)
	}
}
