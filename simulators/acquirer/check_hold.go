// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"

	"tapswitch/internal/money"
)

// auditedHold is a pre-authorization as CheckBooks knows it: its line, and by which
// line it was released or completed. It repeats no code of the ledger.
type auditedHold struct {
	line     Entry
	by       string // key of what it ended by, "" while it stands
	reversed bool
}

// auditedHolds is what CheckBooks knows of all.
type auditedHolds struct {
	of    map[string]*auditedHold // by its own key and by those of what is about it
	about map[string]Entry        // approved cancels, completions and voids of those, while in force
	total map[string]money.MinorUnits
}

func newAuditedHolds() auditedHolds {
	return auditedHolds{map[string]*auditedHold{}, map[string]Entry{}, map[string]money.MinorUnits{}}
}

// add checks the right to an effect on what is held, and that the line says how
// much is held after it. done: the line is about a hold, and change is what it
// moves of the balance.
func (a *auditedHolds) add(e Entry) (done bool, change money.MinorUnits, err error) {
	if e.MTI == mtiAuthorization || e.Condition == "06" {
		done, change, err = true, 0, a.message(e)
	} else if _, ok := a.of[e.Original]; ok {
		done, change, err = true, 0, a.reversal(e)
	}
	if err == nil && e.HeldMinor != a.total[e.Account] {
		err = fmt.Errorf("account %s has %d held by this line, %d by the ones before it", e.Account, e.HeldMinor, a.total[e.Account])
	}
	switch {
	case done && e.Effect == EffectDebit:
		change = -e.AmountMinor
	case done && e.Effect == EffectCredit:
		change = e.AmountMinor
	}
	return done, change, err
}

func (a *auditedHolds) message(e Entry) error {
	if e.Effect == EffectNone {
		return nil
	}
	if e.MAC != StateOK || e.AmountMinor <= 0 || e.Response != codeApproved || e.PIN == StateWrong || e.ARQC == StateBad {
		return fmt.Errorf("an effect of a message that was not approved")
	}
	if _, twice := a.of[e.Key()]; twice {
		return fmt.Errorf("a second effect of %s", e.Key())
	}
	h := a.of[e.Original]
	if h == nil {
		if e.Effect != EffectHold || e.Procedure != "030000" {
			return fmt.Errorf("a %s about no hold", e.Effect)
		}
		a.of[e.Key()] = &auditedHold{line: e}
		a.total[e.Account] += e.AmountMinor
		return nil
	}
	p := h.line
	switch same := p.Account == e.Account && p.Currency == e.Currency; {
	case !same:
		return fmt.Errorf("a %s of another account or currency than its hold", e.Effect)
	case e.Effect == EffectRelease && e.Original == p.Key() && h.by == "" && p.AmountMinor == e.AmountMinor:
		h.by = e.Key()
		a.total[e.Account] -= p.AmountMinor
	case e.Effect == EffectDebit && e.Original == p.Key() && h.by == "" && e.AmountMinor <= p.CompletableMinor:
		h.by = e.Key()
		a.total[e.Account] -= p.AmountMinor
	case e.Effect == EffectCredit && h.by == e.Original && a.about[e.Original].AmountMinor == e.AmountMinor && a.about[e.Original].Effect == EffectDebit:
		h.by = ""
		a.total[e.Account] += p.AmountMinor
	default:
		return fmt.Errorf("a %s of %d about the hold %s of %d, which is cancelled or completed already, or does not fit", e.Effect, e.AmountMinor, p.Key(), p.AmountMinor)
	}
	a.of[e.Key()], a.about[e.Key()] = h, e
	return nil
}

// reversal is a line of another type that names one of these messages.
func (a *auditedHolds) reversal(e Entry) error {
	if e.Effect == EffectNone {
		return nil
	}
	h := a.of[e.Original]
	o, about := a.about[e.Original]
	if !about {
		o = h.line
	}
	if e.MAC != StateOK || o.AmountMinor != e.AmountMinor || o.Account != e.Account || o.Currency != e.Currency {
		return fmt.Errorf("a reversal that differs from %s", e.Original)
	}
	switch {
	case !about && e.Effect == EffectRelease && h.by == "" && !h.reversed:
		h.reversed, h.by = true, "reversed"
		a.total[e.Account] -= h.line.AmountMinor
	case about && o.Effect == EffectRelease && e.Effect == EffectHold && h.by == e.Original,
		about && o.Effect == EffectDebit && e.Effect == EffectCredit && h.by == e.Original:
		h.by = ""
		a.total[e.Account] += h.line.AmountMinor
	case about && o.Effect == EffectCredit && e.Effect == EffectDebit && h.by == "":
		h.by = o.Original
		a.total[e.Account] -= h.line.AmountMinor
	default:
		return fmt.Errorf("a %s that takes back nothing of %s", e.Effect, e.Original)
	}
	if about && o.Effect != EffectDebit { // a completion may be voided again once its void was reversed
		delete(a.about, e.Original)
	}
	return nil
}
