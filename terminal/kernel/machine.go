// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"

	"tapswitch/hsm/oda"
	"tapswitch/iso8583/bertlv"
)

// Status words that mean something to the kernel.
const (
	swOK             = 0x9000
	swOtherInterface = 0x6984
	swConditions     = 0x6985
	swSeePhone       = 0x6986
)

type state uint8

const (
	atDirectory state = iota + 1
	atSelect
	atGPO
	atRecord
	atEnd
)

// Step is what the runner does next: send APDU to the card, or stop with Outcome.
type Step struct {
	APDU    []byte
	Outcome *Outcome // nil while there is an APDU
}

// Machine is one tap: entry point and kernel. It does no IO and reads no clock.
type Machine struct {
	cfg  Config
	txn  Transaction
	list []candidate // not tried yet
	why  Reason      // of the last candidate that was given up

	state   state
	chosen  candidate
	label   string
	data    cardData
	records []recordID   // to be read
	signed  []oda.Record // read, and covered by the card's certificate
}

// New prepares one transaction.
func New(cfg Config, txn Transaction) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := txn.validate(); err != nil {
		return nil, err
	}
	return &Machine{cfg: cfg, txn: txn}, nil
}

// Start compares the amount with the limits and asks for the card's directory.
func (m *Machine) Start() Step {
	allowed, why := preprocess(m.cfg.Applications, m.txn.Amount.Minor)
	if len(allowed) == 0 {
		return m.end(TryAnother, why)
	}
	for _, c := range allowed {
		m.list = append(m.list, candidate{combination: c})
	}
	m.state = atDirectory
	return Step{APDU: selectAPDU([]byte(ppseName))}
}

// Answer takes the card's answer to the last APDU: data and status word.
func (m *Machine) Answer(answer []byte) Step {
	step := m.answer(answer)
	if step.Outcome != nil {
		m.forget()
	}
	return step
}

func (m *Machine) answer(answer []byte) Step {
	if len(answer) < 2 {
		return m.end(TryAgain, ReaderFailed) // no card says less than a status word
	}
	n := len(answer) - 2
	data, sw := answer[:n], uint16(answer[n])<<8|uint16(answer[n+1])
	switch m.state {
	case atDirectory:
		return m.directory(data, sw)
	case atSelect:
		return m.selected(data, sw)
	case atGPO:
		return m.processed(data, sw)
	case atRecord:
		return m.record(data, sw)
	}
	return m.end(EndApplication, DataContradicts)
}

// Lost says that the card left the field.
func (m *Machine) Lost() Step {
	m.forget()
	return m.end(TryAgain, CardRemoved)
}

func (m *Machine) end(kind Kind, why Reason) Step {
	m.state = atEnd
	return Step{Outcome: &Outcome{
		Kind: kind, Reason: why, Kernel: m.chosen.app.Kernel, AID: m.chosen.name, Label: m.label,
	}}
}

func (m *Machine) directory(fci []byte, sw uint16) Step {
	if sw != swOK {
		return m.end(EndApplication, NoDirectory)
	}
	allowed := make([]combination, len(m.list))
	for i, c := range m.list {
		allowed[i] = c.combination
	}
	m.list, m.why = candidates(fci, allowed)
	return m.next()
}

// next selects the next candidate.
func (m *Machine) next() Step {
	m.forget()
	m.chosen, m.label = candidate{}, ""
	if len(m.list) == 0 {
		return m.end(EndApplication, m.why)
	}
	m.chosen, m.list = m.list[0], m.list[1:]
	m.state = atSelect
	return Step{APDU: selectAPDU(m.chosen.name)}
}

// giveUp leaves this candidate for the next.
func (m *Machine) giveUp(why Reason) Step {
	m.why = why
	return m.next()
}

func (m *Machine) selected(fci []byte, sw uint16) Step {
	if sw != swOK {
		return m.giveUp(SelectRefused)
	}
	name, ok := bertlv.Path(fci, bertlv.FCITemplate, bertlv.DFName)
	if !ok || bertlv.Check(fci) != nil || !bytes.HasPrefix(name, m.chosen.name) || len(name) > maxAID {
		return m.giveUp(FCIMalformed)
	}
	m.chosen.name = bytes.Clone(name)
	if label, ok := bertlv.Path(fci, bertlv.FCITemplate, bertlv.FCIProprietary, bertlv.AppLabel); ok {
		m.label = printable(label)
	}
	list, ok := bertlv.Path(fci, bertlv.FCITemplate, bertlv.FCIProprietary, bertlv.PDOL)
	if !ok {
		return m.giveUp(PDOLMissing) // a card of the stripe days
	}
	apdu, why := m.gpoAPDU(list)
	if why != "" {
		return m.giveUp(why)
	}
	m.state = atGPO
	return Step{APDU: apdu}
}

func selectAPDU(name []byte) []byte {
	apdu := append([]byte{0x00, 0xA4, 0x04, 0x00, byte(len(name))}, name...)
	return append(apdu, 0x00)
}

// printable keeps what a slip can show of a label.
func printable(label []byte) string {
	const longest = 16
	out := make([]byte, 0, longest)
	for _, b := range label[:min(len(label), longest)] {
		if b >= ' ' && b <= '~' {
			out = append(out, b)
		}
	}
	return string(out)
}
