// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/switch/txn"
)

// business is a row of the table: which message asks for what.
type business struct {
	mti       iso8583.MTI
	type60    uint8  // field 60.1
	network   string // field 60.3
	procedure string // field 3, empty when the message has none
	cond      string // field 25, empty when the message has none
	class     txn.Class
	of        txn.Class // what a reversal reverses
}

// businesses is what is served; everything else is DeclineUnsupported.
// UnionPay POS: sale, its void, refund, pre-authorization, its void, completion by
// request, its void, balance inquiry, the reversals (there is none of a refund:
// terminals never send one), offline sale, result of an issuer's script (951, with fields 3, 25 and 60.1 of what the
// script came with), sign-on with a double-length MAC key
// (003), sign-off, echo, settlement (201), its upload (201)
// and end (207, 202). Cash and purchase with cashback have the
// processing codes of ISO 8583:1987 (01, 09); open sources name no type code for them,
// so they have the sale's.
func businesses() []business {
	return []business{
		{0x0200, 22, "000", "000000", "00", txn.Purchase, 0},
		{0x0200, 22, "000", "010000", "00", txn.Cash, 0},
		{0x0200, 22, "000", "090000", "00", txn.Cashback, 0},
		{0x0200, 1, "000", "310000", "00", txn.Balance, 0},
		{0x0200, 23, "000", "200000", "00", txn.Void, 0},
		{0x0400, 23, "000", "200000", "00", txn.Reversal, txn.Void},
		{0x0220, 30, "000", "000000", "00", txn.OfflineSale, 0},
		{0x0220, typeAdjust, "000", "000000", "00", txn.Adjustment, 0},
		{0x0220, typeTip, "000", "000000", "00", txn.Adjustment, 0},
		{0x0220, 25, "000", "200000", "00", txn.Refund, 0},
		{0x0400, 22, "000", "000000", "00", txn.Reversal, txn.Purchase},
		{0x0400, 22, "000", "010000", "00", txn.Reversal, txn.Cash},
		{0x0400, 22, "000", "090000", "00", txn.Reversal, txn.Cashback},
		{0x0100, 10, "000", "030000", "06", txn.PreAuth, 0},
		{0x0400, 10, "000", "030000", "06", txn.Reversal, txn.PreAuth},
		{0x0100, 11, "000", "200000", "06", txn.PreAuthVoid, 0},
		{0x0400, 11, "000", "200000", "06", txn.Reversal, txn.PreAuthVoid},
		{0x0200, 20, "000", "000000", "06", txn.Completion, 0},
		{0x0400, 20, "000", "000000", "06", txn.Reversal, txn.Completion},
		{0x0220, 24, "000", "000000", "06", txn.CompletionAdvice, 0},
		{0x0200, 21, "000", "200000", "06", txn.CompletionVoid, 0},
		{0x0400, 21, "000", "200000", "06", txn.Reversal, txn.CompletionVoid},
		{0x0620, 22, networkScript, "000000", "00", txn.ScriptResult, 0},
		{0x0620, 22, networkScript, "010000", "00", txn.ScriptResult, 0},
		{0x0620, 22, networkScript, "090000", "00", txn.ScriptResult, 0},
		{0x0620, 10, networkScript, "030000", "06", txn.ScriptResult, 0},
		{0x0500, 0, "201", "", "", txn.Settle, 0},
		{0x0320, 0, "201", "", "", txn.Upload, 0},
		{0x0320, 0, "202", "", "", txn.BatchEnd, 0},
		{0x0320, 0, "207", "", "", txn.BatchEnd, 0},
		{0x0800, 0, "003", "", "", txn.SignOn, 0},
		{0x0820, 0, "002", "", "", txn.SignOff, 0},
		{0x0820, 0, "301", "", "", txn.Echo, 0},
	}
}

// Terminal translates the terminal side.
type Terminal struct {
	layout *iso8583.Layout
	table  []business
}

// NewTerminal compiles the dialect.
func NewTerminal() *Terminal { return &Terminal{unionpaypos.New(), businesses()} }

