// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"tapswitch/iso8583"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
)

// counters is a text of metrics of a life that began at a second, was ready at two and
// whose counters were read at ten; see askedOf.
const counters = `# HELP tapswitch_flow_payments_total messages answered
tapswitch_flow_payments_total{class="purchase",outcome="approved",reason="none"} 2
tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="mac_wrong"} 1
tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="declined_by_acquirer"} 1
tapswitch_flow_payments_total{class="sign_on",outcome="approved",reason="none"} 1
tapswitch_flow_payments_total{class="reversal",outcome="declined",reason="original_payment_not_found"} 1
tapswitch_listen_refused_total{reason="message_malformed"} 1
tapswitch_listen_refused_total{reason="end_of_stream"} 7
tapswitch_flow_seconds_count{class="purchase"} 4
`

// askedOf are the messages that those counters count: two sales that were approved,
// one of them while the counters were read, one that the acquirer declined, one with
// another MAC, what is no message, a sign-on and a reversal.
func askedOf() []oracle.Ask {
	ask := func(kind oracle.Kind, at time.Duration, code string) oracle.Ask {
		a := oracle.Ask{Kind: kind, Arrived: at * time.Second, Answered: at*time.Second + 1, Code: code}
		if code == "" {
			a.Answered = oracle.Never
		}
		return a
	}
	asks := []oracle.Ask{ask(oracle.Purchase, 0, "00"), ask(oracle.Other, 2, "00"), ask(oracle.Purchase, 3, "00"), ask(oracle.Purchase, 4, "55"), ask(oracle.Purchase, 5, "A0"),
		ask(oracle.Purchase, 6, ""), ask(oracle.Reversal, 7, "25"), ask(oracle.Purchase, 10, "00"), ask(oracle.Purchase, 12, "00")}
	asks[4].Malformed, asks[5].Malformed = true, true
	return asks
}

// counters at ten seconds, read in two.
func readAt(t *testing.T, text string, rest bool) *scrape {
	t.Helper()
	s, err := newScrape(text)
	if err != nil {
		t.Fatal(err)
	}
	s.Life, s.From, s.Ready, s.Began, s.Ended, s.Rest = 3, time.Second, 2*time.Second, 9*time.Second, 11*time.Second, rest
	return s
}

// TestCrashCountsAgree: counters that count what was heard are found right, and each
// way in which they count less, more or otherwise is found.
func TestCrashCountsAgree(t *testing.T) {
	if broken := readAt(t, counters, true).countsAgree(askedOf()); broken != nil {
		t.Fatalf("good counters: %q", broken)
	}
	change := func(from, to string) string {
		if !strings.Contains(counters, from) {
			t.Fatalf("no %q", from)
		}
		return strings.Replace(counters, from, to, 1)
	}
	for what, c := range map[string]struct {
		text, found string
		rest        bool
	}{
		"a yes is not counted":          {change(`"none"} 2`, `"none"} 0`), "2 answers with 00 were heard, the reasons with that code count 1", false},
		"a yes too much":                {change(`"none"} 2`, `"none"} 6`), "the reasons with code 00 count 7, and 2 such answers were heard, 2 messages not answered", false},
		"a refusal by another reason":   {change(`mac_wrong`, `terminal_unknown`), "1 answers with A0 were heard, the reasons with that code count 0", false},
		"a reason that is none":         {change(`mac_wrong`, `bad_luck`), `1 messages are counted by "bad_luck", which is no reason`, false},
		"by another class":              {change(`class="reversal"`, `class="refund"`), "0 messages are counted as reversal, 1 were asked, 1 of them answered", false},
		"a class that nobody asked for": {change(`class="sign_on",outcome="approved",reason="none"} 1`, `class="void",outcome="approved",reason="none"} 3`), "3 messages are counted as void, 0 were asked", false},
		"a refusal that nobody asked":   {change(`original_payment_not_found"} 1`, `original_payment_not_found"} 4`), "the reasons with code 25 count 4", false},
		"no message is counted":         {change(`malformed"} 1`, `malformed"} 3`), "3 messages are refused as no messages, 2 were in a wrong form", false},
		"a message is not counted":      {change(`malformed"} 1`, `malformed"} 0`), "7 messages were sent, 6 are counted and 0 refused as none", true},
		"a message is counted twice":    {change(`acquirer"} 1`, `acquirer"} 2`), "7 messages were sent, 7 are counted and 1 refused as none", false},
	} {
		s := readAt(t, c.text, c.rest)
		if broken := strings.Join(s.countsAgree(askedOf()), "; "); !strings.Contains(broken, "promise 10: life 3 of the switch: "+c.found) {
			t.Errorf("%s: found %q", what, broken)
		}
	}
	if _, err := newScrape(`tapswitch_listen_refused_total{reason="x"} many`); err == nil {
		t.Error("a count that is none was read")
	}
	other := askedOf() // a yes that could not be given: its refusal is counted, and so is what was decided
	other[2].Code = "98"
	if broken := readAt(t, counters+`tapswitch_listen_refused_total{reason="deadline_passed"} 1`, true).countsAgree(other); broken != nil {
		t.Errorf("a refusal instead of a yes: %q", broken)
	}
	if broken := strings.Join(readAt(t, counters, true).countsAgree(other), ""); !strings.Contains(broken, "1 answers with 98 were heard") {
		t.Errorf("a refusal instead of a yes that is not counted: %q", broken)
	}
	early := askedOf() // sent to the life before, for all that its terminal knows
	early = append(early, oracle.Ask{Kind: oracle.Purchase, Arrived: 1500 * time.Millisecond, Answered: oracle.Never})
	if broken := readAt(t, counters, true).countsAgree(early); broken != nil {
		t.Errorf("a message on its way when the life began: %q", broken)
	}
	late := append(askedOf(), oracle.Ask{Kind: oracle.Purchase, Arrived: 8 * time.Second, Answered: oracle.Never})
	if broken := strings.Join(readAt(t, counters, true).countsAgree(late), ""); !strings.Contains(broken, "8 messages were sent") {
		t.Errorf("a message that the switch lost: %q", broken)
	}
}

