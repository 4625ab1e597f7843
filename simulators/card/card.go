// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
)

// Status words.
const (
	swOK           = 0x9000
	swLength       = 0x6700
	swConditions   = 0x6985
	swSeePhone     = 0x6986
	swNotFound     = 0x6A82
	swNoRecord     = 0x6A83
	swP1P2         = 0x6A86
	swINS          = 0x6D00
	swCLA          = 0x6E00
	swWrongLe      = 0x6C00
	insSelect      = 0xA4
	insGPO         = 0xA8
	insReadRecord  = 0xB2
	ppse           = "2PAY.SYS.DDF01"
	recordSFI      = 1
	recordNumber   = 1
	shortestAID    = 5
	ttqCVM         = 0x40 // byte 2: CVM required
	ttqEMV         = 0x20 // byte 1: contactless EMV mode
	ctqPIN         = 0x80 // byte 1
	ctqSignature   = 0x40 // byte 1
	ctqDeviceCVM   = 0x80 // byte 2
	cidOffset      = 4    // of the CVR byte that tells the cryptogram's type in the IAD
	expiryFirstDay = "31" // 5F24 wants a day: the last of the month
)

// Card is one card in a field. It is not safe for concurrent use, as no card is.
type Card struct {
	p        Profile
	counters *Counters
	mk       key16
	pdol     []byte
	own      *rsa.PrivateKey // nil without offline data authentication

	selected []byte // AID
	started  bool   // GPO was answered
	apdus    int
	refused  int    // taps a phone has refused already
	related  []byte // 9F69 of this transaction; nil when it was not signed
	last     issued // what the issuer may still say something about
}

// New makes a card; its transaction counter is counters' entry for its plastic.
func New(p Profile, counters *Counters) (*Card, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	imk, err := parseKey(p.IMK)
	if err != nil {
		return nil, err
	}
	mk, err := masterKey(imk, p.PAN, p.PSN)
	if err != nil {
		return nil, err
	}
	if p.PDOL == "" {
		p.PDOL = usualPDOL
	}
	pdol, err := hex.DecodeString(p.PDOL)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: pdol must be hex", ErrProfile, p.Name)
	}
	c := &Card{p: p, counters: counters, mk: mk, pdol: pdol}
	if !p.Offline.none() {
		if c.own, err = p.Offline.check(); err != nil {
			return nil, fmt.Errorf("%q: offline: %w", p.Name, err)
		}
	}
	return c, nil
}

// Name is the name of its profile.
func (c *Card) Name() string { return c.p.Name }

// PowerOn is what entering the field does: everything selected is forgotten.
func (c *Card) PowerOn() {
	c.selected, c.started, c.related, c.apdus, c.last.heard = nil, false, nil, 0, false
}

// Transceive answers one command. present is false when the card has left the
// field instead.
func (c *Card) Transceive(apdu []byte) (answer []byte, present bool) {
	if n := c.p.Faults.RemovedAfter; n > 0 && c.apdus >= n {
		return nil, false
	}
	c.apdus++
	if len(apdu) < 4 {
		return sw(nil, swLength), true
	}
	if f := c.p.Faults.WrongSW; f.SW != 0 && apdu[1] == f.INS {
		return sw(nil, f.SW), true
	}
	body, le, ok := dissect(apdu)
	if !ok {
		return sw(nil, swLength), true
	}
	data, word := c.command(apdu, body)
	if word == swOK && le > 0 && le < len(data) {
		return sw(nil, swWrongLe|uint16(byte(len(data)))), true
	}
	return sw(data, word), true
}

// dissect cuts a short command into data and Le (0 for "all there is").
func dissect(apdu []byte) (data []byte, le int, ok bool) {
	rest := apdu[4:]
	switch {
	case len(rest) == 0:
		return nil, 0, true
	case len(rest) == 1:
		return nil, int(rest[0]), true
	}
	n := int(rest[0])
	switch len(rest) {
	case 1 + n:
		return rest[1:], 0, true
	case 2 + n:
		return rest[1 : 1+n], int(rest[1+n]), true
	}
	return nil, 0, false
}

