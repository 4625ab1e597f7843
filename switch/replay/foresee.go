// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// stand is how a payment stands behind the records that were looked at.
type stand struct {
	k     txn.Key
	known bool
	state txn.State
}

// foresee refuses records that no start could read back, before they are durable:
// once they are, the journal is of no use. What is looked at is what can depend on
// how a payment stands: that it has begun, and that the event is an arrow of the table.
// Most records are of one entry.
// The turn of the payments is the caller's; beside it only a delivery moves them.
func (x *Index) foresee(of *entry, records []journal.Record) error {
	var room [4]stand
	seen := room[:0]
	for _, r := range records {
		switch r.Kind {
		case record.KindTries, record.KindNumbers, record.KindBatch, record.KindUpload, record.KindCounter, record.KindStandIn, record.KindTombstone:
			continue
		}
		k, err := record.ParseKey(r.Key)
		if err != nil {
			return fmt.Errorf("replay: %s record: key: %w", record.KindName(r.Kind), err)
		}
		i := 0
		for i < len(seen) && seen[i].k != k {
			i++
		}
		if i == len(seen) {
			seen = append(seen, x.stand(of, k))
		}
		if err := seen[i].follow(r); err != nil {
			return fmt.Errorf("replay: %s record of terminal %s trace %06d is not stored: %w", record.KindName(r.Kind), k.Terminal, k.Trace, err)
		}
	}
	return nil
}

// stand is how the payment of k stands, which may be that of an entry.
func (x *Index) stand(of *entry, k txn.Key) stand {
	if of.key == k {
		x.mu.Lock()
		defer x.mu.Unlock()
		return stand{k, of.p != nil, of.state()}
	}
	p, ok := x.Find(k)
	return stand{k, ok, p.State}
}

// follow takes one record as a start would.
func (s *stand) follow(r journal.Record) error {
	e := record.EventOf(r)
	switch begins := record.Begins(r.Kind); {
	case begins && s.known && !record.OverIn(s.state):
		return fmt.Errorf("second payment with this key")
	case begins:
		s.known, s.state = true, txn.Received
	case !s.known:
		return record.ErrNoIntent
	case e == 0 && r.Kind == record.KindAct:
		return nil
	}
	to, ok := txn.Follow(s.state, e)
	if ok && s.state == txn.Completed { // in the journal an approval that was delivered is one that was not
		_, ok = txn.Follow(txn.Approved, e)
	}
	if !ok {
		return fmt.Errorf("event %s cannot happen in state %s", e, s.state)
	}
	s.state = to
	return nil
}
