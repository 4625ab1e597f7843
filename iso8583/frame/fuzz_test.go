// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"tapswitch/iso8583/frame"
)

// fuzz reads whatever comes: Read gives a frame that Append turns back into the
// bytes read, or an error that is named; and the same when it comes in pieces.
func fuzz(f *testing.F, format frame.Format) {
	fr := frame.Frame{Header: header(format), Body: body(30)}
	stream, err := format.Append(nil, fr)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stream)
	f.Add(stream[:len(stream)-1])
	f.Add(append(bytes.Clone(stream), stream...))
	held := make([]byte, 0, 1024)
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bytes.NewReader(stream)
		fr, _, err := format.Read(r, held)
		read := len(stream) - r.Len()
		pieces, buf, err2 := format.Read(iotest.HalfReader(bytes.NewReader(stream)), nil)
		if (err == nil) != (err2 == nil) || err == nil && !same(fr, pieces) {
			t.Fatalf("at once %v, in pieces %v", err, err2)
		}
		if cap(buf) > 4*len(stream)+format.Max+16 {
			t.Fatalf("took %d bytes for %d", cap(buf), len(stream))
		}
		if err != nil {
			var e *frame.Error
			if err != io.EOF && !errors.As(err, &e) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		again, err := format.Append(nil, fr)
		if format.Kind == frame.BaseI && err == nil { // its total length is not looked at
			stream = bytes.Clone(stream)
			const at = 4 + 3
			copy(stream[at:at+2], again[at:])
		}
		if err != nil || !bytes.Equal(again, stream[:read]) {
			t.Fatalf("appended %X (%v), read %X", again, err, stream)
		}
	})
}

func FuzzBinary2(f *testing.F)      { fuzz(f, frame.Format{Length: frame.Binary2, Max: 300}) }
func FuzzBinary2Whole(f *testing.F) { fuzz(f, frame.Format{Length: frame.Binary2Whole, Max: 300}) }
func FuzzBinary4(f *testing.F)      { fuzz(f, frame.Format{Length: frame.Binary4, Max: 300}) }
func FuzzBCD2(f *testing.F)         { fuzz(f, frame.Format{Length: frame.BCD2, TPDU: true, Max: 300}) }
func FuzzASCII4(f *testing.F)       { fuzz(f, frame.Format{Length: frame.ASCII4, Header: 3, Max: 300}) }
func FuzzASCII4Whole(f *testing.F)  { fuzz(f, frame.Format{Length: frame.ASCII4Whole, Max: 300}) }
func FuzzVisa(f *testing.F)         { fuzz(f, frame.Format{Length: frame.Visa, Max: 300}) }
func FuzzBaseI(f *testing.F)        { fuzz(f, frame.VisaBaseI()) }
func FuzzInterchange(f *testing.F)  { fuzz(f, frame.UnionPayInterchange()) }
func FuzzUnionPayPOS(f *testing.F)  { fuzz(f, frame.UnionPayPOS()) }
func FuzzSTX(f *testing.F)          { fuzz(f, frame.Format{Length: frame.STX, TPDU: true, Max: 300}) }
func FuzzSTXBCD2(f *testing.F)      { fuzz(f, frame.Format{Length: frame.STXBCD2, Max: 300}) }
func FuzzBody(f *testing.F)         { fuzz(f, frame.Format{Length: frame.Body, Header: 6, Max: 300}) }
