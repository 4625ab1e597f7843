// SPDX-License-Identifier: Apache-2.0

package recognise_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"tapswitch/iso8583/recognise"
)

// sample is a published message.
type sample struct {
	ID, Dialect, Hex string
	bytes            []byte
}

func samples(t *testing.T) (all []sample) {
	t.Helper()
	data, err := os.ReadFile("testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].bytes, err = hex.DecodeString(all[i].Hex); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestSamples: the published messages name their dialect first, or tied with it;
// what no dialect here wrote is nobody's.
func TestSamples(t *testing.T) {
	names := map[string]string{"unionpay-pos-bcd": "unionpaypos", "iso8583-1987-ascii": "iso87ascii"}
	all := candidates()
	for _, s := range samples(t) {
		got := recognise.Rank(all, s.bytes)
		want := names[s.Dialect]
		at := place(got, want)
		switch {
		case want == "" && len(got) > 0 && got[0].Known() && got[0].Failure == nil:
			t.Errorf("%s: taken for %s (%s), %.0f bits", s.ID, got[0].Dialect.Name, got[0].Head, got[0].Bits)
		case want == "":
		case at < 0 || got[at].Equal != 0:
			t.Errorf("%s: not recognised as %s", s.ID, want)
		}
	}
}
