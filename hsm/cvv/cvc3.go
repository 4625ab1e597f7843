// SPDX-License-Identifier: Apache-2.0

package cvv

import (
	"crypto/sha1"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
)

// MaxTrack bounds the static track data of a card: a track 1 has 76 characters.
const MaxTrack = 128

// CardKeyData is what the issuer master key enciphers to give the card's key
// for dynamic values (EMV Book 2, A1.4). Option B hashes for every PAN length.
func CardKeyData(method hsm.CardKeyMethod, pan secret.PAN, psn [2]byte) ([16]byte, error) {
	digits := pan.Reveal(secret.ForHSM)
	var y [8]byte
	var err error
	switch method {
	case hsm.CardKeyA:
		y, err = emvkey.OptionA(digits, psn)
	case hsm.CardKeyB:
		y, err = hashed(digits, psn)
	default:
		err = fmt.Errorf("%w: card key method %d is not built", hsm.ErrInput, method)
	}
	if err != nil {
		return [16]byte{}, err
	}
	return emvkey.MasterKeyData(y), nil
}

// hashed is the first 16 decimal digits of the SHA-1 of PAN‖PSN, packed with one
// leading zero when their number is odd.
func hashed(pan []byte, psn [2]byte) (y [8]byte, err error) {
	if len(pan) < 8 || len(pan) > 19 {
		return y, errPAN()
	}
	var room [22]byte
	text := room[:0]
	defer clear(room[:])
	if len(pan)%2 == 1 {
		text = append(text, '0')
	}
	text = append(append(text, pan...), psn[:]...)
	var packed [11]byte
	defer clear(packed[:])
	for i, c := range text {
		if c < '0' || c > '9' {
			return y, fmt.Errorf("%w: PAN and card sequence number must be decimal digits", hsm.ErrInput)
		}
		packed[i/2] |= (c - '0') << (4 * (1 - i%2))
	}
	sum := sha1.Sum(packed[:len(text)/2])
	var digits [16]byte
	Decimalise(digits[:], sum[:])
	for i, c := range digits {
		y[i/2] |= (c - '0') << (4 * (1 - i%2))
	}
	return y, nil
}

// CheckCVC3 refuses a number of digits that a CVC3 cannot have, and a track that
// is no card's.
func CheckCVC3(c hsm.CVC3Data) error {
	if c.Digits < 1 || c.Digits > 5 {
		return fmt.Errorf("%w: a CVC3 has 1 to 5 digits", hsm.ErrInput)
	}
	if c.Track.Len() > MaxTrack {
		return fmt.Errorf("%w: static track data has at most %d bytes", hsm.ErrInput, MaxTrack)
	}
	return nil
}

// TrackInput is what the card's IVCVC3 is the MAC of, padded by method 2; its
// last two bytes are the IVCVC3. The caller wipes it.
func TrackInput(track secret.ICC) []byte {
	clean := track.AppendTo(make([]byte, 0, MaxTrack), secret.ForHSM)
	defer clear(clean)
	return mac.AppendPad2(make([]byte, 0, MaxTrack+8), clean)
}

// IV are the two bytes of the MAC over TrackInput that a CVC3 starts from.
func IV(mac [8]byte) [2]byte { return [2]byte{mac[6], mac[7]} }

// CVC3Block is what the card's key enciphers: IVCVC3‖UN‖ATC.
func CVC3Block(iv [2]byte, un [4]byte, atc [2]byte) (block [8]byte) {
	copy(block[:], iv[:])
	copy(block[2:], un[:])
	copy(block[6:], atc[:])
	return block
}

// CVC3 are the rightmost digits of the enciphered block's last two bytes, read
// as a number and written with five digits, so that leading zeros stay. digits
// is 1 to 5; out holds them from the left.
func CVC3(block [8]byte, digits int) (out [5]byte) {
	n := int(block[6])<<8 | int(block[7])
	var five [5]byte
	for i := 4; i >= 0; i-- {
		five[i], n = '0'+byte(n%10), n/10
	}
	copy(out[:], five[5-digits:])
	return out
}
