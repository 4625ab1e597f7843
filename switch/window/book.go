// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"fmt"
	"sync"

	"tapswitch/hsm"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
)

// ErrFull is the refusal of a card or device that was never seen when there is
// no room for it.
var ErrFull = errors.New("window: no room for the counter of another card or device")

// Key is what has a counter of its own. Keys compare with ==.
type Key struct {
	kind byte
	id   [17]byte
}

// The kinds of keys. They are stored: append only.
const (
	kindCard byte = iota + 1
	kindDUKPT
	kindAESDUKPT
)

// Card is the key of a card: its number's token and its sequence number, the
// two that its card key is derived from (EMV Book 2, A1.4). A card without a
// sequence number is the one with 00, as for its key.
func Card(token [16]byte, sequence [2]byte) Key {
	k := Key{kind: kindCard}
	copy(k.id[:], token[:])
	if sequence != ([2]byte{}) {
		k.id[16] = (sequence[0]-'0')*10 + sequence[1] - '0'
	}
	return k
}

// Device is the key of a DUKPT device, which is its key serial number without
// the counter.
func Device(n hsm.KSN) Key {
	k := Key{kind: kindDUKPT}
	if n.IsAES() {
		k.kind = kindAESDUKPT
	}
	id := n.ID()
	copy(k.id[:], id[:])
	return k
}

func (k Key) bytes() []byte { return append([]byte{k.kind}, k.id[:]...) }

// Parse reads key and body of a record of record.KindCounter.
func Parse(r journal.Record) (Key, Seen, error) {
	var k Key
	c, err := record.ParseCounter(r.Body)
	if err != nil {
		return k, Seen{}, err
	}
	if len(r.Key) != 1+len(k.id) || r.Key[0] < kindCard || r.Key[0] > kindAESDUKPT {
		return k, Seen{}, record.ErrForm
	}
	k.kind = r.Key[0]
	copy(k.id[:], r.Key[1:])
	s := Seen{High: c.High, Bits: c.Bits}
	if s.Bits == 0 {
		return k, s, record.ErrForm
	}
	return k, s, nil
}

// Book is the counters of all cards and devices. It is a projection of the
// journal. Any number may use it.
type Book struct {
	max int

	mu   sync.Mutex // never held over a call of a port
	seen map[Key]Seen
}

// New makes an empty book of at most max cards and devices, about 100 bytes each.
func New(max int) *Book { return &Book{max: max, seen: map[Key]Seen{}} }

// Apply takes a stored record; other kinds are passed over.
func (b *Book) Apply(r journal.Record) error {
	if r.Kind != record.KindCounter {
		return nil
	}
	k, s, err := Parse(r)
	if err != nil {
		return fmt.Errorf("window: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[k] = b.seen[k].Merge(s)
	return nil
}

// Take takes the counter v of k, or returns ErrSeen, ErrOutside or ErrFull. The
// record must be made durable before anything is done with the message; failed
// says that it was not.
func (b *Book) Take(k Key, v uint32, p Profile) (r journal.Record, failed func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.seen[k]
	if err := before.Check(v, p); err != nil {
		return r, nil, err
	}
	if !known && len(b.seen) >= b.max {
		return r, nil, ErrFull
	}
	after := before.With(v)
	b.seen[k] = after
	r = record.MakeCounter(k.bytes(), record.Counter{High: after.High, Bits: after.Bits})
	return r, func() { b.giveBack(k, v, before, after) }, nil
}

// giveBack takes one counter back, and no other that was taken meanwhile. After
// others the highest stays where it is: that refuses more than it has to, until
// the next start, and never less.
func (b *Book) giveBack(k Key, v uint32, before, after Seen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.seen[k] != after:
		b.seen[k] = b.seen[k].Without(v)
	case before.Empty():
		delete(b.seen, k)
	default:
		b.seen[k] = before
	}
}

// Seen is which counters of k were used.
func (b *Book) Seen(k Key) Seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[k]
}

// Len is how many cards and devices the book has.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.seen)
}
