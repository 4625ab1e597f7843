// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// The message types that are served.
const (
	mtiFinancial      = "0200"
	mtiAdvice         = "0220"
	mtiAdviceRepeat   = "0221"
	mtiReversal       = "0400"
	mtiReversalRepeat = "0401"
	mtiNetwork        = "0800"
)

// Processing codes, field 3 (ISO 8583:1987 table A.1).
const (
	procPurchase = "000000"
	procCash     = "010000"
	procVoid     = "200000"
	procBalance  = "310000"
)

// Response codes, field 39 (ISO 8583:1987; 62, 75, 94 and 99 as UnionPay uses them).
const (
	codeApproved     = "00"
	codeNotHonoured  = "05" // cryptogram wrong or missing
	codeInvalid      = "12" // function, currency or message type not served
	codeBadAmount    = "13"
	codeUnknownCard  = "14"
	codeNotFound     = "25" // original of a reversal unknown
	codeFormat       = "30"
	codeInstitution  = "31"
	codeNoFunds      = "51"
	codePINWrong     = "55"
	codeBlocked      = "62"
	codeOrigDiffers  = "64"
	codePINTries     = "75"
	codeNotSignedOn  = "91"
	codeDuplicate    = "94" // repeat that differs, or original after its reversal
	codeMalfunction  = "96" // MAC wrong or missing
	codePINMalformed = "99"
)

// Account status.
const (
	StatusActive  = "active"
	StatusBlocked = "blocked"
)

// maxTries is the number of wrong PINs after which a PIN is not looked at.
const maxTries = 3

type account struct {
	Account
	balance money.MinorUnits
	held    money.MinorUnits // of the balance
	tries   int
	done    bool // its card has carried the script out
}

type decision struct {
	entry    Entry
	refunded money.MinorUnits // given back of it by refunds in force
	reversed bool             // its effect is taken back, by a reversal or a void
	undone   bool             // a reversal of it was acknowledged: no other message brings it back
}

type panHash [sha256.Size]byte

// ledger decides messages. Deciding only reads; apply is the one place where
// state changes, for a message served now and for one read from the books.
type ledger struct {
	cfg       Config
	zpk, zak  []byte
	pvk       []byte
	accounts  map[panHash]*account
	byID      map[string]*account
	decisions map[string]*decision // by message key
	early     map[string]bool      // originals reversed before they arrived
	holds     map[string]*hold     // approved pre-authorizations, by message key
	results   map[string]string    // of scripts, by key of the approval
	seq       uint64
}

func newLedger(cfg Config) *ledger {
	l := &ledger{cfg: cfg, zpk: cfg.Keys.ZPK.raw(), zak: cfg.Keys.ZAK.raw(), pvk: cfg.Keys.PVK.raw(),
		accounts: map[panHash]*account{}, byID: map[string]*account{}, decisions: map[string]*decision{}, early: map[string]bool{}, holds: map[string]*hold{}, results: map[string]string{}}
	for _, a := range cfg.Accounts {
		acct := &account{Account: a}
		l.accounts[sha256.Sum256(a.PAN.Reveal(secret.ForTest))] = acct
		l.byID[a.ID] = acct
	}
	return l
}

// openings are the entries that open accounts the books do not know yet.
func (l *ledger) openings(known map[string]bool, now time.Time) (out []Entry) {
	for _, a := range l.cfg.Accounts {
		if !known[a.ID] {
			out = append(out, Entry{Time: now, Seq: l.seq + uint64(len(out)) + 1, MTI: mtiOpening, Account: a.ID, PAN: a.PAN.String(),
				Currency: l.cfg.Currency, Reason: "opening_balance", MAC: StateNone, PIN: StateNone, ARQC: StateNone, Effect: EffectNone, BalanceMinor: a.BalanceMinor})
		}
	}
	return out
}

