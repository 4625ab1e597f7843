// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"tapswitch/iso8583/frame"
)

// The forms, byte by byte.
func TestFormsOnTheWire(t *testing.T) {
	tests := []struct {
		f    frame.Format
		fr   frame.Frame
		wire string
	}{
		{frame.Format{Length: frame.Visa, Max: 99}, frame.Frame{Body: body(10)}, "\x00\x0A\x00\x000123456789"},
		{frame.Format{Length: frame.ASCII4, Max: 99}, frame.Frame{Body: body(10)}, "00100123456789"},
		{frame.Format{Length: frame.ASCII4Whole, Max: 99}, frame.Frame{Body: body(10)}, "00140123456789"},
		{frame.Format{Length: frame.Binary2Whole, Max: 99}, frame.Frame{Body: body(10)}, "\x00\x0C0123456789"},
		{frame.Format{Length: frame.BCD2, Max: 99}, frame.Frame{Body: body(10)}, "\x00\x100123456789"},
		{frame.Format{Length: frame.STX, Max: 99}, frame.Frame{Body: body(10)}, "\x020123456789\x03\x02"},
		{frame.Format{Length: frame.STXBCD2, Max: 99}, frame.Frame{Body: body(10)}, "\x02\x00\x100123456789\x03\x12"},
		{frame.Format{Length: frame.Body, TPDU: true, Max: 99}, frame.Frame{TPDU: frame.TPDU{0x60, 1, 2, 3, 4}, Body: body(10)}, "\x60\x01\x02\x03\x040123456789"},
	}
	for _, tt := range tests {
		got, err := tt.f.Append(nil, tt.fr)
		if err != nil || string(got) != tt.wire {
			t.Errorf("%+v: %q %v, want %q", tt.f, got, err, tt.wire)
		}
	}
}

// What is wrong with a frame is named, whichever form it has.
func TestFormsRefuse(t *testing.T) {
	serial, counted := frame.Format{Length: frame.STX, Max: 20}, frame.Format{Length: frame.STXBCD2, Max: 20}
	interchange := "\x2E\x02" + "0056" + strings.Repeat("0", 40) + "0123456789"
	base := "\x16\x01\x02\x00\x20" + strings.Repeat("0", 17) + "0123456789"
	reject := "\x1A\x81\x02\x00\x3A" + strings.Repeat("0", 21)
	tests := []struct {
		name   string
		f      frame.Format
		bytes  string
		reason string
	}{
		{"reserved bytes", frame.Format{Length: frame.Visa, Max: 99}, "\x00\x0A\x00\x010123456789", frame.ReasonReservedNotZero},
		{"counts itself only", frame.Format{Length: frame.ASCII4Whole, Max: 99}, "0004", frame.ReasonLengthZero},
		{"less than itself", frame.Format{Length: frame.ASCII4Whole, Max: 99}, "0003", frame.ReasonTooShort},
		{"no start", serial, "0123456789\x03\x02", frame.ReasonNoSTX},
		{"ends at once", serial, "\x02\x03\x030123456789", frame.ReasonTooShort},
		{"never ends", serial, "\x02" + strings.Repeat("0", 99), frame.ReasonTooLong},
		{"wrong check", serial, "\x020123456789\x03\x00", frame.ReasonCheckWrong},
		{"no check", serial, "\x020123456789\x03", frame.ReasonEndInFrame},
		{"no start, counted", counted, "\x03\x00\x10", frame.ReasonNoSTX},
		{"no digits, counted", counted, "\x02\x00\x1A", frame.ReasonLengthNotDigits},
		{"too long, counted", counted, "\x02\x00\x21", frame.ReasonTooLong},
		{"no end, counted", counted, "\x02\x00\x100123456789\x02\x13", frame.ReasonNoETX},
		{"wrong check, counted", counted, "\x02\x00\x100123456789\x03\x02", frame.ReasonCheckWrong},
		{"post too short", frame.Format{Length: frame.Body, Max: 20}, "012345678", frame.ReasonTooShort},
		{"post too long", frame.Format{Length: frame.Body, Max: 20}, "012345678901234567890", frame.ReasonTooLong},
		{"interchange", frame.UnionPayInterchange(), "0056" + "\x2D" + interchange[1:], frame.ReasonHeaderWrong},
		{"interchange, total", frame.UnionPayInterchange(), "0056" + strings.Replace(interchange, "0056", "0057", 1), frame.ReasonHeaderTotal},
		{"interchange, no total", frame.UnionPayInterchange(), "0056" + strings.Replace(interchange, "0056", "005x", 1), frame.ReasonHeaderTotal},
		{"base I", frame.VisaBaseI(), "\x00\x20\x00\x00\x17" + base[1:], frame.ReasonHeaderWrong},
		{"reject of 22 bytes", frame.VisaBaseI(), "\x00\x3A\x00\x00\x16" + reject[1:] + base, frame.ReasonHeaderWrong},
		{"reject without a message", frame.VisaBaseI(), "\x00\x26\x00\x00" + reject + base[:12], frame.ReasonTooShort},
		{"reject and no body", frame.VisaBaseI(), "\x00\x39\x00\x00" + reject + base[:31], frame.ReasonTooShort},
		{"reject of a reject", frame.VisaBaseI(), "\x00\x3A\x00\x00" + reject + "\x16\x81" + base[2:], frame.ReasonHeaderWrong},
	}
	for _, tt := range tests {
		_, _, err := tt.f.Read(iotest.OneByteReader(strings.NewReader(tt.bytes)), nil)
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.reason)
		}
	}
}

