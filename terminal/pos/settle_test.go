// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// The merchant's evening: balanced; not balanced and uploaded; not answered, and
// finished before the next sale.
func TestSettleAtTheTill(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	sale := func() pos.Event {
		t.Helper()
		r.say("sale 1234")
		return r.wait("result")
	}
	settled := func(outcome, batch, next string, debits, uploaded int) {
		t.Helper()
		e := r.wait("settlement")
		if e.Outcome != outcome || e.Batch != batch || e.Next != next || e.Totals.Debits != debits || (e.Uploaded != nil) != (uploaded > 0) || e.Uploaded != nil && *e.Uploaded != uploaded {
			t.Errorf("%+v %+v", e, e.Totals)
		}
	}
	sale()
	sale()
	r.say("settle")
	settled("balanced", "000001", "000002", 2, 0)
	if e := sale(); e.Batch != "000002" {
		t.Errorf("the next sale is in %s", e.Batch)
	}
	r.sw.Settles(hosttest.Mood{Differs: true})
	r.say("settle")
	settled("uploaded", "000002", "000003", 1, 1)
	sale()
	r.sw.Settles(hosttest.Mood{Silent: true}, hosttest.Mood{Silent: true})
	r.say("settle")
	settled("due", "000003", "000003", 1, 0)
	r.say("settle") // begun before: it is told once, and no empty batch is settled
	settled("balanced", "000003", "000004", 1, 0)
	sale()
	r.sw.Settles(hosttest.Mood{Differs: true}, hosttest.Mood{Code: "96"})
	r.say("settle")
	settled("due", "000004", "000005", 1, 0)
	r.say("sale 1234")
	settled("uploaded", "000004", "000005", 1, 1)
	if e := r.wait("result"); e.Outcome != "approved" || e.Batch != "000005" {
		t.Errorf("%+v", e)
	}
	r.say("settle now")
	if e := r.wait("error"); e.Reason != "command_malformed" {
		t.Errorf("%+v", e)
	}
	r.end()
	r.nothingShows()
	var logged []string
	for _, e := range r.log() {
		if e.Event == "settlement" {
			logged = append(logged, e.Batch+" "+e.Outcome)
		}
	}
	if got := strings.Join(logged, ", "); got != "000001 balanced, 000002 uploaded, 000003 due, 000003 balanced, 000004 due, 000004 uploaded" {
		t.Errorf("logged %s", got)
	}
}

// What a merchant reads.
func TestSettlementForPeople(t *testing.T) {
	sw, dir := hosttest.Start(t), t.TempDir()
	cfg := settings(t, dir, sw.Address())
	sw.Settles(hosttest.Mood{}, hosttest.Mood{Differs: true})
	var out bytes.Buffer
	till, err := pos.New(t.Context(), cfg, pos.Options{World: env.Real(), Out: &out, Log: io.Discard, Taps: &taps{t: t, next: []pos.Tap{{CVM: "none"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(till.Run(t.Context(), strings.NewReader("sale 1234\nsettle\nsale 1234\nsale 1234\nsettle\n")), till.Close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"settlement of batch 000001 balanced: 1 debits 12.34 CNY, 0 credits 0.00 CNY code 00 next batch 000002\n",
		"settlement of batch 000002 uploaded: 2 debits 24.68 CNY, 0 credits 0.00 CNY the switch has 1 debits 0.05 CNY, 0 credits 0.00 CNY 2 payments uploaded code 00 next batch 000003\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}
