// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// maxRefusals bounds the refusals remembered: about 200 bytes each. Under a
// flood the oldest go first; a message that arrives twice does so within seconds.
const maxRefusals = 1 << 16

// refusals are noes of which nothing is durable. The terminal took such a no for
// the end of its payment, so the same message must not be judged anew when it
// arrives a second time: what was impossible then may be possible now. To an advice
// a no is no end: it says that the switch did not keep it, the terminal has it
// still, and it is judged anew.
type refusals struct {
	byKey map[txn.Key]refusal
	order []txn.Key // ring, the oldest at next once it is full
	next  int
}

type refusal struct {
	fingerprint txn.Fingerprint // zero when it was refused before the card was looked at
	answer      txn.Answer
	since       env.Mono
}

// put remembers k; the index's lock is held.
func (r *refusals) put(k txn.Key, no refusal) {
	if _, twice := r.byKey[k]; !twice {
		if len(r.order) < maxRefusals {
			r.order = append(r.order, k)
		} else {
			delete(r.byKey, r.order[r.next])
			r.order[r.next] = k
			r.next = (r.next + 1) % maxRefusals
		}
	}
	r.byKey[k] = no
}

// Refused remembers how the claim of p, of which nothing is durable, was
// answered. It is called before Finish.
func (x *Index) Refused(p *txn.Payment, a txn.Answer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.payments.get(p.Key); e != nil && e.p == nil && !judgedAnew(p.Key) {
		x.refused.put(p.Key, refusal{p.Fingerprint, a, x.clock.Mono()})
	}
}

// RefuseFirst remembers a refusal before any claim. False: the same message was
// seen before and may be approved, or is; then this no must not be told.
func (x *Index) RefuseFirst(k txn.Key, a txn.Answer) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.payments.get(k); e != nil && (e.p != nil || e.running || e.tombstone) {
		return false
	}
	if _, twice := x.refused.byKey[k]; !twice && !judgedAnew(k) {
		x.refused.put(k, refusal{answer: a, since: x.clock.Mono()})
	}
	return true
}

// judgedAnew says whether a refusal of k is no end.
func judgedAnew(k txn.Key) bool { return k.Class.Ending() == txn.EndAdvise }

// told gives the refusal of k, when there was one within the window; the lock is held.
func (x *Index) told(p *txn.Payment) (*txn.Answer, error) {
	no, ok := x.refused.byKey[p.Key]
	switch {
	case !ok || x.clock.Mono().Sub(no.since) > x.cfg.Window:
		return nil, nil
	case no.fingerprint != (txn.Fingerprint{}) && no.fingerprint != p.Fingerprint:
		return nil, txn.DeclineDuplicate
	}
	a := no.answer
	a.Repeat = true
	return &a, nil
}
