// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/specs"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/dialecttest"
	"tapswitch/iso8583/dialect/load"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A packager's dialect builds the bytes that its classes write.
func TestGenericPackager(t *testing.T) {
	l, err := load.Layout("acme", "acme.xml", read(t, "testdata/acme.xml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	for n, s := range map[int]string{2: "476173900101001", 3: "003000", 22: "051", 28: "C\x00\x00\x01\x23", 35: "4761739001010010=29032", 41: "T1", 48: "\x01\x02", 128: "12345678"} {
		b.SetString(n, s)
	}
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "0200" + "E000041020810000" + "0000000000000001" + "15" + "4761739001010010" + "003000" + "0051" + "4300000123" +
		"22" + "4761739001010010D29032" + "5431202020202020" + "0002" + "0102" + "3132333435363738"
	if got := strings.ToUpper(hex.EncodeToString(raw)); got != want {
		t.Errorf("built %s\nwant  %s", got, want)
	}
	if l.Name() != "acme" || l.Description(2) != "Card" || l.Defines(65) || l.Defines(66) {
		t.Error("name, descriptions or fields are wrong")
	}
	if l.Mark(2) != iso8583.MarkPAN || l.Mark(35) != iso8583.MarkTrack || l.Mark(52) != iso8583.MarkPINBlock || l.Mark(48) != iso8583.MarkSensitive {
		t.Error("a well-known field is not marked")
	}
}

// packager is a generic packager with one field of a class.
func packager(class, attributes string) string {
	return `<isopackager>
<isofield id="0" length="4" class="org.jpos.iso.IFA_NUMERIC"/>
<isofield id="1" length="8" class="org.jpos.iso.IFA_BITMAP"/>
<isofield id="60" ` + attributes + ` class="org.jpos.iso.` + class + `"/>
</isopackager>`
}

// Every class makes a field that both codecs write alike and read back, at
// every length up to its own.
func TestEveryClass(t *testing.T) {
	for _, class := range load.Classes() {
		for _, pad := range []string{"true", "false"} {
			data := []byte(packager(class, `length="7" pad="`+pad+`"`))
			if strings.HasSuffix(class, "BITMAP") || class == "IF_NOP" || class == "IF_UNUSED" {
				continue
			}
			spec, err := load.Spec("one", "one.xml", data)
			if err != nil {
				t.Errorf("%s: %v", class, err)
				continue
			}
			l, err := load.Layout("one", "one.xml", data, nil)
			if err != nil {
				t.Errorf("%s: %v", class, err)
				continue
			}
			for length := 1; length <= l.Max(60); length++ {
				if l.Fixed(60) && length != l.Max(60) {
					continue
				}
				oneClass(t, class, spec, l, "1234567890"[:length])
			}
		}
	}
}

func oneClass(t *testing.T, class string, spec *moov.MessageSpec, l *iso8583.Layout, value string) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	b.SetString(60, value)
	ours, err := b.Append(nil)
	if err != nil {
		t.Errorf("%s: %v", class, err)
		return
	}
	theirs := moov.NewMessage(spec)
	theirs.MTI("0200")
	if err := dialecttest.SetMoov(theirs, spec, 60, value); err != nil {
		t.Fatal(err)
	}
	packed, err := theirs.Pack()
	if err != nil || string(packed) != string(ours) {
		t.Errorf("%s: built %X, moov %X %v", class, ours, packed, err)
	}
	var v iso8583.View
	if err := l.Parse(ours, &v); err != nil || string(v.AppendText(nil, 60)) != value {
		t.Errorf("%s: read %q, %v", class, v.AppendText(nil, 60), err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ file, data, want string }{
		{"a.txt", "", `ends in .json, .yaml, .yml, .xml, not ".txt"`},
		{"a.json", "{", "unmarshal"},
		{"a.json", `{"name":"x"}`, "no fields"},
		{"a.yaml", "a: [", "unmarshal"},
		{"a.xml", "<a>", "line 1: the file begins with <a>"},
		{"a.xml", "", "no <isopackager>"},
		{"a.xml", "<isopackager>\n</b>", "line 2: not XML"},
		{"a.xml", "<isopackager/>", "id 0"},
		{"a.xml", "<isopackager>\n<other/></isopackager>", "line 2: element <other> is not converted"},
		{"a.xml", packager("IFB_LLHFBINARY", `length="9"`), `line 4: field 60: class "org.jpos.iso.IFB_LLHFBINARY" is not converted; the standard classes are: IFA_AMOUNT`},
		{"a.xml", packager("IF_CHAR", `length="many"`), "line 4: field 60: length"},
		{"a.xml", packager("IFA_BITMAP", `length="16"`), "line 4: field 60: class IFA_BITMAP, but the bitmap is field 1"},
		{"a.xml", strings.Replace(packager("IF_CHAR", `length="8"`), `id="60"`, `id="193"`, 1), "no field number"},
		{"a.xml", strings.Replace(packager("IF_CHAR", `length="8"`), `id="60"`, `id="0"`, 1), "field 0: is there twice"},
		{"a.xml", packager("IFA_LLCHAR", `length="0"`), "length 0"},
	} {
		_, err := load.Layout("x", c.file, []byte(c.data), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.file) {
			t.Errorf("%.60q: error %v, want %q", c.data, err, c.want)
		}
	}
	if _, err := load.Spec("x", "a.json", make([]byte, load.MaxFile+1)); err == nil {
		t.Error("took a file above the bound")
	}
	// moov panics on a composite that is neither tagged nor bitmapped.
	bad := `{"name":"x","fields":{"3":{"type":"Composite","length":6,"prefix":"ASCII.Fixed","subfields":{"1":{"type":"String","length":2,"enc":"ASCII","prefix":"ASCII.Fixed"}}}}}`
	if _, err := load.Spec("x", "a.json", []byte(bad)); err == nil || !strings.Contains(err.Error(), "moov-io/iso8583") {
		t.Errorf("error %v", err)
	}
}

// moov's own specification, written and read in both of its forms, is the same
// dialect as the one in memory.
func TestMoovFiles(t *testing.T) {
	for file, export := range map[string]func(*moov.MessageSpec) ([]byte, error){"a.json": specs.ExportJSON, "a.yaml": specs.ExportYAML} {
		data, err := export(specs.Spec87ASCII)
		if err != nil {
			t.Fatal(err)
		}
		got, err := load.Layout("mine", file, data, iso8583.Marks{2: iso8583.MarkNone, 63: iso8583.MarkKey})
		if err != nil {
			t.Fatal(err)
		}
		want, err := iso8583.Compile(specs.Spec87ASCII, nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := 2; n <= iso8583.MaxField; n++ {
			one := fmt.Sprint(got.Defines(n), got.Encoding(n), got.Max(n), got.Fixed(n), got.Description(n))
			if two := fmt.Sprint(want.Defines(n), want.Encoding(n), want.Max(n), want.Fixed(n), want.Description(n)); one != two {
				t.Errorf("%s: field %d is %s, want %s", file, n, one, two)
			}
		}
		if got.Mark(2) != iso8583.MarkNone || got.Mark(63) != iso8583.MarkKey || got.Mark(52) != iso8583.MarkPINBlock {
			t.Error("marks given are not laid over the usual ones")
		}
	}
}

func TestMarks(t *testing.T) {
	for _, name := range load.MarkNames() {
		if m, ok := load.Mark(name); !ok || m.String() != name {
			t.Errorf("%s is %s", name, m)
		}
	}
	if _, ok := load.Mark("secret"); ok {
		t.Error("took a word that is no mark")
	}
	if _, err := load.Layout("x", "acme.xml", read(t, "testdata/acme.xml"), iso8583.Marks{100: iso8583.MarkPAN}); err == nil || !strings.Contains(err.Error(), "field 100") {
		t.Errorf("mark of a field that is not there: %v", err)
	}
}

// FuzzSpec: any file is a dialect or is refused; nothing panics.
func FuzzSpec(f *testing.F) {
	f.Add(byte(3), read(f, "testdata/acme.xml"))
	f.Add(byte(0), []byte(`{"name":"x","fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`))
	f.Add(byte(1), []byte("name: x\nfields:\n  \"0\": {type: String, length: 4, enc: BCD, prefix: BCD.Fixed}\n"))
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		all := load.Extensions()
		l, err := load.Layout("x", "a"+all[int(which)%len(all)], data, nil)
		if (l == nil) == (err == nil) {
			t.Errorf("layout %v, error %v", l, err)
		}
	})
}
