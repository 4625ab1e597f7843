// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strings"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/unionpayinterchange"
	"tapswitch/iso8583/frame"
	"tapswitch/switch/txn"
)

// The network management codes, as field 70 of the 1987 edition has them.
const (
	NetworkSignOn  = 1
	NetworkSignOff = 2
	NetworkEcho    = 301
)

// AcquirerProfile is what a link's configuration says of its dialect.
type AcquirerProfile struct {
	Dialect      string // one of AcquirerDialects
	Institution  string // ours, field 32
	MerchantType string // field 18, when the terminal has none
	Destination  string // the other side's institution; in the header of UnionPay interchange
	Part         Part   // how this acquirer is told that a part may be approved
}

// Acquirer translates one acquirer link. It is immutable and safe for
// concurrent use.
type Acquirer struct {
	t       *table
	profile AcquirerProfile
}

// NewAcquirer compiles ISO 8583:1987 in ASCII for a link.
func NewAcquirer(institution, merchantType string) *Acquirer {
	return &Acquirer{tableOf(iso87ascii.Name), AcquirerProfile{Dialect: iso87ascii.Name, Institution: institution, MerchantType: merchantType}}
}

// NewAcquirerOf compiles the profile's dialect for a link.
func NewAcquirerOf(p AcquirerProfile) (*Acquirer, error) {
	for _, name := range AcquirerDialects() {
		if name == p.Dialect {
			a := &Acquirer{tableOf(name), p}
			return a, a.checkPart()
		}
	}
	return nil, fmt.Errorf("translate: links do not speak %q; they speak %s", p.Dialect, strings.Join(AcquirerDialects(), ", "))
}

// Layout is the compiled dialect.
func (a *Acquirer) Layout() *iso8583.Layout { return a.t.layout }

// Format is how messages travel on the link.
func (a *Acquirer) Format() frame.Format {
	if a.t.name == unionpayinterchange.Name {
		return unionpayinterchange.Format()
	}
	return frame.ISO87()
}

// Header appends what stands before a message of body bytes; nothing where the
// format has no header.
func (a *Acquirer) Header(dst []byte, body int) []byte {
	if a.t.name != unionpayinterchange.Name {
		return dst
	}
	return unionpayinterchange.NewHeader(a.profile.Destination, a.profile.Institution).Append(dst, body)
}

// MAC is the algorithm of the dialect's message authentication code: its result
// are the eight bytes at the end of a message.
func (a *Acquirer) MAC() hsm.MACAlgorithm {
	if a.t.name == unionpayinterchange.Name {
		return hsm.MACUnionPayECB // eight hexadecimal characters
	}
	return hsm.MACRetail
}

// sentForm and the others are how times are written.
const (
	sentForm  = "0102150405"
	clockForm = "150405"
	dateForm  = "0102"
	localForm = "060102150405"
)

// number keeps a number as an item of width digits.
func (w *Work) number(i item, u uint64, width int) {
	from := w.mark()
	w.arena = appendZeros(w.arena, width)
	for at := len(w.arena) - 1; at >= from; at-- {
		w.arena[at] = byte('0' + u%10)
		u /= 10
	}
	w.put(i, from)
}

// time keeps a time as an item in a form.
func (w *Work) time(i item, at time.Time, form string) {
	from := w.mark()
	w.arena = at.AppendFormat(w.arena, form)
	w.put(i, from)
}

// text keeps bytes as an item, when there are any.
func (w *Work) text(i item, text []byte) {
	if len(text) == 0 || text[0] == 0 {
		return
	}
	from := w.mark()
	w.arena = append(w.arena, text...)
	w.put(i, from)
}

// common sets what a request and its reversal share.
func (a *Acquirer) common(w *Work, p *txn.Payment, n txn.Numbers) {
	w.set(itemProcedure, procedure(p))
	w.number(itemAmount, uint64(p.Amount.Minor), 12)
	w.number(itemCurrency, uint64(p.Amount.Currency), 3)
	if p.Key.Class == txn.Cashback {
		w.set(itemAmounts, cashText(p.Cash, p.Amount.Currency))
	}
	w.number(itemTrace, uint64(n.STAN), 6)
	w.time(itemSent, n.At, sentForm)
	w.time(itemLocalTime, n.At, clockForm)
	w.time(itemLocalDate, n.At, dateForm)
	w.text(14, p.Expiry[:])
	w.text(itemEntry, p.Entry[:])
	w.set(itemAcquirer, a.profile.Institution)
	if a.t.family == familyInterchange {
		w.set(33, a.profile.Institution)
	}
	w.text(37, p.Numbers.RRN[:])
	w.text(itemTerminal, p.Key.Terminal[:])
	w.text(itemMerchant, p.Key.Merchant[:])
}

