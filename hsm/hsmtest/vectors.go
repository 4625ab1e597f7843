// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"encoding/hex"
	"strings"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func componentVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "kcv", "key.combine_components"), load(s, "kcv", "key.combine_components_kcv")...) {
		list, _ := v.Inputs["components"].([]any)
		parts := make([]secret.Key, 0, len(list))
		for _, c := range list {
			text, _ := c.(string)
			parts = append(parts, clearKey(s, unhex(s, strings.ReplaceAll(text, " ", ""))))
		}
		spec := s.spec(hsm.TAK)
		if parts[0].Len() == 32 {
			spec = s.spec(hsm.PANSeal)
		}
		key, err := s.m.LoadClear(s.Context(), spec, parts...)
		if err != nil {
			s.Errorf("%s: %v", v.ID, err)
			continue
		}
		want := v.want()
		if v.Function == "key.combine_components" {
			whole := s.key(spec.Usage, unhex(s, want))
			want = upper(whole.KCV[:])
		}
		if got := upper(key.KCV[:]); got != want {
			s.Errorf("%s: check value %s, want %s", v.ID, got, want)
		}
		n++
	}
	s.count(n, 3)
}
