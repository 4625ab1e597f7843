// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"strings"
	"testing"

	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// The terminal counts and uploads what sales come to: a part that was approved, a
// whole with cash in it, and a sale with its tip once the switch has that; through a
// power cut.
func TestCountedIsWhatItComesTo(t *testing.T) {
	b := newBench(t)
	b.cfg = func(cfg *host.Config) { cfg.Part = true }
	if err := b.h.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.sw.Sales(hosttest.Mood{Code: "10", Amount: "000000000500"})
	b.approved(1)
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := b.h.Sale(t.Context(), host.Sale{Kind: host.KindCashback, Amount: 1234, Cash: 200, Card: b.card()}); r.Outcome != host.Approved {
		t.Fatal(short(r))
	}
	b.approved(1)
	want := host.Totals{Debits: 3, DebitMinor: 500 + 1234 + 1234}
	if got := b.h.Totals(); got != want {
		t.Errorf("%+v", got)
	}
	b.sw.Advices(hosttest.Mood{Code: "96"})
	for _, code := range []string{"96", "00"} {
		if code == "96" {
			if r := b.h.KeepAdjustment(t.Context(), host.KindTip, 1300); r.Outcome != host.Kept {
				t.Fatal(short(r))
			}
		} else {
			want.DebitMinor = 500 + 1234 + 1300
		}
		if told, _ := b.h.Upload(t.Context(), false); len(told) != 1 || told[0].Code != code {
			t.Errorf("%+v", told)
		}
		if got := b.h.Totals(); got != want {
			t.Errorf("after %s: %+v", code, got)
		}
	}
	if err := b.h.Close(); err != nil {
		t.Fatal(err)
	}
	b.open()
	if got := b.h.Totals(); got != want {
		t.Errorf("after a power cut: %+v", got)
	}
	if _, reason, err := b.h.Ready(context.Background()); err != nil || reason != host.ReasonNone {
		t.Fatalf("%s %v", reason, err)
	}
	b.sw.Settles(hosttest.Mood{Differs: true})
	b.settle()
	said := strings.Join(b.said(), "\n")
	for _, item := range []string{"0000020000" + testPAN + "000000000500", "0000030000" + testPAN + "000000001234", "0000040000" + testPAN + "000000001300"} {
		if !strings.Contains(said, item) {
			t.Errorf("not uploaded: %s in\n%s", item, said)
		}
	}
}
