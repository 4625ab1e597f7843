// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/kernel"
)

// tap reads a card for an amount.
func (p *pos) tap(amount int64) (kernel.Outcome, error) {
	w := p.w
	t, err := kernel.NewPurchase(w.random, money.Amount{Minor: money.MinorUnits(amount), Currency: money.CNY}, w.sched.Now(), 1)
	if err != nil {
		return kernel.Outcome{}, err
	}
	c := w.plastic[w.rng.IntN(len(w.plastic))]
	c.PowerOn()
	return kernel.Run(context.Background(), plastic{c}, kernel.DefaultConfig(), t)
}

// plastic is a card in the field.
type plastic struct{ card chipCard }

type chipCard interface {
	Transceive(apdu []byte) (answer []byte, present bool)
}

// Transceive implements reader.Card.
func (p plastic) Transceive(_ context.Context, apdu []byte) ([]byte, error) {
	answer, present := p.card.Transceive(apdu)
	if !present {
		return nil, errCut
	}
	return answer, nil
}

// asked is how the dialect asks for a kind of message: message type, processing
// code (field 3) and type code (field 60.1).
func asked(k oracle.Kind) (mti iso8583.MTI, procedure, kind string) {
	if mti, procedure, kind, ok := asksOfHold(k); ok {
		return mti, procedure, kind
	}
	switch k {
	case oracle.Cash:
		return 0x0200, "010000", "22"
	case oracle.Void:
		return 0x0200, procBack, "23"
	case oracle.Inquiry:
		return 0x0200, procBalance, "01"
	case oracle.Refund:
		return 0x0220, procBack, "25"
	case oracle.OfflineSale:
		return 0x0220, "000000", "30"
	}
	return 0x0200, "000000", "22"
}

// common is what a message and its reversal share, in the order of the wire.
func (p *pos) common(b *iso8583.Builder, s *sale) {
	_, procedure, kind := asked(s.kind)
	b.SetText(2, s.card.PAN.Reveal(secret.ForWire))
	b.SetString(3, procedure)
	if s.kind != oracle.Inquiry {
		b.SetUint(4, uint64(s.amount))
	}
	b.SetUint(11, uint64(s.trace))
	b.SetString(14, s.card.Expiry)
	b.SetString(22, s.entry+"2")
	if s.card.PSN != "" && s.chip {
		b.SetString(23, "0"+s.card.PSN)
	}
	condition := "00"
	if _, _, _, ok := asksOfHold(s.kind); ok {
		condition = conditionHold
	}
	b.SetString(25, condition)
	b.SetString(41, p.id)
	b.SetString(42, merchant)
	b.SetString(49, "156")
	b.SetString(60, fmt.Sprintf("%s%06d00060", kind, s.batch))
}

// request builds the message of a sale; most cards' holders know their PIN.
func (p *pos) request(s *sale, pin bool) ([]byte, error) {
	if s.kind == oracle.ScriptResult {
		return p.telling(s)
	}
	var b iso8583.Builder
	mti, _, _ := asked(s.kind)
	b.Reset(p.layout, mti)
	p.common(&b, s)
	b.SetString(53, "0600000000000000")
	if pin {
		block, err := p.typed(s)
		if err != nil {
			return nil, err
		}
		b.SetString(22, s.entry+"1")
		b.SetString(26, "12")
		b.SetBytes(52, block.AppendTo(nil, secret.ForWire))
		b.SetString(53, "2600000000000000")
	}
	switch {
	case s.kind == oracle.OfflineSale:
		b.SetString(38, s.auth)
	case s.kind == oracle.Refund:
		b.SetString(37, s.of.rrn)
		b.SetString(61, fmt.Sprintf("%06d%06d0000", s.of.batch, s.of.trace))
	case s.kind != oracle.Void && s.of != nil:
		s.names(&b)
	case s.of != nil:
		b.SetString(37, s.of.rrn)
		b.SetString(38, s.of.auth)
		b.SetString(61, fmt.Sprintf("%06d%06d", s.of.batch, s.of.trace))
	default:
		b.SetText(35, s.card.Track2.AppendTo(nil, secret.ForWire))
	}
	if s.chip {
		b.SetBytes(55, s.card.ICC.AppendTo(nil, secret.ForWire))
	}
	return p.sealed(&b)
}

// typed is what the customer types, under the terminal's PIN key.
func (p *pos) typed(s *sale) (secret.PINBlock, error) {
	typed := testPIN
	if p.w.rng.IntN(8) == 0 {
		typed = "9999"
	}
	digits, err := secret.NewKey([]byte(typed))
	if err != nil {
		return secret.PINBlock{}, err
	}
	return p.module.EncipherPIN(context.Background(), digits, hsm.PINTarget{Format: hsm.ISO0, Key: p.tpk, PAN: s.card.PAN})
}

// reversal builds the reversal of a sale.
func (p *pos) reversal(s *sale) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(p.layout, 0x0400)
	p.common(&b, s)
	b.SetString(39, s.why)
	if s.auth != "" {
		b.SetString(38, s.auth)
	}
	return p.sealed(&b)
}

// sealed puts the MAC over the last eight bytes.
func (p *pos) sealed(b *iso8583.Builder) ([]byte, error) {
	b.SetBytes(64, make([]byte, 8))
	raw, err := b.Append(nil)
	if err != nil {
		return nil, err
	}
	covered := raw[:len(raw)-8]
	mac, err := p.module.MAC(context.Background(), p.tak, hsm.MACUnionPayECB, covered)
	copy(raw[len(covered):], mac)
	return raw, err
}