// apply changes the state by one entry; the error is a contradiction in the books.
func (l *ledger) apply(e Entry) error {
	a := l.byID[e.Account]
	if e.Account != "" && a == nil {
		return fmt.Errorf("acquirer: books: entry %d is of account %s, which the configuration does not have; put it back or move the books away", e.Seq, e.Account)
	}
	l.seq = e.Seq
	d := l.decisions[e.Original]
	switch {
	case e.MTI == mtiOpening:
		a.balance = e.BalanceMinor
	case e.Effect == EffectDebit:
		a.balance -= e.AmountMinor
	case e.Effect == EffectCredit:
		a.balance += e.AmountMinor
	case e.Effect == EffectAdjust:
		a.balance += e.WasMinor - e.AmountMinor
	case e.Reason == reasonUnknownOriginal:
		l.early[e.Original] = true
	}
	switch {
	case isScript(e.MTI):
		l.applyScript(a, e)
	case !l.applyHold(a, e):
		l.touch(d, e)
	}
	if a != nil && (a.balance != e.BalanceMinor || a.held != e.HeldMinor) {
		return fmt.Errorf("acquirer: books: entry %d leaves account %s at another balance than it says; move the books away", e.Seq, e.Account)
	}
	if !e.Decision {
		return nil
	}
	l.decisions[e.Key()] = &decision{entry: e}
	switch e.PIN {
	case StateWrong:
		a.tries++
	case StateOK:
		a.tries = 0
	}
	return nil
}

// session is what a connection (or the host) remembers of its peer.
type session struct{ signedOn bool }

// serve decides one message. It does not change the state, apply does; the
// session it changes is not on record.
func (l *ledger) serve(m *message, malformed string, s *session, now time.Time) Entry {
	e := l.describe(m, now)
	switch m.mti {
	case mtiNetwork:
		e.Response, e.Reason = l.network(m, malformed, s)
	case mtiFinancial, mtiAuthorization:
		switch {
		case l.refusedAtDoor(m, malformed, s, saleFields(), &e):
		case e.Condition == conditionHold, m.mti == mtiAuthorization:
			l.decideHold(m, &e)
		default:
			l.decideSale(m, &e)
		}
		if e.Decision {
			e.Script = l.scripted(m, &e)
		}
	case mtiAdvice, mtiAdviceRepeat:
		l.takeAdvice(m, malformed, s, &e)
	case mtiReversal, mtiReversalRepeat:
		if !l.refusedAtDoor(m, malformed, s, reversalFields(), &e) {
			l.decideReversal(m, &e)
		}
	case mtiScript, mtiScriptRepeat:
		if !l.refusedAtDoor(m, malformed, s, scriptFields(), &e) {
			l.decideScript(m, &e)
		}
	default:
		e.Response, e.Reason = codeInvalid, "message_type_not_served"
	}
	if a := l.byID[e.Account]; a != nil {
		e.BalanceMinor = a.balance
		switch e.Effect {
		case EffectDebit:
			e.BalanceMinor -= e.AmountMinor
		case EffectCredit:
			e.BalanceMinor += e.AmountMinor
		case EffectAdjust:
			e.BalanceMinor += e.WasMinor - e.AmountMinor
		}
		e.HeldMinor = l.heldAfter(a, e)
	}
	return e
}

// drop is the entry of a message that a mood throws away.
func (l *ledger) drop(m *message, now time.Time) Entry {
	e := l.describe(m, now)
	e.Reason = "dropped_by_mood"
	if a := l.byID[e.Account]; a != nil {
		e.BalanceMinor, e.HeldMinor = a.balance, a.held
	}
	return e
}

func (l *ledger) describe(m *message, now time.Time) Entry {
	e := Entry{Time: now, Seq: l.seq + 1, MTI: m.mti, Procedure: m.fields[3], STAN: m.fields[11], RRN: m.fields[37], F7: m.fields[7], Institution: m.fields[32], Network: m.fields[70],
		Terminal: strings.TrimSpace(m.fields[41]), Merchant: strings.TrimSpace(m.fields[42]), Currency: m.fields[49],
		MAC: m.mac, PIN: StateNone, ARQC: StateNone, Effect: EffectNone}
	if c := m.fields[25]; c != "00" && (m.mti == mtiFinancial || m.mti == mtiAuthorization || isAdvice(m.mti) && c == conditionHold) {
		e.Condition = c
	}
	if n, err := strconv.ParseInt(m.fields[4], 10, 64); err == nil {
		e.AmountMinor = money.MinorUnits(n)
	}
	if e.Procedure == procCashback {
		e.CashMinor = m.cash()
	}
	if pan, err := secret.NewPAN([]byte(m.fields[2])); err == nil {
		e.PAN = pan.String()
	}
	if a := l.find(m); a != nil {
		e.Account = a.ID
	}
	return e
}

