// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

// Profile names an issuer's way to make application cryptograms.
type Profile string

// The profiles in service (see docs/reference/acquirer-simulator.md).
const (
	UnionPayCVN01 Profile = "unionpay-cvn01" // EMV common session key, padding 80, CVR only
	VisaCVN10     Profile = "visa-cvn10"     // card key itself, padding zeros, CVR only
	VisaCVN17     Profile = "visa-cvn17"     // card key itself, padding zeros, three tags and one byte of CVR
	VisaCVN18     Profile = "visa-cvn18"     // EMV common session key, padding 80, whole 9F10, answered by method 2
	MChipCVN16    Profile = "mchip-cvn16"    // Mastercard session key, padding 80, CVR of six; answered under the card key
	MChipCVN20    Profile = "mchip-cvn20"    // EMV common session key, padding 80, CVR of six
)

// diversity says under which key a cryptogram or its answer is made.
type diversity byte

const (
	cardItself diversity = iota
	common               // EMV: the counter alone
	mastercard           // the counter and the unpredictable number
)

// rules are what distinguishes the profiles.
type rules struct {
	cvn      byte // of 9F10, at cvnAt
	cvnAt    int
	key      diversity
	answer   diversity
	pad80    bool
	csu      bool   // answered by method 2
	fast     bool   // 9F02, 9F37 and 9F36 alone
	from, to int    // the part of 9F10 that is covered; to 0: its end
	arc      string // of an approval, when not the response code
}

func (p Profile) rules() (rules, bool) {
	switch p {
	case UnionPayCVN01:
		return rules{cvn: 0x01, cvnAt: 2, key: common, answer: common, pad80: true, from: 3, to: 7}, true
	case VisaCVN10:
		return rules{cvn: 0x0A, cvnAt: 2, from: 3, to: 7}, true
	case VisaCVN17:
		return rules{cvn: 0x11, cvnAt: 2, fast: true, from: 4, to: 5}, true
	case VisaCVN18:
		return rules{cvn: 0x12, cvnAt: 2, key: common, answer: common, pad80: true, csu: true}, true
	case MChipCVN16:
		return rules{cvn: 0x10, cvnAt: 1, key: mastercard, pad80: true, from: 2, to: 8, arc: "\x00\x10"}, true
	case MChipCVN20:
		return rules{cvn: 0x14, cvnAt: 1, key: common, answer: common, pad80: true, from: 2, to: 8, arc: "\x00\x10"}, true
	}
	return rules{}, false
}

// maxTags bounds field 55: 255 bytes hold at most 127 of them.
const maxTags = 127

var errTLV = errors.New("acquirer: field 55 is not BER-TLV")

// parseTLV reads primitive and constructed objects at the top level, tags of
// one to three bytes, lengths of one to three bytes; a tag may occur once.
func parseTLV(b []byte) (map[string][]byte, error) {
	out := map[string][]byte{}
	for len(b) > 0 {
		n := 1
		if b[0]&0x1F == 0x1F {
			for n++; n <= 3 && n <= len(b) && b[n-1]&0x80 != 0; n++ {
			}
		}
		if n > 3 || n >= len(b) || b[0] == 0 || b[0] == 0xFF {
			return nil, errTLV
		}
		tag := hex.EncodeToString(b[:n])
		size, width := int(b[n]), 1
		switch {
		case size == 0x81 && len(b) > n+1:
			size, width = int(b[n+1]), 2
		case size == 0x82 && len(b) > n+2:
			size, width = int(b[n+1])<<8|int(b[n+2]), 3
		case size >= 0x80:
			return nil, errTLV
		}
		b = b[n+width:]
		if _, twice := out[tag]; twice || size > len(b) || len(out) == maxTags {
			return nil, errTLV
		}
		out[tag], b = b[:size], b[size:]
	}
	return out, nil
}

// acTags are the data of most profiles before the issuer's own part, with their
// lengths (EMV Book 3 annex A).
func acTags() []struct {
	tag  string
	size int
} {
	return []struct {
		tag  string
		size int
	}{{"9f02", 6}, {"9f03", 6}, {"9f1a", 2}, {"95", 5}, {"5f2a", 2}, {"9a", 3}, {"9c", 1}, {"9f37", 4}, {"82", 2}, {"9f36", 2}}
}

// chip is one cryptogram to check.
type chip struct {
	rules rules
	mk    []byte
	tags  map[string][]byte
}

// data gathers what the cryptogram was made over; the error names a missing tag.
func (c chip) data() ([]byte, error) {
	var out []byte
	for _, t := range acTags() {
		if c.rules.fast && t.tag != "9f02" && t.tag != "9f37" && t.tag != "9f36" {
			continue
		}
		v := c.tags[t.tag]
		if len(v) != t.size {
			return nil, fmt.Errorf("arqc_tag_%s_missing", t.tag)
		}
		out = append(out, v...)
	}
	iad, from, to := c.tags["9f10"], c.rules.from, c.rules.to
	if len(iad) < max(7, to) || len(c.tags["9f26"]) != blockSize {
		return nil, errors.New("arqc_tag_9f10_or_9f26_missing")
	}
	if iad[c.rules.cvnAt] != c.rules.cvn {
		return nil, errors.New("arqc_cvn_of_another_profile")
	}
	if to == 0 {
		to = len(iad)
	}
	return append(out, iad[from:to]...), nil
}

