// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strings"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/switch/txn"
)

// The message types on an acquirer link.
const (
	mtiPurchase       iso8583.MTI = 0x0200
	mtiReversal       iso8583.MTI = 0x0400
	mtiReversalRepeat iso8583.MTI = 0x0401
	mtiNetwork        iso8583.MTI = 0x0800
)

// The network management codes, field 70 (ISO 8583:1987).
const (
	NetworkSignOn  = 1
	NetworkSignOff = 2
	NetworkEcho    = 301
)

// Acquirer translates one acquirer link.
type Acquirer struct {
	layout       *iso8583.Layout
	institution  string // field 32
	merchantType string // field 18
}

// NewAcquirer compiles the dialect for a link.
func NewAcquirer(institution, merchantType string) *Acquirer {
	return &Acquirer{iso87ascii.New(), institution, merchantType}
}

// Layout is the compiled dialect.
func (a *Acquirer) Layout() *iso8583.Layout { return a.layout }

// common sets the fields that a request and its reversal share.
func (a *Acquirer) common(b *iso8583.Builder, p *txn.Payment, pan secret.PAN, n txn.Numbers) {
	b.SetText(2, pan.Reveal(secret.ForWire))
	b.SetString(3, "000000")
	b.SetUint(4, uint64(p.Amount.Minor))
	b.SetString(7, n.At.Format("0102150405"))
	b.SetUint(11, uint64(n.STAN))
	b.SetString(12, n.At.Format("150405"))
	b.SetString(13, n.At.Format("0102"))
	if p.Expiry != ([4]byte{}) {
		b.SetText(14, p.Expiry[:])
	}
	if p.Entry != ([3]byte{}) {
		b.SetText(22, p.Entry[:])
	}
	b.SetString(32, a.institution)
	b.SetText(37, n.RRN[:])
	b.SetText(41, p.Key.Terminal[:])
	b.SetText(42, p.Key.Merchant[:])
	b.SetUint(49, uint64(p.Amount.Currency))
}

// Purchase appends the 0200 of p; its MAC is the last eight bytes.
func (a *Acquirer) Purchase(dst []byte, p *txn.Payment, card *txn.CardData, pin secret.PINBlock) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(a.layout, mtiPurchase)
	a.common(&b, p, card.PAN, p.Numbers)
	b.SetString(18, a.merchantType)
	if p.PSN != ([3]byte{}) {
		b.SetText(23, p.PSN[:])
	}
	b.SetText(25, p.Cond[:])
	var track, block, icc []byte
	if !card.Track2.IsZero() {
		track = card.Track2.AppendTo(make([]byte, 0, 40), secret.ForWire)
		b.SetText(35, track)
	}
	if !pin.IsZero() {
		block = pin.AppendTo(make([]byte, 0, 16), secret.ForWire)
		b.SetString(26, "12")
		b.SetBytes(52, block)
		b.SetString(53, "2600000000000000")
	}
	if !card.ICC.IsZero() {
		icc = card.ICC.AppendTo(make([]byte, 0, 512), secret.ForWire)
		b.SetBytes(55, icc)
	}
	b.SetBytes(64, noMAC)
	out, err := b.Append(dst)
	b.Reset(a.layout, mtiPurchase) // wipes what it copied
	clear(track)
	clear(block)
	clear(icc)
	return out, err
}

// Reversal appends the 0400 of p, or its repeat 0401, with the reversal's own
// numbers and the original's in field 90; its MAC is the last eight bytes.
func (a *Acquirer) Reversal(dst []byte, p *txn.Payment, pan secret.PAN, repeat bool) ([]byte, error) {
	mti := mtiReversal
	if repeat {
		mti = mtiReversalRepeat
	}
	var b iso8583.Builder
	b.Reset(a.layout, mti)
	a.common(&b, p, pan, p.Undo)
	b.SetText(37, p.Numbers.RRN[:])
	b.SetString(90, fmt.Sprintf("%s%06d%s%011s%011d", mtiPurchase, p.Numbers.STAN, p.Numbers.At.Format("0102150405"), zeroFilled(a.institution), 0))
	b.SetBytes(128, noMAC)
	out, err := b.Append(dst)
	b.Reset(a.layout, mti)
	return out, err
}

