// SPDX-License-Identifier: Apache-2.0

package visabase1_test

import (
	"bytes"
	"testing"

	"tapswitch/iso8583/dialect/visabase1"
)

func TestHeader(t *testing.T) {
	h := visabase1.NewHeader([3]byte{0x12, 0x34, 0x56}, [3]byte{0x65, 0x43, 0x21})
	h.Total = 322
	p := h.Append(nil, 300)
	want := []byte{0x16, 1, 2, 0x01, 0x42, 0x12, 0x34, 0x56, 0x65, 0x43, 0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if !bytes.Equal(p, want) {
		t.Fatalf("%X\nwant %X", p, want)
	}
	got, size, err := visabase1.ParseHeader(append(p, 1, 0))
	if err != nil || size != 22 || got != h {
		t.Errorf("%+v %d %v", got, size, err)
	}
	if a := got.Answer(); a.Source != h.Destination || a.Destination != h.Source {
		t.Errorf("answer %+v", a)
	}
}

// A rejected message comes back with a longer header and a code.
func TestRejectHeader(t *testing.T) {
	h := visabase1.NewHeader([3]byte{1}, [3]byte{2})
	h.Rejected, h.Bitmap, h.Code = true, [2]byte{0x80, 0}, [2]byte{0x00, 0x29}
	p := h.Append(nil, 0)
	got, size, err := visabase1.ParseHeader(p)
	if err != nil || size != 26 || !got.Rejected || got.Code != h.Code {
		t.Errorf("%+v %d %v", got, size, err)
	}
	for _, bad := range [][]byte{nil, {0x15}, p[:25], p[:1]} {
		if _, _, err := visabase1.ParseHeader(bad); err == nil {
			t.Errorf("read %X", bad)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(visabase1.NewHeader([3]byte{1}, [3]byte{2}).Append(nil, 100))
	f.Fuzz(func(t *testing.T, p []byte) {
		h, size, err := visabase1.ParseHeader(p)
		if err != nil || h.Total < size {
			return
		}
		if again := h.Append(nil, h.Total-size); !bytes.Equal(again, p[:size]) {
			t.Errorf("%X came back as %X", p[:size], again)
		}
	})
}
