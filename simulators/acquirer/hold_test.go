// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/money"
)

// about names a message of a type by field 90.
func about(mti string, stan int) func(fields) {
	return set(90, fmt.Sprintf("%s%06d07150315410004000000100000000000", mti, stan))
}

// ofHold is a message about what is held, under its own number.
func ofHold(own int, procedure string, edits ...func(fields)) fields {
	return sale(own, append([]func(fields){set(3, procedure), set(25, "06")}, edits...)...)
}

// holdRig asks, and holds balance and what is held of it against what is wanted.
type holdRig struct {
	*rig
	c     *client
	codes map[int]string // authorization code by number
}

func (h *holdRig) ask(mti string, f fields, code, reason string, left, held int64) {
	h.Helper()
	_, got := h.c.ask(mti, f)
	e := h.last(reason)
	if got[39] != code || int64(e.BalanceMinor) != left || int64(e.HeldMinor) != held || h.balance("alice") != left {
		h.Errorf("%s: %q, %d of %d held; want %q, %d of %d", reason, got[39], e.HeldMinor, e.BalanceMinor, code, held, left)
	}
	var own int
	fmt.Sscanf(f[11], "%06d", &own)
	if got[38] != "" {
		h.codes[own] = got[38]
	}
}

// coded puts the authorization code of an earlier message into field 38.
func (h *holdRig) coded(stan int) func(fields) {
	if h.codes[stan] == "" {
		return set(38, "000000")
	}
	return set(38, h.codes[stan])
}

// A hold is cancelled or completed, once; every one of these can be reversed, and
// what it did with it. Through a restart, and the books agree at every line.
func TestHolds(t *testing.T) {
	r := &holdRig{newRig(t), nil, map[int]string{}}
	r.c = r.signedOn()
	const full, amount, more = 1000000, 1234, 1419
	ask := r.ask
	by := func(own int, procedure string, mti string, of int, edits ...func(fields)) fields {
		return ofHold(own, procedure, append([]func(fields){about(mti, of), r.coded(of)}, edits...)...)
	}
	undo := func(own int, mti string, of int, edits ...func(fields)) fields {
		return reversal(own, of, append([]func(fields){about(mti, of)}, edits...)...)
	}
	upTo := func(minor int) func(fields) { return set(4, fmt.Sprintf("%012d", minor)) }

	ask("0100", ofHold(1, "030000"), "00", "held", full, amount)
	ask("0100", ofHold(1, "030000"), "00", "duplicate", full, amount)
	ask("0100", by(2, "200000", "0100", 1, upTo(1233)), "64", "original_differs", full, amount)
	ask("0100", by(3, "200000", "0100", 9), "25", "original_of_hold_unknown", full, amount)
	ask("0100", by(4, "200000", "0200", 1), "30", "field_90_names_no_0100", full, amount)
	ask("0100", by(5, "200000", "0100", 1, set(38, "999999")), "64", "authorization_code_differs", full, amount)
	ask("0200", by(6, "000000", "0100", 1, upTo(more+1)), "61", "completion_above_limit", full, amount)
	ask("0200", by(7, "000000", "0100", 1, upTo(more)), "00", "completed", full-more, 0)
	ask("0200", by(8, "000000", "0100", 1), "12", "original_not_in_force", full-more, 0)
	ask("0100", by(9, "200000", "0100", 1), "12", "original_not_in_force", full-more, 0)
	ask("0400", undo(10, "0100", 1), "12", "original_completed", full-more, 0)
	ask("0200", by(11, "200000", "0200", 7), "64", "original_differs", full-more, 0)
	ask("0200", sale(12, set(3, "200000"), about("0200", 7), upTo(more)), "12", "original_not_in_force", full-more, 0) // a void of a sale

	r.host.Close()
	r.start()
	r.c = r.signedOn()
	ask("0200", by(13, "200000", "0200", 7, upTo(more)), "00", "completion_voided", full, amount)
	ask("0400", undo(15, "0200", 7, upTo(more)), "00", "voided_already", full, amount)
	ask("0400", undo(16, "0200", 13, upTo(more), set(3, "200000")), "00", "original_reversed_since", full, amount)

	ask("0200", by(17, "000000", "0100", 1), "00", "completed", full-amount, 0)
	ask("0400", undo(18, "0200", 17), "00", "completion_reversed", full, amount)
	ask("0401", undo(18, "0200", 17), "00", "reversed_already", full, amount)
	ask("0200", by(19, "000000", "0100", 1), "00", "completed", full-amount, 0)
	ask("0200", by(20, "200000", "0200", 19), "00", "completion_voided", full, amount)
	ask("0400", undo(21, "0200", 20, set(3, "200000")), "00", "void_reversed", full-amount, 0)
	ask("0200", by(22, "200000", "0200", 19), "00", "completion_voided", full, amount)
	ask("0200", by(23, "000000", "0100", 1), "00", "completed", full-amount, 0)
	ask("0400", undo(24, "0200", 22, set(3, "200000")), "00", "hold_used_since", full-amount, 0)
	ask("0200", by(25, "200000", "0200", 23), "00", "completion_voided", full, amount)

	ask("0220", by(31, "000000", "0100", 1, upTo(more+1)), "61", "completion_above_limit", full, amount) // it has happened, or so it says
	ask("0220", by(32, "000000", "0100", 1, upTo(more)), "00", "completed_as_advised", full-more, 0)
	ask("0221", by(32, "000000", "0100", 1, upTo(more)), "00", "duplicate", full-more, 0)
	ask("0220", by(33, "000000", "0100", 1), "12", "original_not_in_force", full-more, 0)
	ask("0200", by(35, "200000", "0220", 32, upTo(more)), "00", "completion_voided", full, amount)
	ask("0400", undo(36, "0200", 35, upTo(more), set(3, "200000")), "00", "void_reversed", full-more, 0)
	ask("0200", by(37, "200000", "0220", 32, upTo(more)), "00", "completion_voided", full, amount)

	ask("0100", by(26, "200000", "0100", 1), "00", "released", full, 0)
	ask("0400", undo(27, "0100", 26, set(3, "200000")), "00", "cancel_reversed", full, amount)
	ask("0100", by(28, "200000", "0100", 1), "00", "released", full, 0)
	ask("0400", undo(29, "0100", 1, set(3, "030000")), "00", "released_already", full, 0)
	ask("0400", undo(30, "0100", 28, set(3, "200000")), "00", "original_reversed_since", full, 0)
	r.checkBooks()
}

