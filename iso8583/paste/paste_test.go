// SPDX-License-Identifier: Apache-2.0

package paste_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tapswitch/iso8583/paste"
)

// message is an ISO 8583:1987 network message in ASCII, published as a sample.
const message = "08008220000000800000040000000000000006041234561234" + "56TERMID01301"

// TestForms: every way of writing the same bytes gives the same bytes first.
func TestForms(t *testing.T) {
	plain := hex.EncodeToString([]byte(message))
	spaced := fmt.Sprintf("% X", message)
	for name, c := range map[string]struct {
		paste string
		form  paste.Form
		line  int
	}{
		"hex":               {plain, paste.Hex, 1},
		"hex upper":         {strings.ToUpper(plain) + "\r\n", paste.Hex, 1},
		"hex spaced":        {spaced, paste.Hex, 1},
		"hex 0x":            {"0x" + plain, paste.Hex, 1},
		"hex each 0x":       {"{0x" + strings.ReplaceAll(strings.TrimSpace(spaced), " ", ", 0x") + "}", paste.Hex, 1},
		"hex escaped":       {`"\x` + strings.ReplaceAll(spaced, " ", `\x`) + `"`, paste.Hex, 1},
		"hex colons":        {strings.ReplaceAll(spaced, " ", ":"), paste.Hex, 1},
		"hex lines":         {plain[:40] + "\n" + plain[40:80] + "\n  " + plain[80:], paste.Hex, 1},
		"base64":            {base64.StdEncoding.EncodeToString([]byte(message)), paste.Base64, 1},
		"base64 lines":      {"\n" + base64.StdEncoding.EncodeToString([]byte(message))[:60] + "\n" + base64.StdEncoding.EncodeToString([]byte(message))[60:], paste.Base64, 2},
		"text":              {message, paste.Text, 1},
		"log":               {"2026-11-23 04:21:07.123 INFO sent 63 bytes: " + plain + " to 10.0.0.1:7100", paste.Hex, 1},
		"log spaced":        {"04:21:07 IN [" + spaced + "]", paste.Hex, 1},
		"log json":          {`{"ts":"2026-11-23T04:21:07Z","raw":"` + plain + `","dir":"in"}`, paste.Hex, 1},
		"log second line":   {"connected to host\nsending\nraw=" + plain, paste.Hex, 3},
		"log base64":        {`{"ts":"2026-11-23T04:21:07Z","raw":"` + base64.StdEncoding.EncodeToString([]byte(message)) + `"}`, paste.Base64, 1},
		"hexdump -C":        {dump(message, "%08x", "|", "|", true), paste.Dump, 1},
		"dump no column":    {dump(message, "%04X", "", "", false), paste.Dump, 1},
		"dump plain column": {dump(message, "%04x", "", "", true), paste.Dump, 1},
		"dump colon":        {dump(message, "%08x:", "", "", true), paste.Dump, 1},
		"dump 0x":           {dump(message, "\t0x%04x:", "", "", true), paste.Dump, 1},
		"dump octal":        {dump(message, "%07o", "", "", false), paste.Dump, 1},
		"dump decimal":      {dump(message, "%05d", "", "", true), paste.Dump, 1},
		"dump in a log":     {"received:\n" + dump(message, "%04x", "", "", true) + "end of message\n", paste.Dump, 2},
	} {
		got, err := paste.Readings([]byte(c.paste))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at := -1
		for i, r := range got {
			if string(r.Bytes) == message {
				at = i
				break
			}
		}
		if at < 0 || got[at].Form != c.form || got[at].Line != c.line || at > 0 && c.form != paste.Text && c.form != paste.Base64 {
			t.Errorf("%s: at %d of %d\n%s\n%+v", name, at, len(got), c.paste, got)
		}
	}
}

