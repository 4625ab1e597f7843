// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// A tip and an adjustment of the last sale are on the disk before the switch is told,
// through a power cut; it is told in their order, by what the sale's answer said, and
// the sale is not reversed any more.
func TestAdjustments(t *testing.T) {
	b := newBench(t)
	keep := func(kind host.Kind, amount int64, want string) host.Result {
		t.Helper()
		r := b.h.KeepAdjustment(t.Context(), kind, money.MinorUnits(amount))
		if got := short(r); got != want {
			t.Errorf("%s %d: %q (%v), want %q", kind, amount, got, r.Err, want)
		}
		return r
	}
	keep(host.KindTip, 1300, "not_sent  nothing_to_reverse")
	if r := b.sale(); short(r) != "approved 00" {
		t.Fatalf("%s", short(r))
	}
	keep(host.KindTip, 1234, "not_sent  sale_malformed")
	keep(host.KindAdjust, 0, "not_sent  sale_malformed")
	keep(host.KindPreAuth, 1300, "not_sent  sale_malformed")
	if r := b.h.Sale(t.Context(), host.Sale{Kind: host.KindTip, Amount: 1300, Card: b.card()}); short(r) != "not_sent  sale_malformed" {
		t.Errorf("asked for: %s", short(r))
	}
	keep(host.KindTip, 1300, "kept")
	keep(host.KindAdjust, 1000, "kept")
	if err := b.h.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.sw.Advices(hosttest.Mood{Silent: true})
	if told, err := b.h.Upload(t.Context(), false); err == nil || len(told) != 1 || told[0].Done {
		t.Errorf("silent: %+v %v", told, err)
	}
	told, err := b.h.Upload(t.Context(), false)
	if err != nil || len(told) != 2 || !told[0].Done || told[0].Kind != host.KindTip || !told[1].Done || told[1].Kind != host.KindAdjust || b.h.Kept() != 0 {
		t.Fatalf("%+v %v", told, err)
	}
	if _, err := b.h.Reverse(t.Context()); !errors.Is(err, host.ErrNothing) {
		t.Errorf("reversed: %v", err)
	}
	books := b.sw.Books()
	for i, want := range []hosttest.Request{
		{Kind: "000000 00 34", Amount: "000000001300", Trace: "000003"}, {Kind: "000000 00 34", Amount: "000000001300", Trace: "000003"},
		{Kind: "000000 00 32", Amount: "000000001000", Trace: "000004"},
	} {
		if got := books[i+1]; got.MTI != "0220" || got.Kind != want.Kind || got.Amount != want.Amount || got.Trace != want.Trace || got.Original != "0000010000020000" ||
			got.RRN != "000000000002" || got.Auth != "A00002" || !got.MACRight || got.PAN != testPAN || got.Track || got.Entry != "072" {
			t.Errorf("%+v", got)
		}
	}
	if r := b.sale(); short(r) != "approved 00" {
		t.Fatalf("%s", short(r))
	}
	if undo, err := b.h.Reverse(t.Context()); err != nil || !undo.Done {
		t.Errorf("the next sale: %+v %v", undo, err)
	}
	keep(host.KindAdjust, 1000, "not_sent  nothing_to_reverse")
}
