// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"fmt"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// ask is how a class is asked of an acquirer: message type and field 3 of the
// 1987 edition (ISO 8583:1987 tables 2 and A.1: 00 goods, 01 cash, 09 goods and cash,
// 02 adjustment, 20 back to the holder, 31 balance; 03, not assigned there, is UnionPay's for a
// pre-authorization). Field 25 goes along as the terminal had it: 06 tells the
// messages about what is held from those about a purchase.
type ask struct {
	mti       iso8583.MTI
	procedure string
}

// asks are the classes that acquirers can be asked.
func asks(c txn.Class) (ask, bool) {
	switch c {
	case txn.Purchase:
		return ask{0x0200, "000000"}, true
	case txn.Cash:
		return ask{0x0200, "010000"}, true
	case txn.Cashback:
		return ask{0x0200, "090000"}, true
	case txn.Void:
		return ask{0x0200, "200000"}, true
	case txn.Refund: // an advice, as UnionPay's: told apart from the void by its type
		return ask{0x0220, "200000"}, true
	case txn.Balance:
		return ask{0x0200, "310000"}, true
	case txn.OfflineSale, txn.StandIn, txn.CompletionAdvice: // the last told apart by field 25
		return ask{0x0220, "000000"}, true
	case txn.Adjustment: // names its original by field 90
		return ask{0x0220, "020000"}, true
	case txn.ScriptResult: // field 3 is its original's; 1987 has 06xx for administrative messages
		return ask{0x0620, ""}, true
	case txn.PreAuth:
		return ask{0x0100, "030000"}, true
	case txn.PreAuthVoid:
		return ask{0x0100, "200000"}, true
	case txn.Completion:
		return ask{0x0200, "000000"}, true
	case txn.CompletionVoid:
		return ask{0x0200, "200000"}, true
	}
	return ask{}, false
}

// Serves says whether the link's dialect carries a class. Beyond the purchase,
// only those that keep the 1987 edition's meanings do: how other hosts ask is for
// their specifications to say.
func (a *Acquirer) Serves(c txn.Class) bool {
	_, known := asks(c)
	return known && (c == txn.Purchase || a.t.family == family87)
}

// fundsSize is one part of field 54: account type 2, amount type 2, currency 3, a
// letter C or D, amount 12 (ISO 8583:1987 DE 54).
const fundsSize = 20

// fundsText is what is available of an account, as a part of field 54.
func fundsText(f txn.Funds) string {
	sign := byte('C')
	if f.Debit {
		sign = 'D'
	}
	return fmt.Sprintf("0002%03d%c%012d", f.Available.Currency, sign, f.Available.Minor)
}

// parseFunds finds the available amount (type 02) among the parts of field 54.
func parseFunds(text []byte) (f txn.Funds, err error) {
	if len(text)%fundsSize != 0 {
		return f, fmt.Errorf("field 54 is not of parts of %d characters", fundsSize)
	}
	for ; len(text) > 0; text = text[fundsSize:] {
		if string(text[2:4]) != "02" {
			continue
		}
		currency, err := strconv.ParseUint(string(text[4:7]), 10, 16)
		if err != nil || currency == 0 {
			return f, fmt.Errorf("field 54: the currency is no number")
		}
		minor, err := strconv.ParseUint(string(text[8:20]), 10, 63)
		if err != nil || text[7] != 'C' && text[7] != 'D' {
			return f, fmt.Errorf("field 54: the amount is not a letter C or D and digits")
		}
		return txn.Funds{Available: money.Amount{Minor: money.MinorUnits(minor), Currency: money.Currency(currency)}, Debit: text[7] == 'D'}, nil
	}
	return f, nil
}
