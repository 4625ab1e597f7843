// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strconv"

	"tapswitch/switch/txn"
)

// LinkKey finds a payment by what its request carried on a link.
type LinkKey struct {
	Link string
	STAN txn.STAN
	At   string // field 7, MMDDhhmmss
}

// NewLinkKey is the key of n on a link.
func NewLinkKey(link string, n txn.Numbers) LinkKey {
	var at [10]byte
	_, month, day := n.At.Date()
	hour, minute, second := n.At.Clock()
	for i, v := range [...]int{int(month), day, hour, minute, second} {
		at[2*i], at[2*i+1] = byte('0'+v/10), byte('0'+v%10)
	}
	return LinkKey{link, n.STAN, string(at[:])}
}

// sentKey is a LinkKey whose time is a number.
type sentKey struct {
	at   uint64
	stan txn.STAN
	link string
}

// sentAs is where the table of what was sent has n.
func sentAs(link string, n txn.Numbers) sentKey {
	_, month, day := n.At.Date()
	hour, minute, second := n.At.Clock()
	at := uint64(month)
	for _, v := range [...]int{day, hour, minute, second} {
		at = at*100 + uint64(v)
	}
	return sentKey{at, n.STAN, link}
}

// parse is where the table has l; false when its time is none.
func (l LinkKey) parse() (sentKey, bool) {
	at, err := strconv.ParseUint(l.At, 10, 64)
	return sentKey{at, l.STAN, l.Link}, err == nil && len(l.At) == len("MMDDhhmmss")
}

// split: trace numbers are given one after the other.
func (k sentKey) split() (sentKey, uint32) {
	among := uint32(k.stan) % line
	k.stan -= txn.STAN(among)
	return k, among
}

// splitRRN: so are reference numbers, whose last character is a digit as a rule.
func splitRRN(n txn.RRN) (txn.RRN, uint32) {
	among := uint32(n[len(n)-1]) % line
	n[len(n)-1] -= byte(among)
	return n, among
}

func (e *entry) hasKey(k txn.Key) bool { return e.key == k }

func (e *entry) wasSent(k sentKey) bool {
	return e != nil && e.p != nil && e.p.Numbers.STAN == k.stan && sentAs(e.p.Link, e.p.Numbers) == k
}

func (e *entry) hasRRN(n txn.RRN) bool { return e != nil && e.p != nil && e.p.Numbers.RRN == n }
