// SPDX-License-Identifier: Apache-2.0

package iso8583

import "math/bits"

// MaxField is the highest field number: three bitmaps of 64.
const MaxField = 192

// MaxMessage bounds a message, so that a View can keep offsets in 16 bits. The
// frame's bound is far lower.
const MaxMessage = 1<<16 - 1

// words is how many words of 64 bits hold all bitmaps.
const words = MaxField / 64

// fieldCode is all that the codec needs to know of a field, in 8 bytes.
type fieldCode struct {
	enc     Encoding // encodingNone: the dialect has no such field
	check   check
	pref    prefixKind
	prefLen uint8  // bytes of the length prefix
	pad     byte   // fills a value that is too short, when flags say on which side
	flags   uint8  // padLeft, padRight, rare
	max     uint16 // characters; the exact count when pref is prefixFixed
}

// The flags of a field.
const (
	padLeft  = 1 << iota
	padRight // both are never set
	rare     // not for the hot loop of Parse; set for absent fields too
)

// Layout is a dialect ready for use. It is immutable and safe for concurrent use.
type Layout struct {
	name      string
	mti       fieldCode
	bitmapEnc Encoding // EncodingBytes, EncodingHex or EncodingHexEBCDIC
	bitmaps   int      // words that are always there
	expands   bool     // bit 1 says that a second bitmap follows, bit 65 a third
	third     bool     // there is a field above 128, so a third bitmap has a meaning
	fields    [MaxField + 1]fieldCode
	insides   [MaxField + 1]*inside // of composites
	marks     [MaxField + 1]Mark
	texts     [MaxField + 1]string
}

// Name is the dialect's name.
func (l *Layout) Name() string { return l.name }

// Defines says whether the dialect has field n.
func (l *Layout) Defines(n int) bool {
	return n >= 2 && n <= MaxField && l.fields[n].enc != encodingNone
}

// Mark says what field n means to those who print, store or route it.
func (l *Layout) Mark(n int) Mark {
	if n < 0 || n > MaxField {
		return MarkNone
	}
	return l.marks[n]
}

// Description is the dialect's own name for field n.
func (l *Layout) Description(n int) string {
	if n < 0 || n > MaxField {
		return ""
	}
	return l.texts[n]
}

// Encoding is how field n is written.
func (l *Layout) Encoding(n int) Encoding {
	if !l.Defines(n) {
		return encodingNone
	}
	return l.fields[n].enc
}

// Max is the most characters field n can hold; when Fixed, it holds exactly those.
func (l *Layout) Max(n int) int {
	if !l.Defines(n) {
		return 0
	}
	return int(l.fields[n].max)
}

// Fixed says whether field n has one length only.
func (l *Layout) Fixed(n int) bool {
	return l.Defines(n) && l.fields[n].pref == prefixFixed
}

// bit is field n's place in the bitmap word it belongs to; n is 1 to MaxField.
func bit(n int) (word int, mask uint64) {
	return (n - 1) >> 6, 1 << 63 >> uint((n-1)&63)
}

// leftmost is the field number of the leftmost bit of a bitmap word.
func leftmost(word int, bitmap uint64) int {
	return word<<6 + bits.LeadingZeros64(bitmap) + 1
}
