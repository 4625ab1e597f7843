// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"tapswitch/hsm"
)

func TestCheck(t *testing.T) {
	p := Profile{Ahead: 100, Behind: 8}
	used := Seen{}.With(50).With(52).With(57)
	for _, c := range []struct {
		name string
		seen Seen
		v    uint32
		want error
	}{
		{"first of a card", Seen{}, 40_000, nil},
		{"next", used, 58, nil},
		{"as far ahead as may be", used, 157, nil},
		{"one further", used, 158, ErrOutside},
		{"the highest again", used, 57, ErrSeen},
		{"one before it again", used, 50, ErrSeen},
		{"overtaken", used, 56, nil},
		{"as far behind as may be", used, 49, nil},
		{"one further behind", used, 48, ErrOutside},
		{"far behind", used, 0, ErrOutside},
		{"zero again", Seen{}.With(0), 0, ErrSeen},
		{"used, and further behind than the window", Seen{}.With(10).With(60), 10, ErrSeen},
		{"used, and too far to be known", Seen{}.With(10).With(110), 10, ErrOutside},
		{"the end of the range", Seen{}.With(math.MaxUint32 - 1), math.MaxUint32, nil},
		{"round the end", Seen{}.With(math.MaxUint32), 3, ErrOutside},
	} {
		if err := c.seen.Check(c.v, p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// Without a way back every counter that is not above the highest is refused.
func TestNothingBehind(t *testing.T) {
	s := Seen{}.With(10)
	if err := s.Check(9, Profile{Ahead: 1}); !errors.Is(err, ErrOutside) {
		t.Errorf("9 after 10: %v", err)
	}
}

// Against a model that remembers everything: no counter is ever taken twice, and
// each that the window has room for is taken.
func TestAgainstMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for range 300 {
		p := Profile{Ahead: 1 + r.Uint32N(200), Behind: r.Uint32N(MaxBehind + 1)}
		var s Seen
		used, high := map[uint32]bool{}, uint32(0)
		for range 400 {
			v := uint32(max(0, int64(high)+int64(r.IntN(300))-150))
			if r.IntN(3) > 0 { // near the highest, where it matters
				v = uint32(max(0, int64(high)+int64(r.IntN(8))-4))
			}
			err := s.Check(v, p)
			var want error
			switch {
			case len(used) == 0:
			case v > high && v-high > p.Ahead:
				want = ErrOutside
			case used[v] && high-v < Width:
				want = ErrSeen
			case v <= high && high-v > p.Behind:
				want = ErrOutside
			}
			if !errors.Is(err, want) || want == nil && used[v] {
				t.Fatalf("%d after %d with %+v: %v, want %v", v, high, p, err, want)
			}
			if err == nil {
				s, used[v], high = s.With(v), true, max(high, v)
			}
		}
	}
}

// Records may stand in the journal in any order and more than once.
func TestMergeKnowsNoOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	some := func() (s Seen) {
		for range 1 + r.IntN(6) {
			s = s.With(r.Uint32N(150))
		}
		return s
	}
	for range 5000 {
		a, b, c := some(), some(), some()
		if a.Merge(b) != b.Merge(a) || a.Merge(b).Merge(c) != a.Merge(b.Merge(c)) || a.Merge(a) != a || a.Merge(Seen{}) != a {
			t.Fatalf("%+v %+v %+v", a, b, c)
		}
		if all := a.Merge(b); !all.Covers(a) || !all.Covers(b) || a.Covers(b) != (all == a) {
			t.Fatalf("%+v does not cover %+v and %+v", all, a, b)
		}
		v := r.Uint32N(150)
		if a.High >= v && a.High-v < Width && !errors.Is(a.With(v).Check(v, Profile{Ahead: 1, Behind: MaxBehind}), ErrSeen) {
			t.Fatalf("%d is forgotten by %+v", v, a.With(v))
		}
	}
}

// The counters of a DUKPT device skip many numbers; devices and kinds have
// windows of their own, and the counter is not part of the device.
func TestDevices(t *testing.T) {
	b := New(10)
	p := Profile{Ahead: 1000, Behind: 4}
	take := func(ksn []byte) error {
		n, err := hsm.ParseKSN(ksn)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = b.Take(Device(n), n.Counter(), p)
		return err
	}
	first := []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x01} // ANSI X9.24-1 example, annex A
	other := []byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x11, 0x00, 0x00, 0x01}
	aes := []byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x00, 0x00, 0x00, 0x01} // ANSI X9.24-3 example
	at := func(n []byte, low ...byte) []byte { return append(append([]byte(nil), n[:len(n)-len(low)]...), low...) }
	for _, c := range []struct {
		name string
		ksn  []byte
		want error
	}{
		{"first", first, nil},
		{"the same", first, ErrSeen},
		{"the same without its leading FFFF", first[2:], ErrSeen},
		{"another device", other, nil},
		{"AES", aes, nil},
		{"AES again", aes, ErrSeen},
		{"the fourth", at(first, 0x04), nil},
		{"the third, overtaken", at(first, 0x03), nil},
		{"the counter reaches into the eighth byte", at(first, 0xE1, 0x00, 0x04), ErrOutside},
		{"AES, its counter of four bytes", at(aes, 0x00, 0x01, 0x00, 0x00), ErrOutside},
		{"AES, ahead", at(aes, 0x00, 0x00, 0x02, 0x00), nil},
	} {
		if err := take(c.ksn); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if b.Len() != 3 {
		t.Errorf("%d devices", b.Len())
	}
}
