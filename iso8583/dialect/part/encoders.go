// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"

	"tapswitch/iso8583"
)

// Digits is decimal digits as ASCII characters, and nothing else. moov's ASCII
// lets any character into a number, and its Numeric drops leading zeros, which
// institution codes must keep, and overflows on field 90.
type Digits struct{}

// TrackNibbles is how tracks are packed: a nibble a character, '=' as D, an odd
// count filled by a 0 on the right. No encoder of moov's does it: LBCD refuses
// the separator, and the hexadecimal ones count bytes, not characters. All
// sixteen nibbles are let through, since a track encrypted under the terminal's
// data key has any of them.
type TrackNibbles struct{}

var (
	_ iso8583.Native = Digits{}
	_ iso8583.Native = TrackNibbles{}
)

var (
	errNotDigit       = errors.New("a number has the characters 0-9 only")
	errShort          = errors.New("value is shorter than its length says")
	errTrackCharacter = errors.New("a track has the characters 0-9, '=' and A-F only")
	errTrackFill      = errors.New("a track of odd length must end in nibble 0 or F")
)

// Native names the encoding of ours that does the same.
func (Digits) Native() iso8583.Encoding { return iso8583.EncodingDigits }

// Encode checks text for moov's codec.
func (Digits) Encode(text []byte) ([]byte, error) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return nil, errNotDigit
		}
	}
	return append([]byte(nil), text...), nil
}

// Decode takes length digits for moov's codec.
func (d Digits) Decode(packed []byte, length int) (text []byte, read int, err error) {
	if length < 0 || len(packed) < length {
		return nil, 0, errShort
	}
	text, err = d.Encode(packed[:length])
	return text, length, err
}

// Native names the encoding of ours that does the same.
func (TrackNibbles) Native() iso8583.Encoding { return iso8583.EncodingTrack }

// Encode packs text for moov's codec.
func (TrackNibbles) Encode(text []byte) ([]byte, error) {
	out := make([]byte, (len(text)+1)/2)
	for i, c := range text {
		var nibble byte
		switch {
		case c >= '0' && c <= '9':
			nibble = c - '0'
		case c == '=':
			nibble = 0xD
		case c >= 'A' && c <= 'F':
			nibble = c - 'A' + 0xA
		default:
			return nil, errTrackCharacter
		}
		if i%2 == 0 {
			nibble <<= 4
		}
		out[i/2] |= nibble
	}
	return out, nil
}

// Decode unpacks length characters for moov's codec and says how many bytes
// they took.
func (TrackNibbles) Decode(packed []byte, length int) (text []byte, read int, err error) {
	size := (length + 1) / 2
	if length < 0 || len(packed) < size {
		return nil, 0, errShort
	}
	if length%2 != 0 {
		if fill := packed[size-1] & 0xF; fill != 0 && fill != 0xF {
			return nil, 0, errTrackFill
		}
	}
	text = make([]byte, length)
	for i := range text {
		nibble := packed[i/2] >> 4
		if i%2 != 0 {
			nibble = packed[i/2] & 0xF
		}
		text[i] = "0123456789ABC=EF"[nibble]
	}
	return text, size, nil
}

// TrackNibblesLeft is TrackNibbles with an odd count filled by a 0 on the left.
type TrackNibblesLeft struct{}

var _ iso8583.Native = TrackNibblesLeft{}

// Native names the encoding of ours that does the same.
func (TrackNibblesLeft) Native() iso8583.Encoding { return iso8583.EncodingBCDTrack }

// Encode packs text for moov's codec.
func (TrackNibblesLeft) Encode(text []byte) ([]byte, error) {
	if len(text)%2 != 0 {
		text = append([]byte{'0'}, text...)
	}
	return TrackNibbles{}.Encode(text)
}

// Decode unpacks length characters for moov's codec and says how many bytes
// they took.
func (TrackNibblesLeft) Decode(packed []byte, length int) (text []byte, read int, err error) {
	text, read, err = TrackNibbles{}.Decode(packed, length+length%2)
	if err != nil || length%2 == 0 {
		return text, read, err
	}
	if text[0] != '0' {
		return nil, 0, errTrackFillLeft
	}
	return text[1:], read, nil
}

var errTrackFillLeft = errors.New("a track of odd length must begin with nibble 0")

// FilledDigits is decimal digits packed two a byte, an odd count filled by an F
// on the right, as AS2805 hosts write institution codes.
type FilledDigits struct{}

var _ iso8583.Native = FilledDigits{}

var errFill = errors.New("a number of odd length must end in nibble F, and no other")

// Native names the encoding of ours that does the same.
func (FilledDigits) Native() iso8583.Encoding { return iso8583.EncodingFilledBCD }

// Encode packs text for moov's codec.
func (FilledDigits) Encode(text []byte) ([]byte, error) {
	if _, err := (Digits{}).Encode(text); err != nil {
		return nil, err
	}
	out := make([]byte, (len(text)+1)/2)
	for i := range out {
		low := byte(0x0F)
		if 2*i+1 < len(text) {
			low = text[2*i+1] & 0x0F
		}
		out[i] = text[2*i]<<4 | low
	}
	return out, nil
}

// Decode unpacks length digits for moov's codec and says how many bytes they took.
func (FilledDigits) Decode(packed []byte, length int) (text []byte, read int, err error) {
	size := (length + 1) / 2
	if length < 0 || len(packed) < size {
		return nil, 0, errShort
	}
	text = make([]byte, 0, 2*size)
	for _, c := range packed[:size] {
		text = append(text, '0'+c>>4, '0'+c&0x0F)
	}
	if length%2 != 0 && packed[size-1]&0x0F != 0x0F {
		return nil, 0, errFill
	}
	if _, err := (Digits{}).Encode(text[:length]); err != nil {
		return nil, 0, errNotDigit
	}
	return text[:length], size, nil
}