// TestCrashCasesAgree: what a person has in the running switch is what the journal has.
func TestCrashCasesAgree(t *testing.T) {
	for text, cases := range map[string]int{counters: 0, counters + "tapswitch_saf_cases_open 3\n": 3} {
		if s := readAt(t, text, true); s.Cases != cases || s.casesAgree(cases) != nil || len(s.casesAgree(cases+1)) != 1 {
			t.Errorf("%d cases", s.Cases)
		}
		if s := readAt(t, text, false); s.casesAgree(cases+1) != nil {
			t.Error("a switch at work is held to it")
		}
	}
}

// TestCrashAtRest: a run is at rest when nothing is to be delivered and the history is
// level.
func TestCrashAtRest(t *testing.T) {
	rest := "tapswitch_history_lag_records 0\ntapswitch_history_up 1\ntapswitch_saf_depth 0\n"
	for text, want := range map[string]bool{rest: true, strings.Replace(rest, "up 1", "up 0", 1): false, strings.Replace(rest, "records 0", "records 12", 1): false,
		strings.Replace(rest, "depth 0", "depth 07", 1): false, "": false} {
		if atRest(text) != want {
			t.Errorf("%q", text)
		}
	}
}

// TestCrashProbesAreCounted: what the counters rise by between two looks must be what
// was refused in between, by its reason.
func TestCrashProbesAreCounted(t *testing.T) {
	want := &scrape{Payments: map[counted]int{{reason: "mac_wrong"}: 2}, Refused: map[string]int{"message_malformed": 1}}
	for what, c := range map[string]struct{ after, found string }{
		"as it should":                {"payments_total{reason=\"mac_wrong\"} 3\nrefused{message_malformed} 2", ""},
		"a reason less":               {`mac_wrong"} 2`, "2 messages were to be refused by mac_wrong, it counts 1 more"},
		"not counted":                 {`malformed"} 1`, "1 messages were to be refused by message_malformed, it counts 0 more"},
		"by a reason that is not due": {`acquirer"} 2`, "0 messages were to be refused by declined_by_acquirer, it counts 1 more"},
	} {
		text := strings.NewReplacer(`mac_wrong"} 1`, `mac_wrong"} 3`, `malformed"} 1`, `malformed"} 2`, `stream"} 7`, `stream"} 9`).Replace(counters)
		if c.found != "" {
			name, _, _ := strings.Cut(c.after, `"`)
			lines := strings.Split(text, "\n")
			for i, l := range lines {
				if head, _, ok := strings.Cut(l, name+`"}`); ok {
					lines[i] = head + c.after
				}
			}
			text = strings.Join(lines, "\n")
		}
		broken := strings.Join(readAt(t, text, true).rose(readAt(t, counters, true), want), "; ")
		if (c.found == "") != (broken == "") || !strings.Contains(broken, c.found) {
			t.Errorf("%s: found %q", what, broken)
		}
	}
	none := readAt(t, strings.ReplaceAll(counters, `mac_wrong"} 1`, `terminal_unknown"} 0`), true)
	if broken := strings.Join(none.rose(none, want), "; "); !strings.Contains(broken, "refused by mac_wrong, it counts none") {
		t.Errorf("never counted: found %q", broken)
	}
}

// TestCrashProbes: each probe has a name and one reason, which the catalogue knows or
// a listener counts, and no two are of one reason but those that are no messages.
func TestCrashProbes(t *testing.T) {
	seen, codes := map[txn.Reason]bool{}, codesOfReasons()
	for _, p := range probes("000001") {
		_, known := codes[string(p.reason)]
		if p.what == "" || (p.listen == "") != known || seen[p.reason] && p.reason != "" {
			t.Errorf("%+v", p)
		}
		seen[p.reason] = true
	}
	if len(seen) < 12 {
		t.Errorf("%d reasons", len(seen))
	}
}

// TestCrashKinds: every message of a terminal is known for what it asks.
func TestCrashKinds(t *testing.T) {
	for _, c := range []struct {
		mti            iso8583.MTI
		procedure, typ string
		want           oracle.Kind
	}{
		{0x0200, "000000", "22", oracle.Purchase}, {0x0200, procedureVoid, typeVoid, oracle.Void}, {0x0200, procedureBalance, typeBalance, oracle.Inquiry},
		{0x0220, procedureVoid, typeRefund, oracle.Refund}, {0x0220, "000000", typeOffline, oracle.OfflineSale}, {0x0220, "000000", typeCompletionAdvice, oracle.CompletionAdvice},
		{0x0100, "030000", typeHold, oracle.Hold}, {0x0100, procedureVoid, "11", oracle.Release}, {0x0200, "000000", typeCompletion, oracle.Completion},
		{0x0200, procedureVoid, typeCompletionVoid, oracle.CompletionVoid}, {0x0400, procedureVoid, typeVoid, oracle.Reversal}, {0x0500, "", "00", oracle.Settlement},
		{0x0220, "000000", typeAdjust, oracle.Adjustment}, {0x0220, "000000", typeTip, oracle.Adjustment}, {0x0200, procedureCashback, "22", oracle.Cashback}, {0x0200, procedureCash, "22", oracle.Cash},
		{0x0320, "", "00", oracle.Other}, {0x0800, "", "00", oracle.Other},
	} {
		if got := kindOf(c.mti, c.procedure, c.typ); got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.mti, c.procedure, c.typ, got, c.want)
		}
	}
}
