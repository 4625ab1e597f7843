// SPDX-License-Identifier: Apache-2.0

package flow

import "tapswitch/switch/txn"

// Terminal is what every terminal here may do.
func (w *world) Terminal(txn.TerminalID) TerminalLimits { return w.may }

// Link is what the first acquirer agreed to; others to nothing.
func (w *world) Link(name string) LinkLimits {
	if name != "acq" {
		return LinkLimits{}
	}
	return w.agreed
}
