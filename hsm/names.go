// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"fmt"
	"strings"
)

// ParseUsage reads a usage by its name in the trade, in any case; the error
// lists all names.
func ParseUsage(name string) (Usage, error) {
	for u := TMK; int(u) < len(usageNames); u++ {
		if strings.EqualFold(name, usageNames[u]) {
			return u, nil
		}
	}
	return 0, fmt.Errorf("%w: no usage %q; there are %s", ErrInput, name, strings.Join(usageNames[1:], ", "))
}

// ParseAlgorithm reads an algorithm by its name, in any case; the error lists
// all names.
func ParseAlgorithm(name string) (Algorithm, error) {
	for a := TDES2; int(a) < len(algorithmNames); a++ {
		if strings.EqualFold(name, algorithmNames[a]) {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: no algorithm %q; there are %s", ErrInput, name, strings.Join(algorithmNames[1:], ", "))
}

// Algorithms are what a key of usage u may have, the usual one first.
func (u Usage) Algorithms() (out []Algorithm) {
	for a := TDES2; int(a) < len(algorithmNames); a++ {
		if u.fits(a) {
			out = append(out, a)
		}
	}
	return out
}