func (l *ledger) find(m *message) *account {
	return l.accounts[sha256.Sum256([]byte(m.fields[2]))]
}

func saleFields() []int     { return []int{2, 3, 4, 7, 11, 12, 13, 22, 32, 37, 41, 42, 49} }
func reversalFields() []int { return []int{2, 3, 4, 7, 11, 32, 37, 41, 42, 49, 90} }

// refusedAtDoor applies the rules that leave no trace beyond the line: a
// message refused here settles nothing, its key stays free.
func (l *ledger) refusedAtDoor(m *message, malformed string, s *session, need []int, e *Entry) bool {
	switch {
	case m.mac == StateNone:
		e.Response, e.Reason = codeMalfunction, "mac_missing"
	case m.mac == StateBad:
		e.Response, e.Reason = codeMalfunction, "mac_wrong"
	case malformed != "":
		e.Response, e.Reason = codeFormat, malformed
	case missing(m, need) != 0:
		e.Response, e.Reason = codeFormat, fmt.Sprintf("field_%d_missing", missing(m, need))
	case l.cfg.Institution != "" && messageKey("", "", m.fields[32]) != messageKey("", "", l.cfg.Institution):
		e.Response, e.Reason = codeInstitution, "institution_unknown"
	case !s.signedOn:
		e.Response, e.Reason = codeNotSignedOn, "not_signed_on"
	default:
		return false
	}
	return true
}

func missing(m *message, need []int) int {
	for _, id := range need {
		if m.fields[id] == "" {
			return id
		}
	}
	return 0
}

// network serves sign-on, echo and sign-off.
func (l *ledger) network(m *message, malformed string, s *session) (code, reason string) {
	switch {
	case malformed != "":
		return codeFormat, malformed
	case missing(m, []int{7, 11, 70}) != 0:
		return codeFormat, fmt.Sprintf("field_%d_missing", missing(m, []int{7, 11, 70}))
	}
	switch m.fields[70] {
	case "001":
		s.signedOn = true
		return codeApproved, "signed_on"
	case "002":
		s.signedOn = false
		return codeApproved, "signed_off"
	case "301":
		return codeApproved, "echo"
	}
	return codeInvalid, "network_code_not_served"
}

// decideSale is the life of a purchase here, one rule a line, in this order.
func (l *ledger) decideSale(m *message, e *Entry) {
	if d := l.decisions[m.key()]; d != nil {
		l.repeat(m, d, e)
		return
	}
	e.Decision = true
	e.Response, e.Reason = l.judge(m, e)
	switch {
	case !takesMoney(e.Response):
	case e.isRefund():
		e.Effect, e.Reason, e.AuthCode = EffectCredit, "refunded", fmt.Sprintf("%06d", e.Seq%1_000_000)
	case e.Procedure == procBalance:
		e.Reason = "balance_told"
	case e.Procedure == procVoid:
		e.Effect, e.Reason, e.AuthCode = EffectCredit, "voided", fmt.Sprintf("%06d", e.Seq%1_000_000)
	default:
		e.Effect, e.AuthCode = EffectDebit, fmt.Sprintf("%06d", e.Seq%1_000_000)
	}
}

// judgeAccount is what currency and account must be, whatever is asked of it.
func (l *ledger) judgeAccount(m *message, a *account) (code, reason string) {
	switch {
	case m.fields[49] != l.cfg.Currency:
		return codeInvalid, "currency_not_served"
	case a == nil:
		return codeUnknownCard, "account_unknown"
	case a.Status == StatusBlocked:
		return codeBlocked, "account_blocked"
	}
	return "", ""
}

