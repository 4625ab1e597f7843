// SPDX-License-Identifier: Apache-2.0

package recognise

import (
	"bytes"
	"fmt"

	"tapswitch/iso8583/frame"
)

// Head is what stands between the first byte and the message type.
type Head struct {
	Length  string // how the length is written; "" when there is none
	TPDU    []byte // five bytes, or nil
	Header  []byte // what else stands before the message type
	Kind    string // what that is: "6-byte header", "46-byte header", "22-byte header"
	From    int    // of the message type
	To      int    // of the byte after the message
	Says    int    // the length written, and
	Has     int    // what there is; only a truncated paste has less than it says
	bits    float64
	reasons []string
	unusual int // how far from usual, to order guesses that are equal
}

// The names of the lengths, as Head has them.
const (
	LengthNone        = ""
	LengthBinary2     = "2 bytes, binary"
	LengthBinary2Self = "2 bytes, binary, counting themselves"
	LengthBinary22    = "2 bytes, binary, and 2 zeros"
	LengthBinary4     = "4 bytes, binary"
	LengthBinary4Self = "4 bytes, binary, counting themselves"
	LengthBCD2        = "2 bytes, BCD"
	LengthASCII4      = "4 ASCII digits"
	LengthASCII4Self  = "4 ASCII digits, counting themselves"
	LengthSTX         = "STX, ETX and LRC around it"
	LengthHTTP        = "HTTP request"
)

// String describes the head in a few words.
func (h Head) String() string {
	text := ""
	join := func(s string) {
		if text != "" {
			text += " | "
		}
		text += s
	}
	switch h.Length {
	case LengthNone:
	case LengthSTX, LengthHTTP:
		join(h.Length)
	default:
		join("length (" + h.Length + ")")
	}
	if h.TPDU != nil {
		join("TPDU")
	}
	if h.Kind != "" {
		join(h.Kind)
	}
	if text == "" {
		return "no framing"
	}
	return text
}

// kindOf names a header by its size.
func kindOf(size int) string { return fmt.Sprintf("%d-byte header", size) }

// heads are the framings worth trying on p.
func heads(p []byte) (all []Head) {
	for _, l := range lengths(p) {
		all = append(all, transports(p, l)...)
	}
	return all
}

// minBody is the shortest message: two bytes of message type, eight of bitmap.
const minBody = 10

// lengths reads the beginning of p as each form of length.
func lengths(p []byte) []Head {
	all := []Head{{From: 0, To: len(p), Says: len(p), Has: len(p)}}
	add := func(name string, size, says int, bits float64) {
		has := len(p) - size
		h := Head{Length: name, From: size, To: size + min(says, has), Says: says, Has: has}
		switch {
		case says == has:
			h.bits = bits
			h.reasons = []string{fmt.Sprintf("the length (%s) says %d and so many bytes follow", name, says)}
		case says > has && says <= 4*has+64:
			h.bits = min(bits/4, 3)
			h.reasons = []string{fmt.Sprintf("the length (%s) says %d, only %d bytes follow", name, says, has)}
		case says < has && says >= minBody:
			h.bits = min(bits/6, 2)
			h.reasons = []string{fmt.Sprintf("the length (%s) says %d, %d bytes follow: perhaps another message", name, says, has)}
		default:
			return
		}
		all = append(all, h)
	}
	if len(p) > 2+minBody {
		n := int(p[0])<<8 | int(p[1])
		if p[2] == 0 && p[3] == 0 {
			add(LengthBinary22, 4, n, 18)
		}
		add(LengthBinary2, 2, n, 14)
		add(LengthBinary2Self, 2, n-2, 8)
		if d, ok := bcd(p[:2]); ok {
			add(LengthBCD2, 2, d, 8)
		}
	}
	if len(p) > 4+minBody {
		n := int(p[0])<<24 | int(p[1])<<16 | int(p[2])<<8 | int(p[3])
		add(LengthBinary4, 4, n, 24)
		add(LengthBinary4Self, 4, n-4, 18)
		if d, ok := ascii(p[:4]); ok {
			add(LengthASCII4, 4, d, 12)
			add(LengthASCII4Self, 4, d-4, 8)
		}
	}
	return append(all, wrapped(p)...)
}

// wrapped are the framings with something at both ends.
func wrapped(p []byte) (all []Head) {
	const stx, etx = 0x02, 0x03
	if n := len(p); n > 3+minBody && p[0] == stx && p[n-2] == etx {
		lrc := byte(0)
		for _, c := range p[1 : n-1] {
			lrc ^= c
		}
		h := Head{Length: LengthSTX, From: 1, To: n - 2, Says: n - 3, Has: n - 3, bits: 8, reasons: []string{"STX before and ETX after it"}}
		if lrc == p[n-1] {
			h.bits, h.reasons = 20, []string{"STX before, ETX after it, and the LRC is right"}
		}
		all = append(all, h)
		if says, ok := bcd(p[1:3]); ok && says == n-5 {
			h.From, h.Says, h.Has = 3, says, says
			all = append(all, h.with(10, "after STX a length in BCD that is right", 1))
		}
	}
	if !bytes.HasPrefix(p, []byte("POST ")) && !bytes.HasPrefix(p, []byte("HTTP/1.")) {
		return all
	}
	if at := bytes.Index(p, []byte("\r\n\r\n")); at > 0 {
		from := at + 4
		all = append(all, Head{Length: LengthHTTP, From: from, To: len(p), Says: len(p) - from, Has: len(p) - from, bits: 40, reasons: []string{"an HTTP head and a body"}})
		if len(p) > from+2+minBody && int(p[from])<<8|int(p[from+1]) == len(p)-from-2 {
			all = append(all, Head{Length: LengthHTTP, From: from + 2, To: len(p), Says: len(p) - from - 2, Has: len(p) - from - 2, bits: 54,
				reasons: []string{"an HTTP head and a body, which begins with its length"}})
		}
	}
	return all
}

