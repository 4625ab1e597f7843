// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"maps"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/pin"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"
)

// host is an acquirer that outlives the switch's crashes: what it has booked
// stays booked.
type host struct {
	debits  map[txn.STAN]int64    // effective, by the STAN of the purchase
	undone  map[txn.STAN]bool     // reversals seen, also of unknown originals
	voided  map[txn.STAN]txn.STAN // voids in force, and what they took back
	used    map[txn.STAN]txn.STAN // what a completion in force used up
	given   map[txn.STAN]txn.STAN // refunds in force, and what they give back a part of
	undoes  bool                  // refunds are reversed
	request map[txn.STAN]string   // what a STAN was used for
	clash   string                // first STAN used for two things
	mood    string                // of the next purchase: approve, decline, silent, lost
	asked   int                   // requests that may move money
	told    int                   // messages of the store-and-forward
	scripts txn.STAN              // that told what became of a script
	find    func(txn.Key) (txn.Payment, bool)
}

func newHost() *host {
	return &host{debits: map[txn.STAN]int64{}, undone: map[txn.STAN]bool{}, voided: map[txn.STAN]txn.STAN{}, given: map[txn.STAN]txn.STAN{}, used: map[txn.STAN]txn.STAN{}, request: map[txn.STAN]string{}}
}

func (h *host) clone() *host {
	return &host{debits: maps.Clone(h.debits), undone: maps.Clone(h.undone), voided: maps.Clone(h.voided), given: maps.Clone(h.given), used: maps.Clone(h.used), undoes: h.undoes, request: maps.Clone(h.request), clash: h.clash, mood: h.mood, asked: h.asked, told: h.told, scripts: h.scripts}
}

// held is the sum of all effective debits.
func (h *host) held() (sum int64) {
	for _, d := range h.debits {
		sum += d
	}
	return sum
}

// use notes what a STAN stands for; promise 7 says that it is one thing.
func (h *host) use(stan txn.STAN, what string) {
	if was, ok := h.request[stan]; ok && was != what && h.clash == "" {
		h.clash = fmt.Sprintf("STAN %06d is %s and %s", stan, was, what)
	}
	h.request[stan] = what
}

// Serves implements flow.Acquirers.
func (h *host) Serves(string, txn.Class) bool { return true }

// Undoes implements flow.Acquirers.
func (h *host) Undoes(string, txn.Class) bool { return h.undoes }

// Exchange implements flow.Acquirers.
func (h *host) Exchange(_ context.Context, s flow.Send) (txn.Answer, error) {
	s.Forwarded()
	n := s.Payment.Numbers
	h.asked++
	h.use(n.STAN, fmt.Sprintf("%s of trace %d", s.Payment.Key.Class, s.Payment.Key.Trace))
	a := txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte("AUTH01")), RRN: n.RRN, At: n.At, ICC: scripts[h.mood]}
	switch h.mood {
	case "decline":
		a.Code, a.Reason = txn.Code{'5', '1'}, txn.DeclineAcquirer.Reason
		return a, nil
	case "lost":
		return txn.Answer{}, flow.ErrNoAnswer
	}
	switch o := s.Original; {
	case h.undone[n.STAN]:
	case o == nil:
		h.debits[n.STAN] += int64(s.Payment.Amount.Minor)
	case s.Payment.Key.Class == txn.Refund: // trusts the switch with the sum
		h.debits[o.Numbers.STAN] -= int64(s.Payment.Amount.Minor)
		h.given[n.STAN] = o.Numbers.STAN
	case s.Payment.Key.Class == txn.Completion:
		if !h.complete(o.Numbers.STAN, s.Payment) {
			a.Code, a.Reason = txn.CodeBadTxn, txn.DeclineAcquirer.Reason
		}
	case h.debits[o.Numbers.STAN] == 0 && h.voided[n.STAN] == 0:
		a.Code, a.Reason = txn.CodeBadTxn, txn.DeclineAcquirer.Reason
	default:
		h.debits[o.Numbers.STAN], h.voided[n.STAN] = 0, o.Numbers.STAN
		h.standsAgain(o.Numbers.STAN, true)
	}
	if h.mood == "silent" {
		return txn.Answer{}, flow.ErrNoAnswer
	}
	return a, nil
}

