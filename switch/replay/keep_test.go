// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"
	"time"

	"tapswitch/switch/txn"
)

// refundOf is a refund in force of o, which the index need not know.
func refundOf(t *testing.T, x *Index, o *txn.Payment, trace txn.STAN) *txn.Payment {
	t.Helper()
	r := newPayment(trace)
	r.Key.Class, r.Original, r.OfRRN = txn.Refund, o.Key, o.Numbers.RRN
	r.Numbers.RRN = txn.RRN([]byte("00000000001" + string(rune('0'+trace))))
	intend(t, x, r)
	settle(t, x, r.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(r.Key)
	x.Move(r.Key, txn.Written)
	return r
}

// While an original is kept, what names it is not forgotten, though the original
// itself was; the hold itself leaves nothing behind.
func TestKeep(t *testing.T) {
	x, _, clock := newIndex(10)
	o := paid(t, x, 1)
	clock.Advance(2 * time.Hour)
	x.Forget()
	if x.Knows(o.Key) {
		t.Fatal("the original is still known")
	}
	one, two := x.Keep(o.Key), x.Keep(o.Key)
	r := refundOf(t, x, o, 2)
	other := refundOf(t, x, &txn.Payment{Key: o.Key, Numbers: txn.Numbers{RRN: txn.RRN([]byte("another life"))}}, 3)
	clock.Advance(2 * time.Hour)
	for _, release := range []func(){one, two} {
		x.Forget()
		if all := x.Naming(o.Key, o.Numbers.RRN); len(all) != 1 || all[0].Key != r.Key || all[0].State != txn.Completed || !x.Knows(other.Key) {
			t.Errorf("held: %+v", all)
		}
		release()
	}
	x.Forget()
	if all := x.Naming(o.Key, o.Numbers.RRN); len(all) != 0 || x.Len() != 0 {
		t.Errorf("released: %+v, %d known", all, x.Len())
	}
	release := x.Keep(o.Key)
	if a, err := x.Claim(newPayment(1), 0); a != nil || err != nil { // a new life of the key may begin meanwhile
		t.Errorf("claim of what is held: %+v, %v", a, err)
	}
	release()
	x.Finish(o.Key)
	if x.Len() != 0 {
		t.Errorf("%d known", x.Len())
	}
}
