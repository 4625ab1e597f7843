// SPDX-License-Identifier: Apache-2.0

package txn

import "tapswitch/internal/assert"

// State is where a payment stands.
type State uint8

// The states. Numbers are stored nowhere: the journal keeps events.
const (
	Received  State = iota // read from a terminal, nothing durable
	Intended               // intent durable, nothing left yet
	Sent                   // a byte may have left to the acquirer
	Approved               // yes durable, the terminal not yet told
	Completed              // told the terminal yes, or may have; rests until its reversal
	Declined               // final: no, and nothing to undo
	Refused                // final: no before anything was durable
	Reversing              // undo durable, not acknowledged
	Reversed               // final: the acquirer confirmed the reversal, or nothing was sent
	Unmatched              // the acquirer does not know the original (25, 12, 94); rests, a late yes reopens it
	Disputed               // what it owes the acquirer is no longer sent and a case is open: a person decides; rests
	Advising               // it happened before anybody asked: owed to the acquirer, told until acknowledged
	Advised                // final: the acquirer has it
	Upheld                 // final: a person found that it stands at the acquirer
	numStates
)

var stateNames = [numStates]string{
	"received", "intended", "sent", "approved", "completed", "declined", "refused", "reversing", "reversed", "unmatched", "disputed",
	"advising", "advised", "upheld",
}

// String is the name used in events, metrics and dumps.
func (s State) String() string { return name(stateNames[:], int(s)) }

// Event is what can happen to a payment.
type Event uint8

// The events. Late answers, broken writes and passed deadlines are events like
// any other. The numbers are stored in the journal: append only.
const (
	Refuse         Event = iota + 1 // refused before the intent
	Journaled                       // the intent is durable
	NotSent                         // surely not a byte left
	Forwarded                       // handed to the link; a byte may have left
	SaidYes                         // the acquirer approved, and the answer passed its checks
	SaidNo                          // the acquirer declined
	TimedOut                        // no answer in time, or the connection was lost
	CheckFailed                     // the answer failed a check: amount, terminal, currency, MAC
	DeadlinePassed                  // the terminal no longer waits
	Written                         // the answer was written to the terminal
	MaybeWritten                    // part of it may have been
	NotWritten                      // surely not a byte of it was, or it could not be authenticated
	UndoAsked                       // the terminal reversed it, or recovery did
	UndoAcked                       // reversal confirmed
	UndoUnknown                     // the acquirer does not know the original
	Closed                          // ended without undo: its class moves no money
	CaseOpened                      // its end at the acquirer is for a person to find out
	Happened                        // an advice is durable: its money has moved already
	AdviceAcked                     // the acquirer has it
	Stands                          // its yes was not told and is not undone: a repeat is told
	StoodIn                         // nothing was sent, and the switch said yes in the issuer's place
	CaseUndone                      // a person found that the acquirer holds nothing of it
	CaseStands                      // a person found that the acquirer holds it
	Rerouted                        // nothing was sent, and it goes to another link
	numEvents
)

var eventNames = [numEvents]string{
	"", "refuse", "journaled", "not_sent", "forwarded", "said_yes", "said_no", "timed_out", "check_failed", "deadline_passed",
	"written", "maybe_written", "not_written", "undo_asked", "undo_acked", "undo_unknown", "closed", "case_opened",
	"happened", "advice_acked", "stands", "stood_in", "case_undone", "case_stands", "rerouted",
}

// String is the name used in events, metrics and dumps.
func (e Event) String() string { return name(eventNames[:], int(e)) }

// arrow is a cell of the table: the zero value is an impossible event.
type arrow struct {
	to State
	ok bool
}

func to(s State) arrow { return arrow{s, true} }

