// SPDX-License-Identifier: Apache-2.0

// Package acquirer is an acquirer host to test a payment switch against: it
// has accounts with PINs and chip keys, answers ISO 8583:1987 ASCII messages
// over TCP, keeps books of every message, and misbehaves on request.
//
// Promise: an answer leaves only after its line in the books is on disk; one
// message key is debited at most once and credited back at most once, through
// restarts too; no line, event, error or counter holds a clear card number,
// track, PIN block or key.
//
// How: the ledger decides a message into an Entry and changes only by applying
// entries, so that a restart is the replay of the books. The codec is
// github.com/moov-io/iso8583 and the ciphers are crypto/des, so that an
// agreement with the switch is an agreement of two implementations. A mood
// bends only what becomes of a request or its answer, never the books.
//
// Imported by: cmd, simulators/world, tests. Imports: internal/money,
// internal/secret.
package acquirer
