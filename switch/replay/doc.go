// SPDX-License-Identifier: Apache-2.0

// Package replay remembers every payment by its key: a repeat gets the answer
// of the first, and whatever changes a payment takes its turn here.
//
// Promise: the index is a projection of the journal and never a second truth.
// One key has at most one payment under way; a repeat with other content, or of
// a reversed payment, never gets an approval.
//
// How: Apply turns one journal record into state, at start for every stored
// record and while running for each record that was just made durable, so both
// ways give the same states. Change takes the payment's turn, lets the caller
// decide on its present state, makes the records durable and applies them. It
// waits by env.Event alone and holds no lock while it waits.
//
// Imported by: recover, saf, node. Imports: switch/{txn,record,journal}, internal.
package replay
