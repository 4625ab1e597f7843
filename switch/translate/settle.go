// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/switch/txn"
)

// settlement reads the totals of a terminal that closes its batch. Which cards
// it takes for foreign is its own view: the two halves of field 48 are summed.
func settlement(r *txn.Request, v *iso8583.View) error {
	if r.Key.Trace == 0 || !v.Has(48) {
		return missing("11 and 48 are")
	}
	domestic, foreign, err := unionpaypos.ParseTotals(v.AppendText(nil, 48))
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	for _, half := range []unionpaypos.Totals{domestic, foreign} {
		r.Totals.Debits += uint32(half.Debits)
		r.Totals.Credits += uint32(half.Credits)
		r.Totals.DebitMinor += money.MinorUnits(half.DebitMinor)
		r.Totals.CreditMinor += money.MinorUnits(half.CreditMinor)
	}
	r.Amount.Currency = money.CNY // field 49 may be left out: the dialect has one currency
	if v.Has(49) {
		r.Amount.Currency, err = currency(v)
	}
	return err
}

// upload reads payments of a batch. A card number is read whole or not at all.
func upload(r *txn.Request, v *iso8583.View) error {
	var room [2 + 8*40]byte
	defer clear(room[:])
	if r.Key.Trace == 0 || !v.Has(48) {
		return missing("11 and 48 are")
	}
	items, err := unionpaypos.ParseUpload(v.AppendText(room[:0], 48))
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	for _, i := range items {
		pan, err := secret.NewPAN(i.PAN)
		if err != nil {
			return txn.DeclineField.Why(fmt.Errorf("field 48: %w", err))
		}
		r.Card.Items = append(r.Card.Items, txn.Item{Trace: txn.STAN(i.Trace), PAN: pan, Minor: money.MinorUnits(i.Minor)})
	}
	return nil
}

// uploadEnd reads how many items a terminal has uploaded; a batch that was balanced
// may end without.
func uploadEnd(r *txn.Request, v *iso8583.View) error {
	if r.Key.Trace == 0 {
		return missing("11 is")
	}
	if !v.Has(48) {
		return nil
	}
	count, err := unionpaypos.ParseUploadEnd(v.AppendText(nil, 48))
	if err != nil {
		return txn.DeclineField.Why(err)
	}
	r.Count = uint32(count)
	return nil
}

// settled is field 48 of the answer. Totals that are balanced are the terminal's
// own halves; others are the switch's, all in the first.
func settled(v *iso8583.View, s *txn.Settlement) []byte {
	if domestic, foreign, err := unionpaypos.ParseTotals(v.AppendText(nil, 48)); err == nil && s.Balanced {
		domestic.Result, foreign.Result = unionpaypos.ResultBalanced, unionpaypos.ResultBalanced
		return unionpaypos.AppendTotals(nil, domestic, foreign)
	}
	return unionpaypos.AppendTotals(nil, unionpaypos.Totals{
		Debits: uint16(min(s.Ours.Debits, unionpaypos.TotalsMaxCount)), DebitMinor: uint64(s.Ours.DebitMinor),
		Credits: uint16(min(s.Ours.Credits, unionpaypos.TotalsMaxCount)), CreditMinor: uint64(s.Ours.CreditMinor), Result: unionpaypos.ResultDiffers,
	}, unionpaypos.Totals{Result: unionpaypos.ResultDiffers})
}

// batchOf is field 60 of an answer that names another batch than the request.
func batchOf(v *iso8583.View, batch uint32) []byte {
	text := v.AppendText(nil, 60)
	if len(text) >= 8 {
		copy(text[2:8], fmt.Sprintf("%06d", batch%1_000_000))
	}
	return text
}
