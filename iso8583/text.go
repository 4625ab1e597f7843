// SPDX-License-Identifier: Apache-2.0

package iso8583

// appendText appends the n characters that p holds.
func (e Encoding) appendText(dst, p []byte, n int) []byte {
	switch e {
	case EncodingEBCDIC, EncodingEBCDIC1047:
		toText := &e.page().toText
		for _, c := range p {
			dst = append(dst, toText[c])
		}
		return dst
	case EncodingHexPacked:
		for _, c := range p {
			dst = append(dst, hexDigits[c>>4], hexDigits[c&0x0F])
		}
		return dst
	case EncodingHex, EncodingHexEBCDIC:
		nibbles := e.nibbles()
		for ; len(p) >= 2; p = p[2:] {
			dst = append(dst, nibbles[p[0]]<<4|nibbles[p[1]]&0x0F)
		}
		return dst
	case EncodingBCD, EncodingLeftBCD, EncodingTrack, EncodingBCDTrack, EncodingFilledBCD:
		return appendNibbles(dst, p, n, e == EncodingBCD || e == EncodingBCDTrack)
	}
	return append(dst, p...)
}

func appendNibbles(dst, p []byte, n int, fillLeft bool) []byte {
	skip := 0
	if fillLeft {
		skip = n & 1
	}
	for i := skip; i < n+skip; i++ {
		nibble := p[i>>1]
		if i&1 == 0 {
			nibble >>= 4
		}
		nibble &= 0x0F
		c := hexDigits[nibble]
		if nibble == 0x0D {
			c = '='
		}
		dst = append(dst, c)
	}
	return dst
}

// appendWire appends text as the field writes it; the reason is "" when all
// went well.
func (f *fieldCode) appendWire(dst, text []byte) ([]byte, string) {
	switch f.enc {
	case EncodingBytes:
		return append(dst, text...), ""
	case EncodingASCII, EncodingDigits:
		if f.check <= checkDigits && !charsets[f.check].holds(text) || f.check > checkDigits && !f.passes(text) {
			return dst, f.check.misfit()
		}
		return append(dst, text...), ""
	case EncodingBCD, EncodingLeftBCD:
		if !allDigits(text) {
			return dst, ReasonNotDigit
		}
		return appendBCD(dst, text, f.enc == EncodingBCD), ""
	case EncodingFilledBCD:
		if !allDigits(text) {
			return dst, ReasonNotDigit
		}
		dst = appendBCD(dst, text, false)
		if len(text)&1 != 0 {
			dst[len(dst)-1] |= 0x0F
		}
		return dst, ""
	case EncodingTrack:
		return appendTrack(dst, text)
	case EncodingBCDTrack:
		if len(text)&1 != 0 {
			low, ok := trackNibble(text[0])
			if !ok {
				return dst, ReasonNotTrackCharacter
			}
			dst, text = append(dst, low), text[1:]
		}
		return appendTrack(dst, text)
	}
	from := len(dst)
	dst, ok := f.enc.appendRare(dst, text)
	if !ok {
		return dst[:from], ReasonNotHex
	}
	if !f.passes(dst[from:]) {
		return dst[:from], f.check.misfit()
	}
	return dst, ""
}

// appendRare writes text in the encodings that need no look before it.
func (e Encoding) appendRare(dst, text []byte) (out []byte, ok bool) {
	switch e {
	case EncodingEBCDIC, EncodingEBCDIC1047:
		toWire := &e.page().toWire
		for _, c := range text {
			dst = append(dst, toWire[c])
		}
	case EncodingHexPacked:
		return appendUnhexed(dst, text)
	case EncodingHex:
		for _, c := range text {
			dst = append(dst, hexDigits[c>>4], hexDigits[c&0x0F])
		}
	case EncodingHexEBCDIC:
		for _, c := range text {
			dst = append(dst, ebcdic.toWire[hexDigits[c>>4]], ebcdic.toWire[hexDigits[c&0x0F]])
		}
	}
	return dst, true
}

func appendUnhexed(dst, text []byte) ([]byte, bool) {
	if len(text)&1 != 0 {
		return dst, false
	}
	for ; len(text) >= 2; text = text[2:] {
		high, low := hexNibbles[text[0]], hexNibbles[text[1]]
		if high|low > 0x0F {
			return dst, false
		}
		dst = append(dst, high<<4|low)
	}
	return dst, true
}

// appendBCD packs decimal digits, filling an odd count on the left or right.
func appendBCD(dst, digits []byte, fillLeft bool) []byte {
	if fillLeft && len(digits)&1 != 0 {
		dst = append(dst, digits[0]&0x0F)
		digits = digits[1:]
	}
	for ; len(digits) >= 2; digits = digits[2:] {
		dst = append(dst, digits[0]<<4|digits[1]&0x0F)
	}
	if len(digits) == 1 {
		dst = append(dst, digits[0]<<4)
	}
	return dst
}

func appendTrack(dst, text []byte) ([]byte, string) {
	for ; len(text) > 0; text = text[min(2, len(text)):] {
		high, ok := trackNibble(text[0])
		low, okLow := byte(0), true
		if len(text) > 1 {
			low, okLow = trackNibble(text[1])
		}
		if !ok || !okLow {
			return dst, ReasonNotTrackCharacter
		}
		dst = append(dst, high<<4|low)
	}
	return dst, ""
}

func trackNibble(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c & 0x0F, true
	case c == '=':
		return 0x0D, true
	case c-'A' <= 5:
		return c - 'A' + 10, true
	}
	return 0, false
}
