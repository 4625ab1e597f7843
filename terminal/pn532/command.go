// SPDX-License-Identifier: Apache-2.0

package pn532

import (
	"errors"
	"fmt"
)

// The commands in use; the answer's code is one more.
const (
	cmdFirmware  = 0x02
	cmdSAM       = 0x14
	cmdRF        = 0x32
	cmdExchange  = 0x40
	cmdList      = 0x4A
	cmdRelease   = 0x52
	moreFlag     = 0x40 // in the target number and in the status: more follows
	statusMask   = 0x3F
	isoDEP       = 0x20 // in SEL_RES: the target speaks ISO/IEC 14443-4
	maxTargets   = 2
	chunkMax     = 262 // data bytes of one InDataExchange either way
	firmwareIC   = 0x32
	atqbLen      = 12
	rfField      = 0x01
	rfMaxRetries = 0x05
)

// Modulation is what InListPassiveTarget looks for.
type Modulation byte

// The two of EMV contactless.
const (
	TypeA Modulation = 0x00 // ISO/IEC 14443 type A, 106 kbit/s
	TypeB Modulation = 0x03 // ISO/IEC 14443 type B, 106 kbit/s
)

// ErrAnswer says that an answer has the right code and a wrong form.
var ErrAnswer = errors.New("pn532: answer of the chip has a wrong form")

// ErrNotPN532 says that another chip answers on this line.
var ErrNotPN532 = errors.New("pn532: the device is not a PN532")

// GetFirmwareVersion is the command that asks who is there.
func GetFirmwareVersion() []byte { return []byte{cmdFirmware} }

// SAMConfiguration puts the chip to normal mode: no security module, no time
// limit, no interrupt line. It is mandatory after power-on.
func SAMConfiguration() []byte { return []byte{cmdSAM, 0x01, 0x00, 0x00} }

// Field switches the carrier on or off.
func Field(on bool) []byte {
	if on {
		return []byte{cmdRF, rfField, 0x01}
	}
	return []byte{cmdRF, rfField, 0x00}
}

// MaxRetries bounds how often the chip looks for a card before it answers that
// there is none: 0 is once, FF for ever.
func MaxRetries(activation byte) []byte {
	return []byte{cmdRF, rfMaxRetries, 0xFF, 0x01, activation}
}

// InListPassiveTarget looks for targets, two at most, so that a second card is seen.
func InListPassiveTarget(m Modulation) []byte {
	if m == TypeB {
		return []byte{cmdList, maxTargets, byte(m), 0x00} // AFI 00: every application
	}
	return []byte{cmdList, maxTargets, byte(m)}
}

// InRelease lets all targets go.
func InRelease() []byte { return []byte{cmdRelease, 0x00} }

// Firmware is what the chip says of itself.
type Firmware struct{ IC, Version, Revision, Support byte }

// String reads like "PN532 1.6".
func (f Firmware) String() string {
	return fmt.Sprintf("PN5%02X %d.%d", f.IC, f.Version, f.Revision)
}

// ParseFirmware reads the answer of GetFirmwareVersion (without its code).
func ParseFirmware(answer []byte) (Firmware, error) {
	if len(answer) != 4 {
		return Firmware{}, ErrAnswer
	}
	f := Firmware{answer[0], answer[1], answer[2], answer[3]}
	if f.IC != firmwareIC {
		return f, ErrNotPN532
	}
	return f, nil
}

// Target is one card in the field.
type Target struct {
	Number     byte
	Modulation Modulation
	ISODEP     bool   // it takes APDUs
	ID         []byte // UID or PUPI; many phones make it up anew for each tap
}

// ParseTargets reads the answer of InListPassiveTarget. The targets' IDs are copies.
func ParseTargets(answer []byte, m Modulation) ([]Target, error) {
	if len(answer) < 1 || answer[0] > maxTargets {
		return nil, ErrAnswer
	}
	rest := answer[1:]
	var targets []Target
	for range answer[0] {
		t, n, ok := parseTarget(rest, m)
		if !ok {
			return nil, ErrAnswer
		}
		targets, rest = append(targets, t), rest[n:]
	}
	if len(rest) != 0 {
		return nil, ErrAnswer
	}
	return targets, nil
}

func parseTarget(b []byte, m Modulation) (t Target, n int, ok bool) {
	if m == TypeB {
		return parseTypeB(b)
	}
	const fixed = 5 // number, SENS_RES, SEL_RES, length of the UID
	if len(b) < fixed || len(b) < fixed+int(b[4]) {
		return Target{}, 0, false
	}
	n = fixed + int(b[4])
	t = Target{Number: b[0], ISODEP: b[3]&isoDEP != 0, ID: append([]byte(nil), b[fixed:n]...)}
	if t.ISODEP { // the ATS, whose first byte counts itself
		if len(b) <= n || b[n] == 0 || len(b) < n+int(b[n]) {
			return Target{}, 0, false
		}
		n += int(b[n])
	}
	return t, n, true
}

