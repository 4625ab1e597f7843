// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts anew")

// TestTranscripts plays every file of testdata: commands, a line "----", and
// what the switch said. One scenario a file; its head says why it exists.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(newWorld(t), string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s differs; run with -rewrite and review the diff. Got:\n%s", file, got)
			}
		})
	}
}

func play(w *world, text string) string {
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		commands, _, has := strings.Cut(block, "----")
		out.WriteString(strings.TrimRight(commands, "\n") + "\n")
		if !has {
			continue
		}
		w.out = nil
		for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
			if !strings.HasPrefix(line, "#") {
				w.command(line)
			}
		}
		out.WriteString("----\n")
		for _, line := range w.out {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// arguments are the words with "=", over what a line leaves out.
func arguments(words []string) map[string]string {
	args := map[string]string{"trace": "1", "amount": "1000", "card": "6224242300000069", "pin": ""}
	for _, word := range words {
		if k, v, ok := strings.Cut(word, "="); ok {
			args[k] = v
		}
	}
	return args
}

// command carries out one line of a transcript.
func (w *world) command(line string) {
	words := strings.Fields(line)
	args := arguments(words[1:])
	trace, _ := strconv.Atoi(args["trace"])
	amount, _ := strconv.Atoi(args["amount"])
	if k := w.keyOf(args, trace, amount); w.settleCommand(words, args) || w.pastCommand(words) || w.standInCommand(words, k) || w.rerouteCommand(words, args, k) || w.adviceCommand(words[0], args, trace, amount) {
		return
	}
	switch words[0] {
	case "purchase", "cash", "cashback", "balance", "void", "refund", "preauth", "cancel", "complete", "complete-advice", "void-completion":
		w.pay(words[0], args, trace, amount)
	case "reverse":
		in := w.request(txn.Reversal, trace, amount, args["card"], "")
		in.Original = w.keyOf(args, trace, amount)
		in.Cash = money.MinorUnits(number(args["cash"], 0))
		w.answered(w.flow.Reverse(context.Background(), in))
	case "delivered":
		w.flow.Delivered(w.lastKey, w.last, map[string]Delivery{"written": Written, "maybe": MaybeWritten, "not": NotWritten}[words[1]])
	case "acquirer":
		w.mood = append(w.mood, words[1:]...)
	case "meanwhile": // while the acquirer holds the next purchase
		rest := strings.Join(words[1:], " ")
		w.during = func() { w.during = nil; w.command(rest) }
	case "hold": // how long one lasts
		w.lasts, _ = time.ParseDuration(words[1])
	case "link":
		w.setLink(words[1])
	case "late", "late_no": // the acquirer's answer comes late, or once more
		w.late(words[0], w.keyOf(args, trace, amount))
	case "moves":
		w.moves()
	case "saf":
		w.deliver()
	case "advance":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			w.t.Fatal(err)
		}
		w.clock.Advance(d)
	case "restart":
		w.start()
	case "operator":
		w.operator(words[1], w.keyOf(args, trace, amount))
	case "journal":
		w.journal.full, w.journal.broken = words[1] == "full", words[1] == "broken"
	case "hsm":
		w.hsmGone, w.heard = words[1] == "gone", words[1] == "heard"
	case "numbers":
		w.noMore = words[1] == "none"
	case "overload":
		w.busy = words[1] == "on"
	case "state":
		p, ok := w.index.Find(w.keyOf(args, trace, amount))
		w.say("state: %v, held at the acquirer %d, waiting reversals %d", map[bool]any{true: p.State, false: "none"}[ok], w.books[p.Numbers.STAN], w.saf.Depth("acq"))
	default:
		w.t.Fatal(fmt.Errorf("transcript: unknown command %q", words[0]))
	}
}

// operator is what an operator does to a payment.
func (w *world) operator(what string, k txn.Key) {
	a := txn.Act{By: "ann", Why: "as told", At: w.clock.Now(), What: map[string]txn.Deed{
		"hold": txn.Hold, "retry": txn.Retry, "drop": txn.Drop, "undone": txn.FoundUndone, "stands": txn.FoundStands}[what]}
	var err error
	if a.What == txn.FoundUndone || a.What == txn.FoundStands {
		_, err = w.flow.CloseCase(k, a)
	} else {
		_, err = w.saf.Act("acq", k, a, w.clock.Mono())
	}
	if err != nil {
		w.say("to operator: %v", err)
	}
}

