// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"

	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// AuthKey is how a later message names a pre-authorization: the card's token and
// the authorization code of its approval (ISO 8583:1987 DE 38). Issuers choose
// that code, six characters: of one card two may be equal.
type AuthKey struct {
	Token [16]byte
	Auth  [6]byte
}

// FindAuth returns the keys of the pre-authorizations that a names, in order of
// their approvals.
func (x *Index) FindAuth(a AuthKey) []txn.Key {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.auths[a])
}

// holdChain is how far what is about a pre-authorization is from it: the void of its
// completion is two steps away.
const holdChain = 2

// ofHold says whether e is a pre-authorization that may still be used, or about one:
// the acquirer holds the amount for longer than repeats come. The lock is held.
func (x *Index) ofHold(e *entry) bool {
	for range holdChain + 1 {
		switch {
		case e == nil || e.p == nil:
			return false
		case e.p.Key.Class == txn.PreAuth:
			return e.p.State == txn.Completed && x.clock.Mono().Sub(e.since) < x.cfg.Holds
		case e.p.Original == txn.Key{}:
			return false
		}
		e = x.payments.get(e.p.Original)
	}
	return false
}

// forgetHolds gives what is no longer of a hold back to the others, which are
// forgotten by the common rule; the lock is held. The earliest hold comes first, so
// that nothing is looked at again before it is over.
func (x *Index) forgetHolds() {
	for range few {
		if len(x.longer) == 0 || x.ofHold(x.longer[0]) {
			return
		}
		x.order = append(x.order, x.longer[0])
		x.longer = x.longer[1:]
	}
}

// everything is every entry in order of arrival; the lock is held.
func (x *Index) everything() []*entry { return append(slices.Clone(x.longer), x.order...) }

// authorized makes an approved pre-authorization findable; the lock is held.
func (x *Index) authorized(p *txn.Payment, kind byte) {
	a := AuthKey{p.Token, p.Answer.Auth}
	if kind == record.KindOutcome && p.Key.Class == txn.PreAuth && p.Answer.Approved() && a.Auth != ([6]byte{}) {
		x.auths[a] = append(x.auths[a], p.Key)
	}
}

// unauthorized is its end; the lock is held.
func (x *Index) unauthorized(p *txn.Payment) {
	a := AuthKey{p.Token, p.Answer.Auth}
	left := slices.DeleteFunc(x.auths[a], func(k txn.Key) bool { return k == p.Key })
	if len(left) == 0 {
		delete(x.auths, a)
		return
	}
	x.auths[a] = left
}