// Layout is the compiled dialect.
func (t *Terminal) Layout() *iso8583.Layout { return t.layout }

// Request reads v. The result always has what the message says of terminal and
// trace, also when err refuses it; MACInput aliases v's bytes.
func (t *Terminal) Request(v *iso8583.View) (txn.Request, error) {
	var r txn.Request
	copy(r.Key.Terminal[:], v.Raw(41))
	copy(r.Key.Merchant[:], v.Raw(42))
	if trace, err := v.Uint(11); err == nil {
		r.Key.Trace = txn.STAN(trace)
	}
	if v.Has(64) {
		from, _ := v.Span(64)
		r.HasMAC, r.MACInput = true, v.Bytes()[:from]
		copy(r.MAC[:], v.Raw(64))
	}
	if !v.Has(41) || !v.Has(42) || !v.Has(60) {
		return r, missing("41, 42 and 60 are")
	}
	f60, err := unionpaypos.ParseField60(v.AppendText(nil, 60))
	if err != nil {
		return r, txn.DeclineField.Why(err)
	}
	if err := t.classify(&r, v, f60); err != nil {
		return r, err
	}
	switch r.Key.Class {
	case txn.Settle:
		return r, settlement(&r, v)
	case txn.Upload:
		return r, upload(&r, v)
	case txn.BatchEnd:
		return r, uploadEnd(&r, v)
	}
	if r.Key.Class != txn.Reversal && r.Key.Class.Ending() == txn.EndNone {
		return r, nil
	}
	if err := financial(&r, v); err != nil {
		return r, err
	}
	return r, special(&r, v, f60)
}

// special reads what a class has besides amount and card.
func special(r *txn.Request, v *iso8583.View, f60 unionpaypos.Field60) error {
	switch r.Key.Class {
	case txn.Purchase:
		r.TakesPart = len(f60.Rest) > partDigit && f60.Rest[partDigit] == '1'
	case txn.Cashback:
		return cashOf(r, v)
	case txn.Void, txn.Refund, txn.CompletionVoid:
		return original(r, v)
	case txn.Adjustment:
		if v.Has(48) { // what it says of a tip, and what field 4 is then, no open source tells
			return txn.DeclineField.Why(errors.New("field 48 in an adjustment is not built: field 4 has the whole"))
		}
		r.Tip = r.Key.Type == typeTip
		copy(r.OfAuth[:], v.Raw(38))
		return original(r, v)
	case txn.ScriptResult:
		return scriptResult(r, v)
	case txn.PreAuthVoid, txn.Completion, txn.CompletionAdvice:
		return preAuth(r, v)
	case txn.Reversal:
		copy(r.Why[:], v.Raw(39))
		if r.Original.Class == txn.Cashback {
			return cashOf(r, v)
		}
	case txn.OfflineSale:
		copy(r.Auth[:], v.Raw(38))
	}
	return nil
}

// The types of an adjustment (60.1).
const (
	typeAdjust = 32
	typeTip    = 34
)

// partDigit is where the digits behind field 60.3 say that the terminal takes
// approvals of a part (60.6).
const partDigit = 2

// classify finds the row of the table.
func (t *Terminal) classify(r *txn.Request, v *iso8583.View, f60 unionpaypos.Field60) error {
	kind, err := strconv.ParseUint(string(f60.Type[:]), 10, 8)
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	batch, err := strconv.ParseUint(string(f60.Batch[:]), 10, 32)
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	r.Key.Type, r.Key.Batch = uint8(kind), uint32(batch)
	procedure, cond := string(v.AppendText(nil, 3)), string(v.AppendText(nil, 25))
	for _, row := range t.table {
		if row.mti == v.MTI() && row.type60 == r.Key.Type && row.network == string(f60.Network[:]) &&
			row.procedure == procedure && row.cond == cond {
			r.Key.Class = row.class
			if row.of != 0 {
				r.Original = r.Key
				r.Original.Class = row.of
			}
			return nil
		}
	}
	return txn.DeclineUnsupported.Why(fmt.Errorf("mti %s, field 3 %q, field 25 %q, field 60 type %02d network %s",
		v.MTI(), procedure, cond, kind, f60.Network))
}