// deliver sends what waits for the acquirer until nothing can be sent now. That
// must come to an end: what is answered goes, or waits for its time.
func (w *world) deliver() {
	const many = 100
	for _, link := range append([]string{"acq"}, w.others...) {
		n := 0
		for w.saf.Deliver(context.Background(), link) {
			if n++; n == many {
				w.t.Fatal("saf: what waits does not become less")
			}
		}
	}
}

// late is an answer that nobody waits for. A yes is of what the acquirer carried
// out unless it was undone there.
func (w *world) late(what string, k txn.Key) {
	p, _ := w.index.Find(k)
	switch o, _ := w.index.Find(p.Original); {
	case what == "late_no":
		w.flow.Late(replay.NewLinkKey("acq", p.Numbers), txn.SaidNo)
		return
	case p.Key.Class == txn.Refund:
		w.refund(p.Numbers.STAN, o.Numbers.STAN, &p)
	case w.undone[p.Numbers.STAN]:
		w.books[p.Numbers.STAN] = 0
	case p.Key.Class == txn.Completion:
		w.taken[p.Numbers.STAN], w.books[o.Numbers.STAN] = o.Numbers.STAN, 0
		w.books[p.Numbers.STAN] = int64(p.Amount.Minor)
	default:
		w.books[p.Numbers.STAN] = int64(p.Amount.Minor)
	}
	w.flow.Late(replay.NewLinkKey("acq", p.Numbers), txn.SaidYes)
}

// moves tells what happened since the start, also what changed nothing.
func (w *world) moves() {
	taken := w.index.Moves()
	for _, a := range txn.Arrows() {
		if n := taken.Taken(a); n > 0 {
			w.say("%d × %s + %s -> %s", n, a.From, a.Event, a.To)
		}
	}
}

// keyOf is the key of a message of a class, a purchase unless said otherwise.
func (w *world) keyOf(args map[string]string, trace, amount int) txn.Key {
	class := classOf(args["of"])
	k := w.request(class, trace, amount, args["card"], "").Key
	k.Batch = number(args["batch"], k.Batch)
	return k
}

// pay sends a message with the card at hand.
func (w *world) pay(what string, args map[string]string, trace, amount int) {
	class := classOf(what)
	in := w.request(class, trace, amount, args["card"], args["pin"])
	in.Key.Batch = number(args["batch"], 1)
	in.Cash = money.MinorUnits(number(args["cash"], 0))
	copy(in.Key.Terminal[:], args["terminal"])
	copy(in.Key.Merchant[:], args["merchant"])
	if args["mac"] == "none" {
		in.HasMAC = false
	}
	w.busy = w.busy || args["busy"] == "yes"
	defer func(busy bool) { w.busy = busy }(w.busy && args["busy"] != "yes")
	w.chip(in, args["atc"])
	run := w.flow.Authorize
	switch class {
	case txn.Balance:
		run = w.flow.Inquire
	case txn.Void, txn.CompletionVoid:
		run = w.flow.Void
		w.names(in, args)
	case txn.PreAuthVoid:
		run = w.flow.CancelPreAuth
		w.namesHold(in, args)
	case txn.Completion:
		run = w.flow.Complete
		w.namesHold(in, args)
	case txn.CompletionAdvice:
		run = w.flow.AdviseCompletion
		w.namesHold(in, args)
	case txn.Refund:
		run = w.flow.Refund
		if args["original"] != "none" {
			w.names(in, args)
		}
	}
	last := run(context.Background(), in)
	w.lastKey, w.last = in.Key, last // what came meanwhile was told before
	w.answered(w.last)
}

// names sets what a void or a refund gives back: original=TRACE, the newest with
// that, in=BATCH when it is another than the message's, rrn=NUMBER when that is not
// the original's own, and date=MMDD.
func (w *world) names(in *txn.Request, args map[string]string) {
	trace, _ := strconv.Atoi(args["original"])
	in.Original = in.Key
	in.Original.Class, in.Original.Type, in.Original.Trace = 0, 0, txn.STAN(trace)
	in.Original.Batch = number(args["in"], in.Key.Batch)
	for _, p := range w.lives(-1) {
		if p.Key.Trace == in.Original.Trace {
			in.OfRRN = p.Numbers.RRN
		}
	}
	copy(in.OfAuth[:], args["auth"])
	copy(in.OfDate[:], args["date"])
	if n, ok := args["rrn"]; ok {
		in.OfRRN = txn.RRN([]byte(fmt.Sprintf("%012s", n)))
	}
}
