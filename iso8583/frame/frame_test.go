// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"tapswitch/iso8583/frame"
)

func formats() map[string]frame.Format {
	return map[string]frame.Format{
		"unionpay pos":      frame.UnionPayPOS(),
		"iso87":             frame.ISO87(),
		"unionpay":          frame.UnionPayInterchange(),
		"visa":              frame.VisaBaseI(),
		"counts itself":     {Length: frame.Binary2Whole, Max: 1000},
		"four bytes":        {Length: frame.Binary4, Max: 1 << 20},
		"bcd":               {Length: frame.BCD2, TPDU: true, Max: 9999},
		"ascii and header":  {Length: frame.ASCII4, Header: 12, Max: 9999},
		"ascii and itself":  {Length: frame.ASCII4Whole, TPDU: true, Max: 9995},
		"serial":            {Length: frame.STX, Max: 700},
		"serial, tpdu":      {Length: frame.STX, TPDU: true, Header: 2, Max: 700},
		"serial and length": {Length: frame.STXBCD2, Header: 6, Max: 2000},
		"post":              {Length: frame.Body, TPDU: true, Header: 6, Max: 2000},
	}
}

// header is one that the format can have.
func header(f frame.Format) []byte {
	switch f.Kind {
	case frame.Interchange:
		return append([]byte("\x2E\x020000"), body(frame.InterchangeSize-6)...)
	case frame.BaseI:
		return append([]byte{frame.BaseISize, 1, 2, 0, 0}, body(frame.BaseISize-5)...)
	}
	return body(f.Header)
}

func body(n int) []byte { return []byte(strings.Repeat("0123456789", n/10+1)[:n]) }

// frames are three frames of a format, the last as long as allowed, and their
// bytes; one frame where the form knows no end but the stream's.
func frames(t testing.TB, f frame.Format) (all []frame.Frame, stream []byte) {
	t.Helper()
	over := len(header(f))
	if f.TPDU {
		over += 5
	}
	sizes := []int{10, 123, f.Max - over}
	if f.Length == frame.Body {
		sizes = sizes[2:]
	}
	for _, n := range sizes {
		fr := frame.Frame{Header: header(f), Body: body(n)}
		if f.TPDU {
			fr.TPDU = frame.TPDU{0x60, 0, 4, 0, 1}
		}
		if f.Kind == frame.Interchange {
			copy(fr.Header[2:], fmt.Sprintf("%04d", over+n))
		}
		if f.Kind == frame.BaseI {
			fr.Header[3], fr.Header[4] = byte((over+n)>>8), byte(over+n)
		}
		from := len(stream)
		var err error
		if stream, err = f.Append(stream, fr); err != nil {
			t.Fatal(err)
		}
		if got := len(stream) - from - over - n; got != f.Extra() {
			t.Fatalf("%d bytes beside the frame, Extra says %d", got, f.Extra())
		}
		all = append(all, fr)
	}
	return all, stream
}

func same(a, b frame.Frame) bool {
	return a.TPDU == b.TPDU && bytes.Equal(a.Header, b.Header) && bytes.Equal(a.Body, b.Body)
}

// However the bytes arrive, the same frames come out, one by one, and then the
// clean end.
func TestReadHoweverItArrives(t *testing.T) {
	for name, f := range formats() {
		want, stream := frames(t, f)
		for how, r := range map[string]io.Reader{
			"at once":        bytes.NewReader(stream),
			"byte by byte":   iotest.OneByteReader(bytes.NewReader(stream)),
			"half by half":   iotest.HalfReader(bytes.NewReader(stream)),
			"end with data":  iotest.DataErrReader(bytes.NewReader(stream)),
			"in odd pieces":  &pieces{p: stream, n: 7},
			"in large ones":  &pieces{p: stream, n: 131},
			"with empty too": &pieces{p: stream, n: 3, empty: true},
		} {
			var buf []byte
			for i := range want {
				var got frame.Frame
				var err error
				if got, buf, err = f.Read(r, buf); err != nil {
					t.Fatalf("%s, %s, frame %d: %v", name, how, i, err)
				}
				if !same(got, want[i]) {
					t.Fatalf("%s, %s: frame %d differs", name, how, i)
				}
			}
			if _, _, err := f.Read(r, buf); err != io.EOF {
				t.Errorf("%s, %s: end is %v, want io.EOF", name, how, err)
			}
		}
	}
}

// pieces gives n bytes a call, and now and then none.
type pieces struct {
	p     []byte
	n     int
	empty bool
	calls int
}

func (r *pieces) Read(p []byte) (int, error) {
	r.calls++
	if r.empty && r.calls%2 == 0 {
		return 0, nil
	}
	if len(r.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.p[:min(r.n, len(r.p))])
	r.p = r.p[n:]
	return n, nil
}

// Not a byte of the next frame is taken, nor asked for.
func TestReadTakesOneFrame(t *testing.T) {
	for name, f := range formats() {
		all, stream := frames(t, f)
		one, err := f.Append(nil, all[0])
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(stream)
		if _, _, err := f.Read(r, make([]byte, 0, 4096)); err != nil {
			t.Fatal(err)
		}
		if left := r.Len(); left != len(stream)-len(one) {
			t.Errorf("%s: %d bytes left, want %d", name, left, len(stream)-len(one))
		}
	}
}

