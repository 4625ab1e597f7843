// SPDX-License-Identifier: Apache-2.0

// Package window knows which counters of cards and of devices were used: the
// application transaction counter (ATC) of a card, the transaction counter in
// the key serial number (KSN) of a DUKPT device.
//
// Promise: of one card or device a counter is taken once, whatever crashes; one
// that was taken before, and one too far from the highest, are two refusals with
// names of their own.
//
// How: a Seen is the highest counter and a map of bits of the 64 up to it, as in
// the replay windows of IPsec (RFC 6479). Take marks in memory at once, so that
// two messages in parallel cannot both have a counter, and returns the record
// that the caller makes durable together with the payment's own. A record holds
// the whole Seen and records are merged: their order in the journal does not
// matter, and those that a later one covers may leave it.
//
// Imported by: chip, retain, node. Imports: hsm, switch/{txn,record,journal}.
//
// Non-obvious: a counter is taken only after its cryptogram or MAC was verified;
// else a stranger could push the window of a card or device away.
package window
