// SPDX-License-Identifier: Apache-2.0

package pn532

import (
	"bytes"
	"errors"
)

// MaxData is the most that one frame carries after its direction byte: command
// code and 264 bytes, what the chip's buffer holds.
const MaxData = 265

// normalMax is the longest content (direction byte and data) whose length one
// byte can say.
const normalMax = 255

// maxBuffered bounds the bytes that wait for the rest of a frame; beyond it the
// oldest can only be noise.
const maxBuffered = 4 * (MaxData + 12)

// The direction byte of a frame.
const (
	toChip   = 0xD4
	fromChip = 0xD5
	errorTFI = 0x7F
)

// Kind tells the frames apart.
type Kind uint8

// The frames of the chip.
const (
	Information Kind = iota + 1 // a command or an answer
	ACK
	NACK
	ErrorFrame // the chip did not understand the command's form
)

// Frame is one decoded frame. Data is command code and parameters, without the
// direction byte; it aliases the decoder and dies with the next Feed.
type Frame struct {
	Kind     Kind
	FromChip bool
	Data     []byte
}

// Faults of frames; the decoder has found its way behind them already.
var (
	ErrLengthChecksum = errors.New("pn532: frame with a wrong length checksum")
	ErrDataChecksum   = errors.New("pn532: frame with a wrong data checksum")
	ErrFrameTooLong   = errors.New("pn532: frame longer than the chip can send")
	ErrDirection      = errors.New("pn532: frame with an unknown direction byte")
)

// Fixed frames: acknowledge, and please repeat.
var (
	ackFrame  = [...]byte{0, 0, 0xFF, 0, 0xFF, 0}
	nackFrame = [...]byte{0, 0, 0xFF, 0xFF, 0, 0}
)

// AppendACK appends the frame that acknowledges or, sent by the host while a
// command runs, aborts it.
func AppendACK(dst []byte) []byte { return append(dst, ackFrame[:]...) }

// AppendNACK appends the frame that asks for the last answer again.
func AppendNACK(dst []byte) []byte { return append(dst, nackFrame[:]...) }

// AppendWakeUp appends what wakes the chip from its power-down: it goes right
// before the first command.
func AppendWakeUp(dst []byte) []byte {
	return append(append(dst, 0x55, 0x55), make([]byte, 14)...)
}

// AppendCommand appends the frame of one command to the chip, extended when the
// length does not fit a normal one. Data beyond MaxData is not sent: dst comes
// back as it was and false.
func AppendCommand(dst, data []byte) ([]byte, bool) {
	n := len(data) + 1
	if len(data) == 0 || len(data) > MaxData {
		return dst, false
	}
	dst = append(dst, 0, 0, 0xFF)
	if n < normalMax {
		dst = append(dst, byte(n), byte(-n))
	} else {
		high, low := byte(n>>8), byte(n)
		dst = append(dst, 0xFF, 0xFF, high, low, -(high + low))
	}
	sum := byte(toChip)
	dst = append(dst, toChip)
	for _, b := range data {
		sum += b
	}
	dst = append(dst, data...)
	return append(dst, -sum, 0), true
}

// Decoder turns the bytes of the line into frames. The zero value is ready.
type Decoder struct {
	buf  []byte
	used int // bytes of buf that Next has consumed
}

// Feed takes bytes as the line gives them, in pieces of any size.
func (d *Decoder) Feed(b []byte) {
	d.buf = append(d.buf[:0], d.buf[d.used:]...)
	d.used = 0
	d.buf = append(d.buf, b...)
	if extra := len(d.buf) - maxBuffered; extra > 0 {
		d.used = extra
	}
}

// Partial reports that a frame has begun and is not complete.
func (d *Decoder) Partial() bool {
	return bytes.Contains(d.buf[d.used:], []byte{0, 0xFF})
}

// Reset forgets what is left, after silence or before a new conversation.
func (d *Decoder) Reset() { d.buf, d.used = d.buf[:0], 0 }

// Next gives the next frame. ok is false when more bytes are needed. An error
// tells of one damaged frame; what follows it can be read on.
func (d *Decoder) Next() (f Frame, ok bool, err error) {
	at := bytes.Index(d.buf[d.used:], []byte{0, 0xFF})
	if at < 0 {
		// Noise; but a last zero may be the first half of a start code.
		keep := 0
		if n := len(d.buf); n > d.used && d.buf[n-1] == 0 {
			keep = 1
		}
		d.used = len(d.buf) - keep
		return Frame{}, false, nil
	}
	d.used += at
	f, n, err := decode(d.buf[d.used:])
	d.used += n
	return f, n > 0 && err == nil, err
}

// decode reads the frame that starts with the start code. It returns how many
// bytes were consumed, none when the frame is not complete.
func decode(b []byte) (f Frame, n int, err error) {
	const start = 2
	if len(b) < start+2 {
		return Frame{}, 0, nil
	}
	size, head := int(b[2]), start+2
	switch {
	case b[2] == 0 && b[3] == 0xFF:
		return Frame{Kind: ACK}, head, nil
	case b[2] == 0xFF && b[3] == 0:
		return Frame{Kind: NACK}, head, nil
	case b[2] == 0xFF && b[3] == 0xFF:
		if len(b) < start+5 {
			return Frame{}, 0, nil
		}
		if b[4]+b[5]+b[6] != 0 {
			return Frame{}, start, ErrLengthChecksum
		}
		size, head = int(b[4])<<8|int(b[5]), start+5
	case b[2]+b[3] != 0:
		return Frame{}, start, ErrLengthChecksum
	}
	if size == 0 || size > MaxData+1 {
		return Frame{}, start, ErrFrameTooLong
	}
	if len(b) < head+size+1 {
		return Frame{}, 0, nil
	}
	sum := byte(0)
	for _, x := range b[head : head+size+1] {
		sum += x
	}
	if sum != 0 {
		return Frame{}, head + size + 1, ErrDataChecksum
	}
	f, err = inside(b[head : head+size])
	return f, head + size + 1, err
}

func inside(content []byte) (Frame, error) {
	switch content[0] {
	case fromChip:
		return Frame{Kind: Information, FromChip: true, Data: content[1:]}, nil
	case toChip:
		return Frame{Kind: Information, Data: content[1:]}, nil
	case errorTFI:
		return Frame{Kind: ErrorFrame, FromChip: true}, nil
	}
	return Frame{}, ErrDirection
}
