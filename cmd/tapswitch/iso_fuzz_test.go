// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"tapswitch/iso8583/dialect"
)

// FuzzDraft: any text is a message to be written or is refused by name.
func FuzzDraft(f *testing.F) {
	f.Add([]byte(`{"dialect":"iso87ascii","mti":"0800","fields":{"11":"000001","70":"301"}}`))
	f.Add([]byte("dialect: unionpaypos\nmti: \"0200\"\ntpdu: 6000030000\nheader: 603100310100\nlen: 1\nfields:\n  3: \"000000\"\n  55: {9F26: AABB, 70: {5A: 6224}}\n  63: text:CUP\n"))
	f.Add([]byte("1: [*a"))
	tools := &isoTools{catalogue: dialect.All}
	f.Fuzz(func(t *testing.T, p []byte) {
		d, err := readDraft(p)
		if err == nil {
			_, err = tools.encode(d, len(p)%2 == 0)
		}
		var told *isoError
		var usage usageError
		if err != nil && !errors.As(err, &told) && !errors.As(err, &usage) {
			t.Fatalf("unnamed error %v", err)
		}
	})
}
