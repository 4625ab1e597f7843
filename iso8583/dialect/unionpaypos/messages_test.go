// SPDX-License-Identifier: Apache-2.0

package unionpaypos_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/frame"
)

// sample is a published message; the values of fields of bytes are hexadecimal.
// Those printed without their two bytes of length were given them.
type sample struct {
	ID, Frame, TPDU, Header, MTI, Source string
	Fields                               map[string]string
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

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every published message decodes to its printed values, and building it from
// those values alone gives its bytes again, frame included.
func TestPublishedMessages(t *testing.T) {
	layout, format := unionpaypos.New(), frame.UnionPayPOS()
	for _, s := range samples(t) {
		t.Run(s.ID, func(t *testing.T) {
			whole := unhex(t, s.Frame)
			fr, _, err := format.Read(bytes.NewReader(whole), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(fr.TPDU[:]); got != strings.ToLower(s.TPDU) {
				t.Errorf("TPDU %s, want %s", got, s.TPDU)
			}
			if got := hex.EncodeToString(fr.Header); got != strings.ToLower(s.Header) {
				t.Errorf("header %s, want %s", got, s.Header)
			}
			var v iso8583.View
			if err := layout.Parse(fr.Body, &v); err != nil {
				t.Fatal(err)
			}
			var b iso8583.Builder
			b.Reset(layout, v.MTI())
			compareFields(t, layout, &v, &b, s)
			body, err := b.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := format.Append(nil, frame.Frame{TPDU: fr.TPDU, Header: fr.Header, Body: body})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, whole) {
				t.Errorf("built %X\nwant  %X", again, whole)
			}
		})
	}
}

func compareFields(t *testing.T, layout *iso8583.Layout, v *iso8583.View, b *iso8583.Builder, s sample) {
	t.Helper()
	if got := v.MTI().String(); got != s.MTI {
		t.Errorf("MTI %s, want %s", got, s.MTI)
	}
	count := 0
	for n := v.Next(0); n != 0; n = v.Next(n) {
		count++
		got := string(v.AppendText(nil, n))
		want, ok := s.Fields[strconv.Itoa(n)]
		if !ok {
			t.Errorf("field %d is not in the published decoding", n)
		}
		if layout.Encoding(n) == iso8583.EncodingBytes {
			want = string(unhex(t, want))
		}
		if got != want {
			t.Errorf("field %d is %q, want %q", n, got, want)
		}
		b.SetString(n, want)
	}
	if count != len(s.Fields) {
		t.Errorf("%d fields, want %d", count, len(s.Fields))
	}
}
