// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"math/rand/v2"
	"testing"

	"tapswitch/iso8583"
)

// FuzzCross: whatever a dialect reads crosses into every other without an error,
// and each item that both have a place for arrives as it was or is told as lost.
func FuzzCross(f *testing.F) {
	ways := everyWay(f)
	for i, c := range ways {
		for seed := range uint64(2) {
			v := message(f, rand.New(rand.NewPCG(seed, uint64(i))), c.from)
			f.Add(byte(i), v.Bytes())
		}
	}
	var v iso8583.View
	var w Work
	f.Fuzz(func(t *testing.T, way byte, raw []byte) {
		c := ways[int(way)%len(ways)]
		if err := c.from.layout.Parse(raw, &v); err == nil {
			crossMessage(t, c, &v, &w)
		}
	})
}

// FuzzCrossFields is FuzzCross over messages built field by field, whose values
// are of the right characters and of any content.
func FuzzCrossFields(f *testing.F) {
	ways := everyWay(f)
	for i := range ways {
		f.Add(byte(i), []byte("\x00\x03\x06000000\x04\x0c123456789012\x31\x03156\x16\x03071\x1c\x09C00000000"))
		f.Add(byte(i), []byte("\x02\x5a\x2a020012345608231415160000048431665000000000000\x38\x29220000000012345620260823141516098765432100"))
	}
	var w Work
	f.Fuzz(func(t *testing.T, way byte, script []byte) {
		c := ways[int(way)%len(ways)]
		if v := scripted(t, c.from, script); v != nil {
			crossMessage(t, c, v, &w)
		}
	})
}

// everyWay is a crossing from each dialect to each.
func everyWay(t testing.TB) (ways []*Crossing) {
	for _, from := range Dialects() {
		for _, to := range Dialects() {
			c, err := NewCrossing(from, to)
			if err != nil {
				t.Fatal(err)
			}
			ways = append(ways, c)
		}
	}
	return ways
}

// scripted builds the message that script describes: for each field its number,
// the length of its value and the value, bent to the field's characters and
// lengths. nil when there is no such message.
func scripted(t *testing.T, d *table, script []byte) *iso8583.View {
	t.Helper()
	var b iso8583.Builder
	mtis := []iso8583.MTI{0x0200, 0x0210, 0x0400, 0x0430, 0x0800, 0x0810, 0x0100, 0x0804}
	if len(script) == 0 {
		return nil
	}
	b.Reset(d.layout, mtis[script[0]&7]|d.edition)
	for script = script[1:]; len(script) >= 2; {
		n, size := int(script[0]&0x7F), int(script[1])
		script = script[2:]
		size = min(size, len(script))
		value := append([]byte(nil), script[:size]...)
		script = script[size:]
		if !d.layout.Defines(n) || d.layout.Encoding(n) == iso8583.EncodingComposite {
			continue
		}
		most := d.layout.Max(n)
		value = value[:min(size, most)]
		for d.layout.Fixed(n) && len(value) < most {
			value = append(value, '0')
		}
		for i, c := range value {
			switch e := d.layout.Encoding(n); {
			case decimal(e):
				value[i] = '0' + c%10
			case e == iso8583.EncodingTrack:
				value[i] = "0123456789=ABCEF"[c%16]
			case e == iso8583.EncodingASCII:
				value[i] = c & 0x7F
			}
		}
		b.SetText(n, value)
	}
	raw, err := b.Append(nil)
	if err != nil {
		return nil
	}
	v := new(iso8583.View)
	if err := d.layout.Parse(raw, v); err != nil {
		t.Fatalf("built and not read: %v", err)
	}
	return v
}
