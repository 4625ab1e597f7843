// SPDX-License-Identifier: Apache-2.0

package card

import "crypto/subtle"

// The issuer's update of a card at a second tap (EMV Contactless Book C-3): the card is
// selected again, checks the issuer's cryptogram for its last one, and carries out what
// the issuer's script says.
const (
	insExternalAuthenticate = 0x82
	insPutData              = 0xDA

	claSecured = 0x04 // proprietary secure messaging as EMV has it; this card does not check its MAC
	ttqUpdate  = 0x80 // byte 3: the reader carries scripts out
	ctqUpdate  = 0x40 // byte 2: so does the card

	swNotVerified = 0x6300
	swSecurity    = 0x6982
	swNoData      = 0x6A88
	arpcSize      = 8
)

// limits are the data objects that a script may set: Visa's lower and upper limit of
// consecutive offline payments.
func limits() []uint16 { return []uint16{0x9F58, 0x9F59} }

// issued is what a card remembers between two taps.
type issued struct {
	ac     [8]byte // its last cryptogram
	atc    uint16  // and the counter that this was made with
	asked  bool    // the issuer may be heard about it, once
	heard  bool    // the issuer was, in this tap
	values map[uint16][]byte
}

// remember keeps a cryptogram that was sent for the issuer's answer.
func (c *Card) remember(ac [8]byte, atc uint16) {
	c.last.ac, c.last.atc, c.last.asked = ac, atc, true
}

// externalAuthenticate takes the issuer's answer: a cryptogram over this card's last
// one, by method 1, and the response code. It has one try.
func (c *Card) externalAuthenticate(p1, p2 byte, data []byte) ([]byte, uint16) {
	switch {
	case p1 != 0 || p2 != 0:
		return nil, swP1P2
	case c.selected == nil || c.started || !c.last.asked || !c.p.Scripts:
		return nil, swConditions
	case len(data) != arpcSize+2:
		return nil, swLength
	case c.p.Cryptogram != UnionPayCVN01 && c.p.Cryptogram != VisaCVN10:
		return nil, swConditions // method 2 is not built
	}
	c.last.asked = false
	block := c.last.ac
	block[0] ^= data[arpcSize]
	block[1] ^= data[arpcSize+1]
	key := c.mk
	if c.p.Cryptogram == UnionPayCVN01 {
		key = sessionKey(c.mk, c.last.atc)
	}
	key.tdes().Encrypt(block[:], block[:])
	if subtle.ConstantTimeCompare(block[:], data[:arpcSize]) != 1 {
		return nil, swNotVerified
	}
	c.last.heard = true
	return nil, swOK
}

// putData sets a data object, for an issuer that was heard in this tap.
func (c *Card) putData(p1, p2 byte, data []byte) ([]byte, uint16) {
	if !c.last.heard {
		return nil, swSecurity
	}
	tag := uint16(p1)<<8 | uint16(p2)
	for _, known := range limits() {
		if tag != known {
			continue
		}
		if len(data) == 0 {
			return nil, swLength
		}
		if c.last.values == nil {
			c.last.values = map[uint16][]byte{}
		}
		c.last.values[tag] = append([]byte(nil), data...)
		return nil, swOK
	}
	return nil, swNoData
}

// Value is what a script has set a data object to, nil when none has.
func (c *Card) Value(tag uint16) []byte { return c.last.values[tag] }
