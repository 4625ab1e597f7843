// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// adviceCommand carries out one line of a transcript about advices and limits; false
// when it is of another kind.
func (w *world) adviceCommand(word string, args map[string]string, trace, amount int) bool {
	switch word {
	case "adjust", "tip":
		if word == "tip" {
			args["tip"] = "yes"
		}
		w.adviseOf(txn.Adjustment, args, trace, amount)
	case "script":
		w.adviseOf(txn.ScriptResult, args, trace, amount)
	case "offline":
		w.adviseOf(txn.OfflineSale, args, trace, amount)
	case "limits":
		w.may = TerminalLimits{Cashback: money.MinorUnits(number(args["terminal"], 0))}
		w.may.Offline = txn.OfflineLimits{Amount: money.MinorUnits(number(args["sale"], 0)), Count: int(number(args["sales"], 0)), Sum: money.MinorUnits(number(args["sum"], 0))}
		w.agreed = LinkLimits{Cashback: money.MinorUnits(number(args["link"], 0)), TipPercent: int(number(args["tip"], 20))}
	default:
		return false
	}
	return true
}

// adviseOf sends what has happened already; auth=- leaves the authorization out.
func (w *world) adviseOf(class txn.Class, args map[string]string, trace, amount int) {
	in := w.request(class, trace, amount, args["card"], args["pin"])
	if args["mac"] == "none" {
		in.HasMAC = false
	}
	switch auth := args["auth"]; auth {
	case "":
		in.Auth = [6]byte([]byte("VOICE1"))
	case "-":
	default:
		copy(in.Auth[:], auth)
	}
	if args["expiry"] != "" {
		copy(in.Expiry[:], args["expiry"])
	}
	in.Key.Batch = number(args["batch"], 1)
	run := w.flow.Advise
	if class == txn.Adjustment {
		run, in.Tip, in.Auth = w.flow.Adjust, args["tip"] == "yes", [6]byte{}
		if in.Tip {
			in.Key.Type = 34
		}
		w.names(in, args)
	}
	if class == txn.ScriptResult {
		run, in.Auth, in.Script = w.flow.AdviseScript, [6]byte{}, []byte(cmp.Or(args["result"], "done"))
		in.Key.Batch = number(args["batch"], 1)
		copy(in.Key.Terminal[:], args["terminal"])
		w.names(in, args)
	}
	w.lastKey = in.Key
	w.last = run(context.Background(), in)
	w.answered(w.last)
}

// advised is the acquirer for advices: it books each key once, whatever it says.
func (w *world) advised(p txn.Payment, repeat bool) (txn.Code, error) {
	mti := "0220"
	if repeat {
		mti = "0221"
	}
	if p.Key.Class == txn.CompletionAdvice {
		return w.completed(p, w.act(), mti)
	}
	n, of := p.Numbers.STAN, ""
	if p.Key.Class == txn.ScriptResult {
		return w.scriptTold(&p, repeat)
	}
	if p.Key.Class == txn.Adjustment {
		n, of = p.Of.STAN, fmt.Sprintf(" of=%d", p.Of.STAN)
	}
	w.say("to acquirer: %s %s stan=%d amount=%d%s auth=%s", mti, p.Key.Class, p.Numbers.STAN, p.Amount.Minor, of, p.Answer.Auth[:])
	act := w.act()
	known := w.books[n] != 0
	switch act {
	case "lost":
		return txn.Code{}, errors.New("no answer")
	case "decline":
		return txn.Code{'9', '6'}, nil
	case "refuse":
		return txn.CodeFormat, nil
	}
	w.books[n] = int64(p.Amount.Minor)
	switch {
	case act == "silent":
		return txn.Code{}, errors.New("no answer")
	case act == "duplicate", known && act == "strict":
		return txn.CodeDuplicate, nil
	}
	return txn.CodeApproved, nil
}

// scripts are what the acquirer sends along for the card in a mood.
var scripts = map[string][]byte{"script": {0x72, 0x0B, 0x86, 0x09, 0x84, 0x24, 0, 0, 4, 1, 2, 3, 4}}

// scriptTold is the acquirer for the results of scripts, which change nothing in its books.
func (w *world) scriptTold(p *txn.Payment, repeat bool) (txn.Code, error) {
	w.say("to acquirer: %s script result %q stan=%d of=%d", map[bool]string{false: "0620", true: "0621"}[repeat], p.Script, p.Numbers.STAN, p.Of.STAN)
	switch w.act() {
	case "silent", "lost":
		return txn.Code{}, errors.New("no answer")
	case "refuse":
		return txn.CodeFormat, nil
	}
	return txn.CodeApproved, nil
}

// setLink makes the link go up or down, or says whether it carries every class.
func (w *world) setLink(word string) {
	switch word {
	case "up", "down":
		w.down = word == "down"
	default:
		w.undoes = word == "reverses-refunds"
		w.serves = word == "serves" || w.undoes
	}
}