func sw(data []byte, word uint16) []byte { return append(data, byte(word>>8), byte(word)) }

func (c *Card) command(apdu, data []byte) ([]byte, uint16) {
	cla, ins := apdu[0], apdu[1]
	switch {
	case c.p.Scripts && cla == claSecured && ins == insPutData:
		return c.putData(apdu[2], apdu[3], data)
	case cla != 0x00 && cla != 0x80:
		return nil, swCLA
	case c.p.Scripts && cla == 0x00 && ins == insExternalAuthenticate:
		return c.externalAuthenticate(apdu[2], apdu[3], data)
	case cla == 0x00 && ins == insSelect:
		return c.doSelect(apdu[2], apdu[3], data)
	case cla == 0x80 && ins == insGPO:
		return c.processingOptions(apdu[2], apdu[3], data)
	case cla == 0x00 && ins == insReadRecord:
		return c.readRecord(apdu[2], apdu[3])
	}
	return nil, swINS
}

func (c *Card) doSelect(p1, p2 byte, name []byte) ([]byte, uint16) {
	if p1 != 0x04 || p2 != 0x00 {
		return nil, swP1P2
	}
	c.selected, c.started, c.related = nil, false, nil
	if string(name) == ppse {
		return c.directory(), swOK
	}
	for _, a := range c.p.Applications {
		aid, _ := hex.DecodeString(a.AID) // Check has read it
		if len(name) >= shortestAID && bytes.HasPrefix(aid, name) {
			c.selected = aid
			return c.fci(a, aid), swOK
		}
	}
	return nil, swNotFound
}

func (c *Card) directory() []byte {
	var entries []byte
	for _, a := range c.p.Applications {
		aid, _ := hex.DecodeString(a.AID)
		entry := tlv(nil, 0x4F, aid)
		entry = tlv(entry, 0x50, []byte(a.Label))
		entry = tlv(entry, 0x87, []byte{a.Priority})
		if a.Kernel != "" {
			kernel, _ := hex.DecodeString(a.Kernel)
			entry = tlv(entry, 0x9F2A, kernel)
		}
		entries = tlv(entries, 0x61, entry)
	}
	body := tlv(nil, 0x84, []byte(ppse))
	body = tlv(body, 0xA5, tlv(nil, 0xBF0C, entries))
	return tlv(nil, 0x6F, body)
}

func (c *Card) fci(a Application, aid []byte) []byte {
	inner := tlv(nil, 0x50, []byte(a.Label))
	inner = tlv(inner, 0x87, []byte{a.Priority})
	inner = tlv(inner, 0x9F38, c.pdol)
	inner = tlv(inner, 0x5F2D, []byte("zhen"))
	body := tlv(nil, 0x84, aid)
	body = tlv(body, 0xA5, inner)
	return tlv(nil, 0x6F, body)
}

func (c *Card) readRecord(number, p2 byte) ([]byte, uint16) {
	switch {
	case p2&0x07 != 0x04:
		return nil, swP1P2
	case !c.started:
		return nil, swConditions
	case c.related != nil && p2>>3 == offlineSFI:
		if record := c.offlineRecord(number); record != nil {
			return tlv(nil, 0x70, record), swOK
		}
		return nil, swNoRecord
	case c.p.RecordBytes == 0, p2>>3 != recordSFI, number != recordNumber:
		return nil, swNoRecord
	}
	expiry, _ := hex.DecodeString(c.p.Expiry + expiryFirstDay)
	record := tlv(nil, 0x5F24, expiry)
	record = tlv(record, 0x5A, packed(c.p.PAN))
	record = tlv(record, 0xDF30, bytes.Repeat([]byte{0xC5}, c.p.RecordBytes))
	return tlv(nil, 0x70, record), swOK
}

// packed writes digits two a byte, F at an odd end.
func packed(digits string) []byte {
	if len(digits)%2 == 1 {
		digits += "F"
	}
	b, _ := hex.DecodeString(digits)
	return b
}