func (l *ledger) judge(m *message, e *Entry) (code, reason string) {
	a := l.find(m)
	switch {
	case l.early[m.key()]:
		return codeDuplicate, "reversed_before_arrival"
	case e.Procedure != procPurchase && e.Procedure != procCash && e.Procedure != procCashback && e.Procedure != procVoid && e.Procedure != procBalance:
		return codeInvalid, "processing_code_not_served"
	case e.Procedure == procBalance && e.AmountMinor != 0:
		return codeBadAmount, "amount_in_balance_inquiry"
	case e.Procedure != procBalance && e.AmountMinor <= 0:
		return codeBadAmount, "amount_must_be_positive"
	}
	if code, reason := l.judgeAccount(m, a); code != "" {
		return code, reason
	}
	if code, reason := m.judgeCash(e); code != "" {
		return code, reason
	}
	if code, reason := l.checkPIN(m, a, e); code != "" {
		return code, reason
	}
	if e.Procedure != procVoid || m.fields[55] != "" { // a void or a refund may come without the card's word
		if reason := l.checkChip(m, a, e); reason != "" {
			return codeNotHonoured, reason
		}
	}
	if e.isRefund() {
		return l.judgeRefund(m, e)
	}
	if e.Procedure == procVoid {
		return l.judgeVoid(m, e)
	}
	return l.funds(m, a, e)
}

// repeat answers a message whose key is settled: the same answer when it is the
// same message, and no effect in any case.
func (l *ledger) repeat(m *message, d *decision, e *Entry) {
	first := d.entry
	if first.ARQC != StateNone {
		if a := l.find(m); a != nil {
			_ = l.checkChip(m, a, e) // sets e.ARQC; the outcome is compared below
		}
	}
	same := isAdvice(first.MTI) == isAdvice(e.MTI) && first.Account == e.Account && first.PAN == e.PAN && first.asked() == e.AmountMinor && first.CashMinor == e.CashMinor && first.Currency == e.Currency &&
		first.Terminal == e.Terminal && first.Procedure == e.Procedure && first.RRN == e.RRN && first.ARQC == e.ARQC
	if !same {
		e.Response, e.Reason = codeDuplicate, "duplicate_differs"
		return
	}
	e.Response, e.AuthCode, e.Reason, e.Script = first.Response, first.AuthCode, "duplicate", first.Script
	e.AmountMinor, e.AskedMinor = first.AmountMinor, first.AskedMinor
}

// checkPIN compares the PIN of field 52; an empty code means go on.
func (l *ledger) checkPIN(m *message, a *account, e *Entry) (code, reason string) {
	block := m.fields[52]
	if block == "" {
		return "", ""
	}
	if a.tries >= maxTries {
		e.PIN = StateExceeded
		return codePINTries, "pin_tries_exceeded"
	}
	pin, ok := pinFromISO0(l.zpk, []byte(block), a.PAN.Account12())
	if !ok {
		e.PIN = StateMalformed
		return codePINMalformed, "pin_block_malformed"
	}
	want, got := string(a.PIN.AppendTo(nil, secret.ForTest)), pin
	if a.PVV != "" {
		want, got = a.PVV, visaPVV(l.pvk, a.PAN.Reveal(secret.ForTest), a.PVKI[0], pin)
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(got)) != 1 {
		e.PIN = StateWrong
		return codePINWrong, "pin_wrong"
	}
	e.PIN = StateOK
	return "", ""
}

// answer builds the fields of the reply to a decided message.
func (l *ledger) answer(m *message, e Entry) map[int]string {
	keep := []int{3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49}
	switch m.mti {
	case mtiNetwork:
		keep = []int{7, 11, 70}
	case mtiReversal, mtiReversalRepeat:
		keep = []int{3, 4, 7, 11, 32, 37, 41, 42, 49, 90}
	}
	if e.Procedure == procCashback {
		keep = append(keep, 54)
	}
	out := map[int]string{39: e.Response}
	for _, id := range keep {
		if v, ok := m.fields[id]; ok {
			out[id] = v
		}
	}
	if m.mti == mtiNetwork || isReversal(m.mti) || isScript(m.mti) {
		return out
	}
	if e.Response == codePartial {
		out[4] = fmt.Sprintf("%012d", e.AmountMinor)
	}
	if day := settled(m.fields[7]); day != "" {
		out[15] = day
	}
	if e.AuthCode != "" {
		out[38] = e.AuthCode
	}
	if e.Procedure == procBalance && e.Response == codeApproved {
		out[54] = fmt.Sprintf("0002%sC%012d", e.Currency, e.BalanceMinor-e.HeldMinor)
	}
	if a := l.find(m); a != nil && e.ARQC == StateOK {
		if c, ok := l.chipOf(m, a); ok {
			out[55] = c.answer(e.Response)
		}
	}
	if script := l.template(m, e); script != "" {
		out[55] += script
	}
	return out
}
