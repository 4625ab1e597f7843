// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// TerminalID is field 41, eight characters; MerchantID is field 42, fifteen.
type (
	TerminalID [8]byte
	MerchantID [15]byte
)

// String gives the eight characters.
func (t TerminalID) String() string { return string(t[:]) }

// String gives the fifteen characters.
func (m MerchantID) String() string { return string(m[:]) }

// STAN is a system trace audit number, 1 to 999999 (ISO 8583 DE 11).
type STAN uint32

// RRN is a retrieval reference number, twelve characters (ISO 8583 DE 37).
type RRN [12]byte

// String gives the characters, empty when there is no number.
func (r RRN) String() string {
	if r == (RRN{}) {
		return ""
	}
	return string(r[:])
}

// Key is the replay key: two messages with the same Key are the same request.
// UnionPay POS: terminal, merchant, batch, trace, class and transaction type.
type Key struct {
	Terminal TerminalID
	Merchant MerchantID
	Batch    uint32 // six digits
	Trace    STAN   // the terminal's own number
	Class    Class
	Type     uint8 // field 60.1
}

// Fingerprint is what must be equal in a repeat: amount, card and cryptogram.
type Fingerprint [16]byte

// CardData is what the terminal read and the customer typed; it is wiped when
// the call is over. What outlives the call is in Payment.
type CardData struct {
	PAN    secret.PAN
	Track2 secret.Track2
	PIN    secret.PINBlock // under the terminal's PIN key, ISO format 0
	ICC    secret.ICC      // field 55
	Items  []Item          // Upload
}

// Wipe overwrites everything.
func (c *CardData) Wipe() {
	c.PAN.Wipe()
	c.Track2.Wipe()
	c.PIN.Wipe()
	c.ICC.Wipe()
	for _, i := range c.Items {
		i.PAN.Wipe()
	}
}

// Request is what a terminal asks, whatever its dialect.
type Request struct {
	Key       Key
	Card      CardData
	Amount    money.Amount
	Cash      money.MinorUnits // Cashback: of Amount, what the customer gets in cash
	Expiry    [4]byte          // YYMM, zero when absent
	PSN       [3]byte          // three digits, zero when absent
	Entry     [3]byte          // field 22
	Cond      [2]byte          // field 25
	Original  Key              // Reversal: the key of what is reversed; a class that Follows: the same without class and type, zero where the message has none
	Tip       bool             // Adjustment: more than the original, never less
	OfRRN     RRN              // Void, Refund, CompletionVoid, Adjustment, ScriptResult: the original's reference number
	OfAuth    [6]byte          // PreAuthVoid, Completion: the authorization code of the pre-authorization (field 38); CompletionVoid: the same or the completion's, zero when absent; Adjustment: the original's, zero when absent
	OfDate    [4]byte          // Refund, PreAuthVoid, Completion: the original's date MMDD at its terminal, zero when absent; CompletionVoid: the completion's or its pre-authorization's
	Script    []byte           // ScriptResult: what is passed on of field 55, BER-TLV: the results in tag 9F5B, the terminal's verification results in 95, and what dates them; never card data
	Auth      [6]byte          // OfflineSale: field 38, the authorization given by word of mouth
	TakesPart bool             // Purchase: the terminal declared that it takes an approval of a part of the amount
	Why       [2]byte          // Reversal: field 39 of the request
	Totals    Totals           // Settle: what the terminal counted
	Count     uint32           // BatchEnd: how many items it uploaded

	// The keys of the set that verified the MAC, set by authentication: the PIN
	// is under PINKey, the answer goes under MACKey.
	PINKey, MACKey *hsm.Key
	// The merchant's type (ISO 18245, field 18), set with them; zero when it is not known.
	MerchantType [4]byte

	MAC      [8]byte
	HasMAC   bool
	MACInput []byte // aliases the message: MTI up to the byte before the MAC

	Received env.Mono
	Deadline env.Mono
}

// Answer is what the terminal is told. An Answer without Code means that
// nothing may be told: it is not known what is durable, and the process stops.
type Answer struct {
	Code     Code
	Reason   Reason
	Part     money.MinorUnits // of CodePartial: what was approved; zero for others
	Auth     [6]byte          // field 38, zero when none
	RRN      RRN
	Repeat   bool        // told before
	At       time.Time   // switch time of the decision, fields 12 and 13
	SettleMD [4]byte     // field 15 MMDD, zero when none
	Batch    uint32      // of a sign-on: the batch the terminal is to go on with; zero: its own
	ICC      []byte      // field 55 to the card: tag 91; never sensitive
	Funds    Funds       // of a balance inquiry
	Settled  *Settlement // of a Settle, nil for others
}

