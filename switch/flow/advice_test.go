// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"

	"tapswitch/switch/txn"
)

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
	w.lastKey = in.Key
	w.last = w.flow.Advise(context.Background(), in)
	w.answered(w.last)
}

// advised is the acquirer for advices: it books each key once, whatever it says.
func (w *world) advised(p txn.Payment, repeat bool) (txn.Code, error) {
	mti := "0220"
	if repeat {
		mti = "0221"
	}
	w.say("to acquirer: %s %s stan=%d amount=%d auth=%s", mti, p.Key.Class, p.Numbers.STAN, p.Amount.Minor, p.Answer.Auth[:])
	n, act := p.Numbers.STAN, w.act()
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
