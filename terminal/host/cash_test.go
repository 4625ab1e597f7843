// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// A sale with cash says so in fields 3 and 54, and so does its reversal, also after
// a power cut; cash is less than the whole.
func TestCashback(t *testing.T) {
	b := newBench(t)
	b.cfg = func(cfg *host.Config) { cfg.Part = true }
	if err := b.h.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	sell := func(kind host.Kind, cash money.MinorUnits) host.Result {
		t.Helper()
		if _, reason, err := b.h.Ready(t.Context()); err != nil || reason != host.ReasonNone {
			t.Fatalf("not ready: %s %v", reason, err)
		}
		return b.h.Sale(t.Context(), host.Sale{Kind: kind, Amount: 1234, Cash: cash, Card: b.card()})
	}
	if r := sell(host.KindSale, 200); r.Outcome != host.NotSent || r.Reason != host.ReasonSaleMalformed {
		t.Errorf("cash with a sale: %s", short(r))
	}
	for _, bad := range []money.MinorUnits{-1, 0, 1234, 1235} {
		if r := sell(host.KindCashback, bad); r.Outcome != host.NotSent || r.Reason != host.ReasonSaleMalformed {
			t.Errorf("cash %d: %s", bad, short(r))
		}
	}
	const cash = "0040156D000000000200"
	if r := sell(host.KindCashback, 200); short(r) != "approved 00" {
		t.Errorf("%s %v", short(r), r.Err)
	}
	if undo, err := b.h.Reverse(t.Context()); err != nil || !undo.Done {
		t.Fatalf("%+v %v", undo, err)
	}
	b.sw.Sales(hosttest.Mood{Code: "10", Amount: "000000000500"})
	if r := sell(host.KindCashback, 200); short(r) != "unauthenticated 10 answer_amount_differs" {
		t.Errorf("a part of it: %s", short(r))
	}
	if err := b.h.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	books := b.sw.Books()
	if len(books) != 4 {
		t.Fatalf("books %+v", books)
	}
	for i, mti := range []string{"0200", "0400", "0200", "0400"} {
		if r := books[i]; r.MTI != mti || r.Kind != "090000 00 22" || r.Amounts != cash || r.Amount != "000000001234" || !r.MACRight {
			t.Errorf("%+v", r)
		}
	}
}
