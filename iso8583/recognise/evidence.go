// SPDX-License-Identifier: Apache-2.0

package recognise

import (
	"fmt"
	"math"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/iso8583/describe"
)

// weigh collects the evidence for a guess that was read into v.
func (g *Guess) weigh(v *iso8583.View, floor background) {
	g.Bits = g.Head.bits
	g.Reasons = append(g.Reasons, g.Head.reasons...)
	if g.Head.Kind != "" && g.Head.Kind != g.Dialect.Kind {
		g.Bits -= 8
		g.Reasons = append(g.Reasons, "such a header is not usual for the dialect")
	}
	g.weighType(v.MTI())
	for n := v.Next(0); n != 0; n = v.Next(n) {
		g.fields++
	}
	g.weighBitmap(floor)
	for n := v.Next(0); n != 0; n = v.Next(n) {
		g.Bits += content(v.Raw(n), floor)
		g.weighMeaning(v, n)
	}
	if g.Failure == nil {
		g.Bits += whole
		g.Reasons = append(g.Reasons, fmt.Sprintf("all %d bytes are read, as %d fields", len(g.Body), g.fields))
	} else {
		g.Bits -= unread * float64(g.Head.To-g.Stop()) / float64(len(g.Body))
		g.Reasons = append(g.Reasons, fmt.Sprintf("%d fields are read before byte %d", g.fields, g.Stop()))
	}
}

func (g *Guess) weighType(m iso8583.MTI) {
	meaning := describe.MTI(m)
	function, origin := m>>4&0xF, m&0xF
	digit := byte('0' + m>>12)
	g.typed = (meaning != "" || m>>8&0xF == 9 && function < 4) && (g.Dialect.Digit == 0 || digit == g.Dialect.Digit)
	switch {
	case meaning == "" && m>>8&0xF == 9 && function < 4:
		g.Bits += 2 // some terminals have messages of their own here
	case meaning == "":
		g.Bits -= 12
		g.doubt(0, 0, "is no message type")
	case function > 3 || origin > 3:
		g.Bits += 3
	default:
		g.Bits += 8
		g.Reasons = append(g.Reasons, m.String()+" means "+meaning)
	}
	if g.Dialect.Digit != 0 && digit != g.Dialect.Digit {
		g.Bits -= 14
		g.doubt(0, 0, fmt.Sprintf("begins with %c, in this dialect with %c", digit, g.Dialect.Digit))
	}
}

// weighBitmap: messages have a tenth to a third of the fields, noise has half.
func (g *Guess) weighBitmap(floor background) {
	const set = -1.3
	unset := 0.7 * min(1, 2*floor.sparse-0.2)
	const bitmap = 64
	if g.fields == 0 {
		g.Bits -= 8 // a message of nothing but its type
	}
	if g.Failure != nil {
		// Fields after the break count as read: their bits were set.
		g.Bits += min(float64(bitmap-g.fields)*unset+float64(g.fields)*set, 20)
		return
	}
	g.Bits += float64(bitmap-min(g.fields, bitmap))*unset + float64(g.fields)*set
}

// doubt notes a field that hardly is what it should be.
func (g *Guess) doubt(field, offset int, text string) {
	g.Doubts = append(g.Doubts, Doubt{field, g.Head.From + offset, text})
}

// content is how much likelier the bytes of a field are as characters of their
// own kind than as noise of the whole message's kind.
func content(p []byte, floor background) float64 {
	const choice = 2 // a field may be of several kinds
	const most = 24  // a long text says no more than a short one that it is text
	return min(max(0, float64(len(p))*(floor.kind-kind(p))-choice), most)
}

// background is what the whole message is like: what is common in it is no
// evidence for a field.
type background struct {
	kind   float64 // bits that a byte takes
	sparse float64 // the share of bytes other than zero
}

func backgroundOf(p []byte) background {
	zero := 0
	for _, c := range p {
		if c == 0 || c == '0' || c == 0xF0 {
			zero++
		}
	}
	return background{kind(p), 1 - float64(zero)/float64(max(len(p), 1))}
}

