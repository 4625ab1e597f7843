// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
)

// MaxScript bounds what a script command carries: Lc is one byte.
const MaxScript = 255

// ScriptWay lays out the derivation of a script's session key. xor tells that
// it is VisaScriptKey's, which no module does inside: Way then gives the card key.
func ScriptWay(s hsm.Script) (w Way, xor bool, err error) {
	if w.Card, err = CardData(s.Option, s.PAN.Reveal(secret.ForHSM), s.PSN); err != nil {
		return Way{}, false, err
	}
	switch s.Rules.Session {
	case hsm.ScriptVisa:
		return w, true, nil
	case hsm.ScriptCommon:
		w.Derived, w.Data = true, SessionKeyData(s.ARQC)
		return w, false, nil
	}
	return Way{}, false, fmt.Errorf("%w: script session key derivation %d is not built", hsm.ErrInput, s.Rules.Session)
}

// ScriptInput is what a script's MAC covers, padded by method 2: header, ATC,
// ARQC and data; bare: header and data.
func ScriptInput(s hsm.Script, header [5]byte, data []byte) ([]byte, error) {
	if len(data) > MaxScript {
		return nil, fmt.Errorf("%w: a script command carries up to %d bytes", hsm.ErrInput, MaxScript)
	}
	in := append(make([]byte, 0, 15+len(data)), header[:]...)
	if !s.Rules.Bare {
		in = append(append(in, s.ATC[:]...), s.ARQC[:]...)
	}
	return mac.AppendPad2(nil, append(in, data...)), nil
}

// ScriptPadded lays data out to be enciphered, appending to dst. chained tells
// that it is enciphered by CBC with a zero vector, else by ECB.
func ScriptPadded(dst, data []byte, padding hsm.ScriptPadding) (out []byte, chained bool, err error) {
	if len(data) == 0 || len(data) > MaxScript {
		return nil, false, fmt.Errorf("%w: 1 to %d bytes of a script are enciphered", hsm.ErrInput, MaxScript)
	}
	start := len(dst)
	switch padding {
	case hsm.ScriptLength:
		dst = append(append(dst, byte(len(data))), data...)
	case hsm.ScriptAligned:
		dst = append(dst, data...)
	case hsm.ScriptPad2:
		dst = append(append(dst, data...), 0x80)
		return zeros(dst, start), true, nil
	default:
		return nil, false, fmt.Errorf("%w: script padding %d is not built", hsm.ErrInput, padding)
	}
	if (len(dst)-start)%8 != 0 {
		dst = zeros(append(dst, 0x80), start)
	}
	return dst, padding != hsm.ScriptLength, nil
}

// zeros fills what was appended since start to whole blocks.
func zeros(dst []byte, start int) []byte {
	for (len(dst)-start)%8 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// MACLen is how many bytes of its MAC a script sends.
func MACLen(r hsm.ScriptRules) (int, error) {
	switch {
	case r.MAC == 0:
		return 8, nil
	case r.MAC < 4 || r.MAC > 8:
		return 0, fmt.Errorf("%w: a script's MAC has 4 to 8 bytes", hsm.ErrInput)
	}
	return r.MAC, nil
}

// PINHeader is the command header of a PIN change whose enciphered block has
// size bytes (EMV Book 3, 6.5.10).
func PINHeader(p hsm.PINChange, size, macLen int) [5]byte {
	if p.Header != ([5]byte{}) {
		return p.Header
	}
	how := byte(0x02)
	if !p.Current.Block.IsZero() {
		how = 0x01
	}
	return [5]byte{0x84, 0x24, 0x00, how, byte(size + macLen)}
}

// Bounds of a PIN (ISO 9564-1).
const (
	minPIN = 4
	maxPIN = 12
)

// ISO2 writes the clear format 2 block of a PIN of ASCII digits (ISO 9564-1).
func ISO2(block *[8]byte, pin []byte) error {
	if err := pinDigits(block, pin); err != nil {
		return err
	}
	block[0] |= 0x20
	return nil
}

// VIS writes Visa's script PIN block (VIS, annex C): length and digits with F
// behind, whose right half is xored with bytes 5 to 8 of the card's AC key
// (parity adjusted), and whose left digits are xored with those of the current
// PIN when there is one. udk is the left half of the card key.
func VIS(block *[8]byte, udk, pin, current []byte) error {
	if err := pinDigits(block, pin); err != nil {
		return err
	}
	subtle.XORBytes(block[4:], block[4:], udk[4:8])
	if len(current) == 0 {
		return nil
	}
	if err := checkPIN(current); err != nil {
		clear(block[:])
		return err
	}
	for i, c := range current {
		block[i/2] ^= (c - '0') << (4 * (1 - i%2))
	}
	return nil
}

func checkPIN(pin []byte) error {
	if len(pin) < minPIN || len(pin) > maxPIN {
		return fmt.Errorf("%w: a PIN has %d to %d digits", hsm.ErrInput, minPIN, maxPIN)
	}
	for _, c := range pin {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: a PIN has decimal digits only", hsm.ErrInput)
		}
	}
	return nil
}

// pinDigits writes length, digits and filler F.
func pinDigits(block *[8]byte, pin []byte) error {
	if err := checkPIN(pin); err != nil {
		return err
	}
	block[0] = byte(len(pin))
	for i := range 14 {
		v := byte(0x0F)
		if i < len(pin) {
			v = pin[i] - '0'
		}
		at := 1 + i/2
		block[at] = block[at]&(0xF0>>(4*(1-i%2))) | v<<(4*(1-i%2))
	}
	return nil
}
