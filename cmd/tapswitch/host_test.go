// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestFaultLateAnswer: an acquirer's yes after its time changes nothing any more;
// the terminal was told within its deadline, and the debit is given back.
func TestFaultLateAnswer(t *testing.T) {
	t.Parallel()
	r := raise(t, "timeout_ms: 2000", "timeout_ms: 400")
	before := r.metrics()
	mood(r.a, "late 900ms once")
	at := r.a.mark()
	late := r.expect("unionpay", 1200, "", "declined", "98")
	if p := r.payment(late); p.text("reason") != "acquirer_no_answer" || p.number("total_us") < 400_000 || p.number("total_us") > 900_000 && !raceEnabled {
		t.Errorf("the switch says %v", p)
	}
	r.expect("unionpay", 1300, "", "approved", "00")
	r.a.await(at, "reversal", func(e event) bool { return e.message().text("effect") == "credit" })
	r.eventually("the late answer is counted", func() bool {
		return r.metrics().minus(before).sum("tapswitch_link_late_answers_total", "link=acq-a") == 1
	})
	r.expect("unionpay", 1400, "", "approved", "00")
	r.settled()
	r.strike()
}

// TestFaultStopInFlight: a switch that is told to stop finishes what it has
// begun, and says goodbye to its acquirers.
func TestFaultStopInFlight(t *testing.T) {
	t.Parallel()
	r := raise(t)
	mood(r.a, "late 700ms once")
	at := r.a.mark()
	from := r.begin("unionpay", 1200)
	r.a.await(at, "debit", func(e event) bool { return e.message().text("effect") == "debit" })
	r.sw.cmd.Process.Signal(syscall.SIGTERM)
	if e := r.terminal.await(from, "result", named("result")); e.text("outcome") != "approved" {
		t.Errorf("got %v", e)
	}
	if code := r.sw.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.a.await(at, "sign-off", func(e event) bool { return e.message().text("network") == "002" })
	r.reader.say("remove")
	if e := r.tap("visa", 1300, ""); e.text("outcome") != "not_sent" || e.text("reason") != "host_unreachable" {
		t.Errorf("without a switch: %v", e)
	}
	r.startSwitch()
	r.expect("visa", 1400, "", "approved", "00")
	r.strike()
}

// TestCrashKeepsPINTries: wrong PINs stay counted over a crash, in the switch for
// its own cards and at the acquirer for the others; the right PIN comes too late.
func TestCrashKeepsPINTries(t *testing.T) {
	t.Parallel()
	r := raise(t)
	wrong := func(card string) {
		r.t.Helper()
		r.expect(card, 120000, "4321", "declined", "55")
	}
	wrong("visa")
	wrong("visa")
	wrong("unionpay")
	wrong("unionpay")
	r.sw.kill()
	r.a.kill()
	r.startA()
	r.startSwitch()
	r.expect("visa", 120000, "4321", "declined", "75") // the last try that was left
	wrong("unionpay")
	blocked := r.expect("visa", 120000, "1234", "declined", "75")
	if p := r.payment(blocked); p.text("reason") != "pin_tries_exceeded" || p.number("stan") != 0 {
		t.Errorf("the switch says %v", p)
	}
	r.expect("unionpay", 120000, "1234", "declined", "75")
	r.expect("visa", 1200, "", "approved", "00") // small amounts need no PIN
	r.expect("unionpay", 1200, "", "approved", "00")
	r.strike()
}

// unionPayMAC is the MAC of the terminal's side, written a second time from its
// description: the blocks are added up, the sum as hex is enciphered in two
// steps, and the first half of the result as hex is the MAC.
func unionPayMAC(t *testing.T, tak string, message []byte) []byte {
	t.Helper()
	sum := make([]byte, 8)
	for i, b := range message {
		sum[i%8] ^= b
	}
	text := []byte(strings.ToUpper(hex.EncodeToString(sum)))
	first := tripleDES(t, tak, text[:8], true)
	for i := range first {
		first[i] ^= text[8+i]
	}
	return []byte(strings.ToUpper(hex.EncodeToString(tripleDES(t, tak, first, true)))[:8])
}

// TestFaultJournalFull: with the journal full, new payments are refused by name,
// those told before stay as they are, and with more room it goes on. The sales
// that fill it come from here, with the working key that the terminal was given.
func TestFaultJournalFull(t *testing.T) {
	t.Parallel()
	r, heard := overheard(t, "segment_bytes: 1048576, max_bytes: 67108864", "segment_bytes: 65536, max_bytes: 131072")
	answer, sale := heard.last(t, "0810"), heard.last(t, "0200")
	tak := hex.EncodeToString(tripleDES(t, "0123456789ABCDEFFEDCBA9876543210", answer[len(answer)-20:len(answer)-4], false))
	codes := map[string]int{}
	for n := 0; codes["96"] == 0 && n < 1000; n++ {
		copy(sale[atTrace:], []byte{0x90 + byte(n/1000), byte(n/100%10<<4 | n/10%10), byte(n % 10 << 4)})
		copy(sale[len(sale)-8:], unionPayMAC(t, tak, sale[atType:len(sale)-8]))
		said := r.exchange(sale)
		_, rest, _ := bytes.Cut(said, []byte("10000001")) // field 41 follows field 39
		codes[string(said[len(said)-len(rest)-10:len(said)-len(rest)-8])]++
	}
	if codes["00"] < 50 || codes["96"] != 1 || len(codes) != 2 {
		t.Fatalf("answers by code: %v", codes)
	}
	refused := r.expect("visa", 1200, "", "declined", "96")
	if p := r.payment(refused); p.text("reason") != "journal_full" {
		t.Errorf("the switch says %v", p)
	}
	if status, _ := r.get("/healthz"); status != http.StatusOK || !r.sw.alive() {
		t.Errorf("/healthz: %d", status)
	}
	if code := r.sw.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.edit("switch.yaml", "max_bytes: 131072", "max_bytes: 1310720")
	r.startSwitch()
	r.expect("visa", 1300, "", "approved", "00")
	r.stopAll()
	e := gather(t, r.dir)
	var f findings
	e.checkBooks(&f)
	e.checkBacked(&f)
	for _, finding := range f {
		t.Error(finding)
	}
	debits := 0
	for _, l := range e.books["acq-a"] {
		if l.Effect == "debit" {
			debits++
		}
	}
	if debits != codes["00"]+1 {
		t.Errorf("%d debits for %d approvals", debits, codes["00"]+1)
	}
}
