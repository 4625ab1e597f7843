// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"errors"
	"strings"
	"testing"
)

// TestNames: every usage and algorithm is read back by its own name.
func TestNames(t *testing.T) {
	for u := TMK; u <= HMACKey; u++ {
		if got, err := ParseUsage(strings.ToLower(u.String())); err != nil || got != u {
			t.Errorf("%s: %v, %v", u, got, err)
		}
		if len(u.Algorithms()) == 0 {
			t.Errorf("%s goes with no algorithm", u)
		}
	}
	for a := TDES2; a <= SM4; a++ {
		if got, err := ParseAlgorithm(a.String()); err != nil || got != a {
			t.Errorf("%s: %v, %v", a, got, err)
		}
	}
	if _, err := ParseUsage("TPX"); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "TPK") {
		t.Error(err)
	}
	if _, err := ParseAlgorithm(""); !errors.Is(err, ErrInput) {
		t.Error(err)
	}
}
