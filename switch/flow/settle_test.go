// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

// settleCommand carries out one line of a transcript that is about batches; false
// when it is of another kind.
func (w *world) settleCommand(words []string, args map[string]string) bool {
	switch words[0] {
	case "settle":
		w.answered(w.flow.Settle(context.Background(), w.settlement(args)))
	case "upload":
		w.answered(w.flow.Upload(context.Background(), w.upload(args)))
	case "batch-end":
		in := w.settlement(args)
		in.Key.Class, in.Count = txn.BatchEnd, number(args["count"], 0)
		w.answered(w.flow.EndBatch(context.Background(), in))
	case "remember": // until their batch is closed, as long as there are so many payments at most; from a restart on
		w.keep = int(number(words[1], 1000))
		w.start()
	case "cases":
		w.say("cases of uploads: %d", w.batches.Cases())
	case "close": // cases of an upload
		id := w.request(txn.Upload, 1, 0, args["card"], "").Key.BatchID()
		id.Batch = number(args["batch"], 1)
		_, items, err := w.batches.CloseCases(id, txn.STAN(number(args["trace"], 0)), txn.Act{What: txn.Settled, By: "ann", Why: "voucher seen", At: w.clock.Now()})
		if w.say("to operator: %d closed", len(items)); err != nil {
			w.say("to operator: %v", err)
		}
	case "sign-on":
		in := w.request(txn.SignOn, 91, 0, args["card"], "")
		in.Key.Batch = number(args["batch"], 1)
		ans, _ := w.flow.SignOn(context.Background(), in)
		w.say("to terminal: %s batch %06d", ans.Code, ans.Batch)
	case "waiting": // while the next wait lasts; several lines, one after the other
		rest := strings.Join(words[1:], " ")
		w.waiting = append(w.waiting, func() { w.command(rest) })
	case "carry": // as before the journal is purged
		if err := w.batches.Carry(); err != nil {
			w.say("carry: %v", err)
		}
	case "purge": // payments that the switch has forgotten leave the journal
		w.purge()
	default:
		return false
	}
	return true
}

// number is an argument as a number.
func number(text string, otherwise uint32) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return otherwise
	}
	return uint32(n)
}

// settlement is the close of a batch: debits=COUNTxAMOUNT and credits=COUNTxAMOUNT
// are the terminal's sums, batch=NUMBER, within=TIME how long it may take.
func (w *world) settlement(args map[string]string) *txn.Request {
	in := w.request(txn.Settle, 90, 0, args["card"], "")
	in.Card.Wipe()
	in.Key.Type, in.Key.Batch = 0, number(args["batch"], 1)
	if within, err := time.ParseDuration(args["within"]); err == nil {
		in.Deadline = w.clock.Mono().Add(within)
	}
	side := func(text string) (uint32, money.MinorUnits) {
		count, sum, _ := strings.Cut(text, "x")
		return number(count, 0), money.MinorUnits(number(sum, 0))
	}
	in.Totals.Debits, in.Totals.DebitMinor = side(args["debits"])
	in.Totals.Credits, in.Totals.CreditMinor = side(args["credits"])
	return in
}

// upload is a message of a batch's upload: items=TRACE:AMOUNT,TRACE:AMOUNT:CARD
// are what the terminal says it took.
func (w *world) upload(args map[string]string) *txn.Request {
	in := w.settlement(args)
	in.Key.Class = txn.Upload
	for item := range strings.SplitSeq(args["items"], ",") {
		parts := append(strings.Split(item, ":"), args["card"])
		pan, err := secret.NewPAN([]byte(parts[2]))
		if err != nil {
			w.t.Fatal(err)
		}
		in.Card.Items = append(in.Card.Items, txn.Item{Trace: txn.STAN(number(parts[0], 0)), Minor: money.MinorUnits(number(parts[1], 0)), PAN: pan})
	}
	return in
}

// verdicts are items in one line.
func verdicts(items []txn.Uploaded) string {
	var out []string
	for _, u := range items {
		why := string(u.Verdict.Reason())
		if why == "" {
			why = "agrees"
		}
		out = append(out, fmt.Sprintf("%06d %d %s", u.Trace, u.Minor, why))
	}
	return strings.Join(out, ", ")
}
