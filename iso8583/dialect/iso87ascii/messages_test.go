// SPDX-License-Identifier: Apache-2.0

package iso87ascii_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
)

type sample struct {
	ID, Message, MTI, Source string
	Fields                   map[string]string
}

func samples(t testing.TB) (all []sample) {
	t.Helper()
	data, err := os.ReadFile("testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every published message decodes to its printed values, and building it from
// those values alone gives its bytes again.
func TestPublishedMessages(t *testing.T) {
	layout := iso87ascii.New()
	for _, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			raw, err := hex.DecodeString(s.Message)
			if err != nil {
				t.Fatal(err)
			}
			var v iso8583.View
			if err := layout.Parse(raw, &v); err != nil {
				t.Fatal(err)
			}
			if v.MTI().String() != s.MTI {
				t.Errorf("MTI %s, want %s", v.MTI(), s.MTI)
			}
			var b iso8583.Builder
			b.Reset(layout, v.MTI())
			count := 0
			for n := v.Next(0); n != 0; n = v.Next(n) {
				count++
				want := s.Fields[strconv.Itoa(n)]
				if got := string(v.AppendText(nil, n)); got != want {
					t.Errorf("field %d is %q, want %q", n, got, want)
				}
				b.SetString(n, want)
			}
			if count != len(s.Fields) {
				t.Errorf("%d fields, want %d", count, len(s.Fields))
			}
			built, err := b.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(built, raw) {
				t.Errorf("built %q\nwant  %q", built, raw)
			}
		})
	}
}
