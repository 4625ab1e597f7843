// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

func (b *bench) sellOffline(amount money.MinorUnits) string {
	b.t.Helper()
	return short(b.h.KeepOffline(b.t.Context(), host.Offline{Amount: amount, Card: b.card(), Auth: "T12345"}))
}

// Before the goods go, the terminal refuses an offline sale beyond its limits, whether the switch has
// the others of the batch already, is still to be told, or refused them; a restart changes nothing.
// The next batch begins anew.
func TestOfflineLimits(t *testing.T) {
	b := newBench(t)
	b.cfg = func(c *host.Config) { c.Offline = host.OfflineLimits{Amount: 1000, Count: 4, Sum: 2000} }
	b.h.Close()
	b.open()
	again := func() { b.h.Close(); b.open() }
	for i, step := range []struct {
		do     func()
		amount money.MinorUnits
		want   string
	}{
		{nil, 1001, "not_sent  offline_sale_above_limit"},
		{nil, 1000, "kept"},
		{func() { b.tells(false) }, 900, "kept"},
		{nil, 101, "not_sent  offline_sum_above_limit"},
		{func() { b.sw.Advices(hosttest.Mood{Code: "40"}); b.tells(false) }, 101, "not_sent  offline_sum_above_limit"},
		{again, 101, "not_sent  offline_sum_above_limit"},
		{nil, 50, "kept"},
		{func() { b.tells(false); again() }, 25, "kept"},
		{nil, 25, "not_sent  offline_sales_above_limit"},
		{func() { // what the switch refused has happened until it is discarded
			if err := b.h.Discard(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
		}, 925, "kept"},
		{nil, 1, "not_sent  offline_sales_above_limit"},
	} {
		if step.do != nil {
			step.do()
		}
		if got := b.sellOffline(step.amount); got != step.want {
			t.Errorf("step %d, %d: %s, want %s", i, step.amount, got, step.want)
		}
	}
	b.tells(false)
	b.settle()
	if got := b.sellOffline(1000); got != "kept" {
		t.Errorf("in the next batch: %s", got)
	}
}

// Sales that the switch was asked about use up no limit, nor does a completion of what is held.
func TestOfflineLimitsAreOfOfflineSales(t *testing.T) {
	b := newBench(t)
	b.cfg = func(c *host.Config) { c.Offline = host.OfflineLimits{Amount: 2000, Count: 1, Sum: 2000} }
	b.h.Close()
	b.open()
	if r := b.sale(); r.Outcome != host.Approved {
		t.Fatal(short(r))
	}
	held := host.Offline{Kind: host.KindCompletionAdvice, Amount: 5000, Card: b.card(), Auth: "A12345", Original: host.Original{Auth: "A12345", Date: "1129"}}
	if r := b.h.KeepOffline(t.Context(), held); r.Outcome != host.Kept {
		t.Fatal(short(r))
	}
	b.tells(false)
	for i, want := range []string{"kept", "not_sent  offline_sales_above_limit"} {
		if got := b.sellOffline(2000); got != want {
			t.Errorf("%d: %s", i, got)
		}
	}
}
