// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"strings"
	"testing"

	"tapswitch/iso8583"
)

// The quirks of the wire, byte by byte.
func TestWireForms(t *testing.T) {
	tests := []struct {
		dialect string
		n       int
		text    string
		wire    string // value and prefix
	}{
		{"unionpaypos", 2, "622424230000006", "\x15\x62\x24\x24\x23\x00\x00\x00\x60"}, // odd, filled right
		{"unionpaypos", 22, "071", "\x07\x10"},                                        // fixed, filled right
		{"unionpaypos", 23, "071", "\x00\x71"},                                        // fixed, filled left
		{"unionpaypos", 35, "62=29", "\x05\x62\xD2\x90"},                              // separator as D
		{"unionpaypos", 60, "00000001003", "\x00\x11\x00\x00\x00\x01\x00\x30"},        // LLL counts digits
		{"unionpaypos", 62, "\xC4\x00", "\x00\x02\xC4\x00"},                           // LLL counts bytes
		{"unionpaypos", 41, "T1", "T1      "},                                         // filled with spaces
		{"unionpaypos", 64, "B7133B57", "B7133B57"},                                   // MAC as characters
		{"iso87ascii", 2, "622424230000006", "15622424230000006"},
		{"iso87ascii", 32, "00085500", "0800085500"},
		{"iso87ascii", 55, "\x91\x02\x30\x30", "004\x91\x0200"},
		{"iso87ascii", 128, "\x00\x01\x02\x03\x04\x05\x06\x07", "\x00\x01\x02\x03\x04\x05\x06\x07"},
	}
	for _, d := range dialects() {
		for _, tt := range tests {
			if tt.dialect != d.name {
				continue
			}
			var b iso8583.Builder
			b.Reset(d.layout, 0x0200)
			b.SetText(tt.n, []byte(tt.text))
			raw := mustAppend(t, &b)
			if got := raw[len(raw)-len(tt.wire):]; string(got) != tt.wire {
				t.Errorf("%s field %d: wire %X, want %X", d.name, tt.n, got, tt.wire)
			}
			var v iso8583.View
			if err := d.layout.Parse(raw, &v); err != nil {
				t.Fatal(err)
			}
			if from, to := v.Span(tt.n); from != len(raw)-len(tt.wire) || to != len(raw) {
				t.Errorf("%s field %d: span %d to %d", d.name, tt.n, from, to)
			}
		}
	}
}

// Wrong content is refused where it lies, with its name.
func TestWrongContent(t *testing.T) {
	tests := []struct {
		dialect, wire string
		field         int
		reason        string
	}{
		{"unionpaypos", "\x02\x0A\x00\x00\x00\x00\x00\x00\x00\x00", 0, iso8583.ReasonMTINotDigits},
		{"unionpaypos", "\x08\x00\x80\x00\x00\x00\x00\x00\x00\x00", 1, iso8583.ReasonSecondaryBitmap},
		{"unionpaypos", "\x08\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x0A\x00", 3, iso8583.ReasonNotDigit},
		{"unionpaypos", "\x08\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\xA0\x00", 3, iso8583.ReasonNotDigit},
		{"unionpaypos", "\x08\x00\x40\x00\x00\x00\x00\x00\x00\x00\x1A", 2, iso8583.ReasonPrefixNotDigits},
		{"unionpaypos", "\x08\x00\x40\x00\x00\x00\x00\x00\x00\x00\x20", 2, iso8583.ReasonLengthAboveMax},
		{"unionpaypos", "\x08\x00\x40\x00\x00\x00\x00\x00\x00\x00\x01\x12", 2, iso8583.ReasonPaddingNotZero},
		{"unionpaypos", "\x08\x00\x00\x00\x02\x00\x00\x00\x00\x00\x10\x01", 23, iso8583.ReasonPaddingNotZero},
		{"unionpaypos", "\x08\x00\x00\x00\x04\x00\x00\x00\x00\x00\x07\x11", 22, iso8583.ReasonPaddingNotZero},
		{"unionpaypos", "\x08\x00\x00\x00\x00\x00\x20\x00\x00\x00\x01\x1E", 35, iso8583.ReasonPaddingNotZero},
		{"unionpaypos", "\x08\x00\x00\x00\x00\x00\x02\x00\x00\x000\x80", 39, iso8583.ReasonNotASCII},
		{"unionpaypos", "\x08\x00\x00\x00\x00\x00\x00\x00\x00\x10\x10\x11", 60, iso8583.ReasonLengthAboveMax},
		{"iso87ascii", "08:0", 0, iso8583.ReasonMTINotDigits},
		{"iso87ascii", "0800000000000000000G", 1, iso8583.ReasonBitmapNotHex},
		{"iso87ascii", "08008000000000000000000000000000000", 1, iso8583.ReasonTruncated},
		{"iso87ascii", "080080000000000000008000000000000000", 1, iso8583.ReasonTertiaryBitmap},
		{"iso87ascii", "080040000000000000001x", 2, iso8583.ReasonPrefixNotDigits},
		{"iso87ascii", "0800400000000000000003123456", 2, iso8583.ReasonTrailingBytes},
		{"iso87ascii", "08002000000000000000 12345", 3, iso8583.ReasonNotDigit},
	}
	for _, d := range dialects() {
		for _, tt := range tests {
			if tt.dialect != d.name {
				continue
			}
			var v iso8583.View
			field := tt.field
			if tt.reason == iso8583.ReasonTrailingBytes {
				field = iso8583.WholeMessage
			}
			e := wantReason(t, d.layout.Parse([]byte(tt.wire), &v), field, tt.reason)
			if e.Offset > len(tt.wire) {
				t.Errorf("%v: offset beyond the message", e)
			}
		}
	}
}

