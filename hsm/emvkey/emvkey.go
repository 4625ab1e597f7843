// SPDX-License-Identifier: Apache-2.0

// Package emvkey prepares what EMV key derivation, application cryptograms and
// their answers are computed from.
//
// Promise: the data list, the padding and the key chain follow the profile
// alone, never a byte the card sent; a missing or misshapen tag is a refusal
// that names the tag.
//
// How: pure functions. Derivation data goes to the HSM, which derives card and
// session keys inside; Prepare reads field 55 with a bounded TLV finder (tlv.go)
// and lays out the padded cryptogram input.
//
// Imported by: hsm/pkcs11, hsm/soft, hsm/hsmtest. Imports: hsm, hsm/mac.
package emvkey

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

// OptionA returns the derivation data of a card's master key (EMV Book 2,
// A1.4.1): the 16 rightmost digits of PAN‖PSN, zero filled on the left, packed.
// Longer numbers lose digits on the left, as Visa and UnionPay profiles want it.
func OptionA(pan []byte, psn [2]byte) (y [8]byte, err error) {
	if len(pan) < 8 || len(pan) > 19 {
		return y, fmt.Errorf("%w: a PAN has 8 to 19 digits", hsm.ErrInput)
	}
	var digits [16]byte
	for i := range digits {
		digits[i] = '0'
	}
	tail := pan
	if len(tail) > 14 {
		tail = tail[len(tail)-14:]
	}
	copy(digits[14-len(tail):], tail)
	copy(digits[14:], psn[:])
	for i, c := range digits {
		if c < '0' || c > '9' {
			return [8]byte{}, fmt.Errorf("%w: PAN and card sequence number must be decimal digits", hsm.ErrInput)
		}
		y[i/2] = y[i/2]<<4 | (c - '0')
	}
	return y, nil
}

// MasterKeyData is what the issuer master key enciphers to give a card key: Y‖~Y.
func MasterKeyData(y [8]byte) (data [16]byte) {
	for i, c := range y {
		data[i], data[8+i] = c, ^c
	}
	return data
}

// CommonR is the diversifier of the EMV common session key: ATC‖zeros.
func CommonR(atc [2]byte) (r [8]byte) {
	copy(r[:], atc[:])
	return r
}

// SessionKeyData is what the card key enciphers to give a session key
// (EMV Book 2, A1.3.1): R with its third byte F0, then R with its third byte 0F.
func SessionKeyData(r [8]byte) (data [16]byte) {
	copy(data[:8], r[:])
	copy(data[8:], r[:])
	data[2], data[10] = 0xF0, 0x0F
	return data
}

// DoubledLeft returns derivation data for KL‖KL out of data for KL‖KR: the
// companion under which the CBC part of algorithm 3 is single DES.
func DoubledLeft(data [16]byte) [16]byte {
	copy(data[8:], data[:8])
	return data
}

// ARPC1 is what method 1 enciphers: ARQC xor (ARC‖zeros) (EMV Book 2, 8.2.1).
func ARPC1(arqc [8]byte, arc [2]byte) [8]byte {
	arqc[0] ^= arc[0]
	arqc[1] ^= arc[1]
	return arqc
}

// OddParity sets the low bit of each byte so that the byte has odd parity. DES
// ignores these bits; check values printed of keys and xor derivations do not.
func OddParity(key []byte) {
	for i, c := range key {
		p := c>>4 ^ c&0x0F
		p ^= p >> 2
		p ^= p >> 1
		key[i] = c ^ (p&1 ^ 1) // even: flip the low bit
	}
}

// Input is what a cryptogram check needs besides keys.
type Input struct {
	ARQC    [8]byte
	ATC     [2]byte
	Session bool // the cryptogram key is the common session key, else the card key
	n       int
	padded  [80]byte
}

// Padded is the cryptogram's input, padded to whole blocks of 8.
func (in *Input) Padded() []byte { return in.padded[:in.n] }

// element is one entry of a profile's data list.
type element struct {
	tag  uint16
	size int
}

// visaList is shared by CVN 10, CVN 18 and UnionPay 01; the issuer application
// data follows it, whole or its card verification results alone.
var visaList = [...]element{
	{0x9F02, 6}, {0x9F03, 6}, {0x9F1A, 2}, {0x95, 5}, {0x5F2A, 2}, {0x9A, 3},
	{0x9C, 1}, {0x9F37, 4}, {0x82, 2}, {0x9F36, 2},
}

// Where things are in issuer application data: length, key index, CVN, CVR.
const (
	iadMin    = 7
	iadMax    = 32
	cvrOffset = 3
	cvrLen    = 4
	listLen   = 33 // sum of visaList
)

// The longest list with method 2 padding fits Input.padded.
const _ = uint(80 - (listLen + iadMax + 8))

// Prepare reads field 55 and lays out the cryptogram input of the profile.
func Prepare(profile hsm.Profile, icc []byte) (in Input, err error) {
	if profile < hsm.VisaCVN10 || profile > hsm.UnionPayCVN01 {
		return Input{}, fmt.Errorf("%w: cryptogram profile %d is not built", hsm.ErrInput, profile)
	}
	data := make([]byte, 0, len(in.padded))
	for _, e := range visaList {
		value, err := fixed(icc, e.tag, e.size)
		if err != nil {
			return Input{}, err
		}
		data = append(data, value...)
	}
	copy(in.ATC[:], data[listLen-2:])
	arqc, err := fixed(icc, 0x9F26, 8)
	if err != nil {
		return Input{}, err
	}
	copy(in.ARQC[:], arqc)
	iad, ok, err := Find(icc, 0x9F10)
	if err != nil {
		return Input{}, err
	}
	if !ok || len(iad) < iadMin || len(iad) > iadMax {
		return Input{}, fmt.Errorf("%w: field 55 tag 9F10 must be there with %d to %d bytes", hsm.ErrInput, iadMin, iadMax)
	}
	in.Session = profile != hsm.VisaCVN10
	switch profile {
	case hsm.VisaCVN10:
		data = append(data, iad[cvrOffset:cvrOffset+cvrLen]...)
		in.n = len(mac.AppendPad1(in.padded[:0], data))
	case hsm.VisaCVN18:
		data = append(data, iad...)
		in.n = len(mac.AppendPad2(in.padded[:0], data))
	case hsm.UnionPayCVN01:
		data = append(data, iad[cvrOffset:cvrOffset+cvrLen]...)
		in.n = len(mac.AppendPad2(in.padded[:0], data))
	}
	return in, nil
}

// fixed finds a tag that must be there with one length.
func fixed(icc []byte, tag uint16, size int) ([]byte, error) {
	value, ok, err := Find(icc, tag)
	if err != nil {
		return nil, err
	}
	if !ok || len(value) != size {
		return nil, fmt.Errorf("%w: field 55 tag %X must be there with %d bytes", hsm.ErrInput, tag, size)
	}
	return value, nil
}
