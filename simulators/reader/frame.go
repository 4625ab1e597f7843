// SPDX-License-Identifier: Apache-2.0

package reader

// The longest content of a frame: direction, code and 264 bytes.
const maxContent = 266

// normalContent is the longest content of a normal frame.
const normalContent = 255

type frameKind uint8

const (
	noFrame frameKind = iota
	commandFrame
	ackFrame
	nackFrame
	brokenFrame
)

var (
	ackBytes   = [...]byte{0, 0, 0xFF, 0, 0xFF, 0}
	errorBytes = [...]byte{0, 0, 0xFF, 1, 0xFF, 0x7F, 0x81, 0}
)

// takeFrame looks for one frame of the host in b. rest is what follows it; for
// noFrame it is what must be kept until more bytes come.
func takeFrame(b []byte) (kind frameKind, content, rest []byte) {
	start := 0
	for ; ; start++ {
		if start+1 >= len(b) {
			return noFrame, nil, tail(b)
		}
		if b[start] == 0 && b[start+1] == 0xFF {
			break
		}
	}
	frame := b[start+2:]
	if len(frame) < 2 {
		return noFrame, nil, b[start:]
	}
	switch [2]byte{frame[0], frame[1]} {
	case [2]byte{0x00, 0xFF}:
		return ackFrame, nil, frame[2:]
	case [2]byte{0xFF, 0x00}:
		return nackFrame, nil, frame[2:]
	case [2]byte{0xFF, 0xFF}:
		if len(frame) < 5 {
			return noFrame, nil, b[start:]
		}
		if frame[2]+frame[3]+frame[4] != 0 {
			return brokenFrame, nil, frame[5:]
		}
		return takeContent(b[start:], int(frame[2])<<8|int(frame[3]), frame[5:])
	}
	if frame[0]+frame[1] != 0 {
		return brokenFrame, nil, frame[2:]
	}
	return takeContent(b[start:], int(frame[0]), frame[2:])
}

// tail keeps a last zero, which may be the first half of a start code.
func tail(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == 0 {
		return b[n-1:]
	}
	return nil
}

func takeContent(whole []byte, n int, from []byte) (frameKind, []byte, []byte) {
	if n == 0 || n > maxContent {
		return brokenFrame, nil, from
	}
	if len(from) < n+1 {
		return noFrame, nil, whole
	}
	var sum byte
	for _, b := range from[:n+1] {
		sum += b
	}
	if sum != 0 || from[0] != 0xD4 || n < 2 {
		return brokenFrame, nil, from[n+1:]
	}
	return commandFrame, from[1:n], from[n+1:]
}

// makeFrame is the chip's frame of an answer (code and parameters).
func makeFrame(answer []byte) []byte {
	content := append([]byte{0xD5}, answer...)
	n := len(content)
	out := []byte{0, 0, 0xFF}
	if n < normalContent {
		out = append(out, byte(n), byte(256-n))
	} else {
		high, low := byte(n>>8), byte(n)
		out = append(out, 0xFF, 0xFF, high, low, byte(512-int(high)-int(low)))
	}
	var sum byte
	for _, b := range content {
		sum += b
	}
	out = append(out, content...)
	return append(out, -sum, 0)
}