// A track whose chip filled with F is read; the filler is no character.
func TestTrackFilledWithF(t *testing.T) {
	d := dialects()[0]
	var v iso8583.View
	raw := []byte("\x08\x00\x00\x00\x00\x00\x20\x00\x00\x00\x03\x12\xDF")
	if err := d.layout.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	if got := string(v.AppendText(nil, 35)); got != "12=" {
		t.Errorf("track is %q", got)
	}
}

// What cannot be written is refused by field and reason, and dst is untouched.
func TestBuildRefuses(t *testing.T) {
	pos, host := dialects()[0], dialects()[1]
	tests := []struct {
		d      dialect
		set    func(*iso8583.Builder)
		field  int
		reason string
	}{
		{pos, func(b *iso8583.Builder) { b.SetString(4, "00000000111x") }, 4, iso8583.ReasonNotDigit},
		{pos, func(b *iso8583.Builder) { b.SetString(35, "622 29") }, 35, iso8583.ReasonNotTrackCharacter},
		{pos, func(b *iso8583.Builder) { b.SetString(35, "62229d") }, 35, iso8583.ReasonNotTrackCharacter},
		{pos, func(b *iso8583.Builder) { b.SetString(39, "\xC4\xC4") }, 39, iso8583.ReasonNotASCII},
		{pos, func(b *iso8583.Builder) { b.SetUint(11, 1000000) }, 11, iso8583.ReasonLengthAboveMax},
		{pos, func(b *iso8583.Builder) { b.SetUint(62, 1) }, 62, iso8583.ReasonNotNumeric},
		{pos, func(b *iso8583.Builder) { b.SetUint(0, 1) }, iso8583.WholeMessage, iso8583.ReasonFieldUnknown},
		{pos, func(b *iso8583.Builder) { b.Reset(pos.layout, 0x02A0) }, 0, iso8583.ReasonMTINotDigits},
		{host, func(b *iso8583.Builder) { b.SetString(2, "6224-") }, 2, iso8583.ReasonNotDigit},
		{host, func(b *iso8583.Builder) { b.SetString(52, "1234567") }, 52, iso8583.ReasonLengthNotFixed},
		{host, func(b *iso8583.Builder) { b.SetString(65, "1") }, 65, iso8583.ReasonFieldUnknown},
	}
	var b iso8583.Builder
	for i, tt := range tests {
		b.Reset(tt.d.layout, 0x0200)
		tt.set(&b)
		out, err := b.Append([]byte("before"))
		wantReason(t, err, tt.field, tt.reason)
		if string(out) != "before" {
			t.Errorf("case %d: dst is %q", i, out)
		}
	}
	var fresh iso8583.Builder
	_, err := fresh.Append(nil)
	wantReason(t, err, iso8583.WholeMessage, iso8583.ReasonNoLayout)
}

