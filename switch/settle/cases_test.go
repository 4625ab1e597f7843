// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// close closes the cases of a trace number, and says how many.
func (s *shop) close(trace txn.STAN) (int, error) {
	_, items, err := s.book.CloseCases(id(1), trace, txn.Act{What: txn.Settled, By: "ann", Why: "voucher seen", At: s.clock.Now()})
	return len(items), err
}

// again is the shop after a restart; it must have as many open cases.
func (s *shop) again() *shop {
	s.Helper()
	next := newShop(s.T, s.log)
	if got, want := next.book.Cases(), s.book.Cases(); got != want {
		s.Errorf("%d cases after a restart, %d before", got, want)
	}
	return next
}

// A close takes all cases of one trace number, each once, and no other; a message that comes again opens
// none of them anew, another item does; a restart changes nothing.
func TestCloseCases(t *testing.T) {
	s := differing(t, 3)
	s.upload(item(1, 101), item(1, 102), item(2, 102), item(9, 5))
	for _, c := range []struct {
		trace  txn.STAN
		closed int
		left   int
	}{{7, 0, 4}, {1, 2, 2}, {1, 0, 2}, {9, 1, 1}} {
		n, err := s.close(c.trace)
		if n != c.closed || s.book.Cases() != c.left || (n == 0) != errors.Is(err, ErrNoCase) {
			t.Errorf("trace %d: %d closed, %d left, %v", c.trace, n, s.book.Cases(), err)
		}
		s = s.again()
	}
	if got := s.upload(item(1, 101), item(9, 5)); got != 0 || s.book.Cases() != 1 {
		t.Errorf("the same again: %d cases, %d open", got, s.book.Cases())
	}
	if got := s.upload(item(1, 103)); got != 1 || s.book.Cases() != 2 {
		t.Errorf("another item: %d cases, %d open", got, s.book.Cases())
	}
	if cases, err := s.end(9); err != nil || cases != 2 { // trace 3 is missing, and the count is another
		t.Fatalf("%d cases, %v", cases, err)
	}
	for _, trace := range []txn.STAN{0, 1, 2, 3} {
		if n, err := s.again().close(trace); n != 1 || err != nil {
			t.Errorf("after the end, trace %d: %d, %v", trace, n, err)
		}
		s = newShop(t, s.log)
	}
	if s.book.Cases() != 0 || len(s.book.open) != 0 {
		t.Errorf("%d cases, %v", s.book.Cases(), s.book.open)
	}
}

// A merchant need not be named while one alone has such a case.
func TestCloseCasesOfWhom(t *testing.T) {
	s := differing(t, 1)
	s.upload(item(5, 1))
	nobody, other := id(1), id(1)
	nobody.Merchant, other.Merchant = txn.MerchantID{}, txn.MerchantID([]byte("999999999999999"))
	s.book.uploaded(other, s.book.account(other), []txn.Uploaded{{Trace: 5, Minor: 2, Verdict: txn.UploadUnknown}, {Trace: 6, Minor: 2, Verdict: txn.UploadUnknown}})
	by := txn.Act{What: txn.Settled, By: "ann", Why: "voucher seen", At: s.clock.Now()}
	if _, _, err := s.book.CloseCases(nobody, 5, by); !errors.Is(err, ErrMany) {
		t.Error(err)
	}
	if in, items, err := s.book.CloseCases(nobody, 6, by); err != nil || in != other || len(items) != 1 {
		t.Errorf("%v %v %v", in, items, err)
	}
	if _, items, err := s.book.CloseCases(id(1), 5, by); err != nil || len(items) != 1 || items[0].Minor != 1 {
		t.Errorf("%v %v", items, err)
	}
	if in, _, err := s.book.CloseCases(nobody, 5, by); err != nil || in != other {
		t.Errorf("%v %v", in, err)
	}
	if _, _, err := s.book.CloseCases(nobody, 5, by); !errors.Is(err, ErrNoCase) {
		t.Error(err)
	}
}

// More cases than one record holds are closed by several. What fails in between leaves the rest open, in
// this process and after a restart, and may be asked for again.
func TestCloseCasesIsCutInTwo(t *testing.T) {
	s := differing(t, 1)
	var items []txn.Uploaded
	for i := range 250 {
		items = append(items, item(5, int64(i+1)))
	}
	s.upload(items...)
	before := len(s.log.records)
	s.log.failAfter(2, journal.ErrBroken)
	n, err := s.close(5)
	if n != 200 || txn.AsDecline(err).Reason != txn.DeclineJournal.Reason || s.book.Cases() != 50 || len(s.log.records) != before+2 {
		t.Errorf("%d closed, %d open, %v", n, s.book.Cases(), err)
	}
	s.log.fail = journal.ErrFull
	if n, err := s.close(5); n != 0 || txn.AsDecline(err).Reason != txn.DeclineJournalFull.Reason {
		t.Errorf("%d closed, %v", n, err)
	}
	s.log.fail = nil
	if n, err := s.again().close(5); n != 50 || err != nil {
		t.Errorf("%d closed, %v", n, err)
	}
	if n := newShop(t, s.log).book.Cases(); n != 0 {
		t.Errorf("%d are open", n)
	}
	if n := len(s.log.records) - before; n != 3 {
		t.Errorf("%d records", n)
	}
}
