// SPDX-License-Identifier: Apache-2.0

// Package iso93ascii is ISO 8583:1993 in characters: ASCII digits and lengths,
// bitmaps as hexadecimal characters.
//
// Promise: what moov-io/iso8583 packs with Spec, a Layout reads to the same
// values, and the other way round.
//
// How: the 1993 table of part in the style of characters; fields 52, 53, 55, 64,
// 96 and 128 are raw bytes. What hosts do otherwise is in
// docs/dialects/iso93ascii.md.
//
// Imported by: iso8583/dialect, switch/translate. Imports: iso8583,
// internal/assert, its sibling part and moov-io/iso8583.
package iso93ascii
