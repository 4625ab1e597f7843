// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/journal"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Flow is the payment flows over their ports, which stand in the order of use.
type Flow struct {
	Terminals Terminals
	Admission Admission
	Cards     Cards
	Payments  Payments
	Past      Past // nil: what the index has forgotten is not found
	Batches   Batches
	Routes    Routes
	Chips     Chips
	Counters  Counters
	PINs      PINs
	Numbers   Numbers
	Limits    Limits
	Holds     Holds
	Acquirers Acquirers
	Reversals Reversals
	StandIns  StandIns // nil: nothing is decided here

	Currency []uint16 // accepted ISO 4217 numbers
	Clock    env.Clock
	Observe  func(context.Context, Report) // one call per message, at its end
	Stop     func(error)                   // stops the process: an undo could not be made durable
	Opened   func(txn.Payment)             // told of each case that is opened here; may be nil
}

// Terminals says who may speak to us.
type Terminals interface {
	// Authenticate returns a Decline for unknown, blocked and unauthentic terminals,
	// and sets the keys of in.
	Authenticate(ctx context.Context, in *txn.Request) error
	// SignOn makes a new key set; the result is for the answer only.
	SignOn(ctx context.Context, in *txn.Request) (Keys, error)
	// Known checks terminal and merchant without authentication (echo, sign-off).
	Known(in *txn.Request) error
}

// Keys is a new set of working keys as it travels to the terminal.
type Keys struct {
	PIN, MAC hsm.Exported
}

// Admission keeps the number of messages in flight bounded; reversals have
// slots of their own.
type Admission interface {
	Enter(class txn.Class) (leave func(), err error)
}

// Cards seals card numbers and makes tokens and fingerprints.
type Cards interface {
	Protect(ctx context.Context, in *txn.Request, p *txn.Payment) error
	Token(ctx context.Context, pan secret.PAN) ([16]byte, error)
}

// Payments is the index of payments over the journal.
type Payments interface {
	Claim(p *txn.Payment, until env.Mono) (*txn.Answer, error)
	Finish(k txn.Key) replay.View
	Refused(p *txn.Payment, a txn.Answer)
	RefuseFirst(k txn.Key, a txn.Answer) (tell bool)
	Change(k txn.Key, decide func(replay.View) ([]journal.Record, error)) (replay.View, error)
	Move(k txn.Key, e txn.Event)
	FindSent(l replay.LinkKey) (txn.Key, bool)
	FindRRN(n txn.RRN) (txn.Key, bool)
	FindAuth(a replay.AuthKey) []txn.Key
	Find(k txn.Key) (txn.Payment, bool)
	View(k txn.Key) replay.View
	OfBatch(id txn.BatchID) []txn.Payment
	Await(k txn.Key, until env.Mono)
	Keep(k txn.Key) (release func())
	Naming(k txn.Key, n txn.RRN) []txn.Payment
	ChangeBoth(k, original txn.Key, decide func(now, of replay.View) ([]journal.Record, error)) (replay.View, error)
}

// Past knows the payments that the index has forgotten. What it gives has all that
// was durable at the moment of the call, else it is an error; errors are refusals.
type Past interface {
	// Named gives the payment that has a reference number, and merchant, batch and
	// trace of original.
	Named(ctx context.Context, n txn.RRN, original txn.Key, until env.Mono) (txn.Payment, error)
	// Since gives p as it stands, and what names it.
	Since(ctx context.Context, p *txn.Payment, until env.Mono) (now txn.Payment, later []txn.Payment, err error)
}

