// SPDX-License-Identifier: Apache-2.0

// Package record is the versioned encoding of what the journal keeps.
//
// Promise: what this version wrote every later version reads (golden files),
// a record it does not understand is an error and never skipped, and sensitive
// authentication data has no encoder here.
//
// How: the journal's Kind says which record it is, its Key is the payment key
// (33 bytes) or the card token, its Body is a version byte followed by fields
// of one tag byte, a length (uvarint) and the value.
//
// Imported by: replay, recover, saf, flow's wiring, the journal dump.
// Imports: switch/txn, internal/money.
package record
