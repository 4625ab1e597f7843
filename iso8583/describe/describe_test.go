// SPDX-License-Identifier: Apache-2.0

package describe_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/unionpaypos"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

const (
	pan   = "6224242300000069"
	track = "6224242300000069=29032010000000000"
)

// secrets are values of the messages below that must not be seen, in any form.
var secrets = []string{
	pan, "2423000000", "29032010000000000", "6224242300000069D2903",
	"1122334455667788",                   // PIN block
	"00112233445566778899AABBCCDDEEFF",   // working key
	"COLUMBUS",                           // cardholder name in chip data
	"QR1234567890",                       // scanned code in field 59
	"0110000000622424230000006900000012", // batch upload record in field 48
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

func build(t *testing.T, l *iso8583.Layout, mti iso8583.MTI, set map[int]string) []byte {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, mti)
	for n, s := range set {
		b.SetString(n, s)
	}
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// messages hold every kind of secret, in fields and in chip tags.
func messages(t *testing.T) map[string]struct {
	l   *iso8583.Layout
	raw []byte
} {
	chip := unhex(t, "57 11 6224242300000069D2903201000000000F 5A 08 6224242300000069 5F20 08 434F4C554D425553"+
		"9F26 08 46FD62985CAAE758 9F10 07 0102030405 0607 95 05 0000008000 9F1F 03 313233 DF7F 02 ABCD 71 04 9F180000")
	pos, host := unionpaypos.New(), iso87ascii.New()
	type message = struct {
		l   *iso8583.Layout
		raw []byte
	}
	return map[string]message{
		"unionpaypos_sale": {pos, build(t, pos, 0x0200, map[int]string{
			2: pan, 3: "000000", 4: "000000001111", 11: "000079", 22: "071", 35: track, 36: track, 41: "10016919",
			48: "0110000000622424230000006900000012", 52: unhex(t, "1122334455667788"), 55: chip,
			59: "A3019QR1234567890", 60: "22000727000600", 63: unhex(t, "D2F8C1AA"), 64: "835392EF"})},
		"unionpaypos_sign_on": {pos, build(t, pos, 0x0810, map[int]string{
			11: "000078", 37: "000000000000", 39: "00", 62: unhex(t, "00112233445566778899AABBCCDDEEFF") + "1234"})},
		"iso87ascii_sale": {host, build(t, host, 0x0200, map[int]string{
			2: pan, 4: "000000001111", 35: track, 39: "0\n", 48: "pan " + pan, 52: unhex(t, "1122334455667788"), 55: chip,
			60: pan, 102: pan, 128: unhex(t, "8353920EF0010203")})},
	}
}

// What is shown is golden, and holds no secret: whole, and cut at every byte.
func TestShown(t *testing.T) {
	for name, m := range messages(t) {
		t.Run(name, func(t *testing.T) {
			var v iso8583.View
			text := show(t, m.l.Parse(m.raw, &v), &v)
			golden(t, "testdata/"+name+".txt", text)
			for size := range m.raw {
				show(t, m.l.Parse(m.raw[:size], &v), &v)
			}
		})
	}
}

// show gives the table after looking for secrets in table and JSON.
func show(t *testing.T, err error, v *iso8583.View) string {
	t.Helper()
	m := describe.Of(v, err)
	text := string(m.AppendText(nil))
	encoded, jsonErr := json.Marshal(m)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	for _, s := range secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s)))} {
			if strings.Contains(text, form) || strings.Contains(string(encoded), form) {
				t.Errorf("shows %q in\n%s%s", form, text, encoded)
			}
		}
	}
	if (m.Failure != nil) != (err != nil) {
		t.Errorf("failure is %v, error %v", m.Failure, err)
	}
	return text
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("shows\n%s\nwant\n%s", got, want)
	}
}

// A message that breaks off shows the fields before, and the place.
func TestFailureShown(t *testing.T) {
	m := messages(t)["iso87ascii_sale"]
	var v iso8583.View
	got := describe.Of(&v, m.l.Parse(m.raw[:len(m.raw)-130], &v))
	if got.Failure == nil || got.Failure.Reason != iso8583.ReasonTruncated || got.Failure.Field != 55 || len(got.Fields) != 6 {
		t.Fatalf("%+v", got)
	}
	var never iso8583.View
	if text := string(describe.Of(&never, nil).AppendText(nil)); !strings.Contains(text, "0 bytes") {
		t.Errorf("a view never used shows %q", text)
	}
}

// Every field that is marked is masked or shown as its mark allows, in both
// dialects: a value of only one character never comes out of a hidden field.
func TestEveryMarkedField(t *testing.T) {
	for _, l := range []*iso8583.Layout{unionpaypos.New(), iso87ascii.New()} {
		for n := 2; n <= iso8583.MaxField; n++ {
			if !l.Defines(n) || l.Mark(n) == iso8583.MarkNone || l.Mark(n) == iso8583.MarkMAC {
				continue
			}
			value := strings.Repeat("7", l.Max(n))
			raw := build(t, l, 0x0200, map[int]string{n: value})
			var v iso8583.View
			if err := l.Parse(raw, &v); err != nil {
				t.Fatal(err)
			}
			m := describe.Of(&v, nil)
			if most := strings.Count(m.Fields[0].Value, "7"); most > 10 || l.Mark(n) != iso8583.MarkPAN && most > 0 {
				t.Errorf("%s field %d shows %q", l.Name(), n, m.Fields[0].Value)
			}
		}
	}
}
