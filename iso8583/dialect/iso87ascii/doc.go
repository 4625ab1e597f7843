// SPDX-License-Identifier: Apache-2.0

// Package iso87ascii is the dialect acquirer hosts speak: ISO 8583:1987 with
// ASCII digits, ASCII lengths and bitmaps as hexadecimal characters.
//
// Promise: published samples of this style parse to their printed values and
// build to the same bytes.
//
// How: Spec is the moov specification, Marks what its fields mean, New compiles
// both. Fields 52, 55, 64 and 128 are raw bytes among the characters. What an
// acquirer's own specification must settle is in docs/dialects/iso87ascii.md.
//
// Imported by: switch/translate, switch/link's users, cmd. Imports: iso8583,
// internal/assert and moov-io/iso8583.
package iso87ascii