// next is the whole life of a payment. A missing entry is an impossible event.
//
// An approval that may have been written is presumed delivered: the terminal's
// own reversal decides. Once undo is durable, no answer of the acquirer moves
// the payment anywhere but along its reversal; the writer of an answer may tell of
// it when all that is over.
var next = [numStates][numEvents]arrow{
	Received: {Refuse: to(Refused), Journaled: to(Intended), Happened: to(Advising)},
	Intended: {Forwarded: to(Sent), NotSent: to(Declined), UndoAsked: to(Reversing), Closed: to(Declined), StoodIn: to(Approved)},
	Sent: {SaidYes: to(Approved), SaidNo: to(Declined), NotSent: to(Declined), TimedOut: to(Reversing),
		CheckFailed: to(Reversing), UndoAsked: to(Reversing), Closed: to(Declined), CaseOpened: to(Disputed), StoodIn: to(Approved), Rerouted: to(Intended)},
	Approved: {Written: to(Completed), MaybeWritten: to(Completed), NotWritten: to(Reversing),
		DeadlinePassed: to(Reversing), UndoAsked: to(Reversing), Closed: to(Declined), Stands: to(Completed)},
	Completed: {UndoAsked: to(Reversing), SaidYes: to(Completed), SaidNo: to(Completed)},
	Declined:  {UndoAsked: to(Declined), SaidYes: to(Reversing), SaidNo: to(Declined), CaseOpened: to(Disputed)},
	Refused:   {UndoAsked: to(Refused)},
	Reversing: {UndoAsked: to(Reversing), SaidYes: to(Reversing), SaidNo: to(Reversing), NotSent: to(Reversed),
		Forwarded: to(Reversing), TimedOut: to(Reversing), CheckFailed: to(Reversing), DeadlinePassed: to(Reversing),
		Written: to(Reversing), MaybeWritten: to(Reversing), NotWritten: to(Reversing),
		UndoAcked: to(Reversed), UndoUnknown: to(Unmatched), CaseOpened: to(Disputed)},
	Reversed: {UndoAsked: to(Reversed), SaidYes: to(Reversed), SaidNo: to(Reversed),
		Written: to(Reversed), MaybeWritten: to(Reversed), NotWritten: to(Reversed),
		DeadlinePassed: to(Reversed),  // of what was decided here, and cancelled out at once
		CaseOpened:     to(Disputed)}, // of what a person found undone, and a yes came for
	Unmatched: {UndoAsked: to(Unmatched), SaidYes: to(Reversing), SaidNo: to(Unmatched),
		Written: to(Unmatched), MaybeWritten: to(Unmatched), NotWritten: to(Unmatched)},
	// What happened is not undone by the acquirer's no: it is told until the
	// acquirer has it, or a person does. One that did not leave is not owed any more
	// when its payment is undone.
	Advising: {AdviceAcked: to(Advised), CaseOpened: to(Disputed), NotSent: to(Declined)},
	// Nothing is sent again by itself, whatever comes late: a person has it.
	Disputed: {UndoAsked: to(Disputed), SaidYes: to(Disputed), SaidNo: to(Disputed),
		Written: to(Disputed), MaybeWritten: to(Disputed), NotWritten: to(Disputed),
		CaseUndone: to(Reversed), CaseStands: to(Upheld)},
	Upheld: {UndoAsked: to(Upheld), SaidYes: to(Upheld), SaidNo: to(Upheld),
		Written: to(Upheld), MaybeWritten: to(Upheld), NotWritten: to(Upheld)},
}

// Next returns the state after e; ok is false when e cannot happen in s.
func Next(s State, e Event) (State, bool) {
	if s >= numStates || e >= numEvents {
		return s, false
	}
	a := next[s][e]
	return a.to, a.ok
}

// Follow is Next for an event of the journal, which keeps no Forwarded: what
// can only come after it implies it.
func Follow(s State, e Event) (State, bool) {
	if n, ok := Next(s, e); ok {
		return n, true
	}
	if s == Intended {
		return Next(Sent, e)
	}
	return s, false
}

// MustNext is Next for events that our own code reports: an impossible one is a bug.
func MustNext(s State, e Event) State {
	n, ok := Next(s, e)
	if !ok {
		assert.Fail("txn: event %s cannot happen in state %s", e, s)
	}
	return n
}

// Resting reports whether nothing more need happen to a payment in s by itself.
func (s State) Resting() bool {
	switch s {
	case Completed, Declined, Refused, Reversed, Unmatched, Disputed, Advised, Upheld:
		return true
	}
	return false
}

// Owes reports whether a payment in s owes its acquirer a message, which an
// operator may hold back.
func (s State) Owes() bool { return s == Reversing || s == Advising }

// InForce reports whether a payment in s moved money for good, as far as the
// switch knows: what it gives back or takes is given or taken.
func (s State) InForce() bool { return s == Completed || s == Upheld }

// Acknowledged reports whether p is an advice that its acquirer has, by its own
// word or by a person's.
func (p *Payment) Acknowledged() bool {
	return p.State == Advised || p.State == Upheld && p.Key.Class.Ending() == EndAdvise
}

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}
