// SPDX-License-Identifier: Apache-2.0

package unionpayinterchange_test

import (
	"bytes"
	"strings"
	"testing"

	"tapswitch/iso8583/dialect/unionpayinterchange"
	"tapswitch/iso8583/frame"
)

func TestHeader(t *testing.T) {
	h := unionpayinterchange.NewHeader("00010000", "48431665")
	p := h.Append(nil, 200)
	want := "\x2e\x020246" + "00010000   " + "48431665   " + "\x00\x00\x00" + "\x00" + "00000000" + "\x00" + "00000"
	if string(p) != want {
		t.Fatalf("%q\nwant %q", p, want)
	}
	got, err := unionpayinterchange.ParseHeader(p)
	if err != nil {
		t.Fatal(err)
	}
	h.Total = 246
	if got != h {
		t.Errorf("%+v, want %+v", got, h)
	}
	if a := got.Answer(); string(a.Source[:8]) != "00010000" || string(a.Destination[:8]) != "48431665" {
		t.Errorf("answer %+v", a)
	}
	for _, bad := range []string{"", want[:45], "\x2d" + want[1:], strings.Replace(want, "0246", "02x6", 1)} {
		if _, err := unionpayinterchange.ParseHeader([]byte(bad)); err == nil {
			t.Errorf("read %q", bad)
		}
	}
}

func TestRejectCode(t *testing.T) {
	for code, want := range map[string]struct {
		rejected bool
		field    int
	}{"00000": {false, 0}, "00015": {true, 1}, "00055": {true, 5}, "01200": {true, 0}, "00005": {true, 0}} {
		var h unionpayinterchange.Header
		copy(h.Reject[:], code)
		if rejected, field := h.Rejected(); rejected != want.rejected || field != want.field {
			t.Errorf("%s: %v %d", code, rejected, field)
		}
	}
}

// A framed message comes back with its header.
func TestFormat(t *testing.T) {
	f, body := unionpayinterchange.Format(), bytes.Repeat([]byte("0"), 30)
	h := unionpayinterchange.NewHeader("00010000", "48431665").Append(nil, len(body))
	raw, err := f.Append(nil, frame.Frame{Header: h, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if string(raw[:4]) != "0076" {
		t.Errorf("length %q", raw[:4])
	}
	fr, _, err := f.Read(bytes.NewReader(raw), nil)
	if err != nil || !bytes.Equal(fr.Header, h) || !bytes.Equal(fr.Body, body) {
		t.Errorf("%+v %v", fr, err)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(unionpayinterchange.NewHeader("00010000", "48431665").Append(nil, 200))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, err := unionpayinterchange.ParseHeader(p)
		if err != nil {
			return
		}
		if again := h.Append(nil, h.Total-unionpayinterchange.HeaderSize); h.Total >= unionpayinterchange.HeaderSize && !bytes.Equal(again, p) {
			t.Errorf("%X came back as %X", p, again)
		}
	})
}