// Request appends the request of p; its MAC is the last eight bytes.
func (a *Acquirer) Request(dst []byte, p *txn.Payment, card *txn.CardData, pin secret.PINBlock) ([]byte, error) {
	if p.Original != (txn.Key{}) || p.Key.Class.Follows() {
		return dst, fmt.Errorf("a %s without the original it names", p.Key.Class)
	}
	return a.request(dst, p, card, pin, nil)
}

// Void appends the request of p, which names o as what it gives back, or completes,
// by field 90 and the authorization code; its MAC is the last eight bytes.
func (a *Acquirer) Void(dst []byte, p *txn.Payment, card *txn.CardData, pin secret.PINBlock, o *txn.Payment) ([]byte, error) {
	if p.Original != o.Key {
		return dst, fmt.Errorf("the original is not the one that the %s names", p.Key.Class)
	}
	return a.request(dst, p, card, pin, o)
}

func (a *Acquirer) request(dst []byte, p *txn.Payment, card *txn.CardData, pin secret.PINBlock, o *txn.Payment) ([]byte, error) {
	if !a.Serves(p.Key.Class) {
		return dst, fmt.Errorf("dialect %s does not carry %s", a.t.name, p.Key.Class)
	}
	as, _ := asks(p.Key.Class)
	var w Work
	defer w.Wipe()
	w.grow()
	a.common(&w, p, p.Numbers)
	w.text(itemPAN, card.PAN.Reveal(secret.ForWire))
	a.merchantType(&w, p)
	w.text(23, p.PSN[:])
	w.text(25, p.Cond[:])
	if !card.Track2.IsZero() {
		from := w.mark()
		w.arena = card.Track2.AppendTo(w.arena, secret.ForWire)
		w.put(itemTrack2, from)
	}
	if !pin.IsZero() {
		from := w.mark()
		w.arena = pin.AppendTo(w.arena, secret.ForWire)
		w.put(itemPIN, from)
		w.set(26, "12")
		w.set(53, "2600000000000000")
	}
	if !card.ICC.IsZero() {
		from := w.mark()
		w.arena = card.ICC.AppendTo(w.arena, secret.ForWire)
		w.put(itemChip, from)
	}
	if o != nil {
		a.names(&w, o)
		w.text(38, o.Answer.Auth[:])
	}
	if a.takesPart(p) {
		w.part = a.profile.Part
	}
	return a.append(dst, &w, as.mti|a.t.edition, p.Numbers.At, true)
}

// merchantType sets field 18: the merchant's type, or the link's when it has none.
func (a *Acquirer) merchantType(w *Work, p *txn.Payment) {
	if p.MerchantType == ([4]byte{}) {
		w.set(itemMCC, a.profile.MerchantType)
		return
	}
	w.text(itemMCC, p.MerchantType[:])
}

// room is what the items of a message take: the longest chip data, and twice
// the rest. Growing would leave card data behind in memory.
const room = 2048

func (w *Work) grow() { w.arena = make([]byte, 0, room) }

// append builds a message from the work's items.
func (a *Acquirer) append(dst []byte, w *Work, mti iso8583.MTI, now time.Time, mac bool) ([]byte, error) {
	w.b.Reset(a.t.layout, mti)
	for _, r := range a.t.rows {
		if r.form != formPrivate && !w.write(a.t, r, mti, now) && r.item != itemEntry {
			return dst, fmt.Errorf("field %d cannot be written in dialect %s", r.field, a.t.name)
		}
	}
	if w.part.Field != 0 {
		w.field(w.part.Field, []byte(w.part.Content))
	}
	if mac {
		w.b.SetBytes(a.t.macField(w.top), noMAC)
	}
	return w.b.Append(dst)
}