// An end at any byte inside a frame is named and is not a clean end.
func TestEndInsideFrame(t *testing.T) {
	for name, f := range formats() {
		all, _ := frames(t, f)
		stream, _ := f.Append(nil, all[0])
		if f.Length == frame.Body {
			continue // its end is where the stream ends
		}
		for size := 1; size < len(stream); size++ {
			_, _, err := f.Read(bytes.NewReader(stream[:size]), nil)
			var e *frame.Error
			if !errors.As(err, &e) || !errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
				t.Fatalf("%s cut at %d: %v", name, size, err)
			}
			if e.Reason != frame.ReasonEndInFrame && e.Reason != frame.ReasonEndInLength {
				t.Errorf("%s cut at %d: reason %s", name, size, e.Reason)
			}
		}
	}
}

// A deadline that passes between frames is the reader's own error; one inside a
// frame is named, and what it was can still be asked.
func TestDeadline(t *testing.T) {
	f := frame.ISO87()
	_, _, err := f.Read(iotest.ErrReader(os.ErrDeadlineExceeded), nil)
	if err != os.ErrDeadlineExceeded {
		t.Errorf("between frames: %v", err)
	}
	for _, some := range []string{"\x00", "\x00\x20", "\x00\x20abc"} {
		_, _, err = f.Read(io.MultiReader(strings.NewReader(some), iotest.ErrReader(os.ErrDeadlineExceeded)), nil)
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != frame.ReasonReadFailed || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes: %v", len(some), err)
		}
	}
}

// A bad length is refused by name, before any memory is taken for it and before
// another byte is read.
func TestBadLength(t *testing.T) {
	tests := []struct {
		name   string
		f      frame.Format
		bytes  string
		reason string
	}{
		{"zero", frame.UnionPayPOS(), "\x00\x00", frame.ReasonLengthZero},
		{"only TPDU and header", frame.UnionPayPOS(), "\x00\x0B", frame.ReasonTooShort},
		{"one short of a bitmap", frame.UnionPayPOS(), "\x00\x14", frame.ReasonTooShort},
		{"one above the bound", frame.ISO87(), "\x10\x01", frame.ReasonTooLong},
		{"a web browser", frame.ISO87(), "GET / HTTP/1.1", frame.ReasonTooLong},
		{"two gigabytes", frame.Format{Length: frame.Binary4, Max: 4096}, "\x7F\xFF\xFF\xFF", frame.ReasonTooLong},
		{"four gigabytes", frame.Format{Length: frame.Binary4, Max: 4096}, "\xFF\xFF\xFF\xFF", frame.ReasonTooLong},
		{"counts itself, says 1", frame.Format{Length: frame.Binary2Whole, Max: 99}, "\x00\x01", frame.ReasonTooShort},
		{"counts itself only", frame.Format{Length: frame.Binary2Whole, Max: 99}, "\x00\x02", frame.ReasonLengthZero},
		{"letters", frame.Format{Length: frame.ASCII4, Max: 99}, "00A0", frame.ReasonLengthNotDigits},
		{"no digits", frame.Format{Length: frame.BCD2, Max: 99}, "\x00\x1A", frame.ReasonLengthNotDigits},
	}
	for _, tt := range tests {
		r := strings.NewReader(tt.bytes + strings.Repeat("x", 100))
		before := r.Len()
		_, buf, err := tt.f.Read(r, nil)
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != tt.reason {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.reason)
		}
		if buf != nil {
			t.Errorf("%s: took %d bytes of memory", tt.name, cap(buf))
		}
		if read := before - r.Len(); read > 4 {
			t.Errorf("%s: read %d bytes", tt.name, read)
		}
	}
}

// What Append refuses leaves dst as it was.
func TestAppendRefuses(t *testing.T) {
	f := frame.UnionPayPOS()
	for reason, fr := range map[string]frame.Frame{
		frame.ReasonHeaderLength: {Header: body(5), Body: body(20)},
		frame.ReasonTooShort:     {Header: body(6), Body: body(9)},
		frame.ReasonTooLong:      {Header: body(6), Body: body(frame.DefaultMax)},
	} {
		out, err := f.Append([]byte("before"), fr)
		var e *frame.Error
		if !errors.As(err, &e) || e.Reason != reason || string(out) != "before" {
			t.Errorf("%s: %v, dst %q", reason, err, out)
		}
	}
}

// With a buffer large enough a frame is read and written without allocation;
// without one, waiting costs the length's own bytes.
func TestAllocations(t *testing.T) {
	f := frame.UnionPayPOS()
	_, stream := frames(t, f)
	buf, r := make([]byte, 8192), bytes.NewReader(stream)
	out := make([]byte, 0, 8192)
	n := testing.AllocsPerRun(100, func() {
		r.Reset(stream)
		fr, _, err := f.Read(r, buf)
		if err != nil {
			t.Error(err)
		}
		if _, err := f.Append(out, fr); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	idle := &watcher{}
	if _, err := f.ReadLength(idle); err != io.EOF {
		t.Error(err)
	}
	if idle.most > 4 {
		t.Errorf("waits with a buffer of %d bytes", idle.most)
	}
}

// watcher notes the largest buffer it was offered.
type watcher struct{ most int }

func (w *watcher) Read(p []byte) (int, error) {
	w.most = max(w.most, cap(p))
	return 0, io.EOF
}

func TestTPDUAndHeader(t *testing.T) {
	if got, want := (frame.TPDU{0x60, 0, 3, 0x12, 0x34}).Swap(), (frame.TPDU{0x60, 0x12, 0x34, 0, 3}); got != want {
		t.Errorf("swapped %X, want %X", got, want)
	}
	h := frame.Header{0x60, 0x31, 0x00, 0x31, 0x01, 0x00}
	if got := h.WithRequirement(3); got != (frame.Header{0x60, 0x31, 0x03, 0x31, 0x01, 0x00}) || got.Requirement() != 3 {
		t.Errorf("header %X", got)
	}
}