// Send implements saf.Sender.
func (h *host) Send(_ context.Context, kind saf.Kind, p txn.Payment, _ bool) (txn.Code, error) {
	h.told++
	if kind == saf.Advice {
		return h.advised(p)
	}
	h.use(p.Undo.STAN, fmt.Sprintf("reversal of trace %d", p.Key.Trace))
	h.undone[p.Numbers.STAN] = true
	if o := h.voided[p.Numbers.STAN]; o != 0 {
		delete(h.voided, p.Numbers.STAN)
		if !h.undone[o] {
			h.debits[o] = int64(p.Amount.Minor)
			h.standsAgain(o, false)
		}
		return txn.CodeApproved, nil
	}
	if o, ok := h.given[p.Numbers.STAN]; ok {
		delete(h.given, p.Numbers.STAN)
		h.debits[o] += int64(p.Amount.Minor)
		return txn.CodeApproved, nil
	}
	if h.debits[p.Numbers.STAN] == 0 {
		return txn.CodeUnmatched, nil
	}
	h.debits[p.Numbers.STAN] = 0
	h.standsAgain(p.Numbers.STAN, true)
	return txn.CodeApproved, nil
}

// Up implements saf.Sender.
func (h *host) Up(string) bool { return true }

// still are the ports that have nothing to do with crashes.
type still struct{ tries *pin.Checker }

func (still) Authenticate(_ context.Context, in *txn.Request) error {
	in.PINKey = &hsm.Key{}
	return nil
}
func (still) SignOn(context.Context, *txn.Request) (flow.Keys, error) { return flow.Keys{}, nil }
func (still) Known(*txn.Request) error                                { return nil }
func (still) Enter(txn.Class) (func(), error)                         { return func() {}, nil }

func (still) Token(context.Context, secret.PAN) ([16]byte, error) { return [16]byte{1}, nil }

func (still) Protect(_ context.Context, in *txn.Request, p *txn.Payment) error {
	p.Token = [16]byte{1}
	p.SealedPAN = make([]byte, 44)
	copy(p.Fingerprint[:], fmt.Sprint(in.Amount.Minor))
	return nil
}

func (still) Issuer(secret.PAN) (*chip.Issuer, error) {
	return &chip.Issuer{Name: "test", PVK: &hsm.Key{}}, nil
}
func (still) Choose(secret.PAN) (string, error) { return "acq", nil }
func (still) Another(secret.PAN, txn.Class, []string) (string, error) {
	return "", txn.DeclineLinkDown
}
func (still) Home(secret.PAN, txn.Class) (string, error)             { return "acq", nil }
func (still) Check(context.Context, *txn.Request, chip.Issuer) error { return nil }
func (still) Respond(context.Context, *txn.Request, chip.Issuer, txn.Code) ([]byte, error) {
	return nil, nil
}

func (s still) Verify(ctx context.Context, in *txn.Request, p *txn.Payment, is chip.Issuer) ([]journal.Record, func(), error) {
	return s.tries.Verify(ctx, pin.Attempt{Key: in.PINKey, PVK: is.PVK, Card: &in.Card, Token: p.Token, For: p.Key})
}

func (still) Translate(context.Context, *txn.Request, string) (secret.PINBlock, error) {
	return secret.PINBlock{}, nil
}

// module knows one right PIN block.
type module struct{}

func (module) TranslatePIN(context.Context, hsm.EncipheredPIN, hsm.PINTarget) (secret.PINBlock, error) {
	return secret.PINBlock{}, hsm.ErrUnavailable
}

func (module) VerifyPVV(_ context.Context, in hsm.EncipheredPIN, _ hsm.PVV) error {
	if string(in.Block.AppendTo(nil, secret.ForTest)) != "rightpin" {
		return hsm.ErrPIN
	}
	return nil
}
