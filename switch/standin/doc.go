// SPDX-License-Identifier: Apache-2.0

// Package standin has the rules by which the switch may decide in the place of
// an issuer that cannot be reached, and what it has decided for each card today.
//
// Promise: no rule is passed over, and no card gets more in a day than its
// issuer's mandate allows, whatever crashes; each no has the name of its rule.
//
// How: Rules is what a mandate says, a ladder of one rule a line over what is
// known of a payment. Limits counts by card token and day in memory at once, so
// that payments in parallel cannot pass a bound together, and returns the record
// that the caller makes durable together with the approval. The counters are a
// projection of the journal; a record adds one payment to its day.
//
// Imported by: node. Imports: switch/{txn,record,journal}, internal/money.
//
// Non-obvious: whether a payment was never sent, and whether chip and PIN are
// genuine, is for switch/flow to find out; here nothing is asked of anybody.
package standin
