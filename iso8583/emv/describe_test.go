// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tapswitch/iso8583/bertlv"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*.txt and docs/reference/emv-tags.md anew")

// TestDescribe describes testdata/*.hex and compares with the .txt beside it.
func TestDescribe(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(inputs) == 0 {
		t.Fatal("no inputs", err)
	}
	for _, in := range inputs {
		source, err := os.ReadFile(in)
		if err != nil {
			t.Fatal(err)
		}
		data := unhex(t, strings.Join(strings.Fields(string(source)), ""))
		got := AppendText(nil, Describe(data, Unknown), 0, 2)
		golden := strings.TrimSuffix(in, ".hex") + ".txt"
		if *rewrite {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s", in, got)
		}
	}
}

// TestQPBOCTrace: the public trace, by its facts.
func TestQPBOCTrace(t *testing.T) {
	data := unhex(t, qpbocAnswer)
	items := Describe(data, UnionPay)
	at := map[string]Item{}
	for _, it := range items {
		at[it.Path] = it
	}
	if it := at["77/9F36"]; it.Value != "0ADC" || it.Offset != 6 || joined(it.Meaning) != "2780" {
		t.Errorf("ATC: %+v", it)
	}
	if it := at["77/57"]; !it.Hidden || it.Value != "" || it.Mark != "sensitive" || it.Length != 17 {
		t.Errorf("track 2: %+v", it)
	}
	if it := at["77/9F6C"]; joined(it.Meaning) != "no bit set" {
		t.Errorf("CTQ: %+v", it)
	}
	if it := at["77/9F5D"]; it.Name != "available offline spending amount" || joined(it.Meaning) != "38787 minor units" {
		t.Errorf("offline amount: %+v", it)
	}
	if text := string(AppendText(nil, items, 0, 2)); strings.Contains(text, "62999999") {
		t.Errorf("the card number is shown:\n%s", text)
	}
}

// qpbocAnswer is the answer to GET PROCESSING OPTIONS of the public qPBOC trace.
const qpbocAnswer = "774F82027C009F36020ADC57116299999999999999D201120101234567899F101307010103A00000010A010000038787868FD1FC" +
	"9F2608AD03EE811AFAD4845F3401009F6C0200009F5D06000000038787"

func TestDescribeDOL(t *testing.T) {
	list := unhex(t, "9F66049F02069F03069F1A0295055F2A029A039C019F3704")
	data := unhex(t, "36800000000000000100000000000000015600000000000156170601002B29EBE4")
	items := DescribeDOL(list, data, UnionPay)
	if len(items) != 9 || items[0].Value != "36800000" || items[8].Value != "2B29EBE4" || items[8].Offset != 29 || joined(items[6].Meaning) != "2017-06-01" {
		t.Errorf("%s", AppendText(nil, items, 0, 2))
	}
	for _, c := range []struct{ list, data, want string }{
		{"9F6604", "3680", "the data ends before the value of 9F66"},
		{"9F6604", "3680000000", "bytes beyond the list"},
		{"9F66", "36800000", "the list is broken: bertlv: byte 0: tlv_length_truncated"},
	} {
		items := DescribeDOL(unhex(t, c.list), unhex(t, c.data), UnionPay)
		if got := items[len(items)-1].Fault; got != c.want {
			t.Errorf("%s %s: %q", c.list, c.data, got)
		}
	}
	if items := DescribeDOL(unhex(t, "5A085711"), unhex(t, "6299999999999999"+"6299999999999999D20112010123456789"), UnionPay); items[0].Value != "629999******9999" || !items[1].Hidden {
		t.Errorf("%s", AppendText(nil, items, 0, 2))
	}
}

func TestDescribeFaults(t *testing.T) {
	deep := []byte{0x9C, 1, 0}
	for range bertlv.MaxDepth {
		deep = bertlv.Append(nil, 0x70, deep)
	}
	for _, c := range []struct {
		data  []byte
		fault string
		path  string
		at    int
	}{
		{unhex(t, "9C0100 9F"), "tlv_tag_truncated", "", 3},
		{unhex(t, "70049C01009F"), "tlv_tag_truncated", "70", 5},
		{unhex(t, "7081049C01009F"), "tlv_tag_truncated", "70", 6},
		{unhex(t, "9C05"), "tlv_value_truncated", "", 0},
		{deep, "nested deeper than 8 levels: not shown", "70/70/70/70/70/70/70/70", 16},
		{bytes.Repeat([]byte{0x9C, 1, 0}, 2*MaxItems), "more than 512 objects: the rest is not shown", "", 3 * MaxItems},
	} {
		items := Describe(c.data, Unknown)
		last := items[len(items)-1]
		if last.Fault != c.fault || last.Offset != c.at || last.Path != c.path {
			t.Errorf("%.20X: %+v", c.data, last)
		}
	}
	if items := Describe(nil, Unknown); len(items) != 0 {
		t.Errorf("items of nothing: %+v", items)
	}
}

