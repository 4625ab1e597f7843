// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/switch/txn"
)

// Peer translates requests that another switch sends us, and our answers, in
// every production dialect but the terminals' own (see Terminal). It is
// immutable and safe for concurrent use.
type Peer struct{ t *table }

// NewPeer compiles a dialect.
func NewPeer(dialect string) (*Peer, error) {
	t := tableOf(dialect)
	if t == nil || t.name == unionpaypos.Name {
		return nil, fmt.Errorf("translate: no requests of other switches in dialect %q", dialect)
	}
	return &Peer{t}, nil
}

// Layout is the compiled dialect.
func (p *Peer) Layout() *iso8583.Layout { return p.t.layout }

// Request reads v. Its replay key is terminal, merchant, trace number and the
// time at which the request was made, MMDDhhmmss, in the place of a batch. The
// PIN block is under the peer's zone key, ISO format 0: 1987 says so in field
// 53, the later editions by the link's profile.
func (p *Peer) Request(v *iso8583.View) (txn.Request, error) {
	var r txn.Request
	var w Work
	defer w.Wipe()
	w.grow()
	for _, n := range p.t.macs {
		if v.Has(n) {
			from, _ := v.Span(n)
			r.HasMAC, r.MACInput = true, v.Bytes()[:from]
			copy(r.MAC[:], v.Raw(n))
		}
	}
	for _, row := range p.t.rows {
		if row.form != formPrivate && v.Has(row.field) && !w.read(p.t, row, v) && row.item != itemEntry && row.item != itemCode {
			return r, txn.DeclineField.Why(fmt.Errorf("field %d is not as the dialect writes it", row.field))
		}
	}
	copy(r.Key.Terminal[:], spaced(w.get(itemTerminal), len(r.Key.Terminal)))
	copy(r.Key.Merchant[:], spaced(w.get(itemMerchant), len(r.Key.Merchant)))
	r.Key.Trace = txn.STAN(digits(w.get(itemTrace)))
	r.Key.Batch = uint32(digits(p.when(&w, itemSent, itemLocalDate)))
	if r.Key.Class = p.class(v.MTI(), w.get(itemProcedure)); r.Key.Class == 0 {
		return r, txn.DeclineUnsupported.Why(fmt.Errorf("mti %s with field 3 %q", v.MTI(), w.get(itemProcedure)))
	}
	if err := p.financial(&r, &w); err != nil {
		return r, err
	}
	if r.Key.Class == txn.Reversal {
		return r, p.original(&r, &w)
	}
	return r, nil
}

// class is what a message asks for; 0 when it is not served.
func (p *Peer) class(mti iso8583.MTI, procedure []byte) txn.Class {
	if mti&0xF000 != p.t.edition || len(procedure) != 6 || string(procedure[:2]) != "00" {
		return 0
	}
	switch mti & 0x0FDE { // repeats and advices are what they repeat
	case 0x0200:
		return txn.Purchase
	case 0x0400:
		return txn.Reversal
	}
	return 0
}

// when is the time that makes a trace number unique: the later editions repeat
// the local one in answers and repeats, 1987 the transmission's.
func (p *Peer) when(w *Work, sent, date item) []byte {
	if p.t.edition == 0 {
		return w.get(sent)
	}
	if date == itemOriginalLocal {
		if local := w.get(date); len(local) == 12 {
			return local[2:]
		}
		return nil
	}
	return append(append(make([]byte, 0, 10), w.get(date)...), w.get(itemLocalTime)...)
}

