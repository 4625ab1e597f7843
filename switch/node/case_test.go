// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// A case is told in the log with what the acquirer must be asked, counted and
// gauged, before and after a restart, which warns of it.
func TestCaseIsTold(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	got := till.want(till.sale("unionpay", 500, ""), host.Approved, "00")
	p, _ := r.find(0, got.Trace)
	p.Undo = txn.Numbers{STAN: 77, At: p.Numbers.At}
	_, err := r.node.index.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		return []journal.Record{
			record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineUndone.Reason, Numbers: p.Undo}),
			record.MakeCase(now.Payment, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat, At: p.Numbers.At}),
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.node.attempt(saf.Attempt{Kind: saf.Reversal, Payment: p, Tries: 1, Code: txn.CodeFormat, Case: txn.CaseRefused})
	r.soon("the case is counted", func() bool {
		return r.metric(`tapswitch_saf_cases_total{link="acq-a",reason="reversal_refused"}`) == "1" &&
			r.metric(`tapswitch_saf_attempts_total{link="acq-a",outcome="case"}`) == "1" && r.metric("tapswitch_saf_cases_open") == "1"
	})
	lines := r.log.events("case")
	if len(lines) != 1 || lines[0]["why"] != "reversal_refused" || lines[0]["code"] != "30" || lines[0]["rrn"] != p.Numbers.RRN.String() || lines[0]["card"] != "622424******0069" {
		t.Errorf("%v", lines)
	}
	r.restart()
	if q, _ := r.find(0, got.Trace); q.State != txn.Disputed || q.Case.Why != txn.CaseRefused || r.node.saf.Depth("acq-a") != 0 {
		t.Errorf("%s, %+v", q.State, q.Case)
	}
	r.soon("the gauge is back", func() bool { return r.metric("tapswitch_saf_cases_open") == "1" })
	if !strings.Contains(r.log.text(), "cases are open") {
		t.Error("the start says nothing of open cases")
	}
}

// What did not leave is told as such, so that it never expires.
func TestUnsentReversalIsToldSo(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	got := till.want(till.sale("unionpay", 500, ""), host.Approved, "00")
	p, _ := r.find(0, got.Trace)
	for name, spoil := range map[string]func(*txn.Payment){
		"a link that is gone":          func(p *txn.Payment) { p.Link = "acq-z" },
		"a card that cannot be opened": func(p *txn.Payment) { p.SealedPAN = []byte("no seal") },
	} {
		q := p
		spoil(&q)
		if _, err := r.node.links.Send(context.Background(), saf.Reversal, q, false); !errors.Is(err, saf.ErrUnsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.a.mood("silent-all")
	p.Undo = txn.Numbers{STAN: 778, At: p.Numbers.At, RRN: p.Numbers.RRN}
	if _, err := r.node.links.Send(context.Background(), saf.Reversal, p, false); errors.Is(err, saf.ErrUnsent) || !errors.Is(err, flow.ErrNoAnswer) {
		t.Errorf("a silent host: %v", err)
	}
	r.a.mood("down")
	r.soon("link down", func() bool { return !r.node.links.Up("acq-a") })
	if _, err := r.node.links.Send(context.Background(), saf.Reversal, p, false); !errors.Is(err, saf.ErrUnsent) {
		t.Errorf("a link that is down: %v", err)
	}
}
