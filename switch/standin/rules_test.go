// SPDX-License-Identifier: Apache-2.0

package standin

import (
	"errors"
	"testing"

	"tapswitch/switch/txn"
)

func code(s string) [4]byte { return [4]byte([]byte(s)) }

// Each rule alone says no, at its border and by its own name; of several the
// first of the ladder does.
func TestRules(t *testing.T) {
	r := Rules{MaxAmount: 50000, MaxCount: 3, MaxSum: 100000, PINAbove: 10000, Types: [][4]byte{code("5411"), code("5999")}, Refused: [][4]byte{code("5999")}}
	good := Ask{Amount: 50000, Type: code("5411"), Chip: true, PIN: true}
	for _, c := range []struct {
		name string
		edit func(*Ask)
		want error
	}{
		{"all is well", func(*Ask) {}, nil},
		{"no chip", func(a *Ask) { a.Chip = false }, txn.DeclineStandInChip},
		{"a fen too much", func(a *Ask) { a.Amount++ }, txn.DeclineStandInAmount},
		{"another merchant type", func(a *Ask) { a.Type = code("7995") }, txn.DeclineStandInType},
		{"a merchant type of both lists", func(a *Ask) { a.Type = code("5999") }, txn.DeclineStandInType},
		{"no merchant type", func(a *Ask) { a.Type = [4]byte{} }, txn.DeclineStandInType},
		{"no PIN", func(a *Ask) { a.PIN = false }, txn.DeclineStandInPIN},
		{"no PIN, a fen above", func(a *Ask) { a.PIN, a.Amount = false, 10001 }, txn.DeclineStandInPIN},
		{"no PIN, as much as may be", func(a *Ask) { a.PIN, a.Amount = false, 10000 }, nil},
		{"everything is wrong", func(a *Ask) { *a = Ask{Amount: 1 << 40} }, txn.DeclineStandInChip},
	} {
		a := good
		c.edit(&a)
		if err := r.Check(a); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestMerchantTypes(t *testing.T) {
	one, other := [][4]byte{code("5411")}, [][4]byte{code("7995")}
	for _, c := range []struct {
		name          string
		types, refuse [][4]byte
		known, none   bool // whether 5411 may, and one that is not known
	}{
		{"no list", nil, nil, true, true},
		{"allowed", one, nil, true, false},
		{"another is allowed", other, nil, false, false},
		{"refused", nil, one, false, false},
		{"another is refused", nil, other, true, false},
	} {
		r := Rules{Types: c.types, Refused: c.refuse}
		if r.allows(code("5411")) != c.known || r.allows([4]byte{}) != c.none {
			t.Errorf("%s: %v, unknown %v", c.name, r.allows(code("5411")), r.allows([4]byte{}))
		}
	}
}

// The zero Rules allow nothing.
func TestNoRulesAllowNothing(t *testing.T) {
	if err := (Rules{}).Check(Ask{Amount: 1, Chip: true, PIN: true}); !errors.Is(err, txn.DeclineStandInAmount) {
		t.Error(err)
	}
}

// Authorization codes of two trace numbers differ.
func TestAuth(t *testing.T) {
	for n, want := range map[txn.STAN]string{1: "S00001", 35: "S0000Z", 36: "S00010", 999999: "S0LFLR"} {
		if got := Auth(n); string(got[:]) != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	seen := map[[6]byte]bool{}
	for n := txn.STAN(1); n <= 999999; n += 7 {
		if a := Auth(n); seen[a] {
			t.Fatalf("%s twice", a)
		} else {
			seen[a] = true
		}
	}
}
