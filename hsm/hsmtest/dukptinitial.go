// SPDX-License-Identifier: Apache-2.0

package hsmtest

import "bytes"

// initialTDES is the initial key of a number's device (X9.24-1), by the standard
// library.
func initialTDES(s *suite, bdk, ksn []byte) []byte {
	id := bytes.Clone(ksn[:8])
	id[7] &= 0xE0
	return append(tdes(s, bdk, id, false), tdes(s, xor(bdk, unhex(s, "C0C0C0C000000000C0C0C0C000000000")), id, false)...)
}

// fromInitialKeys does what every published value of TDES DUKPT asks for with the
// device's initial key in place of the BDK.
func fromInitialKeys(s *suite) {
	for _, v := range load(s, "dukpt_tdes", "dukpt.tdes.initial_key") {
		if got := upper(initialTDES(s, v.bytes(s, "bdk"), v.bytes(s, "ksn"))); got != v.want() {
			s.Fatalf("%s: this test makes %s, want %s", v.ID, got, v.want())
		}
	}
	s.initial = true
	defer func() { s.initial = false }()
	tdesMACVectors(s)
	tdesDataVectors(s)
	tdesKeyVectors(s)
	dukptPINVectors(s)
	changeFromDUKPT(s)
}
