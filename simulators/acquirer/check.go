// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"

	"tapswitch/internal/money"
)

// audit is the state of CheckBooks: it repeats no code of the ledger.
type audit struct {
	balances map[string]money.MinorUnits
	debits   map[string]Entry
	credited map[string]bool
	voids    map[string]Entry            // that gave a debit back and are in force
	refunds  map[string]Entry            // that gave a part of a debit back and are in force
	refunded map[string]money.MinorUnits // of a debit, by those
	adjusted map[string]bool             // adjustments that had their effect
	deltas   money.MinorUnits            // sum of what balances moved by
	effects  money.MinorUnits            // sum of credits less debits
	holds    auditedHolds
	scripts  auditedScripts
}

// CheckBooks checks that at every prefix of the books the balances moved by
// exactly the effects, that one key was debited at most once, that a credit
// gives one debit back, whole and once, or again after a void was reversed, and that
// the refunds of a debit are never more than it. The error names the first bad entry.
func CheckBooks(entries []Entry) error {
	a := audit{balances: map[string]money.MinorUnits{}, debits: map[string]Entry{}, credited: map[string]bool{}, voids: map[string]Entry{},
		adjusted: map[string]bool{}, refunds: map[string]Entry{}, refunded: map[string]money.MinorUnits{}, holds: newAuditedHolds(), scripts: newAuditedScripts()}
	for i, e := range entries {
		if e.Seq != uint64(i)+1 {
			return fmt.Errorf("acquirer: books: entry %d has the number %d; a line is lost or doubled", i+1, e.Seq)
		}
		if err := a.add(e); err != nil {
			return fmt.Errorf("acquirer: books: entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

func (a *audit) add(e Entry) error {
	before, known := a.balances[e.Account]
	if e.MTI == mtiOpening {
		if known || e.Account == "" || e.Effect != EffectNone {
			return fmt.Errorf("account %s is opened twice or with an effect", e.Account)
		}
		a.balances[e.Account] = e.BalanceMinor
		return nil
	}
	if e.Account == "" {
		if e.Effect != EffectNone || e.BalanceMinor != 0 {
			return fmt.Errorf("an effect without an account")
		}
		return nil
	}
	if !known {
		return fmt.Errorf("account %s was never opened", e.Account)
	}
	if err := a.scripts.add(e); err != nil {
		return err
	}
	about, change, err := a.holds.add(e)
	if err == nil && !about {
		change, err = a.effect(e)
	}
	if err != nil {
		return err
	}
	a.balances[e.Account] = e.BalanceMinor
	a.deltas += e.BalanceMinor - before
	a.effects += change
	if e.BalanceMinor != before+change || a.deltas != a.effects {
		return fmt.Errorf("the balance of %s moved by %d, the effect is %d", e.Account, e.BalanceMinor-before, change)
	}
	if e.BalanceMinor < 0 && e.Effect == EffectDebit && !isAdvice(e.MTI) { // what has happened overdraws
		return fmt.Errorf("the balance of %s is negative", e.Account)
	}
	return nil
}

// effect checks the right to an effect and returns what it moves.
func (a *audit) effect(e Entry) (money.MinorUnits, error) {
	if e.Effect == EffectNone {
		return 0, nil
	}
	if e.MAC != StateOK || e.AmountMinor <= 0 {
		return 0, fmt.Errorf("an effect of an unauthenticated or empty message")
	}
	if e.Effect == EffectAdjust {
		return e.WasMinor - e.AmountMinor, a.adjust(e)
	}
	if g, of := a.refunds[e.Original]; e.isRefund() || of && isReversal(e.MTI) {
		return a.refund(e, g)
	}
	switch e.Effect {
	case EffectDebit:
		if v, ok := a.voids[e.Original]; ok && isReversal(e.MTI) { // the reversal of a void
			if v.AmountMinor != e.AmountMinor || v.Account != e.Account || v.Currency != e.Currency {
				return 0, fmt.Errorf("a debit that differs from the void %s it reverses", e.Original)
			}
			delete(a.voids, e.Original)
			a.credited[v.Original] = false
			return -e.AmountMinor, nil
		}
		if (e.Procedure == procCashback) != (e.CashMinor > 0) || e.CashMinor >= e.AmountMinor {
			return 0, fmt.Errorf("a debit of %d with %d in cash", e.AmountMinor, e.CashMinor)
		}
		if e.Response == codePartial && (e.MTI != mtiFinancial || e.AmountMinor >= e.AskedMinor) || e.Response != codePartial && e.AskedMinor != 0 {
			return 0, fmt.Errorf("a debit of %d where %d was asked", e.AmountMinor, e.AskedMinor)
		}
		if isReversal(e.MTI) || !takesMoney(e.Response) || e.PIN == StateWrong || e.ARQC == StateBad {
			return 0, fmt.Errorf("a debit of a message that was not approved")
		}
		if _, twice := a.debits[e.Key()]; twice {
			return 0, fmt.Errorf("a second debit of %s", e.Key())
		}
		a.debits[e.Key()] = e
		return -e.AmountMinor, nil
	case EffectCredit:
		d, ok := a.debits[e.Original]
		if !ok || a.credited[e.Original] || a.refunded[e.Original] > 0 {
			return 0, fmt.Errorf("a credit for %s, which was not debited or is given back already", e.Original)
		}
		if d.AmountMinor != e.AmountMinor || isReversal(e.MTI) && d.AskedMinor != e.AskedMinor || d.Account != e.Account || d.Currency != e.Currency {
			return 0, fmt.Errorf("a credit that differs from its debit %s", e.Original)
		}
		if e.MTI == mtiFinancial && (e.Response != codeApproved || e.PIN == StateWrong || e.ARQC == StateBad) {
			return 0, fmt.Errorf("a credit of a void that was not approved")
		}
		a.credited[e.Original] = true
		if e.MTI == mtiFinancial {
			a.voids[e.Key()] = e
		}
		return e.AmountMinor, nil
	}
	return 0, fmt.Errorf("effect %q is not known", e.Effect)
}

// refund checks the right to a refund, or to the reversal of the refund given.
func (a *audit) refund(e, given Entry) (money.MinorUnits, error) {
	if isReversal(e.MTI) {
		if e.Effect != EffectDebit || given.AmountMinor != e.AmountMinor || given.Account != e.Account || given.Currency != e.Currency {
			return 0, fmt.Errorf("a reversal that differs from the refund %s", e.Original)
		}
		delete(a.refunds, e.Original)
		a.refunded[given.Original] -= e.AmountMinor
		return -e.AmountMinor, nil
	}
	d, ok := a.debits[e.Original]
	if _, twice := a.refunds[e.Key()]; twice || !ok || a.credited[e.Original] || d.Account != e.Account || d.Currency != e.Currency {
		return 0, fmt.Errorf("a refund of %s, which was not debited so, or was given back, or a second one of one key", e.Original)
	}
	if e.Effect != EffectCredit || e.Response != codeApproved || e.PIN == StateWrong || e.ARQC == StateBad {
		return 0, fmt.Errorf("a refund that was not approved")
	}
	if a.refunded[e.Original] += e.AmountMinor; a.refunded[e.Original] > d.AmountMinor {
		return 0, fmt.Errorf("the refunds of %s are more than it", e.Original)
	}
	a.refunds[e.Key()] = e
	return e.AmountMinor, nil
}
