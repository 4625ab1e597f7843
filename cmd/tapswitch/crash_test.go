// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// rounds is how often a crash is played; `make faults` sets it higher.
func rounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("TAPSWITCH_ROUNDS")
	if s == "" {
		return 5
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("TAPSWITCH_ROUNDS %q", s)
	}
	return min(n, 100) // half a minute
}

// owes tells whether the terminal's memory on disk holds a reversal.
func (r *rig) owes() bool {
	r.t.Helper()
	var memory struct {
		Pending []byte `json:"pending"`
	}
	if err := json.Unmarshal([]byte(r.file("terminal/memory.json")), &memory); err != nil {
		r.t.Fatal(err)
	}
	return len(memory.Pending) > 0
}

// settled waits until no sale of the terminal that was not approved holds money:
// reversals are on their way by themselves.
func (r *rig) settled() {
	r.t.Helper()
	r.eventually("every reversal is delivered", func() bool {
		depth := r.metrics()["tapswitch_saf_depth{}"]
		e := &evidence{terminal: readLines[termLine](r.t, r.path("terminal.log")), books: map[string][]bookLine{}}
		for _, link := range []string{"acq-a", "acq-b"} {
			e.books[link] = readLines[bookLine](r.t, r.path(link+".books.jsonl"))
		}
		approved := int64(0)
		sales, undone := e.sales()
		for _, s := range sales {
			if s.Outcome == "approved" && !undone[fmt.Sprint(s.Batch, s.Trace)] {
				approved += s.Amount
			}
		}
		held := int64(0)
		for _, book := range e.books {
			for _, l := range book {
				switch l.Effect {
				case "debit":
					held += l.Amount
				case "credit":
					held -= l.Amount
				}
			}
		}
		return depth == 0 && held == approved
	})
}

// TestCrashSwitchInFlight kills the switch while its acquirer owes an answer: the
// reversal goes out after the restart.
func TestCrashSwitchInFlight(t *testing.T) {
	t.Parallel()
	r := raise(t)
	mood(r.a, "silent once")
	at := r.a.mark()
	from := r.begin("unionpay", 1300)
	debit := r.a.await(at, "debit", func(e event) bool { return e.message().text("effect") == "debit" }).message()
	r.sw.kill()
	if e := r.terminal.await(from, "result", named("result")); e.text("outcome") != "no_answer" || e.text("reason") != "connection_lost" {
		t.Errorf("got %v", e)
	}
	r.reader.say("remove")
	if !r.owes() {
		t.Error("the terminal owes no reversal")
	}
	r.startSwitch()
	r.a.await(at, "reversal", func(e event) bool {
		return e.message().text("effect") == "credit" && e.message().text("rrn") == debit.text("rrn")
	})
	from = r.terminal.mark()
	r.expect("unionpay", 1400, "", "approved", "00")
	if e := r.terminal.await(from, "reversal", named("reversal")); e["done"] != true {
		t.Errorf("got %v", e)
	}
	if r.owes() {
		t.Error("the terminal still owes a reversal")
	}
	r.settled()
	r.strike()
}

// TestCrashSwitchAnywhere kills the switch at moments of chance in a payment, with
// the acquirer quick, slow or silent. Whatever the customer was told is what the
// books come to.
func TestCrashSwitchAnywhere(t *testing.T) {
	t.Parallel()
	seed := seeds(t, 1)[0]
	t.Logf("TAPSWITCH_SEED=%d", seed)
	chance := rand.New(rand.NewPCG(seed, 1))
	r := raise(t)
	for round := range rounds(t) {
		mood(r.a, []string{"normal", "late 20ms", "late 100ms", "silent"}[chance.IntN(4)])
		card := []string{"unionpay", "unionpay", "visa"}[chance.IntN(3)]
		from := r.begin(card, int64(1000+round))
		// A tap takes about thirty milliseconds, the first twenty at the card.
		time.Sleep(time.Duration(chance.IntN(80_000)) * time.Microsecond)
		r.sw.kill()
		e := r.terminal.await(from, "result", named("result"))
		r.reader.say("remove")
		t.Logf("round %d: %s %s %s", round, card, e.text("outcome"), e.text("reason"))
		mood(r.a, "normal")
		r.startSwitch()
		r.expect("visa", int64(5000+round), "", "approved", "00")
		if r.owes() {
			t.Error("the terminal still owes a reversal")
		}
	}
	r.settled()
	r.expect("unionpay", 1400, "", "approved", "00")
	r.strike()
}

// TestCrashTerminal kills the terminal between its sale and the answer: its next
// start drains the reversal before anything else.
func TestCrashTerminal(t *testing.T) {
	t.Parallel()
	seed := seeds(t, 1)[0]
	t.Logf("TAPSWITCH_SEED=%d", seed)
	chance := rand.New(rand.NewPCG(seed, 2))
	r := raise(t)
	for round := range rounds(t) {
		mood(r.a, "late 600ms once")
		at, line := r.a.mark(), r.sw.mark()
		r.begin("unionpay", int64(1000+round))
		r.a.await(at, "debit", func(e event) bool { return e.message().text("effect") == "debit" })
		time.Sleep(time.Duration(chance.IntN(300)) * time.Millisecond)
		r.terminal.kill()
		r.reader.say("remove")
		if !r.owes() {
			t.Fatal("the terminal owes no reversal")
		}
		if chance.IntN(2) == 0 { // the answer comes to nobody first
			r.sw.await(line, "end of the payment", func(e event) bool { return e.text("class") == "purchase" })
		}
		r.startTerminal()
		if e := r.terminal.await(0, "reversal", named("reversal")); e["done"] != true {
			t.Errorf("got %v", e)
		}
		if r.owes() {
			t.Error("the terminal still owes a reversal")
		}
		r.expect("visa", int64(5000+round), "", "approved", "00")
	}
	r.settled()
	r.strike()
}
