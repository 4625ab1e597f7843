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

// TestSamples: the published messages name their dialect first, or tied with it.
func TestSamples(t *testing.T) {
	names := map[string]string{"unionpay-pos-bcd": "unionpaypos", "iso8583-1987-ascii": "iso87ascii", "jcb-ebcdic-bcd": "jcb",
		"as2805-bcd": "as2805", "visa-base1-ebcdic-bcd": "visabase1"}
	all := candidates()
	for _, s := range samples(t) {
		got := recognise.Rank(all, s.bytes)
		want := names[s.Dialect]
		if at := place(got, want); want == "" || at < 0 || got[at].Equal != 0 {
			t.Errorf("%s: not recognised as %s", s.ID, want)
		}
	}
}
