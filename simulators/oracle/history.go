// SPDX-License-Identifier: Apache-2.0

package oracle

import "time"

// Key names a payment as its terminal does.
type Key struct {
	Terminal string // ISO 8583 field 41
	Batch    uint32 // field 60.2
	Trace    uint32 // field 11 of the terminal's message
}

// Never stands for a moment that did not come.
const Never = time.Duration(-1)

// Kind is what a terminal asked for.
type Kind string

// The kinds of asking that the promises speak of.
const (
	Purchase    Kind = "purchase"
	Cash        Kind = "cash"
	Cashback    Kind = "cashback"     // a purchase, with cash
	Adjustment  Kind = "adjustment"   // an advice: an earlier payment comes to another amount
	OfflineSale Kind = "offline_sale" // an advice: it has happened, and is told until it is taken
	Void        Kind = "void"
	Refund      Kind = "refund"  // terminals do not reverse one, they repeat it
	Inquiry     Kind = "inquiry" // of a balance
	Reversal    Kind = "reversal"
	Settlement  Kind = "settlement" // of a batch
	Hold        Kind = "pre_authorization"
	Release     Kind = "pre_authorization_void"
	Completion  Kind = "completion"
	Other       Kind = "other" // sign-on, echo and what is no message at all

	CompletionVoid   Kind = "completion_void"
	CompletionAdvice Kind = "completion_advice" // it has happened, and is told until it is taken
	ScriptResult     Kind = "script_result"     // what a card did with the issuer's script of an approval, told until it is taken
)

// pays says whether a yes takes money from the card holder, or holds it.
func (k Kind) pays() bool {
	return k == Purchase || k == Cash || k == Cashback || k == OfflineSale || k == Hold || k.completes()
}

// kept says whether the switch keeps an answer that it repeats.
func (k Kind) kept() bool {
	return k.pays() || k == Void || k == Refund || k == Inquiry || k == Adjustment || k.ofHold()
}

// askedAnew says whether a no is no end: a later yes takes its place.
func (k Kind) askedAnew() bool { return k.happened() || k == Inquiry }

// happened says whether the terminal asks nobody's leave.
func (k Kind) happened() bool { return k == OfflineSale || k == CompletionAdvice || k == Adjustment }

// Ask is one message of a terminal, as it was delivered to the switch, and its
// answer. A message that was delivered twice is two of them.
type Ask struct {
	Kind      Kind
	Key       Key    // of a reversal: the payment to be reversed
	Of        Key    // of a void or a refund: the payment that it takes back; of a completion: what is held; of an adjustment: the payment that it changes; of the result of a script: the approval
	Script    string // of the result of a script: what it says, in hex
	Amount    int64  // minor units; of an adjustment: what the payment comes to
	TakesPart bool   // of a purchase: an approval of a part of the amount is taken
	Malformed bool   // not in the form that the dialect asks for
	NoMAC     bool   // without a valid MAC
	Vain      bool   // in form, and never to be approved: another amount under a known key, a void of what is not in force

	Arrived  time.Duration // at the switch, since the beginning of the history
	Answered time.Duration // the switch gave the answer to the line; Never: no answer
	Received time.Duration // the terminal had it whole and believed it; Never: it did not

	Code     string // field 39 of the answer, "" without one
	RRN      string // field 37
	Auth     string // field 38
	Named    string // field 41 of the answer
	OfTrace  uint32 // field 11 of the answer
	OfAmount int64  // field 4 of the answer

	// Of a settlement that was answered.
	Told     Totals
	Balanced bool
}

// approved is the yes of field 39; wrongPIN and triesUsed tell that a PIN was
// tried and not right.
const (
	approved  = "00"
	inPart    = "10" // of the amount that the answer has
	wrongPIN  = "55"
	triesUsed = "75"
)

// yes says whether the answer approves, all or a part.
func (a Ask) yes() bool { return a.Code == approved || a.Code == inPart }

// Terminal is a terminal's own memory at the end.
type Terminal struct {
	ID      string
	Pending bool  // a reversal is still due
	Holds   []Key // payments it takes for approved and neither reversed nor voided, in order
	Voids   []Taken
	Refunds []Taken
}

// Taken is a void that a terminal takes for approved and not reversed, or a refund
// that it takes for approved.
type Taken struct{ Key, Of Key }

// Message is one request that reached an acquirer.
type Message struct {
	Acquirer string
	MTI      string // as sent, four digits
	STAN     uint32 // field 11
	Sent     string // field 7, MMDDhhmmss
	RRN      string // field 37
	Amount   int64
	Terminal string // field 41
	// The original of a reversal or a void, field 90.
	OriginalSTAN uint32
	OriginalSent string
	Script       string // tag 9F5B of a 0620, in hex
	Response     string // field 39 of the answer as the acquirer kept it; "" when it kept none
}

// Debit is what takes money from a card holder, as an acquirer has booked it.
type Debit struct {
	Acquirer  string
	STAN      uint32
	Sent      string
	RRN       string
	Terminal  string
	Amount    int64
	Effective bool // booked and neither reversed nor voided
}

// Credit is a refund that an acquirer has booked.
type Credit struct {
	Acquirer string
	STAN     uint32
	Sent     string
	Amount   int64
}

// Record is one record of the switch's journal, as far as the promises need it.
type Record struct {
	Kind   string // intent, advice, script_result, rerouted, refused, outcome, undo, undone, case, act, tombstone, tries, batch
	Key    Key    // of tries: the payment that was counted
	Event  string // of outcome, undo, undone and act, as the journal names it
	Link   string // of intent, advice, script_result and rerouted
	Of     Key    // of script_result: the approval that it is about
	Script string // of script_result: what it says, in hex
	STAN   uint32 // of intent, advice and undo
	Sent   string // of intent, advice and undo: field 7
	RRN    string // of intent and advice
	Amount int64  // of intent and advice; of an outcome that approves a part: the part
	Code   string // of outcome and refused
	Auth   string // of outcome and advice
	Card   string // of tries, intent and advice: the card's token
	Day    int64  // of outcome: of its time, counted from 1970
	Count  int    // of tries
	Told   Totals // of batch, whose key has no trace number and whose event is its state
}

// State is where a payment stands: in the process that ran to the end, and by
// replaying its journal into an empty one.
type State struct {
	Key      Key
	Running  string // "" when it does not know the payment
	Replayed string
	Advice   bool // of the advice that goes behind a payment which the switch decided by itself
}

// History is what happened, told by each side for itself. Every list is in
// the order in which things happened.
type History struct {
	Deadline  time.Duration // of a first answer, after its message arrived
	Mandate   Mandate       // of every card
	Asks      []Ask
	Terminals []Terminal
	Messages  []Message
	Debits    []Debit
	Credits   []Credit
	Records   []Record
	States    []State
	Unsound   []string // where a side's own account contradicts itself, in its words
	Clear     []string // where card data was found in clear, by who searched files and outputs
}
