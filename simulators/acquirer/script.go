// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// What tells of a script that an approval brought for the card: ISO 8583:1987's
// administrative advice, and its repeat.
const (
	mtiScript       = "0620"
	mtiScriptRepeat = "0621"
)

// A result is five bytes: what became of the script (high half of the first: 2 done,
// 1 failed, 0 not performed) and at which of its commands, then its identifier.
const (
	resultSize = 10 // hex digits
	resultDone = '2'
)

// maxScript is the longest command of a script: header, length and 32 bytes.
const maxScript = 37

func isScript(mti string) bool { return mti == mtiScript || mti == mtiScriptRepeat }

func scriptFields() []int { return []int{2, 3, 4, 7, 11, 32, 37, 41, 42, 49, 55, 90} }

// scripted gives the identifier of the script that goes with an approval: of an account
// that has one which no card has carried out yet, where a chip was read.
func (l *ledger) scripted(m *message, e *Entry) string {
	a := l.find(m)
	if a == nil || a.Script == "" || a.done || m.fields[55] == "" || e.Response != codeApproved || e.Procedure == procVoid || e.Procedure == procBalance || e.held() == completes {
		return ""
	}
	return fmt.Sprintf("%08x", e.Seq)
}

// template is the script of an approval as its field 55 has it: tag 72 with the
// identifier (9F18) and the command (86).
func (l *ledger) template(m *message, e Entry) string {
	a := l.find(m)
	if a == nil || e.Script == "" || isScript(e.MTI) {
		return ""
	}
	id, _ := hex.DecodeString(e.Script)      // eight digits of our own
	command, _ := hex.DecodeString(a.Script) // validated with the configuration
	body := "\x9F\x18\x04" + string(id) + "\x86" + string([]byte{byte(len(command))}) + string(command)
	return "\x72" + string([]byte{byte(len(body))}) + body
}

// decideScript takes in what a card did with a script, once for each approval. It
// moves nothing.
func (l *ledger) decideScript(m *message, e *Entry) {
	tags, err := parseTLV([]byte(m.fields[55]))
	if err == nil {
		e.Script = hex.EncodeToString(tags["9f5b"])
	}
	if d := l.decisions[m.key()]; d != nil {
		first := d.entry
		if isScript(first.MTI) && first.Account == e.Account && first.PAN == e.PAN && first.Script == e.Script && first.RRN == e.RRN {
			e.Original, e.Response, e.Reason = first.Original, first.Response, "duplicate"
			return
		}
		e.Response, e.Reason = codeDuplicate, "duplicate_differs"
		return
	}
	e.Decision = true
	e.Response, e.Reason = l.judgeScript(m, e, tags)
}

func (l *ledger) judgeScript(m *message, e *Entry, tags map[string][]byte) (code, reason string) {
	if len(e.Script) == 0 || len(e.Script)%resultSize != 0 || len(tags["95"]) != 5 {
		return codeFormat, "script_result_malformed"
	}
	d, code, reason := l.original(m, e, "script", mtiFinancial, mtiAuthorization)
	if d == nil {
		return code, reason
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.Currency != e.Currency || o.Terminal != e.Terminal || o.Procedure != e.Procedure,
		o.asked() != e.AmountMinor && o.AmountMinor != e.AmountMinor:
		return codeOrigDiffers, "original_differs"
	case m.fields[38] != "" && m.fields[38] != o.AuthCode:
		return codeOrigDiffers, "authorization_code_differs"
	case o.Script == "":
		return codeInvalid, "original_had_no_script"
	case e.Script[2:resultSize] != o.Script:
		return codeInvalid, "script_is_another"
	case l.results[e.Original] != "":
		return codeDuplicate, "script_result_told_before"
	}
	return codeApproved, "script_result"
}

// applyScript keeps a result: what it was, and that its card needs no more.
func (l *ledger) applyScript(a *account, e Entry) {
	if !e.accepted() {
		return
	}
	l.results[e.Original] = e.Script
	if a != nil && e.Script[0] == resultDone {
		a.done = true
	}
}

// accepted says whether a line is of a result that was taken in, its first time.
func (e Entry) accepted() bool { return isScript(e.MTI) && e.Decision && e.Response == codeApproved }

// auditedScripts is what CheckBooks knows of scripts.
type auditedScripts struct {
	sent    map[string]Entry // by key of the approval
	results map[string]bool  // the same
}

func newAuditedScripts() auditedScripts {
	return auditedScripts{map[string]Entry{}, map[string]bool{}}
}

// add checks that a script went with an approval of a chip, and that of each there is
// one result at most, of its own card.
func (s auditedScripts) add(e Entry) error {
	switch {
	case isScript(e.MTI):
		if e.Effect != EffectNone {
			return fmt.Errorf("the result of a script with an effect")
		}
		if !e.accepted() {
			return nil
		}
		o, ok := s.sent[e.Original]
		if !ok || s.results[e.Original] || o.Account != e.Account || e.MAC != StateOK || len(e.Script)%resultSize != 0 || !strings.HasPrefix(e.Script[2:], o.Script) {
			return fmt.Errorf("a result of a script that %s did not have, or has already", e.Original)
		}
		s.results[e.Original] = true
	case e.Script != "":
		if len(e.Script) != resultSize-2 || e.Response != codeApproved || !slices.Contains([]string{mtiFinancial, mtiAuthorization}, e.MTI) {
			return fmt.Errorf("a script with a message that was not approved")
		}
		if e.Decision {
			s.sent[e.Key()] = e
		}
	}
	return nil
}

func (c Config) validateScripts(rule func(bool, string, ...any)) {
	for i, a := range c.Accounts {
		raw, err := hex.DecodeString(a.Script)
		rule(a.Script == "" || err == nil && len(raw) >= 5 && len(raw) <= maxScript && int(raw[4]) == len(raw)-5, "accounts[%d].script: want a command of 5 to %d bytes in hex, its length in the fifth", i, maxScript)
	}
}
