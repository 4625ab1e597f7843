// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"errors"

	"tapswitch/hsm"
)

// trapEDE: with K‖K a driver that enciphers instead of E-D-E passes everything,
// so the keys here have two different halves, in either order.
func trapEDE(s *suite) {
	for _, value := range []string{testKey, testKey[16:] + testKey[:16]} {
		key := s.key(hsm.TAK, unhex(s, value))
		if want := upper(tdes(s, unhex(s, value), make([]byte, 8), false))[:6]; upper(key.KCV[:]) != want {
			s.Errorf("check value %X, want %s", key.KCV, want)
		}
	}
	one, two := s.key(hsm.TAK, unhex(s, doubleKey[:16])), s.key(hsm.TAK, unhex(s, doubleKey))
	if one.KCV != two.KCV {
		s.Error("an 8-byte key is not kept as K‖K")
	}
}

// trapParity: even parity keys work and give the same MAC.
func trapParity(s *suite) {
	odd := unhex(s, testKey)
	even := append([]byte{}, odd...)
	for i := range even {
		even[i] ^= 1
	}
	data := []byte("parity bits are not key bits")
	for _, alg := range []hsm.MACAlgorithm{hsm.MACUnionPayECB, hsm.MACRetail} {
		a, err1 := s.m.MAC(s.Context(), s.key(hsm.TAK, odd), alg, data)
		b, err2 := s.m.MAC(s.Context(), s.key(hsm.TAK, even), alg, data)
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			s.Errorf("algorithm %d: %X, %X, %v, %v", alg, a, b, err1, err2)
		}
	}
}

// trapPVV: only the first four digits of a longer PIN count, and the account's
// leftmost of twelve digits does not.
func trapPVV(s *suite) {
	zpk := s.key(hsm.ZPK, unhex(s, otherKey))
	ref := hsm.PVV{Key: s.key(hsm.PVK, unhex(s, testKey)), Index: '1', Value: [4]byte([]byte("8523")), Account: account11(s, "1122334455667788")}
	for pin, want := range map[string]error{"4524": nil, "45249": nil, "452411111111": nil, "4525": hsm.ErrPIN, "94524": hsm.ErrPIN} {
		for _, pan := range []string{"1122334455667788", "1199334455667788"} {
			err := s.m.VerifyPVV(s.Context(), s.pinBlock(unhex(s, otherKey), pin, pan), zpk, account12(s, pan), ref)
			if !errors.Is(err, want) {
				s.Errorf("a PIN of %d digits: %v, want %v", len(pin), err, want)
			}
		}
	}
	ref.Account = account11(s, "1122334455667778")
	in := s.pinBlock(unhex(s, otherKey), "4524", "1122334455667788")
	if err := s.m.VerifyPVV(s.Context(), in, zpk, account12(s, "1122334455667788"), ref); !errors.Is(err, hsm.ErrPIN) {
		s.Errorf("reference of another account: %v, want ErrPIN", err)
	}
}
