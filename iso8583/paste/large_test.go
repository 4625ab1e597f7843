// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"strings"
	"testing"
	"time"

	"tapswitch/iso8583/paste"
)

// TestLarge: a large paste of the worst kinds is read in linear time. Quadratic
// work would take hours; the bound only has to tell that from a busy machine.
func TestLarge(t *testing.T) {
	for _, unit := range []string{"00 ", "0", "000 00\n*\nFFFF\n", "000\n", "0000  00 11 22\n", "a 001122334455667788990011 ", "\n", "0x", " *\n", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo= "} {
		p := []byte(strings.Repeat(unit, paste.MaxInput/8/len(unit)))
		began := time.Now()
		paste.Readings(p)
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("%q: %v", unit, took)
		}
	}
}
