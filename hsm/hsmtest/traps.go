// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"

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
