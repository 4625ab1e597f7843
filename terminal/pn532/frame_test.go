// SPDX-License-Identifier: Apache-2.0

package pn532

import (
	"bytes"
	"encoding/hex"
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

func TestGoldenCommands(t *testing.T) {
	for _, c := range []struct {
		name    string
		command []byte
		want    string
	}{
		{"GetFirmwareVersion", GetFirmwareVersion(), "0000FF02FED4022A00"},
		{"SAMConfiguration", SAMConfiguration(), "0000FF05FBD4140100001700"},
		{"InListPassiveTarget", []byte{0x4A, 1, 0}, "0000FF04FCD44A0100E100"},
		{"InListPassiveTarget, two, type B", InListPassiveTarget(TypeB), "0000FF05FBD44A02030 0DD00"},
		{"field off", Field(false), "0000FF04FCD43201 00F900"},
		{"InRelease", InRelease(), "0000FF03FDD45200DA00"},
	} {
		got, ok := AppendCommand(nil, c.command)
		if want := unhex(t, c.want); !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: got %X, want %X", c.name, got, want)
		}
	}
	if got := AppendWakeUp(nil); len(got) != 16 || got[0] != 0x55 || got[1] != 0x55 || got[2] != 0 {
		t.Errorf("wake-up: %X", got)
	}
}

// heard prints all frames of a line's bytes, fed in pieces of size.
func heard(line []byte, size int) string {
	var d Decoder
	var out []string
	for len(line) > 0 {
		n := min(size, len(line))
		d.Feed(line[:n])
		line = line[n:]
		for {
			f, ok, err := d.Next()
			if err != nil {
				out = append(out, "!"+err.Error())
				continue
			}
			if !ok {
				break
			}
			out = append(out, show(f))
		}
	}
	if d.Partial() {
		out = append(out, "partial")
	}
	return strings.Join(out, " ")
}

func show(f Frame) string {
	switch f.Kind {
	case ACK:
		return "ACK"
	case NACK:
		return "NACK"
	case ErrorFrame:
		return "ERROR"
	}
	if f.FromChip {
		return fmt.Sprintf("<%X", f.Data)
	}
	return fmt.Sprintf(">%X", f.Data)
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"ack", "0000FF00FF00", "ACK"},
		{"nack", "0000FFFF0000", "NACK"},
		{"error frame", "0000FF01FF7F8100", "ERROR"},
		{"SAM answer", "0000FF02FED5151600", "<15"},
		{"ack and answer in one", "0000FF00FF00 0000FF02FED5151600", "ACK <15"},
		{"firmware", "0000FF06FAD50332010607E800", "<0332010607"},
		{"long preamble, noise before", "AB00120000000000FF02FED5151600", "<15"},
		{"no preamble, no postamble", "00FF02FED51516 00FF02FED51516", "<15 <15"},
		{"data holds a start code", "0000FF05FBD50300FF002900", "<0300FF00"},
		{"wrong length checksum, then good", "0000FF02FDD5151600 0000FF02FED5151600",
			"!pn532: frame with a wrong length checksum <15"},
		{"wrong data checksum, then good", "0000FF02FED5151700 0000FF02FED5151600",
			"!pn532: frame with a wrong data checksum <15"},
		{"unknown direction", "0000FF02FED6151500", "!pn532: frame with an unknown direction byte"},
		{"extended, wrong length checksum", "0000FFFFFF000203D5151600", "!pn532: frame with a wrong length checksum"},
		{"extended, too long", "0000FFFFFF0400FC", "!pn532: frame longer than the chip can send"},
		{"extended, short content", "0000FFFFFF0002FED5151600", "<15"},
		{"cut", "0000FF02FED5", "partial"},
		{"noise only", "0102030405", ""},
	} {
		for _, size := range []int{1, 2, 3, 1000} {
			if got := heard(unhex(t, c.in), size); got != c.want {
				t.Errorf("%s, pieces of %d: got %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestEveryLengthIsReadBack(t *testing.T) {
	for n := 1; n <= MaxData; n++ {
		data := bytes.Repeat([]byte{0xFF, 0x00, 0xAA}, n)[:n]
		line, ok := AppendCommand(nil, data)
		if !ok {
			t.Fatalf("%d bytes refused", n)
		}
		if extended := bytes.HasPrefix(line, []byte{0, 0, 0xFF, 0xFF, 0xFF}); extended != (n >= 254) {
			t.Errorf("%d bytes: extended is %v", n, extended)
		}
		if got := heard(line, 64); got != fmt.Sprintf(">%X", data) {
			t.Errorf("%d bytes are not read back", n)
		}
	}
	if _, ok := AppendCommand(nil, make([]byte, MaxData+1)); ok {
		t.Error("a command too long was taken")
	}
	if _, ok := AppendCommand(nil, nil); ok {
		t.Error("an empty command was taken")
	}
}

func TestDecoderIsBounded(t *testing.T) {
	var d Decoder
	for range 100 {
		d.Feed(bytes.Repeat([]byte{0xFF, 0x01}, 500))
	}
	if len(d.buf) > maxBuffered+1000 {
		t.Errorf("%d bytes held", len(d.buf))
	}
	d.Reset()
	d.Feed(unhex(t, "0000FF00FF00"))
	if f, ok, err := d.Next(); !ok || err != nil || f.Kind != ACK {
		t.Error("no frame after Reset")
	}
}

// FuzzDecoder: the pieces in which bytes come change nothing, and nothing loops.
func FuzzDecoder(f *testing.F) {
	f.Add(unhex(f, "0000FF00FF000000FF02FED5151600"), uint8(3))
	f.Add(unhex(f, "0000FFFFFF0002FED5151600"), uint8(1))
	f.Add(unhex(f, "0000FF02FDD51516000000FF01FF7F8100"), uint8(2))
	f.Fuzz(func(t *testing.T, line []byte, size uint8) {
		if len(line) > 1000 {
			return
		}
		if size == 0 {
			size = 1
		}
		if a, b := heard(line, int(size)), heard(line, len(line)+1); a != b {
			t.Fatalf("in pieces %q, at once %q", a, b)
		}
	})
}
