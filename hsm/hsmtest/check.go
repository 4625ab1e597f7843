// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"

	"tapswitch/hsm"
)

func checkCases() []testCase {
	return []testCase{{"keys/check at rest", checkKeys}}
}

// checkKeys: every kind of key is found good, also one past its validity, and
// an altered one is not.
func checkKeys(s *suite) {
	for _, u := range usages {
		key := s.good(u)
		if err := s.m.CheckKey(s.Context(), key); err != nil {
			s.Errorf("%s: %v", u, err)
		}
		for name, change := range map[string]func(k *hsm.Key){
			"check value": func(k *hsm.Key) { k.KCV[0] ^= 1 },
			"LMK":         func(k *hsm.Key) { k.LMK[0] ^= 1 },
			"cut":         func(k *hsm.Key) { k.Wrapped = k.Wrapped[:4] },
		} {
			altered := *key
			change(&altered)
			if err := s.m.CheckKey(s.Context(), &altered); !errors.Is(err, hsm.ErrBinding) {
				s.Errorf("%s, %s altered: %v, want ErrBinding", u, name, err)
			}
		}
	}
	spec := s.spec(hsm.ZPK)
	spec.NotAfter = 1
	old, err := s.m.Generate(s.Context(), spec)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.m.CheckKey(s.Context(), &old); err != nil {
		s.Errorf("a key of 1970: %v", err)
	}
	if err := s.m.CheckKey(s.Context(), nil); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("no key: %v", err)
	}
}
