// SPDX-License-Identifier: Apache-2.0

// Package settle keeps what the payments of every terminal's batch come to, and
// closes the batch.
//
// Promise: the totals are those of the payments in force, also of payments that
// the switch has forgotten; they come back from the journal. A batch is closed
// once, with every payment of it final: a payment that races the close is in the
// totals or refused. What a terminal was told of a batch it is told again.
//
// How: Book is a projection of the journal beside replay's index, which calls it
// around every change of a payment: Enter before records are made durable, Moved
// for each step, Leave after. Close keeps new payments out, waits until no
// payment is on its way, lets no change in while the record of the batch is made
// durable, and goes on. A record holds the totals of all that is before it in the
// journal, so that what was counted may be purged (Carry). Locks are never held
// across a wait or a port call.
//
// Imported by: node, flow's tests. Imports: switch/{txn,record,journal},
// internal/env.
package settle
