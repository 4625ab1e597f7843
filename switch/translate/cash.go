// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// amountCash is the amount type of the cash that goes with a purchase, in field 54
// (ISO 8583:1987 DE 54); the whole, goods and cash, is in field 4.
const amountCash = "40"

// cashText is the cash of a purchase as a part of field 54.
func cashText(cash money.MinorUnits, currency money.Currency) string {
	return fmt.Sprintf("00%s%03d%c%012d", amountCash, currency, 'D', cash)
}

// parseCash finds the cash among the parts of field 54; 0 when it is not there.
func parseCash(text []byte, currency money.Currency) (money.MinorUnits, error) {
	if len(text)%fundsSize != 0 {
		return 0, fmt.Errorf("field 54 is not of parts of %d characters", fundsSize)
	}
	var cash money.MinorUnits
	for ; len(text) > 0; text = text[fundsSize:] {
		if string(text[2:4]) != amountCash {
			continue
		}
		n, err := strconv.ParseUint(string(text[8:20]), 10, 63)
		switch {
		case err != nil || text[7] != 'D':
			return 0, fmt.Errorf("field 54: the cash is not a letter D and digits")
		case string(text[4:7]) != fmt.Sprintf("%03d", currency):
			return 0, fmt.Errorf("field 54: the cash is of another currency than field 49")
		case cash != 0:
			return 0, fmt.Errorf("field 54 names cash twice")
		}
		cash = money.MinorUnits(n)
	}
	return cash, nil
}

// cashOf reads the cash of a terminal's purchase with cashback, or of its reversal,
// which may leave it out.
func cashOf(r *txn.Request, v *iso8583.View) error {
	if !v.Has(54) {
		if r.Key.Class == txn.Cashback {
			return missing("54 is")
		}
		return nil
	}
	var err error
	if r.Cash, err = parseCash(v.AppendText(nil, 54), r.Amount.Currency); err != nil {
		return txn.DeclineField.Why(err)
	}
	return nil
}

// repeatsCash refuses an answer that names other cash than was asked; a host may
// leave it out.
func repeatsCash(v *iso8583.View, p *txn.Payment) error {
	if p.Key.Class != txn.Cashback || !v.Has(54) {
		return nil
	}
	cash, err := parseCash(v.AppendText(nil, 54), p.Amount.Currency)
	if err == nil && cash != 0 && cash != p.Cash {
		err = fmt.Errorf("field 54 does not repeat the request")
	}
	return err
}
