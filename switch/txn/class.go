// SPDX-License-Identifier: Apache-2.0

package txn

// Class is the kind of business a message asks for. Numbers are stored.
type Class uint8

// The classes in service; everything else is refused by name. Append only.
const (
	Purchase Class = iota + 1
	Reversal       // the terminal's reversal of an earlier message
	SignOn
	SignOff
	Echo
	Balance     // inquiry: moves no money
	Cash        // withdrawal over the counter
	Void        // takes a completed purchase, with cashback or without, or cash withdrawal back, whole
	Settle      // the terminal closes its batch
	OfflineSale // advice of a sale that was authorised by word of mouth
	Refund      // gives back a completed purchase or a part of it, also later and elsewhere
	Cashback    // purchase of which the customer gets a part in cash
	numClasses
)

var classNames = [numClasses]string{"", "purchase", "reversal", "sign_on", "sign_off", "echo", "balance", "cash", "void", "settle", "offline_sale", "refund", "cashback"}

// String is the name used in events, metrics and dumps.
func (c Class) String() string { return name(classNames[:], int(c)) }

// Classes are all classes, for metrics labels.
func Classes() (all []Class) {
	for c := Purchase; c < numClasses; c++ {
		all = append(all, c)
	}
	return all
}

// Ending is what becomes of a message whose end at the acquirer is not known:
// no answer, an answer that failed its checks, one that cannot be told, or a
// crash in between.
type Ending uint8

// The endings. A class that is not journaled has EndNone.
const (
	EndNone   Ending = iota
	EndUndo          // money may have moved: reversed
	EndClose         // no money can have moved: closed
	EndAdvise        // it has happened whatever the acquirer says: told until acknowledged
	EndCase          // the customer may have got money: a person asks the acquirer
)

// Ending is the rule of c, for the running switch and for recovery alike; of one
// payment Payment.Ending is asked, as some links allow more.
func (c Class) Ending() Ending {
	switch c {
	case Purchase, Cash, Cashback, Void:
		return EndUndo
	case Balance:
		return EndClose
	case OfflineSale:
		return EndAdvise
	case Refund:
		return EndCase
	}
	return EndNone
}

// Voidable says whether a void may take a payment of class c back.
func (c Class) Voidable() bool { return c == Purchase || c == Cash || c == Cashback }

// Refundable says whether a refund may give a payment of class c back. Cash that
// was handed out is not among them: it comes back by a void, or by a deposit.
func (c Class) Refundable() bool { return c == Purchase }
