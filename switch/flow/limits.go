// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// Limits says what terminals and links may do. What is zero is not permitted.
type Limits interface {
	Terminal(id txn.TerminalID) TerminalLimits
	Link(name string) LinkLimits
}

// TerminalLimits are those of one terminal.
type TerminalLimits struct {
	Cashback money.MinorUnits  // in cash with one purchase
	Offline  txn.OfflineLimits // of sales that it makes without asking: there zero is no bound
}

// LinkLimits are what the acquirer of a link agreed to.
type LinkLimits struct {
	TipPercent int              // above what was approved, that an adjustment may come to
	Cashback   money.MinorUnits // in cash with one purchase
}

// checkCash is the part of the ladder about cash that goes with a purchase: it is
// less than the whole, and no more than this terminal may hand out.
func (f *Flow) checkCash(in *txn.Request) error {
	if in.Key.Class != txn.Cashback {
		return nil
	}
	if in.Cash <= 0 || in.Cash >= in.Amount.Minor {
		return txn.DeclineCash
	}
	return cashWithin(in.Cash, f.Limits.Terminal(in.Key.Terminal).Cashback)
}

// linkTakes says whether a link takes the cash that goes with a purchase.
func (f *Flow) linkTakes(in *txn.Request, link string) error {
	if in.Key.Class != txn.Cashback {
		return nil
	}
	return cashWithin(in.Cash, f.Limits.Link(link).Cashback)
}

func cashWithin(cash, limit money.MinorUnits) error {
	switch {
	case limit == 0:
		return txn.DeclineCashbackNone
	case cash > limit:
		return txn.DeclineCashbackLimit
	}
	return nil
}
