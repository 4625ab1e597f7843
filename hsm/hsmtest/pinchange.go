// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"

	"tapswitch/hsm"
)

// pinChangeCases are PIN changes by script, of PINs that arrive in every way.
func pinChangeCases() []testCase {
	return []testCase{
		{"PIN/change by script, from every format and key", changeFromEverywhere},
		{"vectors/dukpt PIN blocks, changed by script", changeFromDUKPT},
		{"refuse/PIN change by script from format 2, or of another card", wrongChangeSources},
	}
}

// changing is a PIN change of one of Visa's cards, with its keys under testKey and
// no PIN yet.
func (s *suite) changing(pan string) (sc hsm.Script, p hsm.PINChange) {
	value := unhex(s, testKey)
	rules, _ := hsm.VisaCVN10.ScriptRules()
	sc = hsm.Script{Rules: rules, PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, ATC: [2]byte{0x01, 0x5A}}
	return sc, hsm.PINChange{AC: s.key(hsm.IMKAC, value), SMI: s.key(hsm.IMKSMI, value), SMC: s.key(hsm.IMKSMC, value)}
}

// changed makes the command; no current PIN when old has no block.
func (s *suite) changed(sc hsm.Script, p hsm.PINChange, next, old hsm.EncipheredPIN) []byte {
	s.Helper()
	p.New, p.Current = next, old
	out, err := s.m.ChangePIN(s.Context(), sc, p)
	if err != nil {
		s.Errorf("%s, %s: %v", next.Format, old.Format, err)
	}
	return out
}

// changeFromEverywhere: the command depends on the PINs alone, not on the blocks
// in which they arrived: all pairs of formats, with keys of every length. That the
// command is right where both are of format 0 is what the vectors show.
func changeFromEverywhere(s *suite) {
	sc, p := s.changing(testPAN)
	key := unhex(s, otherKey)
	want := s.changed(sc, p, s.arrived(hsm.ZPK, hsm.ISO0, key, "4321", testPAN), s.arrived(hsm.ZPK, hsm.ISO0, key, "908172", testPAN))
	alone := s.changed(sc, p, s.arrived(hsm.ZPK, hsm.ISO0, key, "4321", testPAN), hsm.EncipheredPIN{})
	if bytes.Equal(want, alone) {
		s.Fatal("the current PIN does not reach the command")
	}
	var next, old []hsm.EncipheredPIN
	for _, f := range []hsm.PINFormat{hsm.ISO0, hsm.ISO1, hsm.ISO3, hsm.ISO4} {
		for i, value := range s.keysOf(f) {
			u := []hsm.Usage{hsm.TPK, hsm.ZPK}[i%2]
			next, old = append(next, s.arrived(u, f, value, "4321", testPAN)), append(old, s.arrived(u, f, value, "908172", testPAN))
		}
	}
	n := 0
	for _, new := range next {
		if got := s.changed(sc, p, new, hsm.EncipheredPIN{}); !bytes.Equal(got, alone) {
			s.Errorf("%s under %s: another command", new.Format, new.Key.Algorithm)
		}
		for _, current := range old {
			if got := s.changed(sc, p, new, current); !bytes.Equal(got, want) {
				s.Errorf("%s under %s, the current PIN in %s under %s: another command", new.Format, new.Key.Algorithm, current.Format, current.Key.Algorithm)
			}
			n++
		}
	}
	s.count(n, 9*9)
}