// key is the one that makes the ARQC.
func (c chip) key() []byte { return c.keyOf(c.rules.key) }

// keyOf is the card key or one of its session keys.
func (c chip) keyOf(s diversity) []byte {
	switch s {
	case common:
		return sessionKey(c.mk, c.tags["9f36"])
	case mastercard:
		return sessionKey(c.mk, append(append(append([]byte{}, c.tags["9f36"]...), 0, 0), c.tags["9f37"]...))
	}
	return c.mk
}

// answer is tag 91 for a response code.
func (c chip) answer(response string) string {
	key, arqc := c.keyOf(c.rules.answer), c.tags["9f26"]
	var content []byte
	switch {
	case c.rules.csu:
		csu := []byte{0, 0, 0, 0}
		if response == codeApproved {
			csu = []byte{0x00, 0x82, 0x00, 0x00} // approved, offline counters to zero
		}
		content = arpcCSU(key, arqc, csu)
	case c.rules.arc != "" && response == codeApproved:
		content = arpc(key, arqc, c.rules.arc)
	default:
		content = arpc(key, arqc, response)
	}
	return "\x91" + string([]byte{byte(len(content))}) + string(content)
}

// check verifies the ARQC; the error is a reason for the books.
func (c chip) check() error {
	data, err := c.data()
	if err != nil {
		return err
	}
	padded := padZero(data)
	if c.rules.pad80 {
		padded = pad80(data)
	}
	want := retailMAC(c.key(), padded)
	if subtle.ConstantTimeCompare(want[:], c.tags["9f26"]) != 1 {
		return errors.New("arqc_wrong")
	}
	return nil
}

// arpc answers the ARQC by method 1 (EMV Book 2, 8.2.1): the response code's
// two ASCII characters, zero filled on the right, xored in and enciphered. The
// result is the content of tag 91: ARPC and the code.
func arpc(key, arqc []byte, arc string) []byte {
	y := append([]byte(arc), 0, 0, 0, 0, 0, 0)
	subtle.XORBytes(y, y, arqc)
	tripleDES(key).Encrypt(y, y)
	return append(y, arc...)
}

// arpcCSU answers the ARQC by method 2 (EMV Book 2, 8.2.2): four bytes of the MAC
// over ARQC and card status update. The result is the content of tag 91.
func arpcCSU(key, arqc, csu []byte) []byte {
	mac := retailMAC(key, pad80(append(append([]byte{}, arqc...), csu...)))
	return append(mac[:4:4], csu...)
}

// cardKey derives the card's master key from the issuer's (EMV Book 2, A1.4).
// Option A takes the rightmost 16 digits of PAN and sequence number; option B
// takes them from a hash, for card numbers of more than 16 digits.
func cardKey(imk, pan []byte, psn string, optionB bool) []byte {
	y := string(pan) + psn
	if optionB && len(pan) > 16 {
		y = hashedDigits(y)
	}
	for len(y) < 16 {
		y = "0" + y
	}
	y = y[len(y)-16:]
	mk := make([]byte, keySize)
	for i := range blockSize {
		mk[i] = digit(y[2*i], y[2*i+1])
		mk[blockSize+i] = ^mk[i]
	}
	b := tripleDES(imk)
	b.Encrypt(mk[:blockSize], mk[:blockSize])
	b.Encrypt(mk[blockSize:], mk[blockSize:])
	return oddParity(mk)
}

// oddParity sets the last bit of each byte; a card key is always kept so.
func oddParity(key []byte) []byte {
	for i, v := range key {
		key[i] = v&0xFE | byte(bits.OnesCount8(v&0xFE)+1)&1
	}
	return key
}

func hashedDigits(y string) string {
	if len(y)%2 == 1 {
		y = "0" + y
	}
	packed := make([]byte, len(y)/2)
	for i := range packed {
		packed[i] = digit(y[2*i], y[2*i+1])
	}
	sum := sha1.Sum(packed)
	return decimalise(sum[:], 16)
}

// sessionKey is EMV's common session key derivation (Book 2, A1.3.1) with the
// transaction counter, or with what else diversifies it: up to eight bytes.
func sessionKey(mk, r []byte) []byte {
	sk := make([]byte, keySize)
	copy(sk[:blockSize], r)
	copy(sk[blockSize:], r)
	sk[2], sk[blockSize+2] = 0xF0, 0x0F
	b := tripleDES(mk)
	b.Encrypt(sk[:blockSize], sk[:blockSize])
	b.Encrypt(sk[blockSize:], sk[blockSize:])
	return sk
}
