// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestFaultAcquirerKilled: the taps of a dead acquirer are refused by name, those of
// the other go on; what the dead one may have booked is reversed once it is back.
func TestFaultAcquirerKilled(t *testing.T) {
	t.Parallel()
	r := raise(t)
	r.expect("unionpay", 1100, "", "approved", "00")
	r.expect("visa", 1200, "", "approved", "00")

	// It books a sale, does not answer, and dies.
	mood(r.a, "silent once")
	at := r.a.mark()
	from := r.begin("unionpay", 1300)
	r.a.await(at, "debit", func(e event) bool { return e.message().text("effect") == "debit" })
	r.a.kill()
	cut := r.terminal.await(from, "result", named("result"))
	r.reader.say("remove")
	if p := r.payment(cut); cut.text("code") != "98" || p.text("reason") != "acquirer_no_answer" {
		t.Errorf("%v, the switch says %v", cut, p)
	}

	// Dead, it harms nobody else.
	for range 2 {
		r.expect("visa", 1400, "", "approved", "00")
		refused := r.expect("unionpay", 1500, "", "declined", "91")
		if p := r.payment(refused); p.text("reason") != "no_healthy_link" || p.number("total_us") > 500_000 {
			t.Errorf("the switch says %v", p)
		}
	}
	if status, body := r.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "link acq-a: not ready") || !strings.Contains(body, "link acq-b: ok") {
		t.Errorf("/readyz: %d\n%s", status, body)
	}

	r.startA()
	r.awaitReady()
	r.a.await(0, "reversal", func(e event) bool {
		m := e.message()
		return strings.HasPrefix(m.text("mti"), "04") && m.text("effect") == "credit" && m.number("amount_minor") == 1300
	})
	r.expect("unionpay", 1600, "", "approved", "00")
	r.expect("unionpay", 160000, "1234", "approved", "00")
	r.strike()
}

// TestFaultTokenGone: without the token a payment is refused by name within a
// second, the process stays, and payments go on when the token is back.
func TestFaultTokenGone(t *testing.T) {
	t.Parallel()
	r := raise(t)
	r.expect("visa", 120000, "1234", "approved", "00")
	if err := os.Rename(r.path("token"), r.path("token.gone")); err != nil {
		t.Fatal(err)
	}
	// Keys in use are still in the module; that the token is gone shows in the heartbeat.
	r.eventually("/readyz names the HSM", func() bool {
		status, body := r.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "hsm: not ready")
	})
	// The answer cannot carry a MAC: the terminal shows the code, does not
	// believe it, and owes a reversal.
	gone := r.expect("visa", 1200, "", "unauthenticated", "A7")
	if p := r.payment(gone); p.text("reason") != "hsm_unavailable" || p.text("code") != "A7" || p.number("total_us") >= 1_000_000 {
		t.Errorf("the switch says %v", p)
	}
	if e := r.tap("unionpay", 1300, ""); e.text("outcome") != "not_sent" || e.text("reason") != "reversal_pending" {
		t.Errorf("with a reversal due: %v", e)
	}
	if status, _ := r.get("/healthz"); status != http.StatusOK || !r.sw.alive() {
		t.Errorf("/healthz: %d", status)
	}
	if err := os.Rename(r.path("token.gone"), r.path("token")); err != nil {
		t.Fatal(err)
	}
	r.awaitReady()
	from := r.terminal.mark()
	r.expect("visa", 1400, "", "approved", "00")
	r.terminal.await(from, "reversal done", func(e event) bool { return e.text("event") == "reversal" && e["done"] == true })
	r.expect("visa", 140000, "1234", "approved", "00")
	r.expect("unionpay", 140000, "1234", "approved", "00")
	r.strike()
}

// TestFaultReaderKilled: a tap without a reader ends at the terminal, and the
// switch hears nothing of it.
func TestFaultReaderKilled(t *testing.T) {
	t.Parallel()
	r := raise(t)
	r.expect("unionpay", 1100, "", "approved", "00")
	before := r.metrics()
	r.reader.kill()
	from := r.terminal.mark()
	r.terminal.say("sale 1200")
	if e := r.terminal.await(from, "result", named("result")); e.text("outcome") != "reader_gone" {
		t.Errorf("got %v", e)
	}
	if n := r.metrics().minus(before).sum("tapswitch_flow_payments_total", "class=purchase"); n != 0 {
		t.Errorf("the switch heard of %v payments", n)
	}
	r.startReader()
	r.expect("unionpay", 1300, "", "approved", "00")
	r.expect("visa", 130000, "1234", "approved", "00")

	// Unplugged while it waits for a card.
	from = r.terminal.mark()
	r.terminal.say("sale 1400")
	r.terminal.await(from, "request for a card", named("present_card"))
	time.Sleep(50 * time.Millisecond) // it polls now
	r.reader.kill()
	if e := r.terminal.await(from, "result", named("result")); e.text("outcome") != "reader_gone" {
		t.Errorf("got %v", e)
	}
	r.startReader()
	r.expect("unionpay", 1500, "", "approved", "00")
	if n := r.metrics().minus(before).sum("tapswitch_flow_payments_total", "class=purchase"); n != 3 {
		t.Errorf("the switch heard of %v payments, not of 3", n)
	}
	r.strike()
}