// A message that Visa's network refused comes back behind a second header, and
// goes out so.
func TestBaseIReject(t *testing.T) {
	f := frame.VisaBaseI()
	first := append([]byte{frame.BaseIRejectSize, 0x81, 2, 0, 58}, body(21)...)
	second := append([]byte{frame.BaseISize, 1, 2, 0, 32}, body(17)...)
	fr := frame.Frame{Header: append(first, second...), Body: body(10)}
	stream, err := f.Append(nil, fr)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := f.Read(bytes.NewReader(stream), nil)
	if err != nil || !same(got, fr) {
		t.Errorf("read %q %v", got.Header, err)
	}
	for reason, h := range map[string][]byte{
		frame.ReasonHeaderLength: first,
		frame.ReasonHeaderWrong:  append(bytes.Clone(second), first...),
	} {
		_, err := f.Append(nil, frame.Frame{Header: h, Body: body(10)})
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != reason {
			t.Errorf("%v, want %s", err, reason)
		}
	}
}

// A frame that would end itself is not written.
func TestETXInside(t *testing.T) {
	f := frame.Format{Length: frame.STX, Max: 99}
	out, err := f.Append([]byte("before"), frame.Frame{Body: []byte("01234\x0356789")})
	var e *frame.Error
	if !errors.As(err, &e) || e.Reason != frame.ReasonETXInside || string(out) != "before" {
		t.Errorf("%v, dst %q", err, out)
	}
}

// A body that was cut off is not taken for a short one.
func TestPostCutOff(t *testing.T) {
	f := frame.Format{Length: frame.Body, Max: 99}
	r := io.MultiReader(strings.NewReader("0123456789"), iotest.ErrReader(io.ErrUnexpectedEOF))
	_, _, err := f.Read(r, nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		t.Errorf("%v", err)
	}
	if _, _, err := f.Read(silent{}, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// A frame without a length takes memory as it comes, and a buffer that is large
// enough is not left for a new one.
func TestMemoryFollowsWhatCame(t *testing.T) {
	for _, form := range []frame.Length{frame.STX, frame.Body} {
		f := frame.Format{Length: form, Max: 1 << 30}
		_, buf, err := f.Read(strings.NewReader("\x02"+strings.Repeat("0", 1000)), nil)
		if err == nil && form == frame.STX || cap(buf) > 4096 {
			t.Errorf("form %d: %d bytes taken for 1000, %v", form, cap(buf), err)
		}
		f.Max = 1000
		stream, err := f.Append(nil, frame.Frame{Body: body(1000)})
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(stream)
		have := make([]byte, 0, 1002)
		if n := testing.AllocsPerRun(20, func() {
			r.Reset(stream)
			if _, _, err := f.Read(r, have); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("form %d: %v allocations", form, n)
		}
	}
}
