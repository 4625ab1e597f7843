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
