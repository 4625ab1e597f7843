// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"time"

	"tapswitch/internal/money"
)

// BatchID names a batch of a terminal: what it settles at once.
type BatchID struct {
	Terminal TerminalID
	Merchant MerchantID
	Batch    uint32 // six digits
}

// BatchID is the batch of a message.
func (k Key) BatchID() BatchID { return BatchID{k.Terminal, k.Merchant, k.Batch} }

// Side is where a payment in force stands in the totals of its batch.
type Side uint8

// The sides. The zero Side is none of them: a class without one fails a test.
const (
	OnNeither  Side = iota + 1 // moves no money, or is no payment
	OnDebit                    // the customer pays
	OnCredit                   // the customer gets back
	OnDebitSum                 // an earlier debit of the batch comes to more, or less: the sum changes alone
)

// sides says for every class how its payments count. A void counts against its
// original, on the other side: the two may be in different batches. So does a refund.
var sides = [numClasses]Side{
	Purchase: OnDebit,
	Reversal: OnNeither,
	SignOn:   OnNeither,
	SignOff:  OnNeither,
	Echo:     OnNeither,
	Balance:  OnNeither,
	Cash:     OnDebit,
	Void:     OnCredit,
	Settle:   OnNeither,

	OfflineSale:    OnDebit,
	Refund:         OnCredit,
	PreAuth:        OnNeither, // held, not paid
	PreAuthVoid:    OnNeither,
	Completion:     OnDebit,
	CompletionVoid: OnCredit,
	Cashback:       OnDebit,
	StandIn:        OnNeither, // its purchase counts
	Adjustment:     OnDebitSum,
	ScriptResult:   OnNeither,

	CompletionAdvice: OnDebit,
	Upload:           OnNeither,
	BatchEnd:         OnNeither,
}

// Side is where a payment of class c counts while it is in force.
func (c Class) Side() Side {
	if c >= numClasses {
		return OnNeither
	}
	return sides[c]
}

// Progress is how far a payment is from its last word, for who waits for it.
type Progress uint8

// The stages. The zero Progress is none of them: a state without one fails a test.
const (
	Final    Progress = iota + 1 // nothing more happens by itself
	InFlight                     // whether it is in force is not known yet
	Undoing                      // not in force, and its reversal is not acknowledged yet
)

// standing is what a state means to the totals of a batch.
type standing struct {
	inForce  bool
	progress Progress
}

// standings says for every state how it counts. A yes counts from the moment
// that it is durable: at a restart it is presumed delivered.
var standings = [numStates]standing{
	Received:  {false, InFlight},
	Intended:  {false, InFlight},
	Sent:      {false, InFlight},
	Approved:  {true, InFlight},
	Completed: {true, Final},
	Declined:  {false, Final},
	Refused:   {false, Final},
	Reversing: {false, Undoing},
	Reversed:  {false, Final},
	Unmatched: {false, Final},
	Disputed:  {false, Final}, // but see Share
	Advising:  {true, Final},  // it has happened, and the terminal was told so: nobody waits for the acquirer
	Advised:   {true, Final},
	Upheld:    {false, Final}, // the terminal was told no, or reversed it; but see Share
}

// Share is what one payment comes to in its batch at a moment; of an adjustment that
// lowers, Minor is negative.
type Share struct {
	Side     Side // OnNeither while it is not in force
	Minor    money.MinorUnits
	Progress Progress
}

// Share is the payment's part of its batch; nil has none.
func (p *Payment) Share() Share {
	if p == nil || p.State >= numStates {
		return Share{OnNeither, 0, Final}
	}
	s := standings[p.State]
	if p.State == Disputed && p.Key.Class.Ending() == EndAdvise || p.Acknowledged() { // refused by the acquirer, but it has happened
		s.inForce = true
	}
	if !s.inForce || p.Key.Class.Side() == OnNeither {
		return Share{OnNeither, 0, s.progress}
	}
	return Share{p.Key.Class.Side(), p.Worth().Minor - p.Was, s.progress}
}

// Totals are what the payments in force of a batch come to, in minor units.
type Totals struct {
	Debits, Credits         uint32 // how many
	DebitMinor, CreditMinor money.MinorUnits
}

// Add counts a payment in.
func (t *Totals) Add(s Share) {
	switch s.Side {
	case OnDebit:
		t.Debits++
		t.DebitMinor += s.Minor
	case OnDebitSum:
		t.DebitMinor += s.Minor
	case OnCredit:
		t.Credits++
		t.CreditMinor += s.Minor
	}
}

// Sub counts a payment out that was counted in.
func (t *Totals) Sub(s Share) {
	switch s.Side {
	case OnDebit:
		t.Debits--
		t.DebitMinor -= s.Minor
	case OnDebitSum:
		t.DebitMinor -= s.Minor
	case OnCredit:
		t.Credits--
		t.CreditMinor -= s.Minor
	}
}

// Settlement is what a terminal is told of its batch.
type Settlement struct {
	Ours     Totals
	Balanced bool   // the terminal's own totals are the same, and every payment is final
	Why      Reason // one of BatchReasons, when it is not
}

// BatchState is where a batch stands. Numbers are stored: append only.
type BatchState uint8

// The states of a batch.
const (
	BatchOpen     BatchState = iota + 1 // takes payments
	BatchDiffers                        // its totals were told and are not the terminal's; takes no payment
	BatchBalanced                       // closed: both sides have the same totals
	BatchUploaded                       // closed: the totals differ, and the terminal has uploaded its payments
	numBatchStates
)

var batchStateNames = [numBatchStates]string{"", "open", "differs", "balanced", "uploaded"}

// String is the name used in dumps and lists.
func (s BatchState) String() string { return name(batchStateNames[:], int(s)) }

// Known says whether s is one of the states above.
func (s BatchState) Known() bool { return s >= BatchOpen && s < numBatchStates }

// Closed says that nothing more is expected of the batch.
func (s BatchState) Closed() bool { return s == BatchBalanced || s == BatchUploaded }

// Batch is a batch as the journal keeps it.
type Batch struct {
	State  BatchState
	Now    Totals // of the payments in force at the moment of the record
	Told   Totals // what the terminal was told; zero while it is open
	Theirs Totals // what the terminal said; zero while it is open
	At     time.Time

	Offline OfflineUse // of the offline sales in force at the moment of the record
}