func TestDuplicatesAreFlagged(t *testing.T) {
	items := Describe(unhex(t, "9C0100 9C0101 7103860100 7103860100"), Unknown)
	got := ""
	for _, it := range items {
		got += it.Path
		if it.Duplicate {
			got += "!"
		}
		got += " "
	}
	if got != "9C 9C! 71 71/86 71[2] 71[2]/86 " {
		t.Errorf("got %s", got)
	}
}

func TestKernelOf(t *testing.T) {
	for _, c := range []struct {
		data   string
		kernel Kernel
		from   string
	}{
		{"8408A000000333010102", UnionPay, "84"},
		{"9F0607A0000000031010", Visa, "9F06"},
		{"4F07A00000006510108407A0000000651010", JCB, "4F"},
		{"6F30840E325041592E5359532E4444463031A51EBF0C1B61194F08A000000333010101500A50424F43204445424954870101", UnionPay, "4F"},
		{"610C4F07A00000000310109F2A0103", Visa, "4F"},
		{"61104F07A00000000310109F2A01029C0100", Mastercard, "9F2A"},
		{"9F2A0183", Unknown, ""}, // a domestic kernel
		{"8406A00000055501", Unknown, ""},
		{"", Unknown, ""},
	} {
		k, from := KernelOf(unhex(t, c.data))
		if k != c.kernel || from != c.from {
			t.Errorf("%s: %v from %q", c.data, k, from)
		}
	}
}

// TestNothingSensitiveIsShown gives every tag there is, and many that are not, a
// value full of card data: text and JSON show it only where the mark says plain.
func TestNothingSensitiveIsShown(t *testing.T) {
	const pan = "6299999999999999"
	tags := map[bertlv.Tag]bool{0xDF7F: true, 0xC1: true, 0x9F7B: true, 0xDF8199: true}
	for _, e := range Dictionary() {
		tags[e.Tag] = true
	}
	for tag := range tags {
		if tag.Constructed() {
			continue
		}
		for _, kernel := range []Kernel{Unknown, Mastercard, Visa, Amex, JCB, Discover, UnionPay, Common} {
			for _, value := range [][]byte{unhex(t, pan+"D20112010123456789"), unhex(t, pan), []byte("B" + pan + "^A/B^20112010123"), bytes.Repeat(unhex(t, pan), 12)} {
				if MarkOf(tag) == Plain {
					if e, ok := Lookup(tag, kernel); ok && e.fits(len(value)) {
						continue // a plain value of the right length is shown as it is
					}
				}
				items := Describe(bertlv.Append(nil, tag, value), kernel)
				shown, err := json.Marshal(items)
				if err != nil {
					t.Fatal(err)
				}
				text := string(shown) + string(AppendText(nil, items, 0, 2))
				if strings.Contains(text, "6299999999") || strings.Contains(text, "99999999") {
					t.Errorf("%v, %v, %d bytes: card data shown: %s", tag, kernel, len(value), text)
				}
			}
		}
	}
}

func TestItemsAreJSON(t *testing.T) {
	shown, err := json.Marshal(Describe(unhex(t, "9F27 01 80"), Unknown))
	want := `[{"path":"9F27","tag":"9F27","name":"cryptogram information data","offset":0,"depth":0,"length":1,"value":"80","meaning":[` +
		`{"byte":1,"bits":"b8-b7","text":"ARQC: online authorisation requested"},{"byte":1,"bits":"b6-b5","value":"0","text":"cryptogram of the payment system"},` +
		`{"byte":1,"bits":"b3-b1","text":"no reason given"}]}]`
	if err != nil || string(shown) != want {
		t.Errorf("%v %s", err, shown)
	}
}

