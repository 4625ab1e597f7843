// SPDX-License-Identifier: Apache-2.0

package host

import (
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
)

// The texts of field 63 are printed, whatever a host leaves out; bytes of another
// character set are not.
func TestNotice(t *testing.T) {
	blank := strings.Repeat(" ", 20)
	layout := unionpaypos.New()
	for text, want := range map[string]string{
		"":    "",
		"CU":  "",
		"CUP": "",
		"CUP" + blank + "STAND-IN            " + blank:     "STAND-IN",
		"   one                 two                 three": "one two three",
		"CUPone": "one",
		"CUP" + "\xb4\xfa\xca\xda\xc8\xa8" + blank[6:] + "two":   "two",
		"CUP" + blank + blank + blank + "beyond the three texts": "",
	} {
		var b iso8583.Builder
		b.Reset(layout, 0x0210)
		b.SetString(39, "00")
		if text != "" {
			b.SetBytes(63, []byte(text))
		}
		raw, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var v iso8583.View
		if err := layout.Parse(raw, &v); err != nil {
			t.Fatal(err)
		}
		if got := notice(&v); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