// Reversal appends the reversal of p, or its repeat, with the reversal's own
// numbers and the original's beside them, and the settlement date that the original
// was answered with, so that both are settled on one day; its MAC is the last eight
// bytes.
func (a *Acquirer) Reversal(dst []byte, p *txn.Payment, pan secret.PAN, repeat bool) ([]byte, error) {
	mti := a.t.reversal
	if repeat {
		mti |= 1
	}
	var w Work
	defer w.Wipe()
	w.grow()
	a.common(&w, p, p.Undo)
	w.text(itemPAN, pan.Reveal(secret.ForWire))
	if date := p.Answer.SettleMD[:]; allDigits(date) { // what else came there must not keep a reversal from leaving
		w.text(itemSettleDate, date)
	}
	a.names(&w, p)
	return a.append(dst, &w, mti, p.Undo.At, true)
}

// Advice appends the advice of p, or its repeat (1987: 0220 and 0221; of a script's
// result 0620 and 0621), with the
// authorization that was given for it and, when it is about an earlier payment o,
// that one's numbers; its MAC is the last eight bytes. The payment that an advice
// of stand-in is about was never sent: the advice has its numbers and names nothing.
func (a *Acquirer) Advice(dst []byte, p *txn.Payment, pan secret.PAN, o *txn.Payment, repeat bool) ([]byte, error) {
	as, _ := asks(p.Key.Class)
	if !a.Serves(p.Key.Class) || p.Key.Class.Ending() != txn.EndAdvise {
		return dst, fmt.Errorf("dialect %s does not carry %s as an advice", a.t.name, p.Key.Class)
	}
	if named := p.Original != (txn.Key{}) && p.Key.Class != txn.StandIn; (o != nil) != named || o != nil && p.Original != o.Key {
		return dst, fmt.Errorf("the original is not the one that the %s names", p.Key.Class)
	}
	mti := as.mti | a.t.edition
	if repeat {
		mti |= 1
	}
	var w Work
	defer w.Wipe()
	w.grow()
	a.common(&w, p, p.Numbers)
	w.text(itemPAN, pan.Reveal(secret.ForWire))
	a.merchantType(&w, p)
	w.text(23, p.PSN[:])
	w.text(25, p.Cond[:])
	w.text(38, p.Answer.Auth[:])
	w.text(itemChip, p.Script)
	if o != nil {
		a.names(&w, o)
	}
	return a.append(dst, &w, mti, p.Numbers.At, true)
}

// names sets what names o as the original of another message.
func (a *Acquirer) names(w *Work, o *txn.Payment) {
	as, _ := asks(o.Key.Class)
	mti := as.mti
	if o.StoodIn { // the acquirer has heard of it by its advice
		as, _ = asks(txn.StandIn)
		mti = as.mti
	}
	w.set(itemOriginalMTI, mti.String())
	w.number(itemOriginalTrace, uint64(o.Numbers.STAN), 6)
	w.time(itemOriginalSent, o.Numbers.At, sentForm)
	w.time(itemOriginalLocal, o.Numbers.At, localForm)
	w.set(itemOriginalAcquirer, a.profile.Institution)
}

// Network appends a network management request with a code.
func (a *Acquirer) Network(dst []byte, code uint64, n txn.Numbers) ([]byte, error) {
	var w Work
	w.time(itemSent, n.At, sentForm)
	w.number(itemTrace, uint64(n.STAN), 6)
	w.number(itemNetwork, code, 3)
	if a.t.edition != 0 {
		w.time(itemLocalTime, n.At, clockForm)
		w.time(itemLocalDate, n.At, dateForm)
	}
	return a.append(dst, &w, a.t.network, n.At, false)
}

// NetworkAnswer appends the answer that says yes to the host's network request
// in v.
func (a *Acquirer) NetworkAnswer(dst []byte, v *iso8583.View) ([]byte, error) {
	var b iso8583.Builder
	mti := v.MTI().Response()
	b.Reset(a.t.layout, mti)
	for _, n := range []int{7, 11, 70} {
		b.Copy(n, v)
	}
	if a.t.edition != 0 {
		b.Copy(12, v)
	}
	code := txn.CodeApproved.String()
	if a.t.codes != nil {
		code, _ = a.t.codeHere([]byte(code), mti)
	}
	b.SetString(39, code)
	return b.Append(dst)
}
