// SPDX-License-Identifier: Apache-2.0

// Package keyblock reads and builds the key blocks of ANSI X9.143 (TR-31),
// versions A to D, and of ISO 20038, version E.
//
// Promise: a block whose text differs in one character from what was protected
// gives a named error, never another key; every field of the header is one of
// the standard's values, or the block is refused by the name of the rule. The
// versions A and C, withdrawn for new use, are read; drivers make none.
//
// How: Parse splits the text (header.go, option.go) and keeps the header as it
// arrived, because the MAC covers its characters. Unwrap and Wrap (bind.go) ask
// a Cipher for CBC and CMAC under the two keys derived from the key block
// protection key (KBPK), so that the same code works on a module's keys and in
// process; DerivationData says how those keys come out of the KBPK. Agree and
// HeaderFor (agree.go) are the table between headers and hsm.Usage. Screen
// (screen.go) finds keys that DES must not have.
//
// Imported by: hsm/clear, hsm/soft, hsm/pkcs11, hsm/hsmtest. Imports: hsm.
//
// Non-obvious: the extended length of an optional block counts characters, not
// bytes (X9.143 samples 8.5 and 8.6). For versions B, D and E the MAC is made over
// clear key data and is checked after deciphering.
package keyblock

import (
	"errors"
	"fmt"
)

// The reasons why a key block is refused; every error wraps one of them.
var (
	ErrVersion    = errors.New("key block: version is not one of A to E")
	ErrLength     = errors.New("key block: length field is not the length of the text")
	ErrAlignment  = errors.New("key block: length does not fit the cipher's blocks")
	ErrHeader     = errors.New("key block: header field has no value of the standard")
	ErrOptional   = errors.New("key block: optional block is malformed")
	ErrMACLength  = errors.New("key block: no room for the MAC")
	ErrMACHex     = errors.New("key block: MAC is not upper-case hex")
	ErrKeyHex     = errors.New("key block: key data is not upper-case hex")
	ErrKeyEmpty   = errors.New("key block: holds no key")
	ErrMAC        = errors.New("key block: MAC is wrong: altered, or under another protection key")
	ErrProtection = errors.New("key block: protection key has not the cipher or length of this version")
	ErrKeyBits    = errors.New("key block: key length is not whole bytes")
	ErrKeyExceeds = errors.New("key block: key length exceeds the key data")
	ErrKeyLength  = errors.New("key block: key length is not one of the algorithm's")
	ErrTooLarge   = errors.New("key block: larger than the memory for clear keys")
	ErrAgree      = errors.New("key block: header does not agree with what the key shall be")
)

// Bounds of the format.
const (
	headerLen  = 16
	maxText    = 9999 // the length field has four decimal digits
	maxOptions = 99   // two decimal digits
)

// Header is what a key block says of its key (X9.143 section 6.2).
type Header struct {
	Version       byte   // 'A' to 'E'
	Usage         string // "P0", "M3" …: two characters
	Algorithm     byte   // 'A' AES, 'T' triple DES, 'D' DES, 'H' HMAC …
	Mode          byte   // mode of use: 'B', 'C', 'D', 'E', 'G', 'N', 'S', 'T', 'V', 'X', 'Y'
	KeyVersion    string // "00" none; "c1" to "c9" a component, which is no key
	Exportability byte   // 'E' in trusted key blocks, 'S' also otherwise, 'N' not at all
	Context       byte   // '0' the protection key's, '1' storage, '2' exchange
	Options       []Option
}

// Option is one optional block, without its length.
type Option struct {
	ID   string // "KS", "KC" …
	Data string
}

// Option returns the data of an optional block and whether it is there.
func (h *Header) Option(id string) (data string, ok bool) {
	for _, o := range h.Options {
		if o.ID == id {
			return o.Data, true
		}
	}
	return "", false
}

// Block is a parsed key block. What it holds of the key is enciphered.
type Block struct {
	Header  Header
	text    string // the header as it arrived, which the MAC covers
	payload []byte
	mac     []byte
}

// blockSize is the cipher's block of a version in bytes, which is also the unit of
// lengths; macSize the MAC's bytes.
func blockSize(version byte) int {
	if version == 'D' || version == 'E' {
		return 16
	}
	return 8
}

func macSize(version byte) int {
	if version == 'A' || version == 'C' {
		return 4
	}
	return blockSize(version)
}

// Parse reads a key block and enforces every rule that needs no key.
func Parse(text string) (*Block, error) { return parse(text, true) }

// ParseLenient is Parse without the rules for the data of optional blocks: blocks
// in service carry what the standard does not print. Their framing, and the MAC
// over them, hold all the same.
func ParseLenient(text string) (*Block, error) { return parse(text, false) }

func parse(text string, strict bool) (*Block, error) {
	h, count, err := parseFields(text)
	if err != nil {
		return nil, err
	}
	length, err := decimal(text[1:5])
	if err != nil || length != len(text) {
		return nil, fmt.Errorf("%w: it says %q of %d characters", ErrLength, text[1:5], len(text))
	}
	if unit := blockSize(h.Version); h.Version != 'E' && len(text)%unit != 0 {
		return nil, fmt.Errorf("%w: %d characters are not a multiple of %d", ErrAlignment, len(text), unit)
	}
	end, err := parseOptions(&h, text, count, strict)
	if err != nil {
		return nil, err
	}
	b := &Block{Header: h, text: text[:end]}
	body := text[end:]
	at := len(body) - 2*macSize(h.Version)
	if at < 0 {
		return nil, fmt.Errorf("%w: %d characters follow the header, version %c has a MAC of %d", ErrMACLength, len(body), h.Version, 2*macSize(h.Version))
	}
	if err := optionsAligned(h.Version, end); err != nil {
		return nil, err
	}
	var ok bool
	if b.mac, ok = unhex(body[at:]); !ok {
		return nil, ErrMACHex
	}
	if at == 0 {
		return nil, ErrKeyEmpty
	}
	if b.payload, ok = unhex(body[:at]); !ok {
		return nil, ErrKeyHex
	}
	if h.Version != 'E' && len(b.payload)%blockSize(h.Version) != 0 {
		return nil, fmt.Errorf("%w: %d bytes of key data are no whole blocks of %d", ErrAlignment, len(b.payload), blockSize(h.Version))
	}
	return b, nil
}

// unhex reads upper-case hex: lower case would be another text with the same key.
func unhex(s string) ([]byte, bool) {
	out := make([]byte, len(s)/2)
	for i := range out {
		high, ok1 := nibble(s[2*i])
		low, ok2 := nibble(s[2*i+1])
		if !ok1 || !ok2 {
			return nil, false
		}
		out[i] = high<<4 | low
	}
	return out, len(s)%2 == 0
}

func nibble(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

const hexUpper = "0123456789ABCDEF"

// appendHex writes b as upper-case hex.
func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexUpper[c>>4], hexUpper[c&15])
	}
	return dst
}

// decimal reads digits only.
func decimal(s string) (n int, err error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, errors.New("not decimal digits")
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, nil
}
