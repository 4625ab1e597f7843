// SPDX-License-Identifier: Apache-2.0

package visabase1

import (
	"encoding/binary"
	"errors"

	"tapswitch/iso8583/frame"
)

// The sizes of the header: of a message, and of the one that stands before a
// rejected message and its own header, with reject bitmap and code behind it.
const (
	HeaderSize = frame.BaseISize
	RejectSize = frame.BaseIRejectSize
)

// Header is what stands before a message. Stations are six digits as BCD.
type Header struct {
	Format      byte // 1; above it the bit that another header follows
	Text        byte // 2
	Total       int  // header and message, bytes
	Destination [3]byte
	Source      [3]byte
	RoundTrip   byte
	Flags       [2]byte
	Status      [3]byte
	Batch       byte
	Reserved    [3]byte
	User        byte
	Rejected    bool    // the header has the two below, and another header follows
	Bitmap      [2]byte // which of them are there
	Code        [2]byte // reject code, four digits as BCD
}

// more is the bit of the format that says that another header follows.
const more = 0x80

// ErrHeader says that bytes are no header.
var ErrHeader = errors.New("visabase1: a header is 22 bytes beginning with 16, or 26 beginning with 1A")

// NewHeader is the header of a message of ours.
func NewHeader(destination, source [3]byte) Header {
	return Header{Format: 1, Text: 2, Destination: destination, Source: source}
}

// ParseHeader reads the header in front of p, a message or what follows its
// length, and says how many bytes it took.
func ParseHeader(p []byte) (h Header, size int, err error) {
	if len(p) == 0 || p[0] != HeaderSize && p[0] != RejectSize || len(p) < int(p[0]) || (p[0] == RejectSize) != (p[1]&more != 0) {
		return h, 0, ErrHeader
	}
	size = int(p[0])
	h = Header{Format: p[1], Text: p[2], Total: int(binary.BigEndian.Uint16(p[3:])), RoundTrip: p[11], Batch: p[17], User: p[21]}
	copy(h.Destination[:], p[5:])
	copy(h.Source[:], p[8:])
	copy(h.Flags[:], p[12:])
	copy(h.Status[:], p[14:])
	copy(h.Reserved[:], p[18:])
	if size == RejectSize {
		h.Rejected = true
		copy(h.Bitmap[:], p[22:])
		copy(h.Code[:], p[24:])
	}
	return h, size, nil
}

// Append appends the header of a message of body bytes to dst; Total is
// computed.
func (h Header) Append(dst []byte, body int) []byte {
	size := HeaderSize
	if h.Rejected {
		size = RejectSize
	}
	format := h.Format &^ more
	if h.Rejected {
		format |= more
	}
	dst = append(dst, byte(size), format, h.Text)
	dst = binary.BigEndian.AppendUint16(dst, uint16(size+body))
	dst = append(dst, h.Destination[:]...)
	dst = append(dst, h.Source[:]...)
	dst = append(dst, h.RoundTrip)
	dst = append(dst, h.Flags[:]...)
	dst = append(dst, h.Status[:]...)
	dst = append(dst, h.Batch)
	dst = append(dst, h.Reserved[:]...)
	dst = append(dst, h.User)
	if h.Rejected {
		dst = append(dst, h.Bitmap[:]...)
		dst = append(dst, h.Code[:]...)
	}
	return dst
}

// Answer is the header of the answer: destination and source change places.
func (h Header) Answer() Header {
	h.Destination, h.Source = h.Source, h.Destination
	return h
}

// Format is how messages travel: two bytes of length and two of zeros, the
// header, the message.
func Format() frame.Format { return frame.VisaBaseI() }
