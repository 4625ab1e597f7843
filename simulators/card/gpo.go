// SPDX-License-Identifier: Apache-2.0

package card

import (
	"encoding/hex"
	"strconv"
)

// acTags is what every cryptogram here covers of the terminal's data, in order.
var acTags = [...]uint32{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37}

// processingOptions is the one command that does it all: it checks what the
// terminal says, counts the transaction and answers with the cryptogram.
func (c *Card) processingOptions(p1, p2 byte, data []byte) ([]byte, uint16) {
	switch {
	case p1 != 0 || p2 != 0:
		return nil, swP1P2
	case c.selected == nil || c.started:
		return nil, swConditions
	case len(data) < 2 || data[0] != 0x83 || int(data[1]) != len(data)-2:
		return nil, swLength
	}
	asked, ok := dolValues(c.pdol, data[2:])
	if !ok {
		return nil, swLength
	}
	ttq := asked[0x9F66]
	if len(ttq) != 4 || ttq[0]&ttqEMV == 0 {
		return nil, swConditions
	}
	if c.p.CVM.Kind == CVMDevice && c.refused < c.p.CVM.UnconfirmedTaps {
		c.refused++ // the holder has not unlocked the phone yet
		return nil, swSeePhone
	}
	atc, err := c.counters.Next(c.p.Plastic)
	if err != nil {
		return nil, swConditions
	}
	c.started, c.refused = true, 0 // a phone locks itself again after the payment
	body, err := c.answer(asked, ttq, atc)
	if err != nil {
		return nil, swConditions
	}
	return body, swOK
}

func (c *Card) answer(asked map[uint32][]byte, ttq []byte, atc uint16) ([]byte, error) {
	iad := c.iad()
	aip := c.p.aip()
	qualifiers := c.qualifiers(asked[0x9F02], ttq)
	counter := []byte{byte(atc >> 8), byte(atc)}
	ac := c.cryptogram(asked, aip, atc, iad)
	if c.p.Faults.Forged {
		ac[0] ^= 0xFF
	}
	c.remember(ac, atc)
	body := tlv(nil, 0x82, aip)
	if c.p.RecordBytes > 0 {
		body = tlv(body, 0x94, []byte{recordSFI << 3, recordNumber, recordNumber, 0})
	}
	if c.asked(ttq) {
		body = tlv(body, 0x94, []byte{offlineSFI << 3, 1, offlineRecords, offlineSigned})
	}
	body = tlv(body, 0x9F36, counter)
	body = tlv(body, 0x57, c.track2())
	body = tlv(body, 0x9F10, iad)
	body = tlv(body, 0x9F26, ac[:])
	if c.p.Cryptogram != UnionPayCVN01 { // UnionPay cards tell the type in the IAD alone
		body = tlv(body, 0x9F27, []byte{(iad[cidOffset] & 0x30) << 2})
	}
	if c.p.PSN != "" {
		psn, _ := hex.DecodeString(c.p.PSN)
		body = tlv(body, 0x5F34, psn)
	}
	body = tlv(body, 0x9F6C, qualifiers)
	if c.asked(ttq) {
		sdad, err := c.signature(asked, atc, [2]byte(qualifiers))
		if err != nil {
			return nil, err
		}
		if !c.p.Offline.leaves(0x9F4B) {
			body = tlv(body, 0x9F4B, sdad)
		}
	}
	return tlv(nil, 0x77, body), nil
}

func (p *Profile) aip() []byte {
	if p.Cryptogram == UnionPayCVN01 {
		return []byte{0x7C, 0x00}
	}
	return []byte{0x20, 0x00}
}

// iad is length, derivation key index, cryptogram version and the four bytes of
// card verification results; UnionPay adds the algorithm, 01 for triple DES.
func (c *Card) iad() []byte {
	kind := byte(0x20) // ARQC
	switch c.p.Decision {
	case "aac":
		kind = 0x00
	case "tc": // also where the reader asked for online
		kind = 0x10
	}
	cvr := []byte{0x03, 0x80 | kind, 0x00, 0x00}
	switch c.p.Cryptogram {
	case UnionPayCVN01:
		return append(append([]byte{7, 1, 0x01}, cvr...), 0x01)
	case VisaCVN10:
		return append([]byte{6, 1, 0x0A}, cvr...)
	case VisaCVN17:
		return append([]byte{6, 1, 0x11}, cvr...)
	case VisaCVN22:
		return append([]byte{6, 1, 0x16}, cvr...)
	}
	return append([]byte{6, 1, 0x12}, cvr...)
}

// cryptogram covers the terminal's data, the interchange profile, the counter
// and, by scheme, four bytes of results or the whole issuer data.
func (c *Card) cryptogram(asked map[uint32][]byte, aip []byte, atc uint16, iad []byte) [8]byte {
	if c.p.Cryptogram == VisaCVN17 {
		data := append(append([]byte{}, asked[0x9F02]...), asked[0x9F37]...)
		return retailMAC(c.mk, pad(append(data, byte(atc>>8), byte(atc), iad[4]), 1))
	}
	var data []byte
	for _, tag := range acTags {
		data = append(data, asked[tag]...)
	}
	data = append(data, aip...)
	data = append(data, byte(atc>>8), byte(atc))
	cvr := iad[3:7]
	switch c.p.Cryptogram {
	case UnionPayCVN01:
		return retailMAC(sessionKey(c.mk, atc), pad(append(data, cvr...), 2))
	case VisaCVN10:
		return retailMAC(c.mk, pad(append(data, cvr...), 1))
	}
	return retailMAC(sessionKey(c.mk, atc), pad(append(data, iad...), 2))
}

// track2 ends with the PIN verification key's index and value, as magnetic
// stripes do.
func (c *Card) track2() []byte {
	const filler = "00000"
	return packed(c.p.PAN + "D" + c.p.Expiry + c.p.ServiceCode + c.p.PVKI + c.p.PVV + filler)
}

// qualifiers says how the holder is to be verified for this amount, and what
// becomes of the payment when offline data authentication fails.
func (c *Card) qualifiers(amount, ttq []byte) []byte {
	ctq := []byte{0, 0}
	if c.p.Scripts && ttq[2]&ttqUpdate != 0 {
		ctq[1] |= ctqUpdate
	}
	if c.p.Offline.OnlineIfFailed {
		ctq[0] |= ctqOnline
	}
	if c.p.Offline.InterfaceIfFailed {
		ctq[0] |= ctqInterface
	}
	minor, err := strconv.ParseInt(hex.EncodeToString(amount), 10, 64)
	if err != nil {
		minor = c.p.CVM.FromMinor // no number: the card asks to be on the safe side
	}
	if c.p.CVM.Kind == CVMDevice { // done already, whether asked for or not
		ctq[1] |= ctqDeviceCVM
		return ctq
	}
	if ttq[1]&ttqCVM == 0 && minor < c.p.CVM.FromMinor {
		return ctq
	}
	switch c.p.CVM.Kind {
	case CVMOnlinePIN:
		ctq[0] |= ctqPIN
	case CVMSignature:
		ctq[0] |= ctqSignature
	}
	return ctq
}
