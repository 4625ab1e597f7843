// SPDX-License-Identifier: Apache-2.0

package dialect_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/dialect/visabase1"
	"tapswitch/iso8583/frame"
)

// published is a message of testdata/messages.json.
type published struct {
	ID, Dialect, Hex, Source, Note string
	Decoded                        map[string]any
}

// layoutOf is the dialect that the file calls by another name.
func layoutOf(t *testing.T, name string) (*iso8583.Layout, frame.Format) {
	t.Helper()
	if name == "visa-base1-ebcdic-bcd" {
		return visabase1.Profile{EBCDICType: true}.New(), frame.Format{}
	}
	ours, ok := map[string]string{
		"unionpay-pos-bcd": "unionpaypos", "jcb-ebcdic-bcd": "jcb", "as2805-bcd": "as2805", "iso8583-1987-ascii": "iso87ascii",
	}[name]
	e, found := dialect.Find(ours)
	if !ok || !found {
		t.Fatalf("no dialect for %q", name)
	}
	return e.New(), e.Format
}

func (p published) text(key string) string {
	s, _ := p.Decoded[key].(string)
	return s
}

// framed gives the message as it travels, of those that have a frame: some were
// printed without their two bytes of length.
func framed(t *testing.T, p published, format frame.Format) (whole []byte, fr frame.Frame) {
	t.Helper()
	whole, err := hex.DecodeString(p.Hex)
	if err != nil {
		t.Fatal(err)
	}
	if p.Dialect != "unionpay-pos-bcd" {
		return whole, frame.Frame{Body: whole}
	}
	if _, counted := p.Decoded["len"]; !counted {
		whole = append(binary.BigEndian.AppendUint16(nil, uint16(len(whole))), whole...)
	}
	fr, _, err = format.Read(bytes.NewReader(whole), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, counted := p.Decoded["len"].(float64); counted && int(n) != len(whole)-2 {
		t.Errorf("length %d, want %v", len(whole)-2, n)
	}
	if got := strings.ToUpper(hex.EncodeToString(fr.TPDU[:])); got != p.text("tpdu") {
		t.Errorf("TPDU %s", got)
	}
	if got := strings.ToUpper(hex.EncodeToString(fr.Header)); got != p.text("header") {
		t.Errorf("header %s", got)
	}
	return whole, fr
}

// Every published message decodes to its printed values, and building it from
// those values alone gives its bytes again.
func TestPublishedMessages(t *testing.T) {
	file, err := os.ReadFile("testdata/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []published
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 28 {
		t.Fatalf("%d messages", len(all))
	}
	for _, p := range all {
		t.Run(p.ID, func(t *testing.T) { onePublished(t, p) })
	}
}

func onePublished(t *testing.T, p published) {
	layout, format := layoutOf(t, p.Dialect)
	whole, fr := framed(t, p, format)
	var v iso8583.View
	if err := layout.Parse(fr.Body, &v); err != nil {
		t.Fatal(err)
	}
	if v.MTI().String() != p.text("mti") {
		t.Errorf("MTI %s, want %s", v.MTI(), p.text("mti"))
	}
	var b iso8583.Builder
	b.Reset(layout, v.MTI())
	numbers := 0
	for key := range p.Decoded {
		n, err := strconv.Atoi(key)
		if err != nil {
			continue
		}
		numbers++
		value := printed(t, layout, n, p.text(key), spelt(p.ID, n))
		if got := string(v.AppendText(nil, n)); got != value {
			t.Errorf("field %d is %q, want %q", n, got, value)
		}
		b.SetString(n, value)
	}
	if p.Dialect == "visa-base1-ebcdic-bcd" { // printed as prose
		numbers++
		checkField63(t, &v, &b)
	}
	for n := v.Next(0); n != 0; n = v.Next(n) {
		numbers--
	}
	if numbers != 0 {
		t.Errorf("%d fields more printed than read", numbers)
	}
	checkBitmap(t, fr.Body, layout, p.text("bitmap"))
	body, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Dialect == "unionpay-pos-bcd" {
		if body, err = format.Append(nil, frame.Frame{TPDU: fr.TPDU, Header: fr.Header, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(body, whole) {
		t.Errorf("built %X\nwant  %X", body, whole)
	}
}

func checkField63(t *testing.T, v *iso8583.View, b *iso8583.Builder) {
	t.Helper()
	for tag, want := range map[string]string{"1": "0000", "2": "1000", "3": "2000"} {
		if s, ok := v.Sub(63, tag); !ok || string(s.AppendText(nil)) != want {
			t.Errorf("field 63.%s is %q, want %q", tag, s.AppendText(nil), want)
		}
	}
	b.SetText(63, v.AppendText(nil, 63))
}

// checkBitmap compares the printed bitmap with the bytes behind the message type.
func checkBitmap(t *testing.T, body []byte, l *iso8583.Layout, want string) {
	t.Helper()
	want, chars, _ := strings.Cut(want, " (")
	want = strings.ReplaceAll(want, " ", "")
	at := map[string]int{"unionpaypos": 2, "as2805": 2}[l.Name()]
	if at == 0 {
		at = 4
	}
	got := body[at:]
	if chars == "" {
		got = []byte(strings.ToUpper(hex.EncodeToString(got)))
	}
	if !strings.HasPrefix(string(got), want) {
		t.Errorf("bitmap %.32s, want %s", got, want)
	}
}

// printed is a value as the dialect's text. Fields of bytes are printed as
// hexadecimal, or as the text they hold, which is GBK on the wire; its spaces
// were printed as the characters they are.
func printed(t *testing.T, l *iso8583.Layout, n int, s string, spelt bool) string {
	t.Helper()
	if l.Encoding(n) != iso8583.EncodingBytes {
		return s
	}
	if raw, err := hex.DecodeString(s); err == nil && !spelt {
		return string(raw)
	}
	name := strings.TrimRight(s, " ")
	if gbk, ok := map[string]string{
		"墨文哲有限公司": "\xC4\xAB\xCE\xC4\xD5\xDC\xD3\xD0\xCF\xDE\xB9\xAB\xCB\xBE",
		"成功":      "\xB3\xC9\xB9\xA6",
		"河南省银隆信息技术有限公司": "\xBA\xD3\xC4\xCF\xCA\xA1\xD2\xF8\xC2\xA1\xD0\xC5\xCF\xA2\xBC\xBC\xCA\xF5\xD3\xD0\xCF\xDE\xB9\xAB\xCB\xBE",
		"00+成功": "00+\xB3\xC9\xB9\xA6",
	}[name]; ok {
		return gbk + s[len(name):]
	}
	return s
}

// spelt says which values are hexadecimal characters on the wire too.
func spelt(id string, n int) bool {
	return id == "unionpay-pos-bcd-02" && n == 62 || id == "unionpay-pos-bcd-06" && n == 59
}
