// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"

	"tapswitch/hsm"
)

// dukptArrived is a published PIN block of a DUKPT device, as it arrives.
func (s *suite) dukptArrived(v vector, f hsm.PINFormat, t hsm.Algorithm) hsm.EncipheredPIN {
	s.Helper()
	d := s.dukptOf(v, t)
	return hsm.EncipheredPIN{Block: s.block(unhex(s, v.want())), Format: f, Key: d.Base, KSN: d.KSN, Type: d.Type, PAN: s.pan(v.text("pan"))}
}

// dukptPINVectors: every published block of X9.24 is translated to a zone key,
// and its PIN verified, against a value that was made of the same PIN in another
// block.
func dukptPINVectors(s *suite) {
	zone, pvk := unhex(s, otherKey), s.key(hsm.PVK, unhex(s, testKey))
	n := 0
	check := func(v vector, in hsm.EncipheredPIN) {
		pin, pan := v.text("pin"), v.text("pan")
		to := hsm.PINTarget{Format: hsm.ISO0, Key: s.pinKey(hsm.ZPK, hsm.ISO0, zone), PAN: in.PAN}
		out, err := s.m.TranslatePIN(s.Context(), in, to)
		if err != nil {
			s.Errorf("%s: %v", v.ID, err)
			return
		}
		if s.pinIn(out, hsm.ISO0, zone, pan) != pin {
			s.Errorf("%s: translated to another PIN", v.ID)
		}
		value, err := s.m.GeneratePVV(s.Context(), s.arrived(hsm.ZPK, hsm.ISO0, zone, pin, pan), pvk, '1')
		if err != nil {
			s.Fatal(err)
		}
		ref := hsm.PVV{Key: pvk, Index: '1', Value: value}
		if err := s.m.VerifyPVV(s.Context(), in, ref); err != nil {
			s.Errorf("%s: verify: %v", v.ID, err)
		}
		if again, err := s.m.ChangePVV(s.Context(), in, in, ref); err != nil || again != value {
			s.Errorf("%s: changed to the same PIN: %v", v.ID, err)
		}
		ref.Value[2] ^= 1
		if err := s.m.VerifyPVV(s.Context(), in, ref); !errors.Is(err, hsm.ErrPIN) {
			s.Errorf("%s: another value: %v, want ErrPIN", v.ID, err)
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

// wrongDUKPTPINs: a key serial number goes with a base key alone, a base key with
// a key serial number alone, and nothing translated leaves under DUKPT.
func wrongDUKPTPINs(s *suite) {
	v := load(s, "dukpt_tdes", "dukpt.tdes.encrypt_pin_iso0")[0]
	in := s.dukptArrived(v, hsm.ISO0, hsm.TDES2)
	to := hsm.PINTarget{Format: hsm.ISO0, Key: s.good(hsm.ZPK), PAN: in.PAN}
	with := func(change func(in *hsm.EncipheredPIN, to *hsm.PINTarget)) error {
		i, t := in, to
		change(&i, &t)
		return second(s.m.TranslatePIN(s.Context(), i, t))
	}
	if err := with(func(*hsm.EncipheredPIN, *hsm.PINTarget) {}); err != nil {
		s.Fatal(err)
	}
	other, err := in.KSN.At(2)
	if err != nil {
		s.Fatal(err)
	}
	aes, err := hsm.ParseKSN(unhex(s, "123456789012345600000001"))
	if err != nil {
		s.Fatal(err)
	}
	type I = *hsm.EncipheredPIN
	type T = *hsm.PINTarget
	for name, c := range map[string]struct{ err, want error }{
		"zone key with a KSN":            {with(func(i I, _ T) { i.Key = to.Key }), hsm.ErrUsage},
		"base key without a KSN":         {with(func(i I, _ T) { i.KSN = hsm.KSN{} }), hsm.ErrUsage},
		"to a base key with a KSN":       {with(func(i I, t T) { t.Key, t.KSN, t.Type = i.Key, i.KSN, i.Type }), hsm.ErrUsage},
		"to a base key without a KSN":    {with(func(i I, t T) { t.Key = i.Key }), hsm.ErrUsage},
		"to a zone key with a KSN":       {with(func(i I, t T) { t.KSN, t.Type = i.KSN, i.Type }), hsm.ErrUsage},
		"KSN of the other DUKPT":         {with(func(i I, _ T) { i.KSN = aes }), hsm.ErrInput},
		"AES key of a TDES device":       {with(func(i I, _ T) { i.Type = hsm.AES128 }), hsm.ErrInput},
		"format 4 under a DES key":       {with(func(i I, _ T) { i.Format = hsm.ISO4 }), hsm.ErrUsage},
		"the key of another transaction": {with(func(i I, _ T) { i.KSN = other }), hsm.ErrPINBlock},
		"PVV with a zone key and a KSN": {s.m.VerifyPVV(s.Context(), hsm.EncipheredPIN{Block: in.Block, Format: hsm.ISO0, Key: to.Key, KSN: in.KSN, Type: in.Type, PAN: in.PAN},
			hsm.PVV{Key: s.good(hsm.PVK), Index: '1'}), hsm.ErrUsage},
	} {
		if !errors.Is(c.err, c.want) {
			s.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}
