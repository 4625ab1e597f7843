// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"errors"

	"tapswitch/hsm/oda"
	"tapswitch/iso8583/bertlv"
)

// maxPDOL bounds the data for one GPO: a short APDU with template and length.
const maxPDOL = 252

// maxRecords bounds what a file locator may ask to be read.
const maxRecords = 16

var errPDOL = errors.New("kernel: list asks for more than fits")

// gpoAPDU builds GET PROCESSING OPTIONS with the data the card asks for.
func (m *Machine) gpoAPDU(list []byte) ([]byte, Reason) {
	var data []byte
	ttq := false
	err := bertlv.WalkDOL(list, func(tag bertlv.Tag, n int) error {
		ttq = ttq || tag == bertlv.TTQ
		data = append(data, m.terminalData(tag, n)...)
		if len(data) > maxPDOL {
			return errPDOL
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, PDOLMalformed
	case !ttq:
		return nil, PDOLMissing
	}
	template := []byte{0x83, byte(len(data))}
	if len(data) > 0x7F {
		template = []byte{0x83, 0x81, byte(len(data))}
	}
	apdu := append([]byte{0x80, 0xA8, 0x00, 0x00, byte(len(template) + len(data))}, template...)
	return append(append(apdu, data...), 0x00), ""
}

// terminalData gives a value in the length the card wants: numbers keep their
// right end, everything else its left; what the terminal does not have is zeros
// (book 3, 5.4).
func (m *Machine) terminalData(tag bertlv.Tag, n int) []byte {
	value, number := m.terminalValue(tag)
	out := make([]byte, n)
	switch {
	case !number:
		copy(out, value)
	case len(value) >= n:
		copy(out, value[len(value)-n:])
	default:
		copy(out[n-len(value):], value)
	}
	return out
}

func (m *Machine) terminalValue(tag bertlv.Tag) (value []byte, number bool) {
	const transactionTime, merchantCategory = 0x9F21, 0x9F15
	t := &m.txn
	switch tag {
	case bertlv.AmountAuthorised:
		return bcd(uint64(t.Amount.Minor), 6), true
	case bertlv.AmountOther:
		return bcd(uint64(t.Other), 6), true
	case bertlv.TerminalCountry:
		return bcd(uint64(m.cfg.Country), 2), true
	case bertlv.TransactionMoney:
		return bcd(uint64(t.Amount.Currency), 2), true
	case bertlv.TransactionDate:
		y, month, d := t.When.Date()
		return bcd(uint64(y%100*10000+int(month)*100+d), 3), true
	case transactionTime:
		h, minute, s := t.When.Clock()
		return bcd(uint64(h*10000+minute*100+s), 3), true
	case bertlv.TransactionType:
		return []byte{t.Type}, true
	case bertlv.TerminalType:
		return []byte{m.cfg.Type}, true
	case bertlv.SequenceCounter:
		return bcd(uint64(t.Counter), 4), true
	case bertlv.TTQ:
		return m.chosen.ttq[:], false
	case bertlv.TVR:
		return make([]byte, 5), false // nothing is checked offline, so nothing failed
	case bertlv.Unpredictable:
		return t.Unpredictable[:], false
	case bertlv.TerminalCaps:
		return m.cfg.Capabilities[:], false
	case bertlv.InterfaceSerial:
		return m.cfg.Serial[:], false
	case bertlv.TerminalVersion:
		return []byte{byte(m.chosen.app.Version >> 8), byte(m.chosen.app.Version)}, false
	case bertlv.SMSupport:
		return []byte{m.chosen.app.SM}, false
	}
	return nil, false
}

// processed reads the answer to GPO.
func (m *Machine) processed(answer []byte, sw uint16) Step {
	switch sw {
	case swOK:
	case swOtherInterface:
		return m.end(TryAnother, OtherInterfaceWanted)
	case swConditions:
		return m.giveUp(ConditionsNotMet)
	case swSeePhone:
		return m.end(SeePhone, ConfirmOnPhone)
	default:
		return m.end(EndApplication, GPORefused)
	}
	if why := m.data.processingOptions(answer); why != "" {
		return m.end(EndApplication, why)
	}
	locator, _ := m.data.find(bertlv.AFL)
	var ok bool
	if m.records, ok = fileLocator(locator); !ok {
		return m.end(EndApplication, FileLocatorMalformed)
	}
	return m.nextRecord()
}

// recordID is one record of one file; signed when the card's certificate covers it.
type recordID struct {
	file, number byte
	signed       bool
}

// fileLocator lists the records a card wants read: groups of file, first and
// last record, and how many of them, from the first on, are signed.
func fileLocator(b []byte) (list []recordID, ok bool) {
	const maxFile = 30
	if len(b)%4 != 0 {
		return nil, false
	}
	for ; len(b) > 0; b = b[4:] {
		file, first, last := b[0]>>3, b[1], b[2]
		if b[0]&7 != 0 || file == 0 || file > maxFile || first == 0 || last < first || int(b[3]) > int(last)-int(first)+1 {
			return nil, false
		}
		for n := int(first); n <= int(last); n++ {
			if len(list) == maxRecords {
				return nil, false
			}
			list = append(list, recordID{file, byte(n), n < int(first)+int(b[3])})
		}
	}
	return list, true
}

func (m *Machine) nextRecord() Step {
	if len(m.records) == 0 {
		return m.decide()
	}
	r := m.records[0]
	m.state = atRecord
	return Step{APDU: []byte{0x00, 0xB2, r.number, r.file<<3 | 0x04, 0x00}}
}

func (m *Machine) record(answer []byte, sw uint16) Step {
	if sw != swOK {
		return m.end(EndApplication, RecordRefused)
	}
	body, ok := bertlv.Find(answer, bertlv.RecordTemplate)
	if !ok || bertlv.Check(answer) != nil {
		return m.end(EndApplication, RecordMalformed)
	}
	if why := m.data.add(body); why != "" {
		return m.end(EndApplication, why)
	}
	if r := m.records[0]; r.signed {
		m.signed = append(m.signed, oda.Record{SFI: r.file, Data: bytes.Clone(answer)})
	}
	m.records = m.records[1:]
	return m.nextRecord()
}

// cardData is what the card said, each tag once.
type cardData struct {
	tags   []bertlv.Tag
	values [][]byte
}

func (d *cardData) find(tag bertlv.Tag) ([]byte, bool) {
	for i, t := range d.tags {
		if t == tag {
			return d.values[i], true
		}
	}
	return nil, false
}

// set keeps a copy; a second value for a tag must be the same.
func (d *cardData) set(tag bertlv.Tag, value []byte) Reason {
	if old, ok := d.find(tag); ok {
		if !bytes.Equal(old, value) {
			return DataContradicts
		}
		return ""
	}
	d.tags, d.values = append(d.tags, tag), append(d.values, bytes.Clone(value))
	return ""
}

func (d *cardData) add(body []byte) Reason {
	w := bertlv.NewWalker(body)
	for w.Next() {
		if why := d.set(w.Tag, w.Value); why != "" {
			return why
		}
	}
	return ""
}

// processingOptions reads both forms of the answer: a list of objects (77), or
// interchange profile and file locator alone (80).
func (d *cardData) processingOptions(answer []byte) Reason {
	if bertlv.Check(answer) != nil {
		return GPOMalformed
	}
	if body, ok := bertlv.Find(answer, bertlv.ResponseFormat2); ok {
		return d.add(body)
	}
	body, ok := bertlv.Find(answer, bertlv.ResponseFormat1)
	if !ok || len(body) < 2 {
		return GPOMalformed
	}
	if why := d.set(bertlv.AIP, body[:2]); why != "" {
		return why
	}
	return d.set(bertlv.AFL, body[2:])
}

// forget overwrites what the card said; the outcome has its own copies.
func (m *Machine) forget() {
	m.data.wipe()
	for _, r := range m.signed {
		clear(r.Data)
	}
	m.signed, m.records = nil, nil
}

func (d *cardData) wipe() {
	for _, v := range d.values {
		clear(v)
	}
	*d = cardData{}
}