func zeroFilled(institution string) string {
	return strings.Repeat("0", max(0, 11-len(institution))) + institution
}

// Network appends an 0800 with a network management code.
func (a *Acquirer) Network(dst []byte, code uint64, n txn.Numbers) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(a.layout, mtiNetwork)
	b.SetString(7, n.At.Format("0102150405"))
	b.SetUint(11, uint64(n.STAN))
	b.SetUint(70, code)
	return b.Append(dst)
}

// NetworkAnswer appends the 0810 that says yes to the host's 0800 in v.
func (a *Acquirer) NetworkAnswer(dst []byte, v *iso8583.View) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(a.layout, v.MTI().Response())
	for _, n := range []int{7, 11, 70} {
		b.Copy(n, v)
	}
	b.SetString(39, "00")
	return b.Append(dst)
}

// Kind is what a message on the link is to us.
type Kind uint8

// The kinds.
const (
	FinancialReply Kind = iota + 1 // 0210, 0410
	NetworkReply                   // 0810
	NetworkRequest                 // 0800 of the host
	OtherMessage
)

// KeySize is MTI class, field 7 and field 11.
const KeySize = 2 + 10 + 6

// InFlightKey names a request and its reply alike: the class of the message
// type, field 7 and field 11. Field 32 is the same for all messages of a link.
func InFlightKey(v *iso8583.View) (key [KeySize]byte, kind Kind) {
	mti := v.MTI()
	switch mti {
	case 0x0210, 0x0410, 0x0411:
		kind = FinancialReply
	case 0x0810:
		kind = NetworkReply
	case mtiNetwork, 0x0820:
		kind = NetworkRequest
	default:
		kind = OtherMessage
	}
	text := mti.String()
	copy(key[:], text[:2])
	copy(key[2:], v.Raw(7))
	copy(key[12:], v.Raw(11))
	return key, kind
}

// Reply is an acquirer's answer.
type Reply struct {
	Answer   txn.Answer
	HasMAC   bool
	MAC      [8]byte
	MACInput []byte // aliases the message
}

// otherYes names the codes by which a host takes money in another way than it
// was asked: in part, with a condition, or to be corrected later (ISO 8583:1987
// DE 39; A2 to A6 are UnionPay's). Taken for a no they would leave a debit that
// nobody reverses, so they are no usable answer, and the payment is undone.
func otherYes(code string) bool {
	switch code {
	case "08", "10", "11", "16", "32", "85", "87", "A2", "A4", "A5", "A6":
		return true
	}
	return false
}

// Reply reads the answer to a request that carried n for p, and refuses one
// that does not repeat what was asked.
func (a *Acquirer) Reply(v *iso8583.View, p *txn.Payment, n txn.Numbers) (Reply, error) {
	var r Reply
	if len(v.Raw(39)) != 2 {
		return r, fmt.Errorf("field 39 is missing")
	}
	for _, c := range []struct {
		field int
		want  string
	}{
		{3, "000000"}, {4, fmt.Sprintf("%012d", p.Amount.Minor)}, {7, n.At.Format("0102150405")}, {11, fmt.Sprintf("%06d", n.STAN)},
		{41, p.Key.Terminal.String()}, {42, p.Key.Merchant.String()}, {49, fmt.Sprintf("%03d", p.Amount.Currency)},
	} {
		if string(v.Raw(c.field)) != c.want {
			return r, fmt.Errorf("field %d does not repeat the request", c.field)
		}
	}
	if otherYes(string(v.Raw(39))) {
		return r, fmt.Errorf("field 39 is %s, a yes other than 00, which is not built", v.Raw(39))
	}
	copy(r.Answer.Code[:], v.Raw(39))
	copy(r.Answer.Auth[:], v.Raw(38))
	r.Answer.RRN = p.Numbers.RRN
	copy(r.Answer.SettleMD[:], v.Raw(15))
	r.Answer.ICC = append([]byte(nil), v.Raw(55)...)
	if !r.Answer.Approved() {
		r.Answer.Reason = txn.DeclineAcquirer.Reason
	}
	for _, n := range []int{64, 128} {
		if v.Has(n) {
			from, _ := v.Span(n)
			r.HasMAC, r.MACInput = true, v.Bytes()[:from]
			copy(r.MAC[:], v.Raw(n))
		}
	}
	return r, nil
}