// What is held is not there for others; a hold that was reversed before it came is
// refused; one expires for its completion alone.
func TestHoldsBindFunds(t *testing.T) {
	now := time.Date(2026, 7, 15, 3, 15, 41, 0, time.UTC)
	r := &holdRig{newRig(t, func(c *Config) { c.Now = func() time.Time { return now } }), nil, map[int]string{}}
	r.c = r.signedOn()
	most := set(4, "000000990000")
	const full, amount = 1000000, 990000
	r.ask("0100", ofHold(1, "030000", most), "00", "held", full, amount)
	r.ask("0200", sale(2, set(4, "000000010001")), "51", "balance_too_low", full, amount)
	r.ask("0100", ofHold(3, "030000", set(4, "000000010001")), "51", "balance_too_low", full, amount)
	if _, got := r.c.ask("0200", sale(4, set(3, "310000"), set(4, "000000000000"))); got[54] != "0002156C000000010000" {
		t.Errorf("available %q", got[54])
	}
	r.ask("0200", ofHold(5, "000000", about("0100", 1), r.coded(1), set(4, "000001000001")), "51", "balance_too_low", full, amount)
	r.ask("0220", ofHold(11, "000000", about("0100", 1), r.coded(1), set(4, "000001000001")), "00", "completed_as_advised", -1, 0) // what has happened overdraws
	r.ask("0200", ofHold(12, "200000", about("0220", 11), r.coded(11), set(4, "000001000001")), "00", "completion_voided", full, amount)
	r.ask("0400", reversal(6, 7, about("0100", 7), set(3, "030000")), "25", reasonUnknownOriginal, full, amount)
	r.ask("0100", ofHold(7, "030000"), "94", "reversed_before_arrival", full, amount)
	r.ask("0100", ofHold(8, "000000"), "12", "processing_code_not_served", full, amount)
	now = now.AddDate(0, 0, 30).Add(time.Second)
	r.ask("0200", ofHold(9, "000000", about("0100", 1), r.coded(1), most), "12", "hold_expired", full, amount)
	r.ask("0400", reversal(10, 1, about("0100", 1), most, set(3, "030000")), "00", "hold_reversed", full, 0)
	r.checkBooks()
}

// CheckBooks finds a hold that is used twice or for too much, by its own rules.
func TestCheckBooksFindsHolds(t *testing.T) {
	r := &holdRig{newRig(t), nil, map[int]string{}}
	r.c = r.signedOn()
	r.ask("0100", ofHold(1, "030000"), "00", "held", 1000000, 1234)
	r.ask("0200", ofHold(2, "000000", about("0100", 1), r.coded(1)), "00", "completed", 1000000-1234, 0)
	all := r.host.Books()
	n := len(all)
	last := all[n-1]
	again := func(edit func(*Entry)) []Entry {
		e := last
		e.Seq, e.STAN = e.Seq+1, "000003"
		edit(&e)
		return append(append([]Entry(nil), all...), e)
	}
	for name, entries := range map[string][]Entry{
		"completed twice": again(func(e *Entry) { e.BalanceMinor -= e.AmountMinor }),
		"cancelled after its completion": again(func(e *Entry) {
			e.MTI, e.Procedure, e.Effect = "0100", "200000", EffectRelease
		}),
		"completed for too much": append(append([]Entry(nil), all[:n-1]...), func() Entry {
			e := last
			e.AmountMinor, e.BalanceMinor = 1420, 1000000-1420
			return e
		}()),
		"held without a line": append(append([]Entry(nil), all[:n-1]...), func() Entry {
			e := last
			e.HeldMinor = 1
			return e
		}()),
		"completion of nothing": again(func(e *Entry) { e.Original = "999999-0715031541-00040000001"; e.BalanceMinor -= e.AmountMinor }),
		"released as a reversal of nothing": again(func(e *Entry) {
			e.MTI, e.Condition, e.Original, e.Effect, e.HeldMinor = "0400", "", all[n-2].Key(), EffectRelease, money.MinorUnits(-1234)
		}),
	} {
		if err := CheckBooks(entries); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
}
