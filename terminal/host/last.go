// SPDX-License-Identifier: Apache-2.0

package host

import (
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// Approval is an approved payment as its receipt has it.
type Approval struct {
	Kind         Kind
	Trace        uint32
	Batch        string
	Amount, Cash money.MinorUnits // as asked for, in minor units; Cash is of Amount
	Part         money.MinorUnits // what was approved, when it is a part
	PAN          secret.PAN
	Auth, RRN    string
}

// Last is the last approved payment, unless it was taken back or its batch is
// settled. It is on the disk before anybody is told, so that a terminal whose power
// fails in between can still tell.
func (h *Host) Last() (a Approval, ok bool) {
	l := h.mem.now.last
	if l == nil {
		return a, false
	}
	return Approval{Kind: l.Kind, Trace: l.Trace, Batch: l.Batch, Amount: l.Amount, Cash: l.Cash, Part: l.Part, PAN: l.pan, Auth: l.Auth, RRN: l.RRN}, true
}
