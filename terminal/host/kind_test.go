// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"strings"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// ask is sale for another kind of message.
func (b *bench) ask(k host.Kind, o host.Original) host.Result {
	b.t.Helper()
	if _, reason, err := b.h.Ready(b.t.Context()); err != nil || reason != host.ReasonNone {
		return host.Result{Outcome: host.NotSent, Reason: reason, Err: err}
	}
	return b.h.Sale(b.t.Context(), host.Sale{Kind: k, Amount: 1234, Card: b.card(), Original: o})
}

// Every kind has its message type and codes, names its original, and is reversed as
// what it is, also by the program that reads the memory after a loss of power.
func TestKinds(t *testing.T) {
	receipt := host.Original{Auth: "A00001", Date: "0203"}
	whole := host.Original{Auth: "A00001", Date: "0203", Batch: "000001", Trace: 7, RRN: "000000000007"}
	for _, c := range []struct {
		kind                 host.Kind
		about                host.Original
		mti, codes, f61, f37 string
	}{
		{host.KindPreAuth, host.Original{}, "0100", "030000 06 10", "", ""},
		{host.KindPreAuthVoid, receipt, "0100", "200000 06 11", "0000000000000203", ""},
		{host.KindCompletion, receipt, "0200", "000000 06 20", "0000000000000203", ""},
		{host.KindCompletionVoid, whole, "0200", "200000 06 21", "0000010000070203", "000000000007"},
	} {
		b := newBench(t)
		r := b.ask(c.kind, c.about)
		if short(r) != "approved 00" || r.Auth == "" || r.Date != "0203" {
			t.Fatalf("%s: %s, authorization %q, date %q", c.kind, short(r), r.Auth, r.Date)
		}
		b.sw.Sales(hosttest.Mood{Silent: true})
		if r = b.ask(c.kind, c.about); short(r) != "no_answer  answer_timeout" {
			t.Fatalf("%s: %s", c.kind, short(r))
		}
		b.h.Close()
		if raw := string(b.disk.(*fake.Disk).Bytes("state/memory.json")); !strings.Contains(raw, `"version":2,`) {
			t.Errorf("%s: an earlier program would read this memory and reverse a sale", c.kind)
		}
		b.open()
		undo, _, err := b.h.Ready(t.Context())
		if err != nil || undo == nil || !undo.Done || undo.Trace != 3 {
			t.Fatalf("%s: reversal %+v, %v", c.kind, undo, err)
		}
		if undo, err = b.h.Reverse(t.Context()); err != nil || !undo.Done || undo.Trace != 2 {
			t.Fatalf("%s: reversal of the approved one %+v, %v", c.kind, undo, err)
		}
		books := b.sw.Books()
		if len(books) != 4 || b.sw.Lines() != strings.ReplaceAll("MTI 000002 | MTI 000003 | 0400 000003 98 | 0400 000002 06", "MTI", c.mti) {
			t.Fatalf("%s: books %q", c.kind, b.sw.Lines())
		}
		for i, got := range books {
			rrn := map[bool]string{true: c.f37}[i < 2]
			if got.Kind != c.codes || got.Original != c.f61 || got.RRN != rrn || !got.MACRight {
				t.Errorf("%s: message %d is %s about %q, %q", c.kind, i, got.Kind, got.Original, got.RRN)
			}
		}
		b.h.Close()
	}
}

// What does not name its original, or names one without need, is not sent.
func TestKindsNameTheirOriginal(t *testing.T) {
	b := newBench(t)
	good := host.Original{Auth: "A00001", Date: "0203", Batch: "000001", Trace: 7, RRN: "000000000007"}
	but := func(edit func(*host.Original)) host.Original { o := good; edit(&o); return o }
	for name, c := range map[string]struct {
		kind  host.Kind
		about host.Original
	}{
		"sale":                      {host.KindSale, good},
		"pre-authorization":         {host.KindPreAuth, good},
		"void without":              {host.KindPreAuthVoid, host.Original{}},
		"completion without a code": {host.KindCompletion, but(func(o *host.Original) { o.Auth = "" })},
		"completion without a date": {host.KindCompletion, but(func(o *host.Original) { o.Date = "203" })},
		"batch without trace":       {host.KindCompletion, but(func(o *host.Original) { o.Trace = 0 })},
		"void without a number":     {host.KindCompletionVoid, but(func(o *host.Original) { o.RRN = "" })},
		"void without a trace":      {host.KindCompletionVoid, but(func(o *host.Original) { o.Trace, o.Batch = 0, "" })},
		"unknown":                   {"tip", good},
	} {
		if r := b.ask(c.kind, c.about); short(r) != "not_sent  sale_malformed" || b.sw.Lines() != "" {
			t.Errorf("%s: %s, %v; books %q", name, short(r), r.Err, b.sw.Lines())
		}
	}
}
