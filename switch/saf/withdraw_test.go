// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"testing"
	"time"

	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// fresh is advising by the process that made it, about the payment of trace
// original, if any.
func (r *rig) fresh(trace, original int, says ...string) txn.Key {
	r.Helper()
	k := txn.Key{Trace: txn.STAN(trace), Class: txn.StandIn}
	p := &txn.Payment{Key: k, Link: "acq", Numbers: txn.Numbers{STAN: txn.STAN(trace), At: r.clock.Now()}}
	if original > 0 {
		p.Original = key(original)
	}
	r.says[txn.STAN(trace)] = says
	r.change(k, record.Advice(p))
	r.queue.EnqueueFresh("acq", k)
	return k
}

// An advice can be taken back until its first delivery begins, once, by the
// process that made it, and is not sent then.
func TestWithdraw(t *testing.T) {
	r := newRig(t)
	k := r.fresh(1, 0)
	if !r.queue.Withdraw("acq", k) || r.queue.Withdraw("acq", k) || r.queue.Depth("acq") != 0 {
		t.Error("withdrawn not once")
	}
	r.want(r.drain())
	r.queue.Enqueue("acq", k) // it was not made durable: owed again, and no longer fresh
	if r.queue.Withdraw("acq", k) {
		t.Error("withdrawn after it was queued again")
	}
	r.want(r.drain(), "1 advice repeat=false")

	silent := r.fresh(2, 0, "silent")
	r.drain()
	if r.queue.Withdraw("acq", silent) {
		t.Error("withdrawn after it had left")
	}
	old := r.advising(3) // by recovery: it may have left before the crash
	if r.queue.Withdraw("acq", old) {
		t.Error("what recovery queued was withdrawn")
	}
	if r.queue.Withdraw("acq", key(99)) {
		t.Error("what is not there was withdrawn")
	}
}

// While it is being delivered it cannot be taken back.
func TestWithdrawDuringDelivery(t *testing.T) {
	r := newRig(t)
	k := r.fresh(1, 0)
	r.after = func() {
		if r.queue.Withdraw("acq", k) {
			t.Error("withdrawn in the middle of its delivery")
		}
	}
	r.want(r.drain(), "1 advice repeat=false")
	if r.state(k) != txn.Advised {
		t.Error(r.state(k))
	}
}

// What stands behind it in its chain goes on, and other chains are not touched.
func TestWithdrawFromAChain(t *testing.T) {
	r := newRig(t)
	r.reversing(9)
	for _, trace := range []int{3, 4, 5} {
		r.fresh(trace, 0)
	}
	k := r.fresh(1, 2)
	r.reversing(2)
	if !r.queue.Withdraw("acq", k) || !r.queue.Withdraw("acq", txn.Key{Trace: 4, Class: txn.StandIn}) {
		t.Fatal("not withdrawn")
	}
	r.want(r.drain(), "9/109 repeat=false", "2/102 repeat=false", "3 advice repeat=false", "5 advice repeat=false")
	r.clock.Advance(time.Hour)
	r.want(r.drain())
}

// An advice that is held has not left: it can be withdrawn, and what waited behind
// it goes. One that an operator let go has not left either, until it is sent.
func TestWithdrawWhatIsHeld(t *testing.T) {
	r := newRig(t)
	k := r.fresh(1, 9)
	r.belonging(2, 9)
	r.act(k, txn.Hold)
	r.want(r.drain())
	if !r.queue.Withdraw("acq", k) || r.queue.Depth("acq") != 1 {
		t.Errorf("a held one was not withdrawn, %d wait", r.queue.Depth("acq"))
	}
	r.want(r.drain(), "2/102 repeat=false")
	k = r.fresh(3, 0)
	r.act(k, txn.Hold)
	r.act(k, txn.Retry)
	if !r.queue.Withdraw("acq", k) || r.queue.Depth("acq") != 0 {
		t.Errorf("one that was let go was not withdrawn, %d wait", r.queue.Depth("acq"))
	}
}
