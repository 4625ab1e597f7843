// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"tapswitch/internal/money"
)

// result is one tap as it is printed.
type result struct {
	Tap      int      `json:"tap"`
	Kind     string   `json:"kind"`
	Card     string   `json:"card"` // masked
	Amount   int64    `json:"amount_minor"`
	Currency string   `json:"currency"`
	Checked  []string `json:"checked"`         // what was checked where
	Route    string   `json:"route,omitempty"` // link, empty when nothing was sent
	Outcome  string   `json:"outcome"`
	Code     string   `json:"code,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Reversal string   `json:"reversal,omitempty"` // what the acquirer answered
	Trace    int64    `json:"trace,omitempty"`
	STAN     int64    `json:"stan,omitempty"`
	RRN      string   `json:"rrn,omitempty"`
	Millis   int64    `json:"ms"`
	Expected bool     `json:"expected"`
	Problem  string   `json:"problem,omitempty"` // how it differs from what was expected
}

// summary is the end of a run.
type summary struct {
	Summary    bool           `json:"summary"`
	Taps       int            `json:"taps"`
	Expected   int            `json:"as_expected"`
	Unexpected int            `json:"unexpected"`
	Outcomes   map[string]int `json:"outcomes"`
	Kinds      map[string]int `json:"kinds"`
	Seed       uint64         `json:"seed"`
	Seconds    float64        `json:"seconds"`
}

// judge compares what was seen with what was planned.
func judge(n int, p tap, s seen) result {
	r := result{
		Tap: n, Kind: p.Kind, Card: s.terminal.text("card"), Amount: p.Amount, Currency: money.CNY.Code(), Outcome: s.terminal.text("outcome"),
		Code: s.terminal.text("code"), Trace: s.terminal.int("trace"), Millis: s.terminal.int("ms_total"),
		Reason: s.payment.text("reason"), STAN: s.payment.int("stan"), RRN: s.payment.text("rrn"),
		Checked: checked(s),
	}
	if r.STAN != 0 { // a route may be chosen and the payment refused before it is sent
		r.Route = s.payment.text("link")
	}
	if s.payment == nil {
		r.Reason = s.terminal.text("reason")
	}
	if r.Reason == "declined_by_acquirer" {
		r.Reason = s.host.text("reason") + " (said by " + r.Route + ")"
	}
	if s.reversal != nil {
		r.Reversal = s.reversal.text("response")
	}
	r.Problem = differs(p, s, r)
	r.Expected = r.Problem == ""
	return r
}

func differs(p tap, s seen, r result) string {
	want := p.Expect
	switch {
	case s.err != nil:
		return s.err.Error()
	case s.pinAsked != (p.PIN != ""):
		return fmt.Sprintf("PIN asked: %v", s.pinAsked)
	case r.Outcome != want.Outcome || r.Code != want.Code:
		return fmt.Sprintf("wanted %s %s", want.Outcome, want.Code)
	case want.Link != "" && r.Route != want.Link:
		return "wanted route " + want.Link
	case want.Link == "" && r.STAN != 0:
		return "must not be sent to an acquirer"
	case want.Reversal && r.Reversal != "00":
		return "the acquirer has not confirmed the reversal"
	}
	return ""
}

// checked lists what was checked where, from what the parts themselves said.
func checked(s seen) []string {
	if s.payment == nil {
		return []string{}
	}
	verdict := func(what string, wrong bool) string {
		if wrong {
			return what + " WRONG"
		}
		return what
	}
	reason := s.payment.text("reason")
	list := []string{verdict("MAC in HSM", reason == "mac_wrong")}
	onUs := s.payment.text("issuer") != ""
	if onUs && s.payment.is("chip") {
		list = append(list, verdict("cryptogram in HSM", reason == "cryptogram_wrong"))
	}
	if onUs && s.payment.is("pin") && reason != "cryptogram_wrong" {
		list = append(list, verdict("PIN in HSM", reason == "pin_wrong" || reason == "pin_tries_exceeded"))
	}
	for _, at := range []struct{ what, field string }{{"cryptogram", "arqc"}, {"PIN", "pin"}} {
		if v := s.host.text(at.field); v != "" {
			list = append(list, verdict(at.what+" at "+s.payment.text("link"), v != "ok"))
		}
	}
	return list
}

// show prints results as lines or as JSON objects.
type show struct {
	out  io.Writer
	json bool
}

func (s show) result(r result) error {
	if s.json {
		return json.NewEncoder(s.out).Encode(r)
	}
	if r.Tap == 1 {
		if _, err := fmt.Fprintf(s.out, "  %3s  %-16s %12s  %-45s  %-8s  %s\n", "TAP", "CARD", "AMOUNT", "CHECKED", "ROUTE", "RESULT"); err != nil {
			return err
		}
	}
	route := "not sent"
	if r.Route != "" {
		route = r.Route
	}
	mark := "  "
	if !r.Expected {
		mark = "! "
	}
	end := ""
	if r.Reversal != "" {
		end = ", reversed (" + r.Reversal + ")"
	}
	amount := money.Amount{Minor: money.MinorUnits(r.Amount), Currency: money.CNY}
	reason := r.Outcome
	if r.Reason != "" {
		reason = r.Reason
	}
	_, err := fmt.Fprintf(s.out, "%s%3d  %-16s %12s  %-45s  %-8s  %2s %s%s  %d ms\n", mark, r.Tap, r.Card, amount, strings.Join(r.Checked, ", "), route, r.Code, reason, end, r.Millis)
	if err == nil && r.Problem != "" {
		_, err = fmt.Fprintf(s.out, "       not as expected (%s): %s\n", r.Kind, r.Problem)
	}
	return err
}

func (s show) summary(results []result, seed uint64, took time.Duration) error {
	sum := summary{Summary: true, Taps: len(results), Outcomes: map[string]int{}, Kinds: map[string]int{}, Seed: seed, Seconds: took.Seconds()}
	for _, r := range results {
		sum.Outcomes[r.Outcome]++
		sum.Kinds[r.Kind]++
		if r.Expected {
			sum.Expected++
		} else {
			sum.Unexpected++
		}
	}
	if s.json {
		return json.NewEncoder(s.out).Encode(sum)
	}
	_, err := fmt.Fprintf(s.out, "\n%d taps: %d approved, %d declined; %d as expected, %d not. Seed %d, %.1f s.\n",
		sum.Taps, sum.Outcomes["approved"], sum.Outcomes["declined"], sum.Expected, sum.Unexpected, seed, took.Seconds())
	return err
}
