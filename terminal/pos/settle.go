// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
)

// Totals are what was counted of a batch, amounts in minor units.
type Totals struct {
	Debits      int              `json:"debits"`
	DebitMinor  money.MinorUnits `json:"debit_minor"`
	Credits     int              `json:"credits"`
	CreditMinor money.MinorUnits `json:"credit_minor"`
}

func totalsOf(t host.Totals) *Totals {
	return &Totals{t.Debits, t.DebitMinor, t.Credits, t.CreditMinor}
}

// settle closes the batch. One that was begun before comes to its end first, and is
// all when nothing was sold since.
func (t *Till) settle(ctx context.Context) {
	_, begun := t.host.Unsettled()
	if reason, err := t.ready(ctx); reason != host.ReasonNone {
		t.fail(string(reason), err)
		return
	}
	if _, due := t.host.Unsettled(); due || begun && t.host.Totals() == (host.Totals{}) { // told on the way
		return
	}
	t.upload(ctx, false)
	t.finishBatch(ctx)
}

// finishBatch settles and tells what became of it.
func (t *Till) finishBatch(ctx context.Context) {
	before := t.host.SignOns()
	s, err := t.host.Settle(ctx)
	t.signedOn(before)
	e := Event{Event: EventSettlement, Batch: s.Batch, Outcome: string(s.Outcome), Reason: string(s.Reason), Code: s.Code, Totals: totalsOf(s.Ours), Next: s.Next}
	if s.Theirs != (host.Totals{}) || s.Outcome == host.Balanced {
		e.Theirs = totalsOf(s.Theirs)
	}
	if s.Outcome == host.BatchSent {
		e.Uploaded = &s.Sent
	}
	if err != nil {
		e.Message = err.Error()
	}
	t.say.emit(e)
}

// settlement is a settlement in one line.
func (p *printer) settlement(e Event) string {
	uploaded := ""
	if e.Uploaded != nil {
		uploaded = fmt.Sprintf("%d payments uploaded", *e.Uploaded)
	}
	differs := ""
	if e.Theirs != nil && e.Totals != nil && *e.Theirs != *e.Totals {
		differs = "the switch has " + p.totals(e.Theirs)
	}
	return words("settlement of batch", e.Batch, e.Outcome+":", p.totals(e.Totals), differs, uploaded, optional("code", e.Code), optional("reason", e.Reason), optional("next batch", e.Next))
}

func (p *printer) totals(t *Totals) string {
	if t == nil {
		return ""
	}
	sum := func(minor money.MinorUnits) string { return money.Amount{Minor: minor, Currency: p.currency}.String() }
	return fmt.Sprintf("%d debits %s, %d credits %s", t.Debits, sum(t.DebitMinor), t.Credits, sum(t.CreditMinor))
}
