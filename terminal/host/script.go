// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
)

// The message that tells what a card did with its issuer's script (UnionPay POS: 0620
// with network code 951, and fields 3, 25 and 60.1 of what the script came with).
const (
	mtiScript       iso8583.MTI = 0x0620
	mtiScriptAnswer iso8583.MTI = 0x0630
	codeScript                  = "951"
)

// The tags of scripts and of their results (EMV Book 3 annex A; DF31 is UnionPay's).
const (
	tagScript1   bertlv.Tag = 0x71
	tagScript2   bertlv.Tag = 0x72
	tagScriptID  bertlv.Tag = 0x9F18
	tagResults   bertlv.Tag = 0xDF31
	tagTVR       bertlv.Tag = 0x95
	tvrBefore               = 0x20 // byte 5: a script failed before the last cryptogram
	tvrAfter                = 0x10 // and after it
	resultsAtTVR            = 4
)

// scriptsMax bounds the results of scripts that wait for the switch: no sale begins
// whose own would find no room. maxScripts is how many one answer may bring.
const (
	scriptsMax = 10
	maxScripts = 4
)

// Done is what became of a script: the high half of a result's first byte (EMV Book
// 4, annex A5).
type Done byte

// The ends of a script.
const (
	NotPerformed Done = 0x00
	Failed       Done = 0x10 // Command is the first that failed, 1 to 15, 0 when it is not known
	Performed    Done = 0x20
)

// ScriptResult is what came of one script.
type ScriptResult struct {
	Done    Done
	Command byte
	ID      [4]byte // tag 9F18; zeros when the script has none
}

// ErrNoScript says that no result of a script of this trace number waits.
var ErrNoScript = errors.New("host: no script result of this sale is kept")

// errScript says that field 55 of an answer has scripts that do not parse.
var errScript = errors.New("host: the issuer's scripts are malformed")

// Scripts are the identifiers of the scripts in field 55 of an answer, in the order in
// which the card is to get them.
func Scripts(icc secret.ICC) (ids [][4]byte, err error) {
	data := icc.AppendTo(nil, secret.ForChip)
	defer clear(data)
	err = bertlv.Walk(data, func(tag bertlv.Tag, value []byte) error {
		if tag != tagScript1 && tag != tagScript2 {
			return nil
		}
		var id [4]byte
		found, ok := bertlv.Find(value, tagScriptID)
		if bertlv.Check(value) != nil || ok && len(found) != len(id) || len(ids) == maxScripts {
			return errScript
		}
		copy(id[:], found)
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// owes adds to a memory that the switch is to be told what became of the scripts of
// an approval: that none was performed, until ScriptsDone says better. Malformed ones
// were not performed either, and have no name.
func (h *Host) owes(next state, sale *reversal, said, brought secret.ICC) state {
	ids, err := Scripts(brought)
	if err != nil {
		ids = [][4]byte{{}}
	}
	if len(ids) == 0 || !sale.Kind.scripted() {
		return next
	}
	asked := said.AppendTo(nil, secret.ForStore)
	defer clear(asked)
	pan, err := secret.NewPAN(sale.pan.Reveal(secret.ForStore))
	if err != nil {
		return next // it was read from the same memory
	}
	results := make([]ScriptResult, len(ids))
	for i, id := range ids {
		results[i].ID = id
	}
	next.trace++
	if next.trace > TraceMax {
		next.trace = 1
	}
	due := &reversal{
		Kind: KindScript, Of: sale.Kind, Original: Original{Auth: sale.Auth, Batch: sale.Batch, Trace: sale.Trace, RRN: sale.RRN}, Trace: next.trace, Batch: sale.Batch,
		Amount: sale.Amount, Cash: sale.Cash, Auth: sale.Auth, Expiry: sale.Expiry, PSN: sale.PSN, Entry: sale.Entry, ICC: scriptICC(asked, results), pan: pan,
	}
	next.offline = append(next.offline[:len(next.offline):len(next.offline)], due)
	return next
}

// scriptICC is field 55 of the message: of what the sale said no card data, and the results. A failed
// script is noted in the terminal's verification results.
func scriptICC(said []byte, results []ScriptResult) []byte {
	var text []byte
	failed := byte(0)
	for _, r := range results {
		text = append(text, byte(r.Done)|r.Command&0x0F)
		text = append(text, r.ID[:]...)
		if r.Done == Failed {
			failed = tvrAfter
		}
	}
	out := bertlv.Append(nil, tagResults, text)
	tvr := make([]byte, 5)
	if v, ok := bertlv.Find(said, tagTVR); ok && len(v) == len(tvr) {
		copy(tvr, v)
	}
	tvr[resultsAtTVR] = tvr[resultsAtTVR]&^(tvrBefore|tvrAfter) | failed
	out = bertlv.Append(out, tagTVR, tvr)
	for _, tag := range []bertlv.Tag{0x9F26, 0x9F10, 0x9F36, 0x9F37, 0x82, 0x9F1A, 0x9A, 0x9F33, 0x9F1E} {
		if v, ok := bertlv.Find(said, tag); ok {
			out = bertlv.Append(out, tag, v)
		}
	}
	return out
}

// ScriptsDone replaces what is kept of the scripts of the sale of a trace number, in
// the current batch, by what the card did with them: before Upload tells the switch.
func (h *Host) ScriptsDone(ctx context.Context, sale uint32, results []ScriptResult) error {
	for i, kept := range h.mem.now.offline {
		if kept.Kind != KindScript || kept.Original.Trace != sale || kept.Original.Batch != h.mem.now.batch {
			continue
		}
		instead, next := *kept, h.mem.now
		instead.ICC = scriptICC(kept.ICC, results)
		next.offline = append(append(next.offline[:i:i], &instead), next.offline[i+1:]...)
		return h.mem.save(ctx, next)
	}
	return ErrNoScript
}

// scriptsKept is how many results of scripts wait.
func (s state) scriptsKept() (n int) {
	for _, r := range s.offline {
		if r.Kind == KindScript {
			n++
		}
	}
	return n
}

// tellingScript builds the message of what became of scripts.
func (h *Host) tellingScript(ctx context.Context, due *reversal) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(h.layout, mtiScript)
	h.common(&b, due)
	b.SetString(37, due.Original.RRN)
	if due.Auth != "" {
		b.SetString(38, due.Auth)
	}
	b.SetBytes(55, due.ICC)
	form, _ := due.form()
	b.SetString(60, form.typ+due.Batch+codeScript+capability)
	return h.sealed(ctx, &b)
}

// answerTo is the type of the answer to what is told.
func (r *reversal) answerTo() iso8583.MTI {
	if r.Kind == KindScript {
		return mtiScriptAnswer
	}
	return mtiOfflineAnswer
}

// form is how a message of r is written: the result of a script is written like what
// the script came with.
func (r *reversal) form() (form, bool) {
	if r.Kind == KindScript {
		return r.Of.form()
	}
	return r.Kind.form()
}

// roomForScript refuses a sale whose script's result would find no room.
func (h *Host) roomForScript() error {
	if h.mem.now.scriptsKept() < scriptsMax {
		return nil
	}
	return fmt.Errorf("%w: %d results of scripts wait already: the switch must have them first (Upload)", errSale, scriptsMax)
}
