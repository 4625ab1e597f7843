// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"tapswitch/hsm/pkcs11"
)

// TestProductionRefusesPracticeKeys, and takes all others.
func TestProductionRefusesPracticeKeys(t *testing.T) {
	for _, c := range []struct {
		environment string
		origin      pkcs11.Origin
		ok          bool
	}{
		{"production", pkcs11.FromPractice, false}, {"test", pkcs11.FromPractice, true}, {"production", pkcs11.FromComponents, true},
		{"production", pkcs11.FromElsewhere, true}, {"production", pkcs11.FromModule, true},
	} {
		if err := fit(c.environment, c.origin); (err == nil) != c.ok {
			t.Errorf("%s, origin %s: %v", c.environment, c.origin, err)
		}
	}
}
