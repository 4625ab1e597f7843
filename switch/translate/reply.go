// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"fmt"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// Kind is what a message on the link is to us.
type Kind uint8

// The kinds.
const (
	FinancialReply Kind = iota + 1 // the answer to a payment, an authorization, an advice or a reversal
	NetworkReply                   // the answer to a network request
	NetworkRequest                 // a network request of the host
	OtherMessage
)

// KeySize is the longest in-flight key: the class of the message type and the
// parts that the dialect's table names.
const KeySize = 2 + 10 + 6 + 11 + 11

// KindOf says what a message is.
func (a *Acquirer) KindOf(v *iso8583.View) Kind {
	mti := v.MTI()
	if mti&0xF000 != a.t.edition {
		return OtherMessage
	}
	switch class, function := mti>>8&0x0F, mti&0x00F0; {
	case (class == 1 || class == 2 || class == 4 || class == 6) && (function == 0x10 || function == 0x30):
		return FinancialReply
	case class == 8 && (function == 0x10 || function == 0x30):
		return NetworkReply
	case class == 8 && (function == 0x00 || function == 0x20):
		return NetworkRequest
	}
	return OtherMessage
}

// InFlightKey names a request and its reply alike: the class of the message
// type and the fields by which the dialect joins the two. Numbers are zero
// filled to the width of their part; a network message has the times and
// numbers alone, since hosts differ in the institutions they put there.
func (a *Acquirer) InFlightKey(v *iso8583.View) (key [KeySize]byte, kind Kind) {
	kind = a.KindOf(v)
	network := v.MTI()>>8&0x0F == 8
	out := v.MTI().AppendText(key[:0])[:2]
	var room [40]byte
	for _, part := range a.t.key {
		if network && part.field > 12 {
			continue
		}
		text := v.AppendText(room[:0], part.field)
		if len(text) > part.width {
			text = text[len(text)-part.width:]
		}
		out = append(appendZeros(out, part.width-len(text)), text...)
	}
	clear(key[len(out):])
	return key, kind
}

// Sent is by what the numbers of a message find its payment: the trace number,
// and the time as MMDDhhmmss.
func (a *Acquirer) Sent(v *iso8583.View) (stan txn.STAN, at string, ok bool) {
	trace, err := v.Uint(11)
	field := 7
	if a.t.edition != 0 { // 7 is the answer's own there
		field = 12
	}
	text := v.AppendText(nil, field)
	if err != nil || len(text) < len(sentForm) {
		return 0, "", false
	}
	return txn.STAN(trace), string(text[len(text)-len(sentForm):]), true
}

// PurchaseReply says whether a reply is to a purchase, or to another request than a
// reversal.
func (a *Acquirer) PurchaseReply(v *iso8583.View) bool {
	return a.KindOf(v) == FinancialReply && v.MTI()>>8&0x0F != 4
}

// someYes stands for an action code that is neither a plain yes nor a no: it is
// 1987's approval with identification, which nobody here takes.
const someYes = "08"

// Code is a message's response code as the 1987 edition writes it; zero when it
// has none. A code nobody knows is a decline, but for those that begin like an
// approval or belong to another class: money may have been taken by them.
func (a *Acquirer) Code(v *iso8583.View) (code txn.Code) {
	var room [8]byte
	text := v.AppendText(room[:0], 39)
	if a.t.codes != nil && len(text) > 0 {
		iso, known := a.t.code87(text)
		foreign := iso == "00" && text[0] != '0' && text[0] != acceptedClass(v.MTI())
		if !known && text[0] == '0' || foreign {
			iso = someYes
		}
		text = append(room[:0], iso...)
	}
	copy(code[:], text)
	return code
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
func otherYes(code txn.Code) bool {
	switch code.String() {
	case "08", "10", "11", "16", "32", "85", "87", "A2", "A4", "A5", "A6":
		return true
	}
	return false
}

// Takes says whether a code is a yes of any kind: the host may hold money.
func Takes(code txn.Code) bool { return code == txn.CodeApproved || otherYes(code) }

// Reply reads the answer to a request that carried n for p, and refuses one
// that does not repeat what was asked.
func (a *Acquirer) Reply(v *iso8583.View, p *txn.Payment, n txn.Numbers) (Reply, error) {
	var r Reply
	if r.Answer.Code = a.Code(v); r.Answer.Code[1] == 0 {
		return r, fmt.Errorf("field 39 is missing")
	}
	part, err := a.part(v, p, r.Answer.Code)
	if err != nil {
		return r, err
	}
	asked := p
	if part > 0 { // field 4 has what was approved
		of := *p
		of.Amount.Minor, asked, r.Answer.Part = part, &of, part
	}
	if err := a.repeats(v, asked, n); err != nil {
		return r, err
	}
	if err := repeatsCash(v, p); err != nil {
		return r, err
	}
	if part == 0 && otherYes(r.Answer.Code) && p.Key.Class.Ending() != txn.EndAdvise { // there is no undoing what has happened
		return r, fmt.Errorf("field 39 is %s, a yes other than 00, and nothing else was asked for", r.Answer.Code)
	}
	copy(r.Answer.Auth[:], v.AppendText(nil, 38))
	if p.Key.Class == txn.PreAuth && v.MTI()>>8&0x0F == 1 && r.Answer.Approved() && r.Answer.Auth == ([6]byte{}) {
		return r, fmt.Errorf("field 38 is missing: a pre-authorization without a code can be neither completed nor cancelled")
	}
	r.Answer.RRN = p.Numbers.RRN
	if date := v.AppendText(nil, 15); len(date) >= 4 {
		copy(r.Answer.SettleMD[:], date[len(date)-4:])
	}
	r.Answer.ICC = append([]byte(nil), v.Raw(55)...)
	if p.Key.Class == txn.Balance && r.Answer.Approved() {
		if r.Answer.Funds, err = parseFunds(v.AppendText(nil, 54)); err != nil {
			return r, err
		}
	}
	if !r.Answer.Approved() {
		r.Answer.Reason = txn.DeclineAcquirer.Reason
	}
	for _, n := range a.t.macs {
		if v.Has(n) {
			from, _ := v.Span(n)
			r.HasMAC, r.MACInput = true, v.Bytes()[:from]
			copy(r.MAC[:], v.Raw(n))
		}
	}
	return r, nil
}

// repeats holds a reply against what was asked.
func (a *Acquirer) repeats(v *iso8583.View, p *txn.Payment, n txn.Numbers) error {
	var asked Work
	a.common(&asked, p, n)
	for _, r := range a.t.rows {
		if !a.answered(r) {
			continue
		}
		var got Work
		if !v.Has(r.field) || !got.read(a.t, r, v) {
			return fmt.Errorf("field %d does not repeat the request", r.field)
		}
		for i := range got.items {
			want := asked.get(item(i))
			said := got.get(item(i))
			if said == nil {
				continue
			}
			if named(item(i)) {
				want, said = bytes.TrimRight(want, " "), bytes.TrimRight(said, " ")
			}
			if !bytes.Equal(said, want) {
				return fmt.Errorf("field %d does not repeat the request", r.field)
			}
		}
	}
	return nil
}

// answered says whether an answer must repeat a row's field.
func (a *Acquirer) answered(r row) bool {
	for _, n := range a.t.answers {
		if n == r.field {
			return true
		}
	}
	return false
}
