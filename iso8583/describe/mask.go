// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"tapswitch/iso8583"
)

// MarkOf is how field n of a dialect is shown: the dialect's own mark, or, for
// a field that no dialect may show, the mark it should have had. A specification
// loaded from a file may have no marks at all.
func MarkOf(l *iso8583.Layout, n int) iso8583.Mark {
	if mark := l.Mark(n); mark != iso8583.MarkNone {
		return mark
	}
	switch n {
	case 2:
		return iso8583.MarkPAN
	case 14, 34:
		return iso8583.MarkSensitive
	case 35, 36, 45:
		return iso8583.MarkTrack
	case 52:
		return iso8583.MarkPINBlock
	case 55:
		return iso8583.MarkICC
	}
	return iso8583.MarkNone
}

// plain gives text as it is and anything else in hex, so that no control
// character of a message reaches a screen or a log.
func plain(p []byte) string {
	if s, ok := text(p); ok {
		return s
	}
	return "hex " + hex(p)
}

// text gives the characters of p when they are printable: ASCII, or the Chinese
// that UnionPay hosts write.
func text(p []byte) (string, bool) {
	wide := false
	for _, c := range p {
		if c < ' ' || c == 0x7F {
			return "", false
		}
		wide = wide || c > '~'
	}
	if !wide {
		return string(p), true
	}
	decoded, err := simplifiedchinese.GBK.NewDecoder().Bytes(p)
	if err != nil {
		return "", false
	}
	for _, r := range string(decoded) {
		han := r >= 0x4E00 && r <= 0x9FFF
		mark := r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF
		if r > '~' && !han && !mark {
			return "", false
		}
	}
	return string(decoded), true
}

// hidden shows the length prefix and that there are bytes, not which.
func hidden(whole []byte, prefix int) string {
	if len(whole)-prefix > 4 {
		return hex(whole[:prefix]) + ".." // their count is in the length
	}
	return hex(whole[:prefix]) + strings.Repeat("..", len(whole)-prefix)
}

// rawPAN shows the bytes that hold only digits that the masked form shows too.
func rawPAN(whole []byte, prefix, digits int) string {
	value := whole[prefix:]
	per := 1
	switch {
	case len(value) == digits:
	case len(value) == (digits+1)/2:
		per = 2
	default: // an encoding this does not know
		return hidden(whole, prefix)
	}
	var b strings.Builder
	b.WriteString(hex(whole[:prefix]))
	odd := per * digits % 2 // the filler of an odd count may stand on either side
	for i := range value {
		first, last := i*per-odd, i*per+per-1
		if digits >= shortest && (last < leading || first >= digits-trailing) {
			b.WriteString(hex(value[i : i+1]))
		} else {
			b.WriteString("..")
		}
	}
	return b.String()
}

// Of a card number so many digits are shown, when it has at least the shortest.
const (
	leading  = 6
	trailing = 4
	shortest = 13
)

// holdsCard says whether a field that may be shown seems to hold a card number
// all the same: in ASCII, in EBCDIC or in half bytes. Fixed numbers and short
// fields have no room for one or a meaning of their own.
func holdsCard(l *iso8583.Layout, v *iso8583.View, n int) bool {
	raw := v.Raw(n)
	if len(raw) < (shortest+1)/2 || l.Fixed(n) && isNumber(v.AppendText(nil, n)) {
		return false
	}
	return HoldsCard(raw)
}

func isNumber(p []byte) bool {
	for _, c := range p {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// HoldsCard says whether bytes seem to hold a card number. A run of 13 to 19
// digits must be one as a whole, a longer run may hold one anywhere.
func HoldsCard(p []byte) bool {
	digits := make([]byte, 0, 2*len(p))
	for _, c := range p { // EBCDIC digits are F0 to F9: the low half is the digit
		switch {
		case c-'0' <= 9, c >= 0xF0 && c <= 0xF9:
			digits = append(digits, c&0x0F)
		case c == ' ' || c == '-':
			digits = append(digits, 0x0E) // the groups of a number as printed on a card
		default:
			digits = append(digits, 0x0F)
		}
	}
	if anyCard(digits, false) || anyCard(without(digits, 0x0E), false) {
		return true
	}
	digits = digits[:0]
	for _, c := range p {
		digits = append(digits, c>>4, c&0x0F)
	}
	_, readable := text(p)
	return anyCard(digits, readable) // the half bytes of a text in digits are one long run
}

func without(p []byte, drop byte) []byte {
	out := make([]byte, 0, len(p))
	for _, c := range p {
		if c != drop {
			out = append(out, c)
		}
	}
	return out
}

// anyCard looks at every run of values up to 9; whole leaves out what might
// stand within a longer one.
func anyCard(p []byte, whole bool) bool {
	for at := 0; at < len(p); {
		end := at
		for end < len(p) && p[end] <= 9 {
			end++
		}
		if runHolds(p[at:end], whole) {
			return true
		}
		at = end + 1
	}
	return false
}

func runHolds(run []byte, whole bool) bool {
	const longest = 19
	if len(run) < shortest || whole && len(run) > longest {
		return false
	}
	if len(run) <= longest {
		return cardNumber(run)
	}
	for from := range run {
		for n := 14; n <= longest && from+n <= len(run); n++ {
			if cardNumber(run[from : from+n]) {
				return true
			}
		}
	}
	return false
}

// cardNumber says whether digits are a card number: an issuer range, the length
// its cards have, and a right check digit.
func cardNumber(d []byte) bool {
	if len(d) < shortest {
		return false
	}
	two, four := int(d[0])*10+int(d[1]), int(d[0])*1000+int(d[1])*100+int(d[2])*10+int(d[3])
	n := len(d)
	switch {
	case d[0] == 4:
		if n != 13 && n != 16 && n != 19 {
			return false
		}
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720, two == 35, two == 65, four == 6011, two == 64:
		if n != 16 && n != 19 {
			return false
		}
	case two == 34 || two == 37:
		if n != 15 {
			return false
		}
	case two == 30 || two == 36 || two == 38:
		if n != 14 {
			return false
		}
	case two == 62 || two == 81 || two == 50 || two >= 56 && two <= 61 || two == 63 || two >= 66 && two <= 69:
		if n < 16 {
			return false
		}
	default:
		return false
	}
	return luhn(d)
}

// Luhn says whether decimal digits end in a right check digit.
func Luhn(digits []byte) bool {
	d := make([]byte, len(digits))
	for i, c := range digits {
		d[i] = c - '0'
	}
	return isNumber(digits) && luhn(d)
}

// Printable gives the characters of a text, false when it is none.
func Printable(p []byte) (string, bool) { return text(p) }

func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		x := int(d[len(d)-1-i])
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}
