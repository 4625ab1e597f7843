// SPDX-License-Identifier: Apache-2.0

package recognise_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/recognise"
)

func dialects() []recognise.Dialect {
	return []recognise.Dialect{
		{Name: unionpaypos.Name, Layout: unionpaypos.New(), Digit: '0', Kind: "6-byte header"},
		{Name: iso87ascii.Name, Layout: iso87ascii.New(), Digit: '0'},
	}
}

// TestSamples: the published messages name their dialect first.
func TestSamples(t *testing.T) {
	var samples []struct{ ID, Dialect, Hex string }
	data, err := os.ReadFile("testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &samples); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		p, err := hex.DecodeString(s.Hex)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"unionpay-pos-bcd": unionpaypos.Name, "iso8583-1987-ascii": iso87ascii.Name}[s.Dialect]
		got := recognise.Rank(dialects(), p)
		switch known := len(got) > 0 && got[0].Known(); {
		case want == "" && known:
			t.Errorf("%s: taken for %s (%s), %.0f bits", s.ID, got[0].Dialect.Name, got[0].Head, got[0].Bits)
		case want == "":
		case !known || got[0].Dialect.Name != want || got[0].Failure != nil:
			t.Errorf("%s: not recognised as %s", s.ID, want)
		}
	}
}
