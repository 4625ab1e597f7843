// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"strconv"
	"strings"
)

// findings collects contradictions between the sources.
type findings []string

func (f *findings) that(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

// check holds the sources against each other, payment by payment, and names
// every contradiction. It shares no code with the program.
func (e *evidence) check() []string {
	var f findings
	e.checkBooks(&f)
	e.checkBacked(&f)
	e.checkTaps(&f)
	e.checkIntents(&f)
	e.checkEvents(&f)
	if e.counted != nil {
		e.checkCounters(&f)
	}
	return f
}

// checkBooks: effects and balances of each book agree by themselves, and no
// debit is given back twice or without having been.
func (e *evidence) checkBooks(f *findings) {
	for link, book := range e.books {
		balance, debits, credited := map[string]int64{}, map[string]int64{}, map[string]bool{}
		for i, l := range book {
			key := fmt.Sprintf("%06s-%s", l.STAN, l.F7)
			switch {
			case l.MTI == "open":
				balance[l.Account] = l.Balance
			case l.Effect == "debit":
				f.that(l.MTI == "0200" && l.Response == "00", "%s line %d: a debit by %s %q", link, i+1, l.MTI, l.Response)
				f.that(debits[key] == 0, "%s line %d: second debit of %s", link, i+1, key)
				debits[key] = l.Amount
				balance[l.Account] -= l.Amount
			case l.Effect == "credit":
				original := l.Original[:min(len(l.Original), len(key))]
				f.that(strings.HasPrefix(l.MTI, "04") && l.Response == "00", "%s line %d: a credit by %s %q", link, i+1, l.MTI, l.Response)
				f.that(debits[original] == l.Amount && !credited[original], "%s line %d: credit of %d for %q, which was a debit of %d", link, i+1, l.Amount, original, debits[original])
				credited[original] = true
				balance[l.Account] += l.Amount
			}
			f.that(l.Account == "" || l.Balance == balance[l.Account], "%s line %d: balance %d, the effects say %d", link, i+1, l.Balance, balance[l.Account])
			f.that(!strings.HasPrefix(l.MTI, "02") && !strings.HasPrefix(l.MTI, "04") || l.MAC == "ok", "%s line %d: MAC %s", link, i+1, l.MAC)
		}
	}
}

// checkBacked: nothing is in a book that was not in the journal before it was sent.
func (e *evidence) checkBacked(f *findings) {
	for link, book := range e.books {
		for i, l := range book {
			switch l.MTI {
			case "0200":
				n := 0
				for _, in := range e.kind("intent") {
					if in.Link == link && fmt.Sprintf("%06d", in.STAN) == l.STAN && in.RRN == l.RRN {
						n++
						f.that(in.Amount == l.Amount && in.Card == l.PAN, "%s line %d: %s %d, the intent says %s %d", link, i+1, l.PAN, l.Amount, in.Card, in.Amount)
					}
				}
				f.that(n == 1, "%s line %d: %d intents for STAN %s RRN %s", link, i+1, n, l.STAN, l.RRN)
			case "0400", "0401":
				n := 0
				for _, u := range e.kind("undo") {
					if fmt.Sprintf("%06d", u.STAN) == l.STAN && u.RRN == l.RRN {
						n++
					}
				}
				f.that(n == 1, "%s line %d: %d undo records for STAN %s RRN %s", link, i+1, n, l.STAN, l.RRN)
			}
		}
	}
}

func (e *evidence) kind(kind string) (all []journalLine) {
	for _, l := range e.journal {
		if l.Kind == kind {
			all = append(all, l)
		}
	}
	return all
}

// of are the records of one terminal message.
func (e *evidence) of(batch string, trace int64) (all []journalLine) {
	n, _ := strconv.ParseInt(batch, 10, 64)
	for _, l := range e.journal {
		if l.Batch == n && l.Trace == trace {
			all = append(all, l)
		}
	}
	return all
}

// net is what a payment holds of a customer's money, over all books, and how
// many lines of it there are.
func (e *evidence) net(rrn string) (held int64, debits, credits, lines int) {
	for _, book := range e.books {
		for _, l := range book {
			if rrn == "" || l.RRN != rrn {
				continue
			}
			lines++
			switch l.Effect {
			case "debit":
				held, debits = held+l.Amount, debits+1
			case "credit":
				held, credits = held-l.Amount, credits+1
			}
		}
	}
	return held, debits, credits, lines
}

// sales are the terminal's results that used a trace number: the switch may
// have heard of them. Those whose money the terminal took back afterwards are told.
func (e *evidence) sales() (all []termLine, undone map[string]bool) {
	undone = map[string]bool{}
	for _, l := range e.terminal {
		switch {
		case l.Event == "result" && l.Trace != 0:
			all = append(all, l)
		case l.Event == "reversal" && l.Done:
			undone[fmt.Sprint(l.Batch, l.Trace)] = true
		}
	}
	return all, undone
}

// checkTaps goes through the terminal's log: what the customer was told is what
// journal and books say.
func (e *evidence) checkTaps(f *findings) {
	sales, undone := e.sales()
	for _, s := range sales {
		records := e.of(s.Batch, s.Trace)
		intent, outcome := last(records, "intent"), last(records, "outcome")
		held, debits, _, lines := e.net(intent.RRN)
		who := fmt.Sprintf("tap %06d (%s %s, %s %d)", s.Trace, s.Outcome, s.Code, s.Card, s.Amount)
		switch {
		case s.Outcome == "approved" && !undone[fmt.Sprint(s.Batch, s.Trace)]:
			f.that(intent.RRN != "" && intent.RRN == s.RRN && intent.Amount == s.Amount && intent.Card == s.Card, "%s: intent %+v", who, intent)
			f.that(outcome.Event == "said_yes" && outcome.Code == s.Code, "%s: outcome %+v", who, outcome)
			f.that(last(records, "undo").Kind == "", "%s: it is being reversed", who)
			f.that(held == s.Amount && debits == 1, "%s: the books hold %d in %d debits", who, held, debits)
			e.checkDebit(f, who, s)
		case s.Outcome == "declined" && s.RRN != "" && s.Code != "98":
			f.that(intent.RRN == s.RRN && outcome.Event == "said_no" && outcome.Code == s.Code, "%s: intent %+v, outcome %+v", who, intent, outcome)
			f.that(held == 0 && debits == 0, "%s: the books hold %d", who, held)
		default:
			f.that(held == 0, "%s: the books hold %d", who, held)
			f.that(intent.Kind != "" || lines == 0, "%s: %d lines in the books without an intent", who, lines)
		}
	}
}

// checkDebit: the one line of the books says what the receipt says.
func (e *evidence) checkDebit(f *findings, who string, s termLine) {
	for link, book := range e.books {
		for i, l := range book {
			if l.RRN == s.RRN && l.Effect == "debit" {
				f.that(l.Amount == s.Amount && l.PAN == s.Card && l.Auth == s.Auth && l.Terminal == "10000001",
					"%s: %s line %d has %s %d %s at %s", who, link, i+1, l.PAN, l.Amount, l.Auth, l.Terminal)
			}
		}
	}
}

// last is the last record of a kind; the zero one when there is none.
func last(records []journalLine, kind string) (found journalLine) {
	for _, l := range records {
		if l.Kind == kind {
			found = l
		}
	}
	return found
}

// checkIntents goes through the journal: how each payment ended there is what
// the books hold, and each was a tap.
func (e *evidence) checkIntents(f *findings) {
	sales, _ := e.sales()
	for _, in := range e.kind("intent") {
		records := e.of(strconv.FormatInt(in.Batch, 10), in.Trace)
		outcome, undo, undone := last(records, "outcome"), last(records, "undo"), last(records, "undone")
		held, _, _, _ := e.net(in.RRN)
		who := fmt.Sprintf("intent of trace %06d RRN %s", in.Trace, in.RRN)
		switch {
		case undo.Kind != "":
			f.that(undone.Kind != "" || last(records, "act").Event == "found_undone", "%s: undo without undone: %+v", who, records)
			f.that(held == 0, "%s: reversed, and the books hold %d", who, held)
		case outcome.Event == "said_yes":
			f.that(held == in.Amount, "%s: said yes to %d, and the books hold %d", who, in.Amount, held)
		default:
			f.that(outcome.Kind != "", "%s: neither outcome nor undo: %+v", who, records)
			f.that(held == 0, "%s: %s, and the books hold %d", who, outcome.Event, held)
		}
		known := false
		for _, s := range sales {
			n, _ := strconv.ParseInt(s.Batch, 10, 64)
			known = known || n == in.Batch && s.Trace == in.Trace
		}
		// A terminal that died in a sale has no line of it; then nothing is held.
		f.that(known || held == 0, "%s: no tap of the terminal, and the books hold %d", who, held)
	}
}

// checkEvents: the switch's own log says of each tap what the terminal says.
func (e *evidence) checkEvents(f *findings) {
	sales, _ := e.sales()
	for _, s := range sales {
		if s.Outcome != "approved" && s.Outcome != "declined" {
			continue // the terminal has not heard, or not believed, what it was told
		}
		n := 0
		for _, ev := range e.events {
			if ev.Msg != "payment" || ev.Class != "purchase" || ev.Trace != s.Trace || ev.Repeat {
				continue
			}
			n++
			f.that(ev.Outcome == s.Outcome && ev.Code == s.Code, "trace %06d: terminal %s %s, switch %s %s", s.Trace, s.Outcome, s.Code, ev.Outcome, ev.Code)
			f.that(ev.Card == "(no pan)" || ev.Card == s.Card, "trace %06d: card %s, switch %s", s.Trace, s.Card, ev.Card)
			f.that(s.RRN == "" || ev.RRN == s.RRN, "trace %06d: RRN %s, switch %s", s.Trace, s.RRN, ev.RRN)
			f.that(ev.Card == "(no pan)" || ev.Amount == fmt.Sprintf("%d.%02d CNY", s.Amount/100, s.Amount%100), "trace %06d: %d, switch %s", s.Trace, s.Amount, ev.Amount)
		}
		f.that(n == 1, "trace %06d: %d events in the switch's log", s.Trace, n)
	}
}

// checkCounters: what /metrics rose by is what happened.
func (e *evidence) checkCounters(f *findings) {
	want := metrics{}
	for _, ev := range e.events {
		switch {
		case ev.Msg == "payment" && ev.Class == "purchase":
			want[fmt.Sprintf("tapswitch_flow_payments_total{class=%s,outcome=%s,reason=%s}", ev.Class, ev.Outcome, ev.Reason)]++
			want["tapswitch_flow_seconds{class=purchase}"]++
		case ev.Msg == "reversal":
			want[fmt.Sprintf("tapswitch_saf_attempts_total{link=%s,outcome=%s}", ev.Link, ev.End)]++
		}
	}
	for link, book := range e.books {
		for _, l := range book {
			if !strings.HasPrefix(l.MTI, "02") && !strings.HasPrefix(l.MTI, "04") {
				continue
			}
			end := "answered"
			if strings.HasPrefix(l.Mood, "silent") {
				end = "no_answer"
			}
			want[fmt.Sprintf("tapswitch_link_exchanges_total{link=%s,outcome=%s}", link, end)]++
			want[fmt.Sprintf("tapswitch_link_seconds{link=%s}", link)]++
		}
	}
	for _, name := range []string{"tapswitch_flow_payments_total", "tapswitch_saf_attempts_total", "tapswitch_link_exchanges_total", "tapswitch_link_seconds"} {
		for key, n := range e.counted {
			if strings.HasPrefix(key, name+"{") && !strings.Contains(key, "class=sign_on") {
				f.that(want[key] == n, "%s rose by %v, the logs say %v", key, n, want[key])
			}
		}
	}
	for key, n := range want {
		f.that(e.counted[key] == n, "%s rose by %v, the logs say %v", key, e.counted[key], n)
	}
	sales, _ := e.sales()
	f.that(e.counted.sum("tapswitch_flow_payments_total", "class=purchase") == float64(len(sales)), "%v purchases counted, the terminal has %d",
		e.counted.sum("tapswitch_flow_payments_total", "class=purchase"), len(sales))
	for _, outcome := range []string{"approved", "declined"} {
		n := 0
		for _, s := range sales {
			if s.Outcome == outcome {
				n++
			}
		}
		f.that(e.counted.sum("tapswitch_flow_payments_total", "outcome="+outcome) == float64(n), "%s: counted %v, the terminal has %d",
			outcome, e.counted.sum("tapswitch_flow_payments_total", "outcome="+outcome), n)
	}
	e.checkChecks(f)
}

// checkChecks: the HSM refused as often as the switch says that it did.
func (e *evidence) checkChecks(f *findings) {
	for reason, operation := range map[string]string{"pin_wrong": "verify_pvv", "cryptogram_wrong": "verify_arqc"} {
		n := 0.0
		for _, ev := range e.events {
			if ev.Class == "purchase" && ev.Reason == reason {
				n++
			}
		}
		got := e.counted.sum("tapswitch_hsm_calls_total", "operation="+operation, "outcome=refused")
		f.that(got == n, "%s: the HSM refused %v times, the switch %v", operation, got, n)
	}
}