// transports are the ways on from a length to the message type.
func transports(p []byte, l Head) []Head {
	all := []Head{l}
	rest := p[l.From:l.To]
	if len(rest) > 5+minBody && (rest[0] == 0x60 || rest[0] == 0x68) {
		h := l.with(0, "a TPDU begins as TPDUs do", 6)
		h.TPDU, h.From = rest[:5:5], l.From+5
		all = append(all, h)
		if len(rest) > 11+minBody && packed(rest[5:11]) {
			six := h.with(4, "a header of 12 digits", 1)
			six.Header, six.Kind, six.From = rest[5:11:11], kindOf(6), h.From+6
			all = append(all, six)
		}
	}
	if len(rest) > 6+minBody && rest[0]&0xFE == 0x60 && packed(rest[:6]) {
		h := l.with(3, "a header of 12 digits without a TPDU", 4)
		h.Header, h.Kind, h.From = rest[:6:6], kindOf(6), l.From+6
		all = append(all, h)
	}
	if len(rest) > 46+minBody && rest[0] == 46 && (rest[1] == 0x02 || rest[1] == 0x82) {
		h := l.with(16, "a header that says it has 46 bytes", 0)
		if n, ok := ascii(rest[2:6]); ok && n == len(rest) {
			h = l.with(26, "a header that says it has 46 bytes and counts the message", 0)
		}
		h.Header, h.Kind, h.From = rest[:46:46], kindOf(46), l.From+46
		all = append(all, h)
	}
	return append(all, baseI(rest, l)...)
}

// baseI finds the header of 22 bytes, or the one of a rejected message before it.
func baseI(rest []byte, l Head) []Head {
	at, size := 0, frame.BaseISize
	if len(rest) > frame.BaseIRejectSize && rest[0] == frame.BaseIRejectSize && rest[1]&0x80 != 0 {
		at = frame.BaseIRejectSize
		size += at
	}
	if len(rest) <= size+minBody || rest[at] != frame.BaseISize || rest[at+1]&0x80 != 0 {
		return nil
	}
	h := l.with(10, fmt.Sprintf("a header that says it has %d bytes", frame.BaseISize), 0)
	if int(rest[3])<<8|int(rest[4]) == len(rest) {
		h = l.with(26, fmt.Sprintf("a header that says it has %d bytes and counts the message", frame.BaseISize), 0)
	}
	if at > 0 {
		h = h.with(8, "the header of a rejected message before it", 1)
	}
	h.Header, h.Kind, h.From = rest[:size:size], kindOf(size), l.From+size
	return []Head{h}
}

// with adds evidence to a copy of h.
func (h Head) with(bits float64, reason string, unusual int) Head {
	h.bits += bits
	h.unusual += unusual
	h.reasons = append(append([]string(nil), h.reasons...), reason)
	return h
}

// shifted supposes a header of n bytes of which nothing is known.
func shifted(p []byte, n int) Head {
	return Head{Header: p[:n:n], Kind: fmt.Sprintf("%d bytes of unknown header", n), From: n, To: len(p), Says: len(p), Has: len(p),
		bits: -7, unusual: supposed, reasons: []string{fmt.Sprintf("%d bytes before it are skipped", n)}}
}

// mayBegin says whether a message type may begin here, in BCD, ASCII or EBCDIC.
func mayBegin(p []byte) bool {
	if p[0]>>4 <= 2 {
		return p[0]&0x0F >= 1 && p[0]&0x0F <= 9
	}
	return (p[0] >= '0' && p[0] <= '2' || p[0] >= 0xF0 && p[0] <= 0xF2) && p[1]&0x0F <= 9
}

// hidden says whether h was supposed, and nothing in it is known.
func (h Head) hidden() bool { return h.unusual >= supposed }

// supposed is how unusual a header is of which nothing is known.
const supposed = 8

func bcd(p []byte) (n int, ok bool) {
	for _, c := range p {
		if c>>4 > 9 || c&0x0F > 9 {
			return 0, false
		}
		n = n*100 + int(c>>4)*10 + int(c&0x0F)
	}
	return n, true
}

func packed(p []byte) bool {
	_, ok := bcd(p)
	return ok
}

func ascii(p []byte) (n int, ok bool) {
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
