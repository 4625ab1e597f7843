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
	Balance          // inquiry: moves no money
	Cash             // withdrawal over the counter
	Void             // takes a completed purchase, with cashback or without, or cash withdrawal back, whole
	Settle           // the terminal closes its batch
	OfflineSale      // advice of a sale that was authorised by word of mouth
	Refund           // gives back a completed purchase or a part of it, also later and elsewhere
	PreAuth          // pre-authorization: the issuer holds an amount, nothing is debited
	PreAuthVoid      // cancels a pre-authorization, whole: its hold is released
	Completion       // takes what a pre-authorization holds, once, up to a percentage of it
	CompletionVoid   // takes a completion back, whole: the hold stands again
	StandIn          // advice of a purchase that the switch approved in its issuer's place; no terminal sends it
	CompletionAdvice // a completion that has happened before anybody was asked
	Upload           // payments of a batch whose totals differ
	BatchEnd         // the upload is over, or the batch was balanced
	Cashback         // purchase of which the customer gets a part in cash
	Adjustment       // advice of what an earlier sale of the batch comes to: a tip, or a correction
	ScriptResult     // advice of what a card did with the issuer's script of an approval: moves no money
	numClasses
)

var classNames = [numClasses]string{"", "purchase", "reversal", "sign_on", "sign_off", "echo", "balance", "cash", "void", "settle", "offline_sale", "refund",
	"pre_authorization", "pre_authorization_void", "completion", "completion_void", "stand_in", "completion_advice", "upload", "batch_end", "cashback", "adjustment", "script_result"}

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
	case Purchase, Cash, Cashback, Void, PreAuth, PreAuthVoid, Completion, CompletionVoid:
		return EndUndo
	case Balance:
		return EndClose
	case OfflineSale, StandIn, CompletionAdvice, Adjustment, ScriptResult:
		return EndAdvise
	case Refund:
		return EndCase
	}
	return EndNone
}

// Names says whether a message of class c may name a payment of class of as the
// one it is about.
func (c Class) Names(of Class) bool {
	switch c {
	case Void:
		return of == Purchase || of == Cash || of == Cashback
	case PreAuthVoid, Completion, CompletionAdvice:
		return of == PreAuth
	case CompletionVoid:
		return of.Completes()
	case Refund:
		return of.Refundable()
	case ScriptResult: // of what a card is read for and the issuer answers
		return of == Purchase || of == Cash || of == Cashback || of == PreAuth
	}
	return false
}

// Follows says whether c names an original at all. Such a message may come
// without the card's own word.
func (c Class) Follows() bool {
	switch c {
	case Void, Refund, PreAuthVoid, Completion, CompletionVoid, CompletionAdvice, Adjustment, ScriptResult:
		return true
	}
	return false
}

// Completes says whether c takes what a pre-authorization holds.
func (c Class) Completes() bool { return c == Completion || c == CompletionAdvice }

// TakesBack says whether c undoes what its original did, and moves nothing else.
func (c Class) TakesBack() bool { return c == Void || c == PreAuthVoid || c == CompletionVoid }

// Adjustable says whether an adjustment may change what a payment of class c comes
// to. Of the others no dialect says what an adjustment of them means.
func (c Class) Adjustable() bool { return c == Purchase || c == OfflineSale }

// AtTerminal says whether c names what its own terminal has sent, and no other's.
func (c Class) AtTerminal() bool { return c.TakesBack() || c == Adjustment || c == ScriptResult }

// AfterClose says whether a batch that takes no payment takes c: it moves nothing in
// it, and begins nothing.
func (c Class) AfterClose() bool { return c == StandIn || c == ScriptResult }

// Refundable says whether a refund may give a payment of class c back. Cash that
// was handed out is not among them: it comes back by a void, or by a deposit.
func (c Class) Refundable() bool { return c == Purchase }

// StandInKey is the key under which the acquirer is told of the purchase of k: the
// same but for the class.
func StandInKey(k Key) Key {
	k.Class = StandIn
	return k
}
