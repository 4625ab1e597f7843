// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/iso8583"
)

// verdict is what an answer comes to. undo is the reversal's reason when the
// answer does not end the matter.
type verdict struct {
	outcome Outcome
	reason  Reason
	code    string
	undo    string
	part    money.MinorUnits // what was approved, when it is a part of the amount
}

// judge holds an answer, whose type and trace number fit already, against its
// sale. The order is that of the field's terminals: identity, then MAC, then code.
func (h *Host) judge(ctx context.Context, v *iso8583.View, sale *reversal) verdict {
	j := verdict{outcome: Unauthenticated, code: text(v, 39)}
	of := *sale
	if j.part = h.part(v, sale); j.part > 0 { // field 4 has what was approved
		of.Amount = j.part
	}
	if j.reason, j.undo = h.authentic(ctx, v, &of); j.undo != "" {
		return j
	}
	switch {
	case j.part > 0:
		j.outcome = Approved
	case j.code == "":
		j.reason, j.undo = ReasonNoCode, whyOther
	case j.code == partial:
		j.outcome, j.reason, j.undo = Declined, ReasonPartial, whyOther
	case approves(j.code):
		j.outcome = Approved
	default:
		j.outcome = Declined
	}
	return j
}

// partial is the code of an approval of a part of the amount.
const partial = "10"

// part is the smaller amount of an approval in part, which this terminal has to have
// declared that it takes; 0 when it is none.
func (h *Host) part(v *iso8583.View, sale *reversal) money.MinorUnits {
	amount, err := v.Uint(4)
	if !h.cfg.Part || sale.Kind != KindSale || text(v, 39) != partial || err != nil || amount == 0 || amount >= uint64(sale.Amount) {
		return 0
	}
	return money.MinorUnits(amount)
}

// authentic says why an answer cannot be believed, and the reversal's reason
// then; both empty when it can.
func (h *Host) authentic(ctx context.Context, v *iso8583.View, sale *reversal) (why Reason, undo string) {
	if !v.Has(64) {
		return ReasonNoMAC, whyMAC
	}
	amount, err := v.Uint(4)
	form, _ := sale.form()
	switch {
	case text(v, 41) != h.cfg.Terminal:
		return ReasonOtherTerminal, whyOther
	case text(v, 42) != h.cfg.Merchant:
		return ReasonOtherMerchant, whyOther
	case err != nil || amount != uint64(sale.Amount):
		return ReasonOtherAmount, whyOther
	case sale.Cash > 0 && v.Has(54) && text(v, 54) != h.cashText(sale.Cash):
		return ReasonOtherAmount, whyOther
	case text(v, 3) != form.processing:
		return ReasonOtherType, whyOther
	}
	from, _ := v.Span(64)
	var mac [8]byte
	copy(mac[:], v.Raw(64))
	if h.keys.Module.VerifyMAC(ctx, h.tak, hsm.MACUnionPayECB, v.Bytes()[:from], mac[:]) != nil {
		return ReasonBadMAC, whyMAC
	}
	return ReasonNone, ""
}

// approves lists the codes by which the whole amount is authorised. 10, a part
// of it, is not among them.
func approves(code string) bool {
	switch code {
	case "00", "11", "A2", "A4", "A5", "A6":
		return true
	}
	return false
}

// undone lists the answers that end a reversal: done, or there was nothing.
func undone(code string) bool {
	switch code {
	case "00", "12", "25":
		return true
	}
	return false
}

// signOnAgain lists the answers after which the terminal must fetch keys anew:
// MAC wrong, PIN block wrong, batch differs, terminal not known as signed on.
func signOnAgain(code string) bool {
	switch code {
	case "A0", "99", "77", "97":
		return true
	}
	return false
}
