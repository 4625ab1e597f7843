// SPDX-License-Identifier: Apache-2.0

package iso8583

import "github.com/moov-io/iso8583/encoding"

// Encoding is how a field's characters become bytes.
type Encoding uint8

// The encodings a Layout can hold. Those from EncodingBCD on take half a byte
// per character, EncodingHex and EncodingHexEBCDIC two bytes, all others one.
const (
	encodingNone       Encoding = iota
	EncodingBytes               // the bytes themselves
	EncodingASCII               // one 7-bit character a byte
	EncodingDigits              // one ASCII decimal digit a byte
	EncodingEBCDIC              // the common EBCDIC table; characters are bytes
	EncodingEBCDIC1047          // code page 1047; characters are Latin-1 bytes
	EncodingHexPacked           // the text is hexadecimal characters, the wire their bytes; lengths count bytes
	EncodingComposite           // subfields; lengths count bytes
	EncodingHex                 // the text is bytes, the wire their hexadecimal characters; lengths count bytes
	EncodingHexEBCDIC           // the same with the characters in EBCDIC
	EncodingBCD                 // decimal nibbles, an odd count filled by a 0 on the left
	EncodingLeftBCD             // decimal nibbles, an odd count filled by a 0 on the right
	EncodingTrack               // any nibbles (an encrypted track has them), D as '=', filled like LeftBCD
	EncodingBCDTrack            // the same, filled like BCD
	EncodingFilledBCD           // decimal nibbles, an odd count filled by an F on the right
	endOfEncodings
)

// String gives the encoding's name.
func (e Encoding) String() string {
	switch e {
	case EncodingBytes:
		return "bytes"
	case EncodingASCII:
		return "ascii"
	case EncodingDigits:
		return "digits"
	case EncodingEBCDIC:
		return "ebcdic"
	case EncodingEBCDIC1047:
		return "ebcdic1047"
	case EncodingHexPacked:
		return "hex_packed"
	case EncodingComposite:
		return "composite"
	case EncodingHex:
		return "hex"
	case EncodingHexEBCDIC:
		return "hex_ebcdic"
	case EncodingBCD:
		return "bcd"
	case EncodingLeftBCD:
		return "left_bcd"
	case EncodingFilledBCD:
		return "filled_bcd"
	case EncodingTrack:
		return "track"
	case EncodingBCDTrack:
		return "bcd_track"
	}
	return "none"
}

// Native is a moov encoder that does exactly what one of our encodings does. A
// dialect whose rule moov has no encoder for brings its own, works with both
// codecs, and Compile knows it by this method.
type Native interface {
	encoding.Encoder
	Native() Encoding
}

// half says whether a character takes half a byte.
func (e Encoding) half() bool { return e >= EncodingBCD }

// size is how many bytes n characters take.
func (e Encoding) size(n int) int {
	if e >= EncodingHex {
		if e >= EncodingBCD {
			return (n + 1) / 2
		}
		return 2 * n
	}
	return n
}

// charsIn is how many characters fill size bytes, and whether any do.
func (e Encoding) charsIn(size int) (chars int, ok bool) {
	switch {
	case e >= EncodingBCD:
		return 2 * size, true
	case e >= EncodingHex:
		return size / 2, size&1 == 0
	}
	return size, true
}

// chars is the length, as a prefix counts it, of a text; ok is false when the
// text is half a character too long.
func (e Encoding) chars(text int) (chars int, ok bool) {
	if e == EncodingHexPacked {
		return text / 2, text&1 == 0
	}
	return text, true
}

// textSize is the other way round.
func (e Encoding) textSize(chars int) int {
	if e == EncodingHexPacked {
		return 2 * chars
	}
	return chars
}

// numeric says whether a field so written can be a number.
func (e Encoding) numeric() bool {
	switch e {
	case EncodingASCII, EncodingDigits, EncodingEBCDIC, EncodingEBCDIC1047, EncodingBCD, EncodingLeftBCD, EncodingFilledBCD:
		return true
	}
	return false
}

// filler says whether the nibble that fills an odd count of characters is as e
// wants it. Chips fill a track with F, and some terminals send that through.
func (e Encoding) filler(p []byte) bool {
	switch e {
	case EncodingBCD, EncodingBCDTrack:
		return p[0] <= 0x0F
	case EncodingLeftBCD:
		return p[len(p)-1]&0x0F == 0
	case EncodingFilledBCD:
		return p[len(p)-1]&0x0F == 0x0F
	}
	fill := p[len(p)-1] & 0x0F
	return fill == 0 || fill == 0x0F
}

// page is an EBCDIC code page in both directions.
type page struct {
	toText, toWire [256]byte
}

// The tables come from the encoders that the specifications name, so that both
// codecs agree by construction. Every byte stands for one Latin-1 character.
var ebcdic, ebcdic1047 = pageOf(encoding.EBCDIC), pageOf(encoding.EBCDIC1047)

func pageOf(enc encoding.Encoder) *page {
	p := &page{}
	for i := range 256 {
		text, _, err := enc.Decode([]byte{byte(i)}, 1)
		if err != nil {
			continue // the tests hold that no byte is without a character
		}
		c := text[0]
		if len(text) == 2 { // code page 1047 comes back as UTF-8
			c = text[0]<<6 | text[1]&0x3F
		}
		p.toText[i], p.toWire[c] = c, byte(i)
	}
	return p
}

// page gives the code page of an EBCDIC encoding.
func (e Encoding) page() *page {
	if e == EncodingEBCDIC1047 {
		return ebcdic1047
	}
	return ebcdic
}

// nibbles gives the table of hexadecimal characters of EncodingHex or its sister.
func (e Encoding) nibbles() *[256]byte {
	if e == EncodingHexEBCDIC {
		return &ebcdicNibbles
	}
	return &hexNibbles
}

const hexDigits = "0123456789ABCDEF"

const noNibble = 0xFF // no hexadecimal digit

// hexNibbles and ebcdicNibbles give the value of a hexadecimal digit of either case.
var hexNibbles, ebcdicNibbles = func() (ascii, ebc [256]byte) {
	for i := range ascii {
		ascii[i], ebc[i] = noNibble, noNibble
	}
	for i, c := range []byte(hexDigits) {
		ascii[c], ascii[c|0x20] = byte(i), byte(i)
		ebc[ebcdic.toWire[c]], ebc[ebcdic.toWire[c|0x20]] = byte(i), byte(i)
	}
	return ascii, ebc
}()
