// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"crypto/aes"
	"errors"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

// updateVectors: the update key is the published one, from the BDK and from the
// device's IK alike; a new IK that the host makes under it arrives at the device,
// and both go on under it.
func updateVectors(s *suite) {
	types := map[string]hsm.Algorithm{"AES128": hsm.AES128, "AES192": hsm.AES192, "AES256": hsm.AES256}
	n := 0
	for _, v := range load(s, "dukpt_aes", "dukpt.aes.update_key") {
		kind := types[v.text("key_type")]
		if kind == 0 {
			continue // a DES key protects no AES key
		}
		host := s.dukptKey(hsm.BDK, v.bytes(s, "bdk"), v.text("initial_key_id")+"00000005", hsm.AES128)
		device := s.dukptKey(hsm.IK, s.initialAES(host, v.bytes(s, "bdk")), v.text("initial_key_id")+"00010000", hsm.AES128)
		sends, takes := s.updateKey(host, kind), s.updateKey(device, kind)
		want := cmacBlock(cipherOf(s, kind, unhex(s, v.want())))[:3]
		if !bytes.Equal(sends.KCV[:], want) || !bytes.Equal(takes.KCV[:], want) {
			s.Errorf("%s: check values %X from the BDK, %X from the IK; want %X", v.ID, sends.KCV, takes.KCV, want)
		}
		next := s.working(hsm.IK, kind)
		keys, out, err := s.m.GenerateSet(s.Context(), &sends, next)
		if err != nil {
			s.Fatalf("%s: the next IK: %v", v.ID, err)
		}
		value := s.opened(out[0].Block, v.want())
		came, err := s.m.ImportKeyBlock(s.Context(), &takes, s.working(hsm.IK, kind), out[0].Block)
		if err != nil || came.KCV != keys[0].KCV {
			s.Errorf("%s: the next IK at the device: %v", v.ID, err)
		}
		for _, k := range []*hsm.Key{&keys[0], &came} {
			s.dukptAgrees(hsm.DUKPTKey{Base: k, KSN: host.KSN, Type: hsm.AES128}, hsm.Request, value)
		}
		n++
	}
	s.count(n, 3)
}

// initialAES is a device's initial key by the standard library.
func (s *suite) initialAES(d hsm.DUKPTKey, bdk []byte) []byte {
	step := dukpt.InitialStep(d.Base.Algorithm, d.KSN)
	c, err := aes.NewCipher(bdk)
	if err != nil {
		s.Fatal(err)
	}
	out := make([]byte, len(step.Data))
	for i := 0; i < len(out); i += 16 {
		c.Encrypt(out[i:], step.Data[i:])
	}
	return out[:step.Type.Size()]
}

func (s *suite) updateSpec(a hsm.Algorithm) hsm.Spec {
	spec := s.spec(hsm.KBPK)
	spec.Algorithm = a
	return spec
}

func (s *suite) updateKey(d hsm.DUKPTKey, a hsm.Algorithm) hsm.Key {
	s.Helper()
	k, err := s.m.DUKPTUpdateKey(s.Context(), d.Base, d.KSN, s.updateSpec(a))
	if err != nil {
		s.Fatal(err)
	}
	return k
}

func wrongUpdates(s *suite) {
	key := s.dukptKey(hsm.BDK, unhex(s, dukptAES), dukptAES96, hsm.AES128)
	tdes := s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2)
	good := s.updateSpec(hsm.AES128)
	with := func(base *hsm.Key, ksn hsm.KSN, change func(spec *hsm.Spec)) error {
		spec := good
		change(&spec)
		return second(s.m.DUKPTUpdateKey(s.Context(), base, ksn, spec))
	}
	same := func(*hsm.Spec) {}
	for name, c := range map[string]struct{ err, want error }{
		"good":                       {with(key.Base, key.KSN, same), nil},
		"no base key":                {with(nil, key.KSN, same), hsm.ErrInput},
		"no number":                  {with(key.Base, hsm.KSN{}, same), hsm.ErrInput},
		"number of TDES":             {with(key.Base, tdes.KSN, same), hsm.ErrInput},
		"TDES device":                {with(tdes.Base, tdes.KSN, same), hsm.ErrInput},
		"TDES device, key of DES":    {with(tdes.Base, tdes.KSN, func(spec *hsm.Spec) { spec.Algorithm = hsm.TDES2 }), hsm.ErrInput},
		"stronger than the base key": {with(key.Base, key.KSN, func(spec *hsm.Spec) { spec.Algorithm = hsm.AES256 }), hsm.ErrInput},
		"kept as ZPK":                {with(key.Base, key.KSN, func(spec *hsm.Spec) { spec.Usage = hsm.ZPK }), hsm.ErrInput},
		"kept as IK":                 {with(key.Base, key.KSN, func(spec *hsm.Spec) { spec.Usage = hsm.IK }), hsm.ErrInput},
		"key of DES":                 {with(key.Base, key.KSN, func(spec *hsm.Spec) { spec.Algorithm = hsm.TDES3 }), hsm.ErrInput},
		"no name":                    {with(key.Base, key.KSN, func(spec *hsm.Spec) { spec.Name = "" }), hsm.ErrInput},
		"of a zone key":              {with(s.good(hsm.ZPK), key.KSN, same), hsm.ErrUsage},
	} {
		if !errors.Is(c.err, c.want) || c.want == nil && c.err != nil {
			s.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

// dukptUpdate is the use of a base key of AES for an update.
func (s *suite) dukptUpdate(number hsm.KSN) function {
	return function{"DUKPTUpdateKey", []hsm.Usage{hsm.BDK, hsm.IK}, func(ctx context.Context, k *hsm.Key) error {
		return second(s.m.DUKPTUpdateKey(ctx, k, number, s.updateSpec(hsm.AES128)))
	}}
}