// TestFaultAnswerLost: an answer that is lost on the way is undone everywhere.
func TestFaultAnswerLost(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(mti string, frame []byte) []byte{
		"answer dropped":    func(mti string, frame []byte) []byte { return unless(mti == "0210", frame) },
		"answer bent":       func(mti string, frame []byte) []byte { return bendIf(mti == "0210", frame) },
		"request dropped":   func(mti string, frame []byte) []byte { return unless(mti == "0200", frame) },
		"reversal's answer": func(mti string, frame []byte) []byte { return unless(mti == "0210" || mti == "0410", frame) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t)
			line := between(t, r.switchAddress())
			r.edit("terminal.yaml", r.switchAddress(), line.address(), "\nlimits:", "\ntimeouts: {answer_ms: 500}\nlimits:")
			r.startA()
			r.startB()
			r.startSwitch()
			r.startReader()
			r.startTerminal()
			r.expect("unionpay", 1100, "", "approved", "00")
			line.hurt(hurt)
			if e := r.tap("unionpay", 1200, ""); e.text("outcome") != "no_answer" && e.text("reason") != "answer_mac_wrong" {
				t.Errorf("got %v", e)
			}
			line.hurt(nil)
			r.expect("unionpay", 1300, "", "approved", "00")
			r.expect("visa", 130000, "1234", "approved", "00")
			r.strike()
		})
	}
}

// TestFaultMACWrong: a request that was changed on its way is refused as A0; the
// terminal signs on again and goes on.
func TestFaultMACWrong(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	line := between(t, r.switchAddress())
	r.edit("terminal.yaml", r.switchAddress(), line.address())
	r.startA()
	r.startB()
	r.startSwitch()
	r.startReader()
	r.startTerminal()
	line.hurt(func(mti string, frame []byte) []byte { return bendIf(mti == "0200", frame) })
	from := r.terminal.mark()
	e := r.expect("unionpay", 1200, "", "unauthenticated", "A0")
	if p := r.payment(e); p.text("reason") != "mac_wrong" {
		t.Errorf("the switch says %v", p)
	}
	line.hurt(nil)
	r.expect("unionpay", 1300, "", "approved", "00")
	r.terminal.await(from, "second sign-on", named("signed_on"))
	r.strike()
}

// TestFaultTerminalRefused: a terminal that the switch does not know, has
// blocked, or that has another master key never gets to a payment.
func TestFaultTerminalRefused(t *testing.T) {
	t.Parallel()
	r := prepare(t, `status: active}`, `status: active}
  - {id: "10000002", merchant: "104110059990001", tmk: terminal/10000001/tmk, status: blocked}`)
	r.startA()
	r.startB()
	r.startSwitch()
	r.startReader()
	for _, c := range []struct {
		name, reason, said string
		edits              []string
		code, why          string // at the switch
	}{
		{"unknown", "sign_on_refused", `"97"`, []string{"10000001", "10000009"}, "97", "terminal_unknown"},
		{"blocked", "sign_on_refused", `"97"`, []string{"10000001", "10000002"}, "97", "terminal_blocked"},
		{"merchant", "sign_on_refused", `"97"`, []string{"104110059990001", "104110059990002"}, "97", "merchant_does_not_own_terminal"},
		{"master-key", "sign_on_keys_bad", "working keys", []string{"tmk.hex", "other.hex"}, "00", "none"},
	} {
		config := c.name + ".yaml"
		r.write(config, r.file("terminal.yaml"))
		r.write("other.hex", "76850752AD7307ADE554D06D3BA73279\n")
		r.edit(config, append(c.edits, "state: terminal", "state: state-"+c.name, "log: terminal.log", "log: other.log")...)
		at := r.sw.mark()
		p := r.launch(c.name, "terminal", "--config", config, "--json")
		e := p.await(0, "error", named("error"))
		if e.text("reason") != c.reason || !strings.Contains(e.text("message"), c.said) {
			t.Errorf("%s: %v", c.name, e)
		}
		s := r.sw.await(at, "sign-on", func(e event) bool { return e.text("class") == "sign_on" })
		if s.text("code") != c.code || s.text("reason") != c.why {
			t.Errorf("%s: the switch says %v", c.name, s)
		}
		p.await(0, "ready", named("ready"))
		p.say("sale 1200")
		if e := p.await(0, "result", named("result")); e.text("outcome") != "not_sent" {
			t.Errorf("%s: %v", c.name, e)
		}
		p.stop()
	}
	r.startTerminal()
	r.expect("unionpay", 1300, "", "approved", "00")
	if n := r.metrics().sum("tapswitch_flow_payments_total", "class=purchase"); n != 1 {
		t.Errorf("%v purchases reached the switch", n)
	}
	r.strike()
}
