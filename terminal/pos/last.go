// SPDX-License-Identifier: Apache-2.0

package pos

import "tapswitch/terminal/host"

// last tells the last approved payment once more. It is told at every start, too:
// when the power failed between its approval and its receipt the customer is
// charged, and the cashier has seen nothing of it.
func (t *Till) last() bool {
	a, ok := t.host.Last()
	if !ok {
		return false
	}
	e := Event{Event: EventLast, AmountMinor: a.Amount, CashMinor: a.Cash, PartMinor: a.Part, Card: masked(a.PAN),
		Trace: a.Trace, Batch: a.Batch, Auth: a.Auth, RRN: a.RRN, Outcome: string(host.Approved)}
	if a.Kind != host.KindSale {
		e.Kind = string(a.Kind)
	}
	t.say.emit(e)
	return true
}

// again is last, asked for by the cashier.
func (t *Till) again() {
	if !t.last() {
		t.fail(string(host.ReasonNothing), host.ErrNothing)
	}
}
