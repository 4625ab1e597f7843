// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// An action code that is not plainly a no must never be taken for one: the host
// may have taken the money. It is not an approval either.
func TestStrangeYesIsNoNo(t *testing.T) {
	a, err := NewAcquirerOf(AcquirerProfile{Dialect: "iso93ascii", Institution: "48431665", MerchantType: "5812", Destination: "00010000"})
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{"000": "00", "116": "51", "999": "05", "002": "10", "005": "08", "099": "08", "400": "08", "800": "08"} {
		var b iso8583.Builder
		b.Reset(a.t.layout, 0x1210)
		b.SetString(39, code)
		raw, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := a.Code(parsed(t, a.t.layout, raw))
		if got.String() != want {
			t.Errorf("action code %s is %s, want %s", code, got, want)
		}
		if (want == "10" || want == "08") && (!otherYes(got) || !Takes(a.Code(parsed(t, a.t.layout, raw)))) || got == txn.CodeApproved && code != "000" {
			t.Errorf("action code %s is taken for a plain answer", code)
		}
	}
}