// dump writes a hex dump of sixteen bytes a line.
func dump(message, offset, left, right string, column bool) string {
	var b strings.Builder
	for at := 0; at < len(message); at += 16 {
		part := message[at:min(at+16, len(message))]
		fmt.Fprintf(&b, offset+"  %-48s", at, fmt.Sprintf("% x", part))
		if column {
			b.WriteString(" " + left + shown(part) + right)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shown is the column of characters.
func shown(part string) string {
	out := []byte(part)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '.'
		}
	}
	return string(out)
}

// TestTools reads what widely used tools print for the same 40 bytes.
func TestTools(t *testing.T) {
	want, _ := hex.DecodeString("0026600003000060310031010008000020000000C0001200007831303031363931393834333239303034")
	want = append(want, make([]byte, 48)...)
	for name, text := range map[string]string{
		"xxd": `00000000: 0026 6000 0300 0060 3100 3101 0008 0000  .&` + "`" + `....` + "`" + `1.1.....
00000010: 2000 0000 c000 1200 0078 3130 3031 3639   ........x100169
00000020: 3139 3834 3332 3930 3034 0000 0000 0000  1984329004......
00000030: 0000 0000 0000 0000 0000 0000 0000 0000  ................
00000040: 0000 0000 0000 0000 0000 0000 0000 0000  ................
00000050: 0000 0000 0000 0000 0000                 ..........
`,
		"hexdump with star": `00000000  00 26 60 00 03 00 00 60  31 00 31 01 00 08 00 00  |.&` + "`" + `....` + "`" + `1.1.....|
00000010  20 00 00 00 c0 00 12 00  00 78 31 30 30 31 36 39  | ........x100169|
00000020  31 39 38 34 33 32 39 30  30 34 00 00 00 00 00 00  |1984329004......|
00000030  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
*
00000050  00 00 00 00 00 00 00 00  00 00                    |..........|
0000005a
`,
		"wide, characters changed": `0000  00 26 60 00 03 00 00 60 31 00 31 01 00 08 00 00 20 00 00 00 c0 00 12 00 00 78 31 30 30 31 36 39  ?&?
0020  31 39 38 34 33 32 39 30 30 34 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
0040  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`,
	} {
		got, err := paste.Readings([]byte(text))
		if err != nil || got[0].Form != paste.Dump || !bytes.Equal(got[0].Bytes, want) {
			t.Errorf("%s: %v, %+v\nwant %x\ngot  %x", name, err, got, want, got[0].Bytes)
		}
	}
}

// TestBytes: what is not text is the message itself.
func TestBytes(t *testing.T) {
	p := []byte("\x08\x00\x20\x00\x00\x00\x00\x00\x00\x00")
	got, err := paste.Readings(p)
	if err != nil || len(got) != 1 || got[0].Form != paste.Binary || !bytes.Equal(got[0].Bytes, p) {
		t.Errorf("%v %+v", err, got)
	}
}

// TestRefused: what is wrong, and no character of the paste in the error.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "nothing in it",
		" \n\t":                       "nothing in it",
		"0200":                        "no message in this text",
		"\n\nwhy is my sale refused?": "line 3: no message",
	} {
		_, err := paste.Readings([]byte(text))
		if e, ok := errors.AsType[*paste.Error](err); !ok || !strings.Contains(err.Error(), want) || e.Fix == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := paste.Readings(make([]byte, paste.MaxInput+1)); err == nil {
		t.Error("takes any size")
	}
	if n, odd := paste.OddDigits([]byte("08 00 2")); n != 5 || !odd {
		t.Error(n, odd)
	}
}

// TestRoundTrip: any bytes, written in any of the forms, are among the readings.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 10, 200).Draw(t, "bytes")
		text := rapid.SampledFrom([]string{
			hex.EncodeToString(p), fmt.Sprintf("% x", p), fmt.Sprintf("%X\n", p), base64.StdEncoding.EncodeToString(p),
			dump(string(p), "%04x", "", "", true), dump(string(p), "%08x", "|", "|", true), "at 04:21:07 got <" + hex.EncodeToString(p) + "> from 10.0.0.1",
		}).Draw(t, "text")
		got, err := paste.Readings([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if bytes.Equal(r.Bytes, p) {
				return
			}
		}
		t.Fatalf("not among %d readings", len(got))
	})
}

// FuzzReadings: any paste gives readings or an error, within bounds.
func FuzzReadings(f *testing.F) {
	for _, s := range []string{message, hex.EncodeToString([]byte(message)), dump(message, "%08x", "|", "|", true), "00000000  00\n*\n00001000",
		"a 00 11 22 33 44 55 66 77 88 99 b", base64.StdEncoding.EncodeToString([]byte(message)), "\x00\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := paste.Readings(p)
		if (err == nil) != (len(got) > 0) || len(got) > paste.MaxReadings {
			t.Fatalf("%v, %d readings", err, len(got))
		}
		for _, r := range got {
			if len(r.Bytes) > len(p)+1<<17 {
				t.Fatalf("%d bytes out of %d", len(r.Bytes), len(p))
			}
		}
		paste.OddDigits(p)
	})
}
