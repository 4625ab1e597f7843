// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"tapswitch/switch/txn"
)

// The holds of the scripted acquirer, and how a transcript says what names one.
// In its books a pre-authorization has what it holds, until it is released or
// completed, and again when that is undone.

// types60 are the types of the message (field 60.1), the sale's for others.
var types60 = map[txn.Class]uint8{
	txn.Balance: 1, txn.Void: 23, txn.PreAuth: 10, txn.PreAuthVoid: 11, txn.Completion: 20, txn.CompletionVoid: 21, txn.OfflineSale: 30, txn.CompletionAdvice: 24, txn.Refund: 25, txn.Adjustment: 32,
}

// classOf is a word of a transcript, a purchase unless it says otherwise.
func classOf(word string) txn.Class {
	c, ok := map[string]txn.Class{"cash": txn.Cash, "balance": txn.Balance, "void": txn.Void,
		"preauth": txn.PreAuth, "cancel": txn.PreAuthVoid, "complete": txn.Completion, "complete-advice": txn.CompletionAdvice, "void-completion": txn.CompletionVoid, "offline": txn.OfflineSale, "refund": txn.Refund, "cashback": txn.Cashback, "adjust": txn.Adjustment, "script": txn.ScriptResult, "stand-in": txn.StandIn}[word]
	if !ok {
		return txn.Purchase
	}
	return c
}

func mtiOf(p *txn.Payment) string {
	switch p.Key.Class {
	case txn.PreAuth, txn.PreAuthVoid:
		return "0100"
	case txn.Refund:
		return "0220"
	}
	return "0200"
}

// HoldTerms: 115 percent, 30 days.
func (w *world) HoldTerms(string) HoldTerms {
	if w.lasts == 0 {
		return HoldTerms{Percent: 115, Lasts: 30 * 24 * time.Hour}
	}
	return HoldTerms{Percent: 115, Lasts: w.lasts}
}

// namesHold sets what a cancel or a completion names: auth=CODE and date=MMDD
// when they are not those of every approval here, original=TRACE when it is given.
func (w *world) namesHold(in *txn.Request, args map[string]string) {
	copy(in.OfAuth[:], "AUTH01")
	copy(in.OfDate[:], w.clock.Now().Format("0102"))
	copy(in.OfAuth[:], args["auth"])
	copy(in.OfDate[:], args["date"])
	trace, _ := strconv.Atoi(args["original"])
	in.Original = txn.Key{Terminal: in.Key.Terminal, Merchant: in.Key.Merchant, Trace: txn.STAN(trace)}
	if trace != 0 {
		in.Original.Batch = number(args["in"], in.Key.Batch)
	}
}

// complete is the acquirer for completions: it takes the money of a hold, once.
func (w *world) complete(s Send, act string) (txn.Answer, error) {
	o, n := s.Original.Numbers.STAN, s.Payment.Numbers
	a := txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte("AUTH02")), RRN: n.RRN, At: w.clock.Now()}
	switch {
	case act == "lost", act == "decline", w.undone[n.STAN]:
	case w.books[o] > 0:
		w.taken[n.STAN], w.books[o], w.books[n.STAN] = o, 0, int64(s.Payment.Amount.Minor)
	}
	switch act {
	case "silent", "lost":
		w.clock.Advance(2 * time.Second)
		return txn.Answer{}, ErrNoAnswer
	case "decline":
		a.Code, a.Reason = txn.CodeBadTxn, txn.DeclineAcquirer.Reason
	case "slow":
		w.clock.Advance(time.Minute)
	case "mangle":
		return txn.Answer{}, fmt.Errorf("%w: %w", ErrChecks, txn.DeclineAnswer)
	}
	return a, nil
}

// completed is the acquirer for completions that have happened: the hold is taken, once.
func (w *world) completed(p txn.Payment, act string, mti string) (txn.Code, error) {
	o, known := w.index.Find(p.Original)
	if !known {
		w.t.Fatal("an advice about what is not known")
	}
	w.say("to acquirer: %s %s stan=%d amount=%d auth=%s original=%d", mti, p.Key.Class, p.Numbers.STAN, p.Amount.Minor, p.Answer.Auth[:], o.Numbers.STAN)
	n := p.Numbers.STAN
	switch act {
	case "lost":
		return txn.Code{}, errors.New("no answer")
	case "decline":
		return txn.Code{'9', '6'}, nil
	case "refuse":
		return txn.CodeBadTxn, nil
	}
	if w.books[o.Numbers.STAN] > 0 {
		w.taken[n], w.books[o.Numbers.STAN], w.books[n] = o.Numbers.STAN, 0, int64(p.Amount.Minor)
	}
	if act == "silent" {
		return txn.Code{}, errors.New("no answer")
	}
	return txn.CodeApproved, nil
}

// untake reverses what took o: o is in force again, unless it was undone itself.
func (w *world) untake(p txn.Payment, o txn.STAN) txn.Code {
	delete(w.taken, p.Numbers.STAN)
	w.books[p.Numbers.STAN] = 0
	if !w.undone[o] {
		w.books[o] = w.amountOf(o)
		w.hold(o, false)
	}
	return txn.CodeApproved
}

// hold makes what a completion took stand again, or no more; other numbers took
// none.
func (w *world) hold(completion txn.STAN, again bool) {
	if of, ok := w.taken[completion]; ok && w.books[of] == 0 == again {
		w.books[of] = 0
		if again {
			w.books[of] = w.amountOf(of)
		}
	}
}

// amountOf is what a message was for, by its number.
func (w *world) amountOf(stan txn.STAN) (minor int64) {
	w.index.Each(func(p txn.Payment) {
		if p.Numbers.STAN == stan {
			minor = int64(p.Amount.Minor)
		}
	})
	return minor
}