// financial reads amount and card.
func financial(r *txn.Request, v *iso8583.View) error {
	if r.Key.Trace == 0 {
		return missing("11 is")
	}
	amount, err := v.Uint(4)
	if r.Key.Class == txn.Balance && !v.Has(4) {
		amount, err = 0, nil
	}
	if err != nil || !v.Has(49) {
		return missing("4 and 49 are")
	}
	if r.Amount.Currency, err = currency(v); err != nil {
		return err
	}
	r.Amount.Minor = money.MinorUnits(amount)
	copy(r.Expiry[:], v.AppendText(nil, 14))
	copy(r.PSN[:], v.AppendText(nil, 23))
	copy(r.Entry[:], v.AppendText(nil, 22))
	copy(r.Cond[:], v.AppendText(nil, 25))
	if err := cardNumber(r, v); err != nil {
		return err
	}
	if v.Has(55) {
		if r.Card.ICC, err = secret.NewICC(v.Raw(55)); err != nil {
			return txn.DeclineField.Why(err)
		}
	}
	return pinBlock(r, v)
}

// currency reads field 49.
func currency(v *iso8583.View) (money.Currency, error) {
	n, err := strconv.ParseUint(string(v.AppendText(nil, 49)), 10, 16)
	if err != nil {
		return 0, txn.DeclineField.Why(fmt.Errorf("field 49 is not a number"))
	}
	return money.Currency(n), nil
}

// original reads what a void or a refund names: the reference number in 37, batch
// and trace number in 61, and behind them the date of a refund's original, or of a
// completion's when that is voided, zeros when not known.
// A refund without either names nothing, which is for the flow to refuse.
// The void of a completion has the authorization code in 38, when it is there.
func original(r *txn.Request, v *iso8583.View) error {
	if r.Key.Class == txn.Refund && !v.Has(37) && !v.Has(61) {
		return nil
	}
	text := v.AppendText(nil, 61)
	if len(text) < 12 || !allDigits(text) || len(v.Raw(37)) != len(r.OfRRN) {
		return missing("37 and 61 (batch and trace number of the original) are")
	}
	copy(r.OfRRN[:], v.Raw(37))
	if (r.Key.Class == txn.Refund || r.Key.Class == txn.CompletionVoid) && len(text) >= 16 && string(text[12:16]) != "0000" {
		copy(r.OfDate[:], text[12:16])
	}
	if r.Key.Class == txn.CompletionVoid {
		copy(r.OfAuth[:], v.Raw(38))
	}
	r.Original = txn.Key{Terminal: r.Key.Terminal, Merchant: r.Key.Merchant, Batch: uint32(digits(text[:6])), Trace: txn.STAN(digits(text[6:12]))}
	return nil
}

// preAuth reads what a cancel or a completion names: the authorization code in
// 38, and in 61 batch and trace number, zeros where the receipt is not at hand, and
// the date.
func preAuth(r *txn.Request, v *iso8583.View) error {
	text := v.AppendText(nil, 61)
	if len(text) < 16 || !allDigits(text) || len(v.Raw(38)) != len(r.OfAuth) {
		return missing("38 and 61 (batch, trace number and date of the pre-authorization) are")
	}
	copy(r.OfAuth[:], v.Raw(38))
	copy(r.OfDate[:], text[12:16])
	r.Original = txn.Key{Terminal: r.Key.Terminal, Merchant: r.Key.Merchant, Batch: uint32(digits(text[:6])), Trace: txn.STAN(digits(text[6:12]))}
	return nil
}