func (p *Peer) financial(r *txn.Request, w *Work) error {
	if r.Key.Trace == 0 || r.Key.Batch == 0 || w.get(itemTerminal) == nil || w.get(itemMerchant) == nil {
		return missing("time and trace number, 41 and 42 are")
	}
	if w.get(itemAmount) == nil || w.get(itemCurrency) == nil {
		return missing("amount and currency are")
	}
	if exponent(w.get(itemCurrency)) < 0 {
		return txn.DeclineField.Why(fmt.Errorf("the currency is not three digits"))
	}
	r.Amount = money.Amount{Minor: money.MinorUnits(digits(w.get(itemAmount))), Currency: money.Currency(digits(w.get(itemCurrency)))}
	copy(r.Expiry[:], w.get(14))
	copy(r.PSN[:], w.get(23))
	copy(r.Entry[:], w.get(itemEntry))
	copy(r.Cond[:], w.get(25))
	pan := w.get(itemPAN)
	var err error
	if track := w.get(itemTrack2); track != nil {
		if r.Card.Track2, err = secret.NewTrack2(track); err != nil {
			return txn.DeclineField.Why(err)
		}
		end := 0
		for end < len(track) && track[end] != '=' && track[end] != 'D' {
			end++
		}
		if pan == nil {
			pan = track[:end]
		} else if string(pan) != string(track[:end]) {
			return txn.DeclineTrack
		}
	}
	if r.Card.PAN, err = secret.NewPAN(pan); err != nil {
		return txn.DeclineField.Why(fmt.Errorf("field 2 or 35: %w", err))
	}
	if chip := w.get(itemChip); chip != nil {
		if r.Card.ICC, err = secret.NewICC(chip); err != nil {
			return txn.DeclineField.Why(err)
		}
	}
	return p.pin(r, w)
}

func (p *Peer) pin(r *txn.Request, w *Work) (err error) {
	block := w.get(itemPIN)
	if block == nil {
		return nil
	}
	if control := w.get(53); p.t.edition == 0 && (len(control) != 16 || control[0] != '2' || control[1] != '6') {
		return txn.DeclineUnsupported.Why(fmt.Errorf("field 53: only a PIN block of format 0 under a triple DES key is served"))
	}
	if r.Card.PIN, err = secret.NewPINBlock(block); err != nil {
		return txn.DeclineField.Why(err)
	}
	return nil
}

// original is the key of what a reversal undoes.
func (p *Peer) original(r *txn.Request, w *Work) error {
	r.Original = r.Key
	r.Original.Class = txn.Purchase
	r.Original.Trace = txn.STAN(digits(w.get(itemOriginalTrace)))
	r.Original.Batch = uint32(digits(p.when(w, itemOriginalSent, itemOriginalLocal)))
	if r.Original.Trace == 0 || r.Original.Batch == 0 {
		return missing("the original's trace number and time are")
	}
	return nil
}

// Answer appends the answer to the request in v. With mac, the last eight bytes
// are left for the MAC.
func (p *Peer) Answer(dst []byte, v *iso8583.View, a txn.Answer, mac bool) ([]byte, error) {
	var w Work
	defer w.Wipe()
	w.grow()
	mti := v.MTI().Response()
	w.b.Reset(p.t.layout, mti)
	for _, n := range []int{2, 3, 4, 7, 11, 12, 32, 33, 41, 42, 90} {
		w.copy(n, v)
	}
	switch p.t.edition {
	case 0:
		w.copy(13, v)
		w.copy(49, v)
	case 0x1000:
		w.copy(49, v)
	}
	w.text(15, a.SettleMD[:])
	w.text(37, a.RRN[:])
	w.text(38, a.Auth[:])
	w.text(itemCode, a.Code[:])
	w.text(itemChip, a.ICC)
	for _, r := range p.t.rows {
		switch r.item {
		case itemSettleDate, 37, 38, itemCode, itemChip:
			if r.form != formPrivate && !w.write(p.t, r, mti, a.At) && r.item != itemCode {
				return dst, fmt.Errorf("field %d cannot be written in dialect %s", r.field, p.t.name)
			}
		}
	}
	if mac {
		w.b.SetBytes(p.t.macField(w.top), noMAC)
	}
	return w.b.Append(dst)
}

// copy repeats a field of v.
func (w *Work) copy(n int, v *iso8583.View) {
	if v.Has(n) {
		w.b.Copy(n, v)
		w.top = max(w.top, n)
	}
}

// digits is a number written in digits; 0 when it is none.
func digits(text []byte) uint64 {
	u, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return u
}

// spaced is a name without what is longer than n: only spaces may be.
func spaced(name []byte, n int) []byte {
	if len(name) > n {
		name = name[:n]
	}
	return name
}