// Batches closes the batches of terminals.
type Batches interface {
	// Admit refuses a payment of a batch that takes none.
	Admit(k txn.Key) error
	// Close closes a batch whose totals are theirs; errors are refusals.
	Close(id txn.BatchID, theirs txn.Totals, until env.Mono) (txn.Settlement, error)
	// Upload takes items of a batch whose totals differ; judge gives those that did not
	// come before their verdicts. End closes it: inForce are its payments in force and
	// what they come to. Both tell how many cases they opened; errors are refusals.
	Upload(id txn.BatchID, items []txn.Uploaded, judge func([]txn.Uploaded)) (cases int, err error)
	End(id txn.BatchID, count uint32, inForce func() ([]txn.Uploaded, txn.Totals)) (cases int, err error)
	// Offline counts an offline sale of an amount that is about to be made durable, and
	// names the limit that it breaks, empty when none; done says that it is, or failed.
	Offline(k txn.Key, minor money.MinorUnits, l txn.OfflineLimits) (over txn.Reason, done func())
	// Now is what the payments in force of a batch come to, forgotten ones too.
	Now(id txn.BatchID) txn.Totals
	// Current is the batch that a terminal goes on with that says it is in id.
	Current(id txn.BatchID) uint32
}

// Route is where a payment goes.
type Route struct {
	Link   string
	Issuer *chip.Issuer // set when the card is on-us
}

// Routes chooses link and issuer by card number.
type Routes interface {
	// Issuer returns the issuer of an on-us card, nil for others; DeclineNoRoute
	// for a card nobody takes.
	Issuer(pan secret.PAN) (*chip.Issuer, error)
	// Choose returns a healthy link.
	Choose(pan secret.PAN) (link string, err error)
	// Another returns a healthy link of the card's range that carries a class and is
	// none of those that were tried.
	Another(pan secret.PAN, c txn.Class, tried []string) (link string, err error)
	// Home returns a link that carries a class, a healthy one if there is, else the
	// first of the card's range: what has happened waits there.
	Home(pan secret.PAN, c txn.Class) (link string, err error)
}

// Chips checks and answers cryptograms.
type Chips interface {
	Check(ctx context.Context, in *txn.Request, is chip.Issuer) error
	Respond(ctx context.Context, in *txn.Request, is chip.Issuer, code txn.Code) ([]byte, error)
}

// Counters takes the transaction counter of an on-us card, once.
type Counters interface {
	Take(in *txn.Request, p *txn.Payment, is chip.Issuer) (records []journal.Record, failed func(), err error)
}

// PINs verifies a PIN where the card is on-us and translates it otherwise.
type PINs interface {
	Verify(ctx context.Context, in *txn.Request, p *txn.Payment, is chip.Issuer) (records []journal.Record, failed func(), err error)
	Translate(ctx context.Context, in *txn.Request, link string) (secret.PINBlock, error)
}

// Numbers gives trace and reference numbers that are unique per the promises.
type Numbers interface {
	Next() (txn.Numbers, error)
}

// Send is what an acquirer is to be asked.
type Send struct {
	Payment  *txn.Payment
	Original *txn.Payment // what a void, a refund or a completion is about, nil for others
	Card     *txn.CardData
	PIN      secret.PINBlock // under the link's zone key, zero when none
	Deadline env.Mono

	Forwarded func() // to be called when the message goes to the link; a byte may leave from then on
}

// Errors of Exchange: the difference is money. A Decline inside ErrNoAnswer's
// place means that an answer came and failed its checks.
var (
	ErrNotSent  = errors.New("flow: surely nothing was sent")
	ErrNoAnswer = errors.New("flow: sent, and no answer in time")
	ErrChecks   = errors.New("flow: the answer failed its checks")
)

// Acquirers asks the acquirer of a route.
type Acquirers interface {
	// Serves says whether a link carries a class of messages.
	Serves(link string, c txn.Class) bool
	// Undoes says whether what has no usable answer is reversed at a link, for a
	// class whose ending is otherwise a case for a person.
	Undoes(link string, c txn.Class) bool
	Exchange(ctx context.Context, s Send) (txn.Answer, error)
}

// Reversals delivers undos and advices until they are acknowledged.
type Reversals interface {
	Enqueue(link string, k txn.Key)
	// EnqueueFresh is Enqueue of an advice that was made durable just now.
	EnqueueFresh(link string, k txn.Key)
	// Withdraw takes an advice back of which surely nothing has left.
	Withdraw(link string, k txn.Key) bool
}
