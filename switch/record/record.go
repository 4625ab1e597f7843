// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// The kinds of records. Numbers are stored: append only.
const (
	KindIntent       byte = iota + 1 // a payment about to be sent
	KindRefused                      // a payment refused before sending whose answer must be kept (a PIN try was counted)
	KindOutcome                      // what became of an intent, with the answer
	KindUndo                         // a payment is to be reversed
	KindUndone                       // the acquirer answered the reversal
	KindTombstone                    // a reversal whose original is unknown
	KindTries                        // wrong PINs of a card
	KindNumbers                      // a reserved block of trace numbers
	KindCase                         // the acquirer will not undo a payment, or not take an advice: a person must look at it
	KindBatch                        // how a terminal's batch stands
	KindAdvice                       // what has happened and is owed to the acquirer, with what the terminal is told
	KindAdvised                      // the acquirer acknowledged an advice
	KindCounter                      // used counters of a card or a DUKPT device
	KindStandIn                      // a payment that the switch approved itself, in the day of its card
	KindAct                          // an operator held, retried or dropped what a payment owes, or closed its case
	KindRerouted                     // an intent of which nothing left goes to another link
	KindUpload                       // payments that a terminal uploaded of its batch, and what they came to
	KindUploadClosed                 // cases that an upload opened are closed, by whom and why
)

var kindNames = [...]string{"", "intent", "refused", "outcome", "undo", "undone", "tombstone", "tries", "numbers", "case", "batch", "advice", "advised", "counter", "stand_in", "act", "rerouted", "upload", "upload_closed"}

// KindName is the name used in dumps.
func KindName(k byte) string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind_%d", k)
}

// FollowUps is the room an intent reserves for its outcome, its undo and the
// undo's result or case, with the journal's own overhead; UndoRoom is what an approval
// keeps of it, since its reversal may still come; admission asks for no room
// but makes a record that no payment in flight needs wait for a free one.
// The bodies are bounded: see TestFollowUpsFit.
const (
	FollowUps = 1536
	UndoRoom  = 640
	admission = 1

	// AdviceRoom is what an advice reserves for its acknowledgement or case.
	AdviceRoom = 384
)

const _ = uint(FollowUps - UndoRoom - 1)

// The first byte of every body is its version. What needs no field of the second
// is written as the first, so that an earlier tapswitch reads all it can know.
const (
	version  = 1
	version2 = 2
)

// Errors of the decoder.
var (
	ErrVersion = errors.New("record: written by another version of tapswitch; use that version to read it")
	ErrForm    = errors.New("record: body does not have its form")
)

// Undo is the body of KindUndo.
type Undo struct {
	Event   txn.Event // TimedOut, CheckFailed, NotWritten, DeadlinePassed, UndoAsked, SaidYes
	Reason  txn.Reason
	Numbers txn.Numbers // of the reversal; repeats carry the same
}

// Outcome is the body of KindOutcome.
type Outcome struct {
	Event  txn.Event // SaidYes, SaidNo, NotSent
	Answer txn.Answer
}

// Undone is the body of KindUndone.
type Undone struct {
	Event txn.Event // UndoAcked, UndoUnknown
	Code  txn.Code
}

// Advised is the body of KindAdvised.
type Advised struct {
	Code txn.Code // the acquirer's: 00, or 94 to a repeat
	At   time.Time
}

// Tries is the body of KindTries; its key is the card token.
type Tries struct {
	Count   uint8
	Payment txn.Key // counted once per payment
}

// Intent makes the record of p about to be sent.
func Intent(p *txn.Payment) journal.Record {
	return journal.Record{Kind: KindIntent, Key: AppendKey(nil, p.Key), Body: appendPayment(nil, p), Reserve: FollowUps}
}

// Refused makes the record of p refused with p.Answer.
func Refused(p *txn.Payment) journal.Record {
	body := appendAnswer(appendPayment(nil, p), p.Answer)
	return journal.Record{Kind: KindRefused, Key: AppendKey(nil, p.Key), Body: body, Reserve: admission}
}

// MakeOutcome makes the record of what became of p. A final one gives back the
// room that was kept; one that may still be reversed keeps UndoRoom.
func MakeOutcome(p *txn.Payment, o Outcome) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(o.Event))
	r := journal.Record{Kind: KindOutcome, Key: AppendKey(nil, p.Key), Body: appendAnswer(e.buf, o.Answer), Reserve: -p.Reserved}
	if to, ok := txn.Follow(p.State, o.Event); ok && p.Reserved > UndoRoom && (to == txn.Approved || to == txn.Reversing) {
		r.Reserve += UndoRoom
	}
	return r
}

