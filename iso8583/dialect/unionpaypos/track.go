// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import (
	"errors"

	"tapswitch/iso8583"
)

// TrackNibbles is how tracks are written here: a nibble a character, '=' as D,
// an odd count filled by a 0 on the right. No encoder of moov's does it: LBCD
// refuses the separator, and the hexadecimal ones count bytes, not characters.
// All sixteen nibbles are let through, since a track encrypted under the
// terminal's data key has any of them.
type TrackNibbles struct{}

var _ iso8583.Native = TrackNibbles{}

var (
	errTrackCharacter = errors.New("unionpaypos: a track has the characters 0-9, '=' and A-F only")
	errTrackShort     = errors.New("unionpaypos: track is shorter than its length says")
	errTrackFill      = errors.New("unionpaypos: a track of odd length must end in nibble 0 or F")
)

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
		return nil, 0, errTrackShort
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
