// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"fmt"

	"tapswitch/simulators/card"
)

// Fault is a way in which the line or the field misbehaves.
type Fault string

// The faults. All but TwoCard strike once, at the next command that they fit.
const (
	NoFault Fault = ""
	NoACK   Fault = "no-ack"   // the command is obeyed and not acknowledged
	Deaf    Fault = "deaf"     // the command is neither obeyed nor acknowledged
	Corrupt Fault = "corrupt"  // the answer has a wrong checksum; the chip repeats it on NACK
	Cut     Fault = "cut"      // the answer's second half is lost; the chip repeats it on NACK
	Late    Fault = "late"     // the answer to an APDU comes after Config.LateAnswer
	Noise   Fault = "noise"    // rubbish before the acknowledge
	TwoCard Fault = "two-card" // a second card lies in the field until NoFault is set
)

const (
	statusOK      = 0x00
	statusTimeout = 0x01
	statusContext = 0x27
	more          = 0x40
	statusBadRF   = 0x0A
)

// chip is the PN532's inside: commands in, answers out.
type chip struct {
	samReady bool
	field    bool
	inField  *card.Card
	listed   bool // the card in the field was activated
	second   bool
	gathered []byte // parts of a chained command
	waiting  []byte // what is left of a chained answer
	chunk    int
}

// present puts a card in the field, nil takes it away.
func (c *chip) present(x *card.Card) {
	c.inField = x
	c.listed, c.gathered, c.waiting = false, nil, nil
	if x != nil {
		x.PowerOn()
	}
}

// obey runs one command. ok is false for a form the chip does not know.
func (c *chip) obey(command []byte) (answer []byte, ok bool) {
	code, data := command[0], command[1:]
	reply := func(data ...byte) ([]byte, bool) { return append([]byte{code + 1}, data...), true }
	switch code {
	case 0x02:
		return reply(0x32, 1, 6, 7)
	case 0x14:
		c.samReady = len(data) > 0 && data[0] == 1
		return reply()
	case 0x32:
		if len(data) < 2 {
			return nil, false
		}
		if data[0] == 1 {
			c.switchField(data[1]&1 == 1)
		}
		return reply()
	case 0x4A:
		if len(data) < 2 || data[0] < 1 || data[0] > 2 {
			return nil, false
		}
		return reply(c.list(data[0], data[1])...)
	case 0x40:
		if len(data) < 1 {
			return nil, false
		}
		return reply(c.exchange(data[0], data[1:])...)
	case 0x52:
		c.listed = false
		return reply(statusOK)
	}
	return nil, false
}

func (c *chip) switchField(on bool) {
	c.field = on
	c.listed, c.gathered, c.waiting = false, nil, nil
	if c.inField != nil {
		c.inField.PowerOn()
	}
}

// list answers InListPassiveTarget. The cards here are of type A.
func (c *chip) list(most, modulation byte) []byte {
	if !c.samReady || !c.field || modulation != 0 || c.inField == nil {
		return []byte{0}
	}
	c.inField.PowerOn()
	c.listed, c.gathered, c.waiting = true, nil, nil
	// SENS_RES, SEL_RES with the ISO 14443-4 bit, UID, ATS.
	first := []byte{1, 0x00, 0x04, 0x20, 4, 0x08, 0x5E, 0x1F, 0x01, 5, 0x78, 0x80, 0x70, 0x02}
	if c.second && most > 1 {
		second := append([]byte{}, first...)
		second[0], second[8] = 2, 0x02
		return append(append([]byte{2}, first...), second...)
	}
	return append([]byte{1}, first...)
}

// exchange answers InDataExchange: status, then what the card says.
func (c *chip) exchange(target byte, data []byte) []byte {
	switch {
	case !c.field:
		return []byte{statusBadRF}
	case !c.listed || target&^more != 1:
		return []byte{statusContext}
	case c.inField == nil:
		c.listed = false
		return []byte{statusTimeout}
	case target&more != 0:
		c.gathered = append(c.gathered, data...)
		return []byte{statusOK}
	case len(data) == 0 && len(c.waiting) > 0:
		return c.give()
	}
	apdu := append(c.gathered, data...)
	c.gathered = nil
	answer, present := c.inField.Transceive(apdu)
	if !present {
		c.inField, c.listed = nil, false
		return []byte{statusTimeout}
	}
	c.waiting = answer
	return c.give()
}

// give hands out as much of the card's answer as one frame holds.
func (c *chip) give() []byte {
	n, status := len(c.waiting), byte(statusOK)
	if n > c.chunk {
		n, status = c.chunk, more
	}
	out := append([]byte{status}, c.waiting[:n]...)
	c.waiting = c.waiting[n:]
	return out
}

// parseFault reads a fault's name.
func parseFault(s string) (Fault, error) {
	for _, f := range []Fault{NoFault, NoACK, Deaf, Corrupt, Cut, Late, Noise, TwoCard} {
		if string(f) == s || f == NoFault && s == "none" {
			return f, nil
		}
	}
	return NoFault, fmt.Errorf("reader: fault %q is not known: use none, %s, %s, %s, %s, %s, %s or %s",
		s, NoACK, Deaf, Corrupt, Cut, Late, Noise, TwoCard)
}
