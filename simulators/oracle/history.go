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
	Purchase Kind = "purchase"
	Void     Kind = "void"
	Inquiry  Kind = "inquiry" // of a balance
	Reversal Kind = "reversal"
	Other    Kind = "other" // sign-on, echo and what is no message at all
)

// Ask is one message of a terminal, as it was delivered to the switch, and its
// answer. A message that was delivered twice is two of them.
type Ask struct {
	Kind      Kind
	Key       Key   // of a reversal: the payment to be reversed
	Amount    int64 // minor units
	Malformed bool  // not in the form that the dialect asks for
	NoMAC     bool  // without a valid MAC
	Altered   bool  // a repeat, with another amount, of what was approved

	Arrived  time.Duration // at the switch, since the beginning of the history
	Answered time.Duration // the switch gave the answer to the line; Never: no answer
	Received time.Duration // the terminal had it whole and believed it; Never: it did not

	Code     string // field 39 of the answer, "" without one
	RRN      string // field 37
	Auth     string // field 38
	Named    string // field 41 of the answer
	OfTrace  uint32 // field 11 of the answer
	OfAmount int64  // field 4 of the answer
}

// approved is the yes of field 39; wrongPIN and triesUsed tell that a PIN was
// tried and not right.
const (
	approved  = "00"
	wrongPIN  = "55"
	triesUsed = "75"
)

// Terminal is a terminal's own memory at the end.
type Terminal struct {
	ID      string
	Pending bool  // a reversal is still due
	Holds   []Key // payments it takes for approved and not reversed, in order
}

// Message is one request that reached an acquirer.
type Message struct {
	Acquirer string
	MTI      string // as sent, four digits
	STAN     uint32 // field 11
	Sent     string // field 7, MMDDhhmmss
	RRN      string // field 37
	Amount   int64
	Terminal string // field 41
	// The original of a reversal, field 90.
	OriginalSTAN uint32
	OriginalSent string
	Response     string // field 39 of the answer as the acquirer kept it; "" when it kept none
}

// Debit is a purchase that an acquirer has booked.
type Debit struct {
	Acquirer  string
	STAN      uint32
	Sent      string
	RRN       string
	Terminal  string
	Amount    int64
	Effective bool // booked and not reversed
}

// Record is one record of the switch's journal, as far as the promises need it.
type Record struct {
	Kind   string // intent, rerouted, refused, outcome, undo, undone, case, tombstone, tries
	Key    Key    // of tries: the payment that was counted
	Event  string // of outcome, undo and undone, as the journal names it
	Link   string // of intent and rerouted
	STAN   uint32 // of intent and undo
	Sent   string // of intent and undo: field 7
	RRN    string // of intent
	Amount int64  // of intent
	Code   string // of outcome and refused
	Auth   string // of outcome
	Card   string // of tries: the card's token
	Count  int    // of tries
}

// State is where a payment stands: in the process that ran to the end, and by
// replaying its journal into an empty one.
type State struct {
	Key      Key
	Running  string // "" when it does not know the payment
	Replayed string
}

// History is what happened, told by each side for itself. Every list is in
// the order in which things happened.
type History struct {
	Deadline  time.Duration // of a first answer, after its message arrived
	Asks      []Ask
	Terminals []Terminal
	Messages  []Message
	Debits    []Debit
	Records   []Record
	States    []State
	Unsound   []string // where a side's own account contradicts itself, in its words
	Clear     []string // where card data was found in clear, by who searched files and outputs
}
