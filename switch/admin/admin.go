// SPDX-License-Identifier: Apache-2.0

// Package admin is the operator's port of a running switch: a socket in the file
// system over which what waits for an acquirer is listed and acted on.
//
// Promise: nobody but the user of the switch can connect. A request is bounded in
// size and time, is carried out whole or refused by name, and never holds up a
// payment. What changes something says who and why, and is durable before it is
// answered.
//
// How: one connection is one request and one reply, each a line of JSON.
// request.go is its form and its checks; serve.go reads, hands it to a Desk (which
// node is) and answers; ask.go is the other side, for the command line. A few
// connections are served at the same time, one more is told so.
//
// Imported by: node, cmd. Imports: switch/txn, internal.
package admin

import (
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// Desk carries requests out. An error that is no Refusal is told as a failure.
type Desk interface {
	// List gives what waits for an acquirer, for one link or, with "", for all, at
	// most so many, and how many more there are.
	List(link string, most int) (items []Item, more int, err error)
	// Act does what an operator asks to the payment of a reference number. What is
	// being sent is waited for until then.
	Act(of txn.RRN, a txn.Act, until env.Mono) (Item, error)
	// CloseUpload closes the cases that an upload opened about one trace number of a
	// batch, or about the batch itself, and gives them.
	CloseUpload(of Upload, a txn.Act) ([]Case, error)
}

// Refusal says why a request was not carried out. Nothing was changed, but for
// Failed: then nobody can say.
type Refusal struct {
	Word string // one of the words below
	Text string // for people: what, why, and what to do
}

// Error is the text.
func (r *Refusal) Error() string { return r.Text }

// The words of refusals.
const (
	BadRequest = "bad_request"  // not in the form that is asked for
	Crowded    = "busy"         // too many ask at the same time, or the journal's queue is full
	UnknownRRN = "unknown"      // no payment of this number is in memory
	NothingDue = "nothing_due"  // the payment owes its acquirer nothing
	BeingSent  = "being_sent"   // its message is under way
	NoCase     = "no_case"      // no case is open of it
	NoRoom     = "journal_full" // the act cannot be stored
	Failed     = "failed"       // the act may be stored or not; the switch stops
)

// Item is a payment that owes its acquirer a message, or that was acted on. There
// is no card number in it but masked.
type Item struct {
	RRN   string `json:"rrn"`
	Kind  string `json:"kind,omitempty"`  // reversal or advice, empty when nothing waits
	Place string `json:"place,omitempty"` // sending, due, later, held, behind; empty when nothing waits
	State string `json:"state"`           // of the payment

	Link   string    `json:"link"`
	LinkUp bool      `json:"link_up"`
	Health string    `json:"link_health,omitempty"` // why the link is not up
	WaitMS int64     `json:"wait_ms,omitempty"`     // until the next attempt
	Behind string    `json:"behind,omitempty"`      // reference number of what goes first
	Since  time.Time `json:"since,omitzero"`        // owed since
	Tries  int       `json:"tries"`                 // since the switch was started
	Code   string    `json:"code,omitempty"`        // the acquirer's last word
	Err    string    `json:"error,omitempty"`       // why the last attempt had none

	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Batch    uint32 `json:"batch"`
	Trace    uint32 `json:"trace"`
	Class    string `json:"class"`
	Card     string `json:"card"`
	Amount   int64  `json:"amount_minor"`
	Currency uint16 `json:"currency"`
	STAN     uint32 `json:"stan"`                // of the request
	UndoSTAN uint32 `json:"undo_stan,omitempty"` // of its reversal
	Because  string `json:"reversed_because,omitempty"`

	HeldBy    string    `json:"held_by,omitempty"`
	HeldWhy   string    `json:"held_why,omitempty"`
	HeldSince time.Time `json:"held_since,omitzero"`
}

// Upload names the cases of an upload. Without a merchant it is the one that has them.
type Upload struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant,omitempty"`
	Batch    uint32 `json:"batch"`
	Trace    uint32 `json:"trace"` // 0: those about the batch itself
}

// Case is a case of an upload that was closed. The card number is masked.
type Case struct {
	Upload
	Why    string `json:"why"`
	Card   string `json:"card,omitempty"`
	Amount int64  `json:"amount_minor"`
}

// NewItem takes what is shown of a payment.
func NewItem(p *txn.Payment) Item {
	it := Item{
		RRN: p.Numbers.RRN.String(), State: p.State.String(), Link: p.Link,
		Terminal: p.Key.Terminal.String(), Merchant: p.Key.Merchant.String(), Batch: p.Key.Batch, Trace: uint32(p.Key.Trace), Class: p.Key.Class.String(),
		Card: p.Masked, Amount: int64(p.Amount.Minor), Currency: uint16(p.Amount.Currency),
		STAN: uint32(p.Numbers.STAN), UndoSTAN: uint32(p.Undo.STAN), Because: string(p.UndoWhy),
	}
	if h := p.Held; h != nil {
		it.HeldBy, it.HeldWhy, it.HeldSince = h.By, h.Why, h.At
	}
	return it
}
