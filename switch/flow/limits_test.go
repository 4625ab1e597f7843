// SPDX-License-Identifier: Apache-2.0

package flow

import "tapswitch/switch/txn"

// Terminal is what every terminal here may do.
func (w *world) Terminal(txn.TerminalID) TerminalLimits { return w.may }

// Link is what the acquirer agreed to.
func (w *world) Link(string) LinkLimits { return w.agreed }
