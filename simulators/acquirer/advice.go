// SPDX-License-Identifier: Apache-2.0

package acquirer

// isAdvice reports whether a message tells what has happened already; a repeat
// has the key of its first sending.
func isAdvice(mti string) bool { return mti == mtiAdvice || mti == mtiAdviceRepeat }

// isReversal reports whether a message takes another one back.
func isReversal(mti string) bool { return mti == mtiReversal || mti == mtiReversalRepeat }

func adviceFields() []int { return []int{2, 3, 4, 7, 11, 12, 13, 32, 37, 38, 41, 42, 49} }

// takeAdvice decides a message of this type: a refund is asked by one, a completion
// that has happened is about a hold.
func (l *ledger) takeAdvice(m *message, malformed string, s *session, e *Entry) {
	switch {
	case e.isRefund():
		if !l.refusedAtDoor(m, malformed, s, saleFields(), e) {
			l.decideSale(m, e)
		}
	case l.refusedAtDoor(m, malformed, s, adviceFields(), e):
	case e.Condition == conditionHold:
		l.decideHold(m, e)
	default:
		l.decideAdvice(m, e)
	}
}

// decideAdvice books what has happened, once per key. Nobody is asked for leave:
// neither funds nor the card's PIN or chip are looked at, and an account may be
// overdrawn by it. What is refused was not booked, and is for people to sort out.
func (l *ledger) decideAdvice(m *message, e *Entry) {
	if d := l.decisions[m.key()]; d != nil {
		l.repeat(m, d, e)
		return
	}
	e.Decision = true
	if e.Response, e.Reason = l.judgeAdvice(m, e); e.Response != codeApproved {
		return
	}
	e.AuthCode = m.fields[38]
	if e.Effect = EffectDebit; e.isAdjustment() {
		e.Effect = EffectAdjust
	}
}

func (l *ledger) judgeAdvice(m *message, e *Entry) (code, reason string) {
	a := l.find(m)
	switch {
	case e.Procedure != procPurchase && e.Procedure != procAdjust:
		return codeInvalid, "processing_code_not_served"
	case e.AmountMinor <= 0:
		return codeBadAmount, "amount_must_be_positive"
	}
	if code, reason := l.judgeAccount(m, a); code != "" {
		return code, reason
	}
	if e.isAdjustment() {
		return l.judgeAdjustment(m, e)
	}
	return codeApproved, "booked_as_advised"
}