func parseTypeB(b []byte) (t Target, n int, ok bool) {
	const fixed = 1 + atqbLen + 1 // number, ATQB, length of the ATTRIB answer
	if len(b) < fixed || len(b) < fixed+int(b[fixed-1]) {
		return Target{}, 0, false
	}
	// ATQB: 50, PUPI (4), application data (4), protocol info (3); the low bit
	// of the second protocol byte is ISO/IEC 14443-4.
	t = Target{Number: b[0], Modulation: TypeB, ISODEP: b[1+10]&1 != 0, ID: append([]byte(nil), b[2:6]...)}
	return t, fixed + int(b[fixed-1]), true
}

// Transfer is one APDU to a target and its answer, in as many commands as it
// takes. Use Command, run it, give the answer to Take, until Take says done.
type Transfer struct {
	target byte
	chunk  int
	out    []byte
	in     []byte
	max    int
}

// ErrTooLong says that a card's answer is longer than any APDU may be.
var ErrTooLong = errors.New("pn532: the card's answer is longer than an APDU may be")

// NewTransfer prepares apdu for the target. chunk is the most data bytes of one
// command, 0 for the chip's own bound.
func NewTransfer(target byte, apdu []byte, chunk int) *Transfer {
	if chunk <= 0 || chunk > chunkMax {
		chunk = chunkMax
	}
	const longest = 65536 + 2 // data of an extended APDU and SW1 SW2
	return &Transfer{target: target, chunk: chunk, out: apdu, max: longest}
}

// Command is the next command for the chip. Empty data fetches what is left of
// a long answer.
func (t *Transfer) Command() []byte {
	n, number := len(t.out), t.target
	if n > t.chunk {
		n, number = t.chunk, number|moreFlag
	}
	return append([]byte{cmdExchange, number}, t.out[:n]...)
}

// Take takes the answer of the last Command (without its code). done says that
// the card's answer is complete; Answer has it.
func (t *Transfer) Take(answer []byte) (done bool, err error) {
	if len(answer) == 0 {
		return false, ErrAnswer
	}
	if s := Status(answer[0] & statusMask); s != 0 {
		return false, s
	}
	if len(t.out) > t.chunk { // a part was taken, the rest follows
		t.out = t.out[t.chunk:]
		return false, nil
	}
	t.out = nil
	if len(t.in)+len(answer)-1 > t.max {
		return false, ErrTooLong
	}
	t.in = append(t.in, answer[1:]...)
	return answer[0]&moreFlag == 0, nil
}

// Answer is what the card said: data and status word.
func (t *Transfer) Answer() []byte { return t.in }

// Status is the chip's error code for a command on a target.
type Status byte

// The codes a terminal acts upon.
const (
	StatusTimeout Status = 0x01 // the card did not answer
	StatusContext Status = 0x27 // no such target now: it left the field
)

// Error names the code.
func (s Status) Error() string { return fmt.Sprintf("pn532: status %02X: %s", byte(s), s.name()) }

// Gone reports that the code means a card that left the field or went silent.
func (s Status) Gone() bool {
	switch s {
	case StatusTimeout, 0x02, 0x03, 0x04, 0x0B, 0x13, StatusContext, 0x29, 0x2B:
		return true // time-out, damaged frames, broken protocol, released
	}
	return false
}

func (s Status) name() string {
	for _, e := range statusNames {
		if e.code == s {
			return e.name
		}
	}
	return "unknown"
}

var statusNames = [...]struct {
	code Status
	name string
}{
	{0x01, "the target did not answer in time"},
	{0x02, "CRC wrong"},
	{0x03, "parity wrong"},
	{0x04, "wrong bit count"},
	{0x05, "framing wrong"},
	{0x06, "collision of bits"},
	{0x07, "buffer too small"},
	{0x09, "RF buffer overflow"},
	{0x0A, "field not switched on in time"},
	{0x0B, "RF protocol broken"},
	{0x0D, "chip too hot"},
	{0x0E, "internal buffer overflow"},
	{0x10, "invalid parameter"},
	{0x12, "command not supported by the target"},
	{0x13, "data format wrong"},
	{0x14, "authentication failed"},
	{0x23, "check byte of the UID wrong"},
	{0x25, "invalid state of the target"},
	{0x26, "not allowed in this configuration"},
	{0x27, "not acceptable now: no such target"},
	{0x29, "released by the initiator"},
	{0x2A, "another card took its place"},
	{0x2B, "the card left the field"},
	{0x2C, "identifiers differ"},
	{0x2D, "over-current"},
	{0x2E, "NAD missing"},
}
