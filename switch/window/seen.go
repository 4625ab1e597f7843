// SPDX-License-Identifier: Apache-2.0

package window

import "errors"

// Width is how many counters are remembered one by one, the highest included.
const Width = 64

// MaxBehind is the greatest Profile.Behind: beyond it nothing is known of a
// single counter.
const MaxBehind = Width - 1

// The refusals of a counter.
var (
	ErrSeen    = errors.New("window: the counter was used before")
	ErrOutside = errors.New("window: the counter is outside of its window")
)

// Profile is the policy of one kind of cards or devices. The zero Profile looks
// at no counter.
type Profile struct {
	Ahead  uint32 // how far above the highest a counter may be; a card counts payments that nobody here hears of
	Behind uint32 // how far below; 0 to MaxBehind: messages overtake each other
}

// InUse says whether counters are looked at.
func (p Profile) InUse() bool { return p.Ahead > 0 }

// Seen is which counters were used. The zero Seen says none.
type Seen struct {
	High uint32 // the highest
	Bits uint64 // bit n: High-n was used
}

// Empty says that no counter was used.
func (s Seen) Empty() bool { return s == Seen{} }

// Check says whether v may be used: ErrSeen, ErrOutside or nil. The first counter
// of a card or device is taken as it is.
func (s Seen) Check(v uint32, p Profile) error {
	switch {
	case s.Empty():
		return nil
	case v > s.High:
		if v-s.High > p.Ahead {
			return ErrOutside
		}
		return nil
	case s.has(v):
		return ErrSeen
	case s.High-v > p.Behind:
		return ErrOutside
	}
	return nil
}

func (s Seen) has(v uint32) bool {
	return v <= s.High && s.High-v < Width && s.Bits>>(s.High-v)&1 == 1
}

// With is s with v used besides.
func (s Seen) With(v uint32) Seen { return s.Merge(Seen{High: v, Bits: 1}) }

// Without is s with v not used; the highest stays the highest.
func (s Seen) Without(v uint32) Seen {
	if s.has(v) {
		s.Bits &^= 1 << (s.High - v)
	}
	return s
}

// Merge is what two together say. It is commutative, associative and
// idempotent.
func (s Seen) Merge(o Seen) Seen {
	switch {
	case s.Empty():
		return o
	case o.Empty():
		return s
	case s.High < o.High:
		s, o = o, s
	}
	if apart := s.High - o.High; apart < Width {
		s.Bits |= o.Bits << apart
	}
	return s
}

// Covers says that s tells all that o does.
func (s Seen) Covers(o Seen) bool { return s.Merge(o) == s }