// cardNumber takes field 2, or the number of track 2; both must agree.
func cardNumber(r *txn.Request, v *iso8583.View) error {
	var room [40]byte
	defer clear(room[:])
	digits := v.AppendText(room[:0], 2)
	var err error
	if v.Has(35) {
		track := v.AppendText(make([]byte, 0, 40), 35)
		defer clear(track[:cap(track)])
		if r.Card.Track2, err = secret.NewTrack2(track); err != nil {
			return txn.DeclineField.Why(err)
		}
		end := 0
		for end < len(track) && track[end] != '=' {
			end++
		}
		if len(digits) == 0 {
			digits = append(digits, track[:end]...)
		} else if string(digits) != string(track[:end]) {
			return txn.DeclineTrack
		}
	}
	if r.Card.PAN, err = secret.NewPAN(digits); err != nil {
		return txn.DeclineField.Why(fmt.Errorf("field 2 or 35: %w", err))
	}
	return nil
}

// pinBlock takes field 52 when field 53 says that it is a format 0 block under
// a double-length TDEA key; any other way is not built.
func pinBlock(r *txn.Request, v *iso8583.View) error {
	if !v.Has(52) {
		return nil
	}
	f53, err := unionpaypos.ParseField53(v.AppendText(nil, 53))
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	if f53.PINFormat != '2' || f53.Algorithm != '6' || f53.TrackEncryption == '1' {
		return txn.DeclineUnsupported.Why(fmt.Errorf("field 53: PIN format %c with algorithm %c", f53.PINFormat, f53.Algorithm))
	}
	if r.Card.PIN, err = secret.NewPINBlock(v.Raw(52)); err != nil {
		return txn.DeclineField.Why(err)
	}
	return nil
}

func missing(what string) error {
	return txn.DeclineField.Why(fmt.Errorf("fields %s required", what))
}

// Keys is a new key set for the answer to a sign-on.
type Keys struct {
	PIN, MAC hsm.Exported
}

// copied are the fields an answer repeats from its request.
func copied() []int { return []int{2, 3, 4, 11, 14, 23, 25, 41, 42, 49, 60} }

// Answer appends the answer to the request in v. With mac, the last eight
// bytes are left for the MAC.
func (t *Terminal) Answer(dst []byte, v *iso8583.View, a txn.Answer, keys *Keys, mac bool) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(t.layout, v.MTI().Response())
	for _, n := range copied() {
		b.Copy(n, v)
	}
	if a.Part > 0 { // field 4 has what was approved
		b.SetUint(4, uint64(a.Part))
	}
	b.SetString(12, a.At.Format("150405"))
	b.SetString(13, a.At.Format("0102"))
	b.SetText(39, a.Code[:])
	if a.RRN != (txn.RRN{}) {
		b.SetText(37, a.RRN[:])
	}
	if a.Auth != ([6]byte{}) {
		b.SetText(38, a.Auth[:])
	}
	if a.SettleMD != ([4]byte{}) {
		b.SetText(15, a.SettleMD[:])
	}
	if len(a.ICC) > 0 {
		b.SetBytes(55, a.ICC)
	}
	if a.Funds.Available.Currency != 0 {
		b.SetString(54, fundsText(a.Funds))
	} else if bytes.HasPrefix(v.AppendText(nil, 3), []byte("09")) {
		b.Copy(54, v) // the cash that goes with a purchase
	}
	if a.Settled != nil {
		b.SetText(48, settled(v, a.Settled))
	}
	if text := notice(a); text != "" {
		b.SetString(63, text)
	}
	if a.Batch != 0 {
		b.SetText(60, batchOf(v, a.Batch))
	}
	if keys != nil {
		b.SetBytes(62, appendKeys(nil, keys))
	}
	if mac {
		b.SetBytes(64, noMAC)
	}
	return b.Append(dst)
}

// appendKeys is field 62 of the 003 form with double-length keys: PIN key 16,
// check value 4, MAC key 16, check value 4.
func appendKeys(dst []byte, k *Keys) []byte {
	dst = append(append(dst, k.PIN.Cryptogram...), k.PIN.KCV[:]...)
	return append(append(dst, k.MAC.Cryptogram...), k.MAC.KCV[:]...)
}
