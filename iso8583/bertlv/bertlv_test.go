// SPDX-License-Identifier: Apache-2.0

package bertlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shown prints one level as "tag=value" words, then the fault.
func shown(data []byte) string {
	var b strings.Builder
	err := Walk(data, func(tag Tag, value []byte) error {
		fmt.Fprintf(&b, "%v=%X ", tag, value)
		return nil
	})
	if err != nil {
		fmt.Fprintf(&b, "! %v", err)
	}
	return strings.TrimSpace(b.String())
}

func TestWalk(t *testing.T) {
	long := strings.Repeat("AA", 128)
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"00 00", ""},
		{"9A03200101", "9A=200101"},
		{"82027C00 9F3602 0ADC", "82=7C00 9F36=0ADC"},
		{"00 9A03200101 0000 9C0100 00", "9A=200101 9C=00"},
		{"DF810501FF", "DF8105=FF"},
		{"DF81820501FF", "DF818205=FF"},
		{"DF8182830501", "! bertlv: byte 0: tlv_tag_too_long"},
		{"9F", "! bertlv: byte 0: tlv_tag_truncated"},
		{"9C01009F81", "9C=00 ! bertlv: byte 3: tlv_tag_truncated"},
		{"9A", "! bertlv: byte 0: tlv_length_truncated"},
		{"9A81", "! bertlv: byte 0: tlv_length_truncated"},
		{"9A80", "! bertlv: byte 0: tlv_length_form_not_supported"},
		{"9A8400000001AA", "! bertlv: byte 0: tlv_length_form_not_supported"},
		{"9A83010000", "! bertlv: byte 0: tlv_length_too_long"},
		{"9A8300000120", "9A=20"},
		{"9A032001", "! bertlv: byte 0: tlv_value_truncated"},
		{"70 8180" + long, "70=" + long},
		{"9C0100 9C0101", "9C=00 9C=01"},
		{"C100", "C1="},
	} {
		if got := shown(unhex(t, c.in)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestWalkStopsAtTheCallersError(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := Walk(unhex(t, "9C0100 9A03200101"), func(Tag, []byte) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Fatalf("got %v after %d objects", err, n)
	}
}

const ppse = "6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101500A50424F43204445424954870101"

func TestFindAndPath(t *testing.T) {
	data := unhex(t, ppse)
	if _, ok := Find(data, DFName); ok {
		t.Error("Find looked inside a template")
	}
	value, ok := Path(data, FCITemplate, FCIProprietary, FCIDiscretionary, AppTemplate, ADFName)
	if !ok || hex.EncodeToString(value) != "a000000333010101" {
		t.Errorf("ADF name: got %X, %v", value, ok)
	}
	if _, ok = Path(data, FCITemplate, FCIProprietary, PDOL); ok {
		t.Error("found a PDOL that is not there")
	}
}

func TestCheck(t *testing.T) {
	deep := []byte{0x9C, 1, 0}
	for range MaxDepth - 1 {
		deep = Append(nil, 0x70, deep)
	}
	if err := Check(deep); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	for _, c := range []struct{ in, want string }{
		{ppse, "<nil>"},
		{"9C0100 9C0101", "bertlv: byte 3: tlv_tag_duplicate"},
		{"7003 9C0100 7003 9C0101", "<nil>"},
		{"7006 9C0100 9C0101", "bertlv: byte 5: tlv_tag_duplicate"},
		{"9A03200101 7004 9C0100 9F", "bertlv: byte 10: tlv_tag_truncated"},
		{hex.EncodeToString(Append(nil, 0x70, deep)), "bertlv: byte 14: tlv_nested_too_deep"},
	} {
		if got := fmt.Sprint(Check(unhex(t, c.in))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestAppendIsReadBack(t *testing.T) {
	for _, tag := range []Tag{0x82, 0x9F02, 0xDF8105, 0xDF818205, 0xBF0C, 0x9F00} {
		for _, n := range []int{0, 1, 127, 128, 255, 256, MaxLength} {
			value := bytes.Repeat([]byte{0xA5}, n)
			got, ok := Find(Append(nil, tag, value), tag)
			if !ok || !bytes.Equal(got, value) {
				t.Errorf("%v of %d bytes: not read back", tag, n)
			}
		}
	}
	if got := Append([]byte{1}, 0x82, make([]byte, MaxLength+1)); len(got) != 1 {
		t.Error("a value beyond MaxLength was appended")
	}
	if got := Append([]byte{1}, 0, []byte{2}); len(got) != 1 {
		t.Error("an object without a tag was appended")
	}
}

func TestConstructed(t *testing.T) {
	if !Tag(0xBF0C).Constructed() || Tag(0x9F02).Constructed() || !Tag(0x70).Constructed() || !Tag(0xFF8105).Constructed() {
		t.Error("constructed bit misread")
	}
}

func TestReadTag(t *testing.T) {
	for _, c := range []struct {
		in  string
		tag Tag
		n   int
		ok  bool
	}{{"9F02FF", 0x9F02, 2, true}, {"82", 0x82, 1, true}, {"DF8105", 0xDF8105, 3, true}, {"9F", 0, 0, false}, {"", 0, 0, false}, {"DFFFFFFF01", 0, 0, false}} {
		if tag, n, ok := ReadTag(unhex(t, c.in)); tag != c.tag || n != c.n || ok != c.ok {
			t.Errorf("%s: %v, %d, %v", c.in, tag, n, ok)
		}
	}
}

func TestWalkerPlaces(t *testing.T) {
	w := NewWalker(unhex(t, "00 9F0206000000000100 708103 9C0100 9F"))
	got := ""
	for w.Next() {
		got += fmt.Sprintf("%v at %d, value at %d; ", w.Tag, w.Offset, w.Offset+w.HeaderLen())
	}
	if got != "9F02 at 1, value at 4; 70 at 10, value at 13; " || w.Fault() == nil || w.Fault().Offset != 16 {
		t.Errorf("%s %v", got, w.Fault())
	}
}

// TestCheckOfManyTags: every number of tags up to the bound, on both sides of the
// change from comparing to a table; then the same with the first tag again.
func TestCheckOfManyTags(t *testing.T) {
	var data []byte
	for n := 0; n < MaxTags; n++ {
		data = Append(data, nth(n), []byte{byte(n)})
		if err := Check(data); err != nil {
			t.Fatalf("%d tags: %v", n+1, err)
		}
		again := Append(data[:len(data):len(data)], nth(0), nil)
		if got := fmt.Sprint(Check(again)); got != fmt.Sprintf("bertlv: byte %d: tlv_tag_duplicate", len(data)) {
			t.Fatalf("%d tags and the first again: %s", n+1, got)
		}
	}
	if got := fmt.Sprint(Check(Append(data, nth(MaxTags), nil))); !strings.HasSuffix(got, string(TooManyTags)) {
		t.Errorf("one tag more than allowed: %s", got)
	}
}

// nth is the n-th of many three-byte tags.
func nth(n int) Tag { return 0xDF0000 | Tag(0x81+n/127)<<8 | Tag(1+n%127) }

func TestReadingAllocatesNothing(t *testing.T) {
	data := unhex(t, "82027C009F36020ADC9F2608AD03EE811AFAD4845F3401009F6C020000")
	nested := unhex(t, ppse)
	var many []byte
	for n := range 100 {
		many = Append(many, Tag(0xDF8101+n), []byte{1})
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := Find(data, CTQ); !ok {
			t.Fatal("not found")
		}
		if _, ok := Path(nested, FCITemplate, FCIProprietary); !ok {
			t.Fatal("not found")
		}
		sum := 0
		if Walk(data, func(_ Tag, value []byte) error { sum += len(value); return nil }) != nil || sum != 15 {
			t.Fatal("walk")
		}
		if Check(data) != nil || Check(nested) != nil || Check(many) != nil {
			t.Fatal("check")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	data := unhex(b, "82027C009F36020ADC9F2608AD03EE811AFAD4845F3401009F6C020000")
	b.ReportAllocs()
	for b.Loop() {
		if Check(data) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkFind(b *testing.B) {
	data := unhex(b, "82027C009F36020ADC9F2608AD03EE811AFAD4845F3401009F6C020000")
	b.ReportAllocs()
	for b.Loop() {
		Find(data, CTQ)
	}
}

// FuzzWalk: what is read lies inside the data and in its order, and written
// back it reads the same.
func FuzzWalk(f *testing.F) {
	f.Add(unhex(f, ppse))
	f.Add(unhex(f, "00 9A03200101 0000 9C0100 00"))
	f.Add(unhex(f, "DF81820501FF 9A8300000120"))
	f.Add(unhex(f, "9F8180"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		used := 0
		w := NewWalker(data)
		for w.Next() {
			if w.Offset < used {
				t.Fatal("an object begins inside the one before")
			}
			used = w.Offset + len(w.Value)
			again = Append(again, w.Tag, w.Value)
		}
		if used > len(data) {
			t.Fatal("read beyond the data")
		}
		first, second := NewWalker(data), NewWalker(again)
		for first.Next() {
			if !second.Next() || first.Tag != second.Tag || !bytes.Equal(first.Value, second.Value) {
				t.Fatal("written back it reads differently")
			}
		}
		if second.Next() || second.Err() != nil {
			t.Fatal("written back there is more")
		}
		var fault *Error
		if err := Check(data); err != nil && (!errors.As(err, &fault) || fault.Offset > len(data)) {
			t.Fatalf("fault outside the data: %v", err)
		}
	})
}