// changeFromDUKPT: of every published block of X9.24 the command is that of the
// same PIN in a block under a zone key, with the block as new PIN and as both.
func changeFromDUKPT(s *suite) {
	zone, n := unhex(s, otherKey), 0
	check := func(v vector, in hsm.EncipheredPIN) {
		pan := v.text("pan")
		sc, p := s.changing(pan)
		plain := s.arrived(hsm.ZPK, hsm.ISO0, zone, v.text("pin"), pan)
		if !bytes.Equal(s.changed(sc, p, in, hsm.EncipheredPIN{}), s.changed(sc, p, plain, hsm.EncipheredPIN{})) {
			s.Errorf("%s: another command", v.ID)
		}
		if !bytes.Equal(s.changed(sc, p, in, in), s.changed(sc, p, plain, plain)) {
			s.Errorf("%s, current PIN too: another command", v.ID)
		}
		n++
	}
	for _, v := range load(s, "dukpt_tdes", "dukpt.tdes.encrypt_pin_iso0") {
		check(v, s.dukptArrived(v, hsm.ISO0, hsm.TDES2))
	}
	for _, v := range load(s, "dukpt_aes", "dukpt.aes.encrypt_pin_iso4") {
		check(v, s.dukptArrived(v, hsm.ISO4, 0))
	}
	s.count(n, 27+6)
}

func wrongChangeSources(s *suite) {
	sc, p := s.changing(testPAN)
	value := unhex(s, testKey)
	good := s.arrived(hsm.ZPK, hsm.ISO0, value, "1234", testPAN)
	three := s.arrived(hsm.ZPK, hsm.ISO3, value, "1234", testPAN)
	number := s.dukptKey(hsm.BDK, value, "FFFF9876543210E00001", hsm.TDES2)
	other := s.pan("6224242300990069")
	for name, c := range map[string]struct {
		change func(in *hsm.EncipheredPIN)
		want   error
	}{
		"format 2":                       {func(in *hsm.EncipheredPIN) { in.Format = hsm.ISO2 }, hsm.ErrPINFormat},
		"no format":                      {func(in *hsm.EncipheredPIN) { in.Format = 0 }, hsm.ErrInput},
		"no key":                         {func(in *hsm.EncipheredPIN) { in.Key = nil }, hsm.ErrInput},
		"another card":                   {func(in *hsm.EncipheredPIN) { in.PAN = other }, hsm.ErrInput},
		"format 1 of another card":       {func(in *hsm.EncipheredPIN) { in.Format, in.PAN = hsm.ISO1, other }, hsm.ErrInput},
		"format 3 said, format 0 sent":   {func(in *hsm.EncipheredPIN) { in.Format = hsm.ISO3 }, hsm.ErrPINBlock},
		"format 0 said, format 3 sent":   {func(in *hsm.EncipheredPIN) { in.Block = three.Block }, hsm.ErrPINBlock},
		"format 4 under a DES key":       {func(in *hsm.EncipheredPIN) { in.Format = hsm.ISO4 }, hsm.ErrUsage},
		"zone key with a KSN":            {func(in *hsm.EncipheredPIN) { in.KSN, in.Type = number.KSN, hsm.TDES2 }, hsm.ErrUsage},
		"base key without a KSN":         {func(in *hsm.EncipheredPIN) { in.Key = number.Base }, hsm.ErrUsage},
		"the key of another transaction": {func(in *hsm.EncipheredPIN) { in.Key, in.KSN, in.Type = number.Base, number.KSN, hsm.TDES2 }, hsm.ErrPINBlock},
	} {
		for place, of := range map[string]func(p *hsm.PINChange) *hsm.EncipheredPIN{
			"new": func(p *hsm.PINChange) *hsm.EncipheredPIN { return &p.New }, "current": func(p *hsm.PINChange) *hsm.EncipheredPIN { return &p.Current },
		} {
			wrong := p
			wrong.New, wrong.Current = good, good
			c.change(of(&wrong))
			if out, err := s.m.ChangePIN(s.Context(), sc, wrong); !errors.Is(err, c.want) || out != nil {
				s.Errorf("%s PIN, %s: %v, want %v", place, name, err, c.want)
			}
		}
	}
}

// dukptChange is a PIN change whose new PIN arrived under a key of DUKPT.
func (s *suite) dukptChange(in func(k *hsm.Key) hsm.EncipheredPIN) function {
	sc, p := s.changing(testPAN)
	return function{"DUKPT ChangePIN new block", []hsm.Usage{hsm.BDK, hsm.IK}, func(ctx context.Context, k *hsm.Key) error {
		change := p
		change.New = in(k)
		return second(s.m.ChangePIN(ctx, sc, change))
	}}
}
