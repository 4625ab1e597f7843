// SPDX-License-Identifier: Apache-2.0

// Package iso93bin is ISO 8583:1993 with packed digits: message type, numbers and
// lengths in BCD, binary bitmaps, text and tracks in ASCII.
//
// Promise: what moov-io/iso8583 packs with Spec, a Layout reads to the same
// values, and the other way round.
//
// How: the 1993 table of part in its packed style. What hosts do otherwise is in
// docs/dialects/iso93bin.md.
//
// Imported by: iso8583/dialect, switch/translate. Imports: iso8583,
// internal/assert, its sibling part and moov-io/iso8583.
package iso93bin