// Funds is what an inquiry learned of an account (ISO 8583:1987 DE 54, amount
// type 02: available). A zero currency says that nothing was told.
type Funds struct {
	Available money.Amount
	Debit     bool // the account is overdrawn by Available
}

// Approved reports a yes, to the whole amount or to a part of it.
func (a Answer) Approved() bool { return a.Code == CodeApproved || a.Code == CodePartial && a.Part > 0 }

// Refusal makes the answer of a refused request.
func Refusal(err error, at time.Time) Answer {
	d := AsDecline(err)
	return Answer{Code: d.Code, Reason: d.Reason, At: at}
}

// Numbers identify a message on a link: field 11, field 7 (UTC MMDDhhmmss) and
// field 37. A repeat carries the same. In this order no byte is lost between the
// fields: every payment remembered has three.
type Numbers struct {
	At   time.Time // UTC; field 7 is its MMDDhhmmss
	STAN STAN
	RRN  RRN
}

// KeyRef says which key of the keystore: the name alone changes its meaning when a
// key is rotated.
type KeyRef struct {
	Name    string
	Version uint32
}

// Payment is what the switch remembers of a payment. It never holds
// sensitive authentication data; the card number is sealed.
type Payment struct {
	Key          Key
	Original     Key              // what a void, a refund or a completion is about, zero for others
	OfRRN        RRN              // the original's reference number: keys come again
	Of           Numbers          // Adjustment, ScriptResult: those of the original's request to the acquirer
	Was          money.MinorUnits // Adjustment: what the original came to before; Amount is what it comes to from then on
	Script       []byte           // ScriptResult: see Request; never changed
	Fingerprint  Fingerprint
	Masked       string   // card number, first six and last four
	Token        [16]byte // keyed token of the card number
	SealedPAN    []byte   // AES-GCM under the key SealedBy
	SealedBy     KeyRef   // zero in what earlier versions stored: the configured key
	Amount       money.Amount
	Cash         money.MinorUnits // of Amount, what the customer gets in cash
	Expiry       [4]byte
	PSN          [3]byte
	Entry        [3]byte
	Cond         [2]byte
	PINGiven     bool
	ChipRead     bool
	TakesPart    bool // the terminal takes an approval of a part of Amount
	StoodIn      bool // approved in the place of its issuer
	Undoes       bool // Refund: its link takes reversals of refunds
	FoundUndone  bool // Reversed since a person found that the acquirer holds nothing of it
	State        State
	MerchantType [4]byte // not stored; zero when it is not known
	Link         string
	Numbers      Numbers // of the request to the acquirer
	Undo         Numbers // of the reversal, zero when none
	UndoWhy      Reason
	Case         Case // of a payment that is Disputed, zero for others
	Held         *Act // what holds back what it owes, nil when nothing does; never changed
	LateYes      int  // how often the acquirer said yes beside its answer, while it was under way or being reversed; not stored
	Answer       Answer
	Reserved     int // journal room still kept for its outcome and undo, bytes
}

// NewPayment takes what may be remembered from a request.
func NewPayment(r *Request) *Payment {
	return &Payment{
		Key: r.Key, Masked: r.Card.PAN.String(), Amount: r.Amount, Cash: r.Cash, Expiry: r.Expiry, PSN: r.PSN, Entry: r.Entry,
		Cond: r.Cond, PINGiven: !r.Card.PIN.IsZero(), ChipRead: !r.Card.ICC.IsZero(), TakesPart: r.TakesPart, Script: r.Script, MerchantType: r.MerchantType, State: Received,
	}
}

// Worth is what p comes to while it is in force: the part of its amount that was
// approved, or all of it.
func (p *Payment) Worth() money.Amount {
	if part := p.Answer.Part; part > 0 {
		return money.Amount{Minor: part, Currency: p.Amount.Currency}
	}
	return p.Amount
}

// Ending is what becomes of p when its end at the acquirer is not known. It was
// settled with the intent, so that a restart decides as the first process did.
func (p *Payment) Ending() Ending {
	if e := p.Key.Class.Ending(); e != EndCase || !p.Undoes {
		return e
	}
	return EndUndo
}
