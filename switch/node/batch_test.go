// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"testing"

	"tapswitch/switch/admin"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// settle makes the terminal ready and settles its batch.
func (t *term) settle(outcome host.SettleOutcome, batch, next string, debits, sent int) host.Settlement {
	t.Helper()
	t.drained()
	s, err := t.host.Settle(context.Background())
	if err != nil || s.Outcome != outcome || s.Batch != batch || s.Next != next || s.Ours.Debits != debits || s.Sent != sent {
		t.Errorf("settled: %+v, %v", s, err)
	}
	return s
}

// A terminal program settles with the switch: balanced after a decline, a reversal of
// the cashier's and one of its own; the switch restarts in between.
func TestTerminalSettlesBalanced(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("unionpay", 700, ""), host.Approved, "00")
	till.want(till.sale("unionpay", 300, ""), host.Approved, "00")
	if undo, err := till.host.Reverse(context.Background()); err != nil || !undo.Done {
		t.Fatalf("reverse: %+v %v", undo, err)
	}
	till.want(till.sale("visa", 150000, "1111"), host.Declined, "55")
	r.a.mood("silent once")
	till.want(till.sale("unionpay", 400, ""), host.Declined, "98")
	till.want(till.sale("unionpay", 500, ""), host.Approved, "00")
	r.restart()
	till.reopen()
	r.settled()
	s := till.settle(host.Balanced, "000001", "000002", 2, 0)
	if s.Ours != s.Theirs || s.Ours.DebitMinor != 1200 {
		t.Errorf("%+v", s)
	}
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	if till.host.Batch() != "000002" {
		t.Errorf("the next sale is in batch %s", till.host.Batch())
	}
	till.settle(host.Balanced, "000002", "000003", 1, 0)
	till.settle(host.Balanced, "000003", "000004", 0, 0)
	r.agree()
}

// A terminal program that counts other than the switch uploads what it has. A
// payment that it does not know is a case for a person, and no money moves; the
// terminal loses power in between.
func TestTerminalSettlesNotBalanced(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	w.expect("a payment that the terminal program does not have", w.sale(0x0200, 100, 900, r.tap("unionpay", 900)), "00", true)
	till := r.term(0)
	for range 9 {
		till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	}
	s := till.settle(host.BatchSent, "000001", "000002", 9, 9)
	if s.Theirs != (host.Totals{Debits: 10, DebitMinor: 1800}) {
		t.Errorf("the switch told %+v", s.Theirs)
	}
	if n := r.node.batches.Cases(); n != 1 {
		t.Errorf("%d cases", n)
	}
	till.reopen()
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	r.restart()
	till.reopen()
	till.settle(host.Balanced, "000002", "000003", 1, 0)
	states := map[uint32]txn.BatchState{}
	r.node.batches.Each(func(id txn.BatchID, b txn.Batch) { states[id.Batch] = b.State })
	if states[1] != txn.BatchUploaded || states[2] != txn.BatchBalanced || r.node.batches.Cases() != 1 {
		t.Errorf("batches %v, %d cases", states, r.node.batches.Cases())
	}
	if r.a.taken() != 1900 {
		t.Errorf("the acquirer holds %d", r.a.taken())
	}
	r.agree()
}

// The operator closes the case of an upload over the socket of the running switch: the gauge falls, the log says
// who, and neither a restart nor the second close finds it open. Its merchant need not be named.
func TestOperatorClosesAnUploadsCase(t *testing.T) {
	r := newRig(t, withDesk)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	w.expect("a payment that the terminal program does not have", w.sale(0x0200, 100, 900, r.tap("unionpay", 900)), "00", true)
	till := r.term(0)
	till.want(till.sale("unionpay", 100, ""), host.Approved, "00")
	till.settle(host.BatchSent, "000001", "000002", 1, 1)
	r.soon("the case is counted", func() bool { return r.metric("tapswitch_settle_cases_open") == "1" })
	q := admin.Request{Do: txn.Settled.String(), By: "ann", Why: "voucher seen", Upload: admin.Upload{Terminal: terminalID(0), Batch: 1, Trace: 100}}
	reply, err := r.ask(q)
	if err != nil || len(reply.Cases) != 1 || reply.Cases[0].Why != "upload_payment_missing" || reply.Cases[0].Merchant != merchant || reply.Cases[0].Amount != 900 {
		t.Fatalf("%+v, %v", reply, err)
	}
	r.soon("the case is closed", func() bool { return r.metric("tapswitch_settle_cases_open") == "0" })
	if lines := r.log.events("operator"); len(lines) != 1 || lines[0]["act"] != "settled" || lines[0]["by"] != "ann" || lines[0]["case"] != "upload_payment_missing" {
		t.Errorf("the log has %v", lines)
	}
	for range 2 {
		var no *admin.Refusal
		if _, err := r.ask(q); !errors.As(err, &no) || no.Word != admin.NoCase {
			t.Errorf("a second close: %v", err)
		}
		r.restart()
	}
	if r.node.batches.Cases() != 0 || r.a.taken() != 1000 {
		t.Errorf("%d cases, %d taken", r.node.batches.Cases(), r.a.taken())
	}
	r.agree()
}
