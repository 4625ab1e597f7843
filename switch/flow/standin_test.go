// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/standin"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// mandates are the issuers' that the transcripts have: of the cards that are
// checked here, which begin with 4, and of 6225, which their acquirer checks as
// long as it can be reached.
type mandates struct{ w *world }

func (mandates) rules() standin.Rules {
	return standin.Rules{MaxAmount: 50000, MaxCount: 2, MaxSum: 60000, PINAbove: 10000, Refused: [][4]byte{[4]byte([]byte("7995"))}}
}

func (m mandates) Mandate(pan secret.PAN) *Mandate {
	digits := string(pan.Reveal(secret.ForTest))
	if digits[0] != '4' && digits[:4] != "6225" {
		return nil
	}
	return &Mandate{Name: "test", Issuer: chip.Issuer{Name: "test", PVK: &hsm.Key{}, IMK: &hsm.Key{}, ATC: window.Profile{Ahead: 100, Behind: 4}}}
}

func (m mandates) Allows(in *txn.Request, _ *Mandate) error {
	return m.rules().Check(standin.Ask{Amount: in.Amount.Minor, Type: in.MerchantType, Chip: !in.Card.ICC.IsZero(), PIN: !in.Card.PIN.IsZero()})
}

func (m mandates) Take(p *txn.Payment, _ *Mandate) ([]journal.Record, func(), error) {
	r, failed, err := m.w.limits.Take(m.rules(), p, m.w.clock.Now())
	if err != nil {
		return nil, nil, err
	}
	return []journal.Record{r}, failed, nil
}

func (mandates) Auth(n txn.Numbers) [6]byte { return standin.Auth(n.STAN) }

// describeStandIn is the record of a stood-in payment's day.
func describeStandIn(r journal.Record) string {
	_, s, _ := record.ParseStandIn(r.Key, r.Body)
	return fmt.Sprintf("stand_in day=%s amount=%d", time.Unix(int64(s.Day)*86400, 0).UTC().Format("2006-01-02"), s.Amount.Minor)
}

// Check says whether the cryptogram is genuine.
func (w *world) Check(_ context.Context, in *txn.Request, _ chip.Issuer) error {
	if w.heard {
		w.say("hsm: ARQC of %s", in.Card.PAN)
	}
	if w.checked != nil {
		w.checked()
	}
	switch w.card {
	case "forged":
		return txn.DeclineCryptogram
	case "unchecked":
		return txn.DeclineHSM
	}
	return nil
}

// standInCommand carries out the commands of stand-in, if it is one.
func (w *world) standInCommand(words []string, k txn.Key) bool {
	switch words[0] {
	case "merchant":
		copy(w.mcc[:], words[1])
	case "card":
		w.card = words[1]
	case "meanwhile-checked": // while the HSM has a cryptogram
		rest := strings.Join(words[1:], " ")
		w.checked = func() { w.checked = nil; w.command(rest) }
	case "standin":
		w.sitting(k)
	default:
		return false
	}
	return true
}

// sitting is what a stood-in payment has come to: its own state and its advice's.
func (w *world) sitting(k txn.Key) {
	p, _ := w.index.Find(k)
	a, ok := w.index.Find(txn.StandInKey(k))
	n, sum := w.limits.Spent(p.Token, w.clock.Now())
	w.say("payment: %s, stood in %v, advice: %v, booked at the acquirer %d, waiting %d, today %d of %d", p.State, p.StoodIn, map[bool]any{true: a.State, false: "none"}[ok],
		w.books[p.Numbers.STAN], w.saf.Depth("acq"), n, sum)
}