// Every field both dialects have goes from one to the other with its characters
// kept, and fields of a MAC keep their place at the end.
func TestCopyBetweenDialects(t *testing.T) {
	pos, host := dialects()[0], dialects()[1]
	raw := pos.build(t)
	var from, to iso8583.View
	if err := pos.layout.Parse(raw, &from); err != nil {
		t.Fatal(err)
	}
	var b iso8583.Builder
	b.Reset(host.layout, from.MTI())
	for _, n := range []int{2, 3, 4, 14, 22, 23, 25, 26, 35, 41, 42, 49, 53, 55, 64, 90} {
		b.Copy(n, &from)
	}
	out := mustAppend(t, &b)
	if err := host.layout.Parse(out, &to); err != nil {
		t.Fatal(err)
	}
	if to.Has(90) {
		t.Error("a field that was absent was copied")
	}
	for n := to.Next(0); n != 0; n = to.Next(n) {
		if got, want := to.AppendText(nil, n), from.AppendText(nil, n); !bytes.Equal(got, want) {
			t.Errorf("field %d is %q, was %q", n, got, want)
		}
	}
	if at, end := to.Span(64); at != len(out)-8 || end != len(out) {
		t.Errorf("MAC lies at %d to %d of %d", at, end, len(out))
	}
}

func TestUint(t *testing.T) {
	pos := dialects()[0]
	var b iso8583.Builder
	b.Reset(pos.layout, 0x0200)
	b.SetUint(4, 1111)
	b.SetUint(11, 0)
	b.SetUint(23, 7)
	b.SetUint(32, 98)
	b.SetString(2, "9999999999999999999")
	b.SetString(39, "A0")
	b.SetString(60, "")
	b.SetString(61, strings.Repeat("9", 20))
	var v iso8583.View
	if err := pos.layout.Parse(mustAppend(t, &b), &v); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]uint64{4: 1111, 11: 0, 23: 7, 32: 98, 2: 9999999999999999999} {
		if got, err := v.Uint(n); err != nil || got != want {
			t.Errorf("field %d is %d (%v), want %d", n, got, err, want)
		}
	}
	for n, reason := range map[int]string{
		39: iso8583.ReasonNotNumeric, 60: iso8583.ReasonNotNumeric, 61: iso8583.ReasonNumberTooLarge, 3: iso8583.ReasonFieldAbsent,
	} {
		_, err := v.Uint(n)
		wantReason(t, err, n, reason)
	}
	if got := v.AppendText(nil, 4); string(got) != "000000001111" {
		t.Errorf("amount is %q", got)
	}
}

func TestMTI(t *testing.T) {
	for m, want := range map[iso8583.MTI]iso8583.MTI{0x0200: 0x0210, 0x0401: 0x0410, 0x0400: 0x0410, 0x0820: 0x0830, 0x0221: 0x0230} {
		if got := m.Response(); got != want {
			t.Errorf("%s is answered by %s, want %s", m, got, want)
		}
	}
}

// A builder is used again and again, also after a failure; nothing of the last
// message is left.
func TestBuilderReuse(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		want := d.build(t)
		var b iso8583.Builder
		for range 3 {
			if got := mustAppend(t, d.fill(&b)); !bytes.Equal(got, want) {
				t.Fatalf("built %X, want %X", got, want)
			}
			if got := mustAppend(t, &b); !bytes.Equal(got, want) {
				t.Fatalf("appended twice: %X, want %X", got, want)
			}
			b.SetString(4, "bad")
			if _, err := b.Append(nil); err == nil {
				t.Fatal("built a bad amount")
			}
		}
		b.Reset(d.layout, 0x0800)
		b.SetUint(11, 1)
		b.SetUint(4, 1)
		b.Unset(4)
		var v iso8583.View
		if err := d.layout.Parse(mustAppend(t, &b), &v); err != nil {
			t.Fatal(err)
		}
		if v.Next(0) != 11 || v.Next(11) != 0 {
			t.Error("fields of an earlier message are left")
		}
	})
}

// Errors name the place and never hold what was there.
func TestErrorText(t *testing.T) {
	d := dialects()[1]
	var v iso8583.View
	err := d.layout.Parse([]byte("020040000000000000001662242423000000XX"), &v)
	if got, want := err.Error(), "iso8583 iso87ascii: field 2 at byte 22: digit_expected"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	err = d.layout.Parse([]byte("0200400000000000000016622424"), &v)
	if got, want := err.Error(), "iso8583 iso87ascii: field 2 at byte 22: truncated (want 16, got 6)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
