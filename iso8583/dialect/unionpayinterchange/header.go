// SPDX-License-Identifier: Apache-2.0

package unionpayinterchange

import (
	"errors"

	"tapswitch/iso8583/frame"
)

// HeaderSize is how many bytes stand before the message.
const HeaderSize = frame.InterchangeSize

// Version is the second byte of the header in production; TestFlag is set in it
// on test systems.
const (
	Version  = 0x02
	TestFlag = 0x80
)

// Header is what stands before a message: who it is for, who sent it, and
// whether the centre rejected it.
type Header struct {
	Version     byte     // 2, with TestFlag on test systems
	Total       int      // header and message, bytes
	Destination [11]byte // institution, filled with spaces on the right
	Source      [11]byte
	Reserved    [3]byte
	Batch       byte
	Transaction [8]byte // zeros as characters
	User        byte
	Reject      [5]byte // "00000": not rejected
}

// Why a header could not be read.
var (
	ErrHeaderSize   = errors.New("unionpayinterchange: a header is 46 bytes and begins with 2E")
	ErrHeaderLength = errors.New("unionpayinterchange: the total length in the header is not four digits")
)

// NewHeader is the header of a message of ours.
func NewHeader(destination, source string) Header {
	h := Header{Version: Version}
	for i := range h.Destination {
		h.Destination[i], h.Source[i] = ' ', ' '
	}
	copy(h.Destination[:], destination)
	copy(h.Source[:], source)
	copy(h.Transaction[:], "00000000")
	copy(h.Reject[:], "00000")
	return h
}

// ParseHeader reads the 46 bytes before a message.
func ParseHeader(p []byte) (Header, error) {
	var h Header
	if len(p) != HeaderSize || p[0] != HeaderSize {
		return h, ErrHeaderSize
	}
	for _, c := range p[2:6] {
		if c < '0' || c > '9' {
			return h, ErrHeaderLength
		}
		h.Total = h.Total*10 + int(c-'0')
	}
	h.Version, h.Batch, h.User = p[1], p[31], p[40]
	copy(h.Destination[:], p[6:])
	copy(h.Source[:], p[17:])
	copy(h.Reserved[:], p[28:])
	copy(h.Transaction[:], p[32:])
	copy(h.Reject[:], p[41:])
	return h, nil
}

// Append appends the header of a message of body bytes to dst; Total is
// computed.
func (h Header) Append(dst []byte, body int) []byte {
	n := HeaderSize + body
	dst = append(dst, HeaderSize, h.Version, byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	dst = append(dst, h.Destination[:]...)
	dst = append(dst, h.Source[:]...)
	dst = append(dst, h.Reserved[:]...)
	dst = append(dst, h.Batch)
	dst = append(dst, h.Transaction[:]...)
	dst = append(dst, h.User)
	return append(dst, h.Reject[:]...)
}

// Answer is the header of the answer: destination and source change places.
func (h Header) Answer() Header {
	h.Destination, h.Source = h.Source, h.Destination
	return h
}

// Rejected says that the centre sent the message back, and for which header
// field when the code names one (its last digit 5): 1 header length, 2 version,
// 3 total length, 4 destination, 5 source; else 0.
func (h Header) Rejected() (rejected bool, headerField int) {
	if h.Reject == ([5]byte{'0', '0', '0', '0', '0'}) {
		return false, 0
	}
	if h.Reject[0] == '0' && h.Reject[1] == '0' && h.Reject[2] == '0' && h.Reject[4] == '5' && h.Reject[3] >= '1' && h.Reject[3] <= '9' {
		return true, int(h.Reject[3] - '0')
	}
	return true, 0
}

// Format is how messages travel: four ASCII digits of length, the header, the
// message. Some links write the length as two bytes.
func Format() frame.Format { return frame.UnionPayInterchange() }
