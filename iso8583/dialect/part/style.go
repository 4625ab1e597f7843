// SPDX-License-Identifier: Apache-2.0

package part

import (
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583"
)

// Style is how a dialect writes its values and lengths.
type Style struct {
	Number  encoding.Encoder // digits of fixed count
	NumberV encoding.Encoder // digits of variable count
	Text    encoding.Encoder
	Track   encoding.Encoder
	Length  prefix.Prefixers // of all but bytes
	Bytes   prefix.Prefixers // of bytes
}

// Characters is the style of hosts that write ASCII throughout.
func Characters() Style {
	return Style{Digits{}, Digits{}, encoding.ASCII, encoding.ASCII, prefix.ASCII, prefix.ASCII}
}

// Packed is the style of hosts that pack digits and lengths as BCD: fixed
// numbers of odd count are filled on the left, variable ones on the right.
func Packed() Style {
	return Style{encoding.BCD, encoding.LBCD, encoding.ASCII, TrackNibbles{}, prefix.BCD, prefix.BCD}
}

// Var is a variable length written in that many digits: 2 is LL.
func Var(p prefix.Prefixers, digits int) prefix.Prefixer {
	return []prefix.Prefixer{p.Fixed, p.L, p.LL, p.LLL, p.LLLL, p.LLLLL}[digits]
}

// N is a number of n digits.
func (s Style) N(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.Number, Pref: s.Length.Fixed})
}

// NV is a number of up to n digits, its length written in digits of length.
func (s Style) NV(length, n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.NumberV, Pref: Var(s.Length, length)})
}

// T is text of exactly n characters.
func (s Style) T(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.Text, Pref: s.Length.Fixed})
}

// Code is a currency: digits that are written as characters even where other
// numbers are packed.
func (s Style) Code(n int, what string) field.Field {
	if s.Number == encoding.BCD {
		return s.T(n, what)
	}
	return s.N(n, what)
}

// Named is text of n characters that is filled with spaces on the right.
func (s Style) Named(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.Text, Pref: s.Length.Fixed, Pad: padding.Right(' ')})
}

// TV is text of up to n characters.
func (s Style) TV(length, n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.Text, Pref: Var(s.Length, length)})
}

// Z is a track of up to n characters.
func (s Style) Z(length, n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: s.Track, Pref: Var(s.Length, length)})
}

// B is n bytes.
func (s Style) B(n int, what string) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
}

// BV is up to n bytes.
func (s Style) BV(length, n int, what string) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: Var(s.Bytes, length)})
}

// Signed is an amount with its sign: a letter C or D and n digits. Packed, the
// letter is a byte and the digits are nibbles; both codecs keep the bytes.
func (s Style) Signed(n int, what string) field.Field {
	if s.Number == encoding.BCD {
		return s.B(1+(n+1)/2, what)
	}
	return s.T(1+n, what)
}

// Bitmap is the message's bitmap: more says whether a second one may follow.
func Bitmap(hex, more bool) field.Field {
	spec := &field.Spec{Length: 8, Description: "Bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: !more}
	if hex {
		spec.Enc, spec.Pref = encoding.BytesToASCIIHex, prefix.Hex.Fixed
	}
	return field.NewBitmap(spec)
}

// MTI is the message type: four digits in the style's numbers.
func (s Style) MTI() field.Field { return s.N(4, "Message type") }

// Marks87 are the marks of the 1987 table, and of the fields that the 1993 one
// has under the same numbers.
func Marks87() iso8583.Marks {
	m := iso8583.Marks{
		2: iso8583.MarkPAN, 34: iso8583.MarkPAN, 35: iso8583.MarkTrack, 36: iso8583.MarkTrack, 45: iso8583.MarkTrack,
		52: iso8583.MarkPINBlock, 55: iso8583.MarkICC, 64: iso8583.MarkMAC, 128: iso8583.MarkMAC,
		96:  iso8583.MarkKey,                                   // message security code: carries keys in key exchanges
		102: iso8583.MarkSensitive, 103: iso8583.MarkSensitive, // account numbers
	}
	for _, r := range [][2]int{{46, 48}, {56, 63}, {104, 127}} { // private use: each host's own content
		for n := r[0]; n <= r[1]; n++ {
			m[n] = iso8583.MarkSensitive
		}
	}
	return m
}

// Marks93 are the marks of the 1993 table.
func Marks93() iso8583.Marks {
	m := Marks87()
	m[72], m[95] = iso8583.MarkSensitive, iso8583.MarkSensitive // data records, issuer reference
	for n := 105; n <= 110; n++ {
		delete(m, n) // totals
	}
	return m
}

// Marks2003 are the marks of the 2003 table: 34 and 49 hold verification data,
// reserved fields any content.
func Marks2003() iso8583.Marks {
	m := Marks93()
	m[34], m[43], m[44], m[49], m[50], m[51] = iso8583.MarkSensitive, iso8583.MarkSensitive, iso8583.MarkSensitive, iso8583.MarkSensitive, iso8583.MarkSensitive, iso8583.MarkSensitive
	for n := 71; n <= 127; n++ {
		if m[n] == iso8583.MarkNone && n != 73 && n != 74 && n != 75 && n != 93 && n != 94 && n != 97 && n != 99 && n != 100 {
			m[n] = iso8583.MarkSensitive
		}
	}
	return m
}

// Only are the marks of the fields that the table has.
func Only(m iso8583.Marks, fields map[int]field.Field) iso8583.Marks {
	for n := range m {
		if fields[n] == nil {
			delete(m, n)
		}
	}
	return m
}

// OneByte is lengths in one binary byte, whatever the count of digits elsewhere.
func OneByte() prefix.Prefixers {
	b := prefix.Binary
	return prefix.Prefixers{Fixed: b.Fixed, L: b.L, LL: b.L, LLL: b.L}
}