// TestLargeInputTakesLinearTime: what would take minutes with a square in it.
func TestLargeInputTakesLinearTime(t *testing.T) {
	var nested []byte
	for len(nested) < 60_000 {
		nested = bertlv.Append(nil, 0x70, append(nested, bytes.Repeat([]byte{0x70, 0}, 4000)...))
	}
	for name, data := range map[string][]byte{
		"small templates": bytes.Repeat([]byte{0x70, 0}, 1<<20),
		"one tag":         bytes.Repeat([]byte{0x9C, 0}, 1<<20),
		"padding":         make([]byte, 1<<21),
		"nested":          bytes.Repeat(nested, 20),
		"broken":          bytes.Repeat([]byte{0x9F}, 1<<21),
	} {
		start := time.Now()
		Describe(data, Unknown)
		_ = bertlv.Check(data)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(data))
		}
	}
}

// FuzzDescribe: any bytes give items that lie inside them, bounded in number,
// without card data, as text and as JSON.
func FuzzDescribe(f *testing.F) {
	f.Add(unhex(f, qpbocAnswer), byte(7))
	f.Add(unhex(f, "9F260844E22F5DF43476F29F2701809F100807290104A00000009F3704093DD9059F3602000B950500000080009A03020121"), byte(0))
	f.Add(unhex(f, "8E0E000000640000000042031E031F009F38039F66049F4A01829403080101"), byte(2))
	f.Add(unhex(f, "7103860184 7109 9F180401020304 86 00"), byte(3))
	f.Fuzz(func(t *testing.T, data []byte, kernel byte) {
		items := Describe(data, Kernel(kernel))
		if len(items) > MaxItems+1 {
			t.Fatalf("%d items", len(items))
		}
		for i := range items {
			it := &items[i]
			if it.Offset < 0 || it.Offset > len(data) || it.Length > len(data) || it.Depth > bertlv.MaxDepth {
				t.Fatalf("outside the data: %+v", it)
			}
			if len(it.Meaning) > 600 {
				t.Fatalf("%d lines of one value", len(it.Meaning))
			}
			if it.Hidden && it.Value != "" {
				t.Fatalf("hidden and shown: %+v", it)
			}
		}
		text := AppendText(nil, items, 0, 2)
		if bytes.Count(text, []byte{'\n'}) < len(items) {
			t.Fatal("an item without a line")
		}
	})
}

// FuzzExplain: any value of any tag.
func FuzzExplain(f *testing.F) {
	f.Add(uint32(0x9F10), unhex(f, "07010103A00000010A010000038787868FD1FC"), byte(7))
	f.Add(uint32(0x8E), unhex(f, "000000640000000042031E031F00"), byte(0))
	f.Add(uint32(0x9F38), unhex(f, "9F66049F0206"), byte(3))
	f.Add(uint32(0xDF8116), make([]byte, 22), byte(2))
	f.Fuzz(func(t *testing.T, tag uint32, value []byte, kernel byte) {
		lines := ExplainAll(bertlv.Tag(tag), value, Kernel(kernel))
		if len(lines) > 1200 {
			t.Fatalf("%d lines", len(lines))
		}
		for i := range lines {
			if lines[i].Text == "" {
				t.Fatalf("a line without text: %+v", lines[i])
			}
			for _, c := range []byte(lines[i].String()) {
				if c < ' ' || c > '~' {
					t.Fatalf("a control character: %q", lines[i].String())
				}
			}
		}
	})
}

// TestMemoryIsBounded: the worst values of the dictionary, repeated.
func TestMemoryIsBounded(t *testing.T) {
	for name, one := range map[string][]byte{
		"AIP":      unhex(t, "8202FFFF"),
		"TVR":      unhex(t, "9505FFFFFFFFFF"),
		"CVM list": bertlv.Append(nil, 0x8E, bytes.Repeat([]byte{0x42, 0x03}, 126)),
		"unknown":  unhex(t, "C100"),
	} {
		data := bytes.Repeat(one, 1<<18/len(one))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		items := Describe(data, Mastercard)
		runtime.ReadMemStats(&after)
		const limit = 4 << 20
		if got := after.TotalAlloc - before.TotalAlloc; got > limit || len(items) == 0 {
			t.Errorf("%s: %d bytes taken for %d", name, got, len(data))
		}
	}
}