// kind gives the bits that a byte of p takes, as a member of the smallest set of
// characters that holds all of them.
func kind(p []byte) float64 {
	const (
		digits = 1 << iota
		ebcdicDigits
		hexDigits
		half
		text
		ebcdicText
	)
	left := digits | ebcdicDigits | hexDigits | half | text | ebcdicText
	for _, c := range p {
		if c-'0' > 9 {
			left &^= digits
			if c-'A' > 5 {
				left &^= hexDigits
			}
		}
		if c < 0xF0 || c > 0xF9 {
			left &^= ebcdicDigits
		}
		if c>>4 > 9 || c&0x0F > 9 {
			left &^= half
		}
		if c < ' ' || c > '~' {
			left &^= text
		}
		if !ebcdicPrintable(c) {
			left &^= ebcdicText
		}
	}
	switch {
	case left&(digits|ebcdicDigits) != 0:
		return math.Log2(10)
	case left&hexDigits != 0:
		return 4
	case left&text != 0:
		return math.Log2(95)
	case left&half != 0:
		return 2 * math.Log2(10)
	case left&ebcdicText != 0:
		return math.Log2(100)
	}
	return 8
}

// ebcdicPrintable: letters, digits, space and the marks between them.
func ebcdicPrintable(c byte) bool {
	low := c & 0x0F
	switch c >> 4 {
	case 0x4, 0x5, 0x6, 0x7:
		return c == 0x40 || c == 0x50 || c == 0x60 || c == 0x61 || low >= 0xA
	case 0x8, 0x9, 0xC, 0xD:
		return low >= 1 && low <= 9
	case 0xA, 0xE:
		return low >= 2 && low <= 9
	case 0xF:
		return low <= 9
	}
	return false
}

// weighMeaning asks whether a field means what its number says.
func (g *Guess) weighMeaning(v *iso8583.View, n int) {
	const wrong = -5
	from, _ := v.Span(n)
	say := func(bits float64, reason string) {
		if bits < 0 {
			g.doubt(n, from, reason)
		} else if bits >= 5 {
			g.Reasons = append(g.Reasons, fmt.Sprintf("field %d %s", n, reason))
		}
		g.Bits += bits
	}
	text := v.AppendText(nil, n)
	switch n {
	case 2:
		switch {
		case len(text) < 12:
			say(wrong, "has fewer digits than a card number")
		case describe.Luhn(text):
			say(4, "has a right check digit")
		default:
			say(-1, "has no right check digit")
		}
	case 7, 12, 13, 14, 15, 16, 17:
		if form := describe.StampForm(n, len(text)); form != "" {
			if bad := describe.BadStamp(string(text), form); bad != "" {
				say(wrong, "is no "+form)
			} else {
				say(stampBits(form), "is a "+form)
			}
		}
	case 35:
		if !track(text) {
			say(-3, "is no track, or an encrypted one")
		} else {
			say(6, "is a track")
		}
	case 55:
		if bertlv.Check(v.Raw(n)) != nil {
			say(-4, "is no TLV")
		} else if len(text) > 0 {
			say(18, "is TLV throughout")
		}
	case 39:
		if !alphanumeric(text) {
			say(wrong, "is no response code")
		}
	case 49, 50, 51:
		if describe.Currency(string(text)) {
			say(5, "is a currency")
		}
	case 41, 42, 37, 38:
		if _, ok := describe.Printable(text); !ok && kind(v.Raw(n)) > 7 {
			say(wrong, "is no text")
		}
	}
}

// stampBits: how seldom digits at random are one.
func stampBits(form string) float64 {
	bits := 0.0
	for i := 0; i+1 < len(form); i += 2 {
		switch form[i : i+2] {
		case "MM":
			bits += 3.1
		case "DD":
			bits += 1.7
		case "hh":
			bits += 2.1
		case "mm", "ss":
			bits += 0.7
		}
	}
	return bits
}

// track says whether text is a track 2: digits, a separator, digits.
func track(text []byte) bool {
	at := -1
	for i, c := range text {
		switch {
		case c-'0' <= 9 || c == 'F' && i == len(text)-1:
		case (c == '=' || c == 'D') && at < 0:
			at = i
		default:
			return false
		}
	}
	return at >= 12 && at <= 19 && len(text)-at >= 5
}

func alphanumeric(p []byte) bool {
	for _, c := range p {
		if c-'0' > 9 && c|0x20-'a' > 25 {
			return false
		}
	}
	return true
}
