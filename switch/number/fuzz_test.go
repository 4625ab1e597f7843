// SPDX-License-Identifier: Apache-2.0

package number_test

import (
	"testing"

	"tapswitch/switch/number"
)

// FuzzApply folds any two bodies in: an error or a state, never a panic.
func FuzzApply(f *testing.F) {
	f.Add(body(500, noon), body(1000, noon))
	f.Add(body(1<<64-1, noon), []byte{1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var s number.State
		if s.Apply(a) == nil && s.Apply(b) == nil {
			if _, err := number.Open(nil, nil, s, config); err != nil {
				t.Fatal(err)
			}
		}
	})
}
