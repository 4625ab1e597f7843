// SPDX-License-Identifier: Apache-2.0

// Package messagetest makes values at random that any field of any dialect can
// write, composites included.
//
// Promise: what Set sets, the dialect's Builder appends.
//
// How: by the field's encoding and length; a composite gets some of its
// subfields, a positional one all of them.
//
// Imported by: tests of recognise, dissector and cmd. Imports: iso8583 and frame.
package messagetest

import (
	"math/rand/v2"

	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
)

// longest bounds the characters of a variable field.
const longest = 60

// letters are characters that every text can have.
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Set gives field n a value.
func Set(b *iso8583.Builder, rng *rand.Rand, l *iso8583.Layout, n int) {
	in := l.Inside(n)
	if in.Kind() == iso8583.InsideNone {
		b.SetText(n, Value(rng, l.Encoding(n), size(rng, l.Max(n), l.Fixed(n))))
		return
	}
	set := false
	for i := range in.Size() {
		f := in.At(i)
		if in.Kind() == iso8583.InsidePositional || rng.IntN(2) == 0 || !set && i == in.Size()-1 {
			b.SetSub(n, Value(rng, f.Encoding(), size(rng, f.Max(), f.Fixed())), f.Tag())
			set = true
		}
	}
}

func size(rng *rand.Rand, most int, fixed bool) int {
	if fixed {
		return most
	}
	return 1 + rng.IntN(min(most, longest))
}

// Value makes so many characters of an encoding, or bytes.
func Value(rng *rand.Rand, enc iso8583.Encoding, size int) []byte {
	charset := "0123456789"
	switch enc {
	case iso8583.EncodingASCII:
		charset = letters
	case iso8583.EncodingHexPacked:
		size, charset = 2*size, "0123456789ABCDEF"
	case iso8583.EncodingBytes, iso8583.EncodingHex, iso8583.EncodingHexEBCDIC:
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		return p
	}
	p := make([]byte, size)
	for i := range p {
		p[i] = charset[rng.IntN(len(charset))]
	}
	return p
}

// Frame puts a message into a format, with the TPDU and header it asks for.
func Frame(f frame.Format, body []byte) ([]byte, error) {
	f.Max = 1 << 16
	header := make([]byte, f.Header)
	switch f.Kind {
	case frame.Interchange:
		header = []byte("\x2E\x02" + "0000" + "00010000   " + "00010344   " + "000" + "\x00" + "00000000" + "0" + "00000")
	case frame.BaseI:
		header = append([]byte{22, 1, 2}, make([]byte, frame.BaseISize-3)...)
	default:
		copy(header, "\x60\x31\x00\x31\x01\x00")
	}
	return f.Append(nil, frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: header, Body: body})
}