// MakeUndo makes the record that k is to be reversed.
func MakeUndo(k txn.Key, u Undo) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(u.Event))
	e.bytes(tagReason, []byte(u.Reason))
	e.numbers(tagUndo, u.Numbers)
	return journal.Record{Kind: KindUndo, Key: AppendKey(nil, k), Body: e.buf}
}

// MakeUndone makes the record of the acquirer's answer to the reversal of p.
func MakeUndone(p *txn.Payment, u Undone) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(u.Event))
	e.bytes(tagCode, u.Code[:])
	return journal.Record{Kind: KindUndone, Key: AppendKey(nil, p.Key), Body: e.buf, Reserve: -p.Reserved}
}

// MakeCase makes the record that p, whose undo or advice is sent no more, waits for a person.
func MakeCase(p *txn.Payment, c txn.Case) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(txn.CaseOpened))
	e.bytes(tagReason, []byte(c.Why))
	e.fixed(tagCode, c.Code[:])
	e.time(tagAt, c.At)
	return journal.Record{Kind: KindCase, Key: AppendKey(nil, p.Key), Body: e.buf, Reserve: -p.Reserved}
}

// Advice makes the record of p, which has happened and is to be told to its
// acquirer; p.Answer is what a terminal that asked is told of it.
func Advice(p *txn.Payment) journal.Record {
	body := appendAnswer(appendPayment(nil, p), p.Answer)
	return journal.Record{Kind: KindAdvice, Key: AppendKey(nil, p.Key), Body: body, Reserve: AdviceRoom}
}

// MakeAdvised makes the record that the acquirer has p.
func MakeAdvised(p *txn.Payment, a Advised) journal.Record {
	e := newEncoder(nil)
	e.byte(tagEvent, byte(txn.AdviceAcked))
	e.bytes(tagCode, a.Code[:])
	e.time(tagAt, a.At)
	return journal.Record{Kind: KindAdvised, Key: AppendKey(nil, p.Key), Body: e.buf, Reserve: -p.Reserved}
}

// MakeAct makes the record of what an operator did to p. What ends a debt uses the
// room that was kept for its end; the others find room of their own or are refused.
func MakeAct(p *txn.Payment, a txn.Act) journal.Record {
	e := newEncoder(nil)
	e.byte(tagDeed, byte(a.What))
	e.bytes(tagBy, []byte(a.By))
	e.bytes(tagWhy, []byte(a.Why))
	e.fixed(tagCode, a.Code[:])
	e.time(tagAt, a.At)
	r := journal.Record{Kind: KindAct, Key: AppendKey(nil, p.Key), Body: e.buf, Reserve: admission}
	if a.What == txn.Drop {
		r.Reserve = -p.Reserved
	}
	return r
}

// Tombstone makes the record that k was reversed before it was known.
func Tombstone(k txn.Key) journal.Record {
	return journal.Record{Kind: KindTombstone, Key: AppendKey(nil, k), Body: newEncoder(nil).buf, Reserve: admission}
}

// MakeTries makes the record of the wrong PINs of a card.
func MakeTries(token [16]byte, t Tries) journal.Record {
	e := newEncoder(nil)
	e.byte(tagCount, t.Count)
	e.bytes(tagKey, AppendKey(nil, t.Payment))
	return journal.Record{Kind: KindTries, Key: append([]byte(nil), token[:]...), Body: e.buf}
}

// keySize is the length of an encoded txn.Key.
const keySize = 8 + 15 + 4 + 4 + 1 + 1

// AppendKey appends the 33 bytes of k.
func AppendKey(dst []byte, k txn.Key) []byte {
	dst = append(dst, k.Terminal[:]...)
	dst = append(dst, k.Merchant[:]...)
	dst = binary.BigEndian.AppendUint32(dst, k.Batch)
	dst = binary.BigEndian.AppendUint32(dst, uint32(k.Trace))
	return append(dst, byte(k.Class), k.Type)
}

// ParseKey reads what AppendKey wrote.
func ParseKey(b []byte) (k txn.Key, err error) {
	if len(b) != keySize {
		return k, ErrForm
	}
	copy(k.Terminal[:], b)
	copy(k.Merchant[:], b[8:])
	k.Batch = binary.BigEndian.Uint32(b[23:])
	k.Trace = txn.STAN(binary.BigEndian.Uint32(b[27:]))
	k.Class, k.Type = txn.Class(b[31]), b[32]
	return k, nil
}
