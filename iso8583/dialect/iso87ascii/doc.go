// SPDX-License-Identifier: Apache-2.0

// Package iso87ascii is the dialect acquirer hosts speak: ISO 8583:1987 with
// ASCII digits, ASCII lengths and bitmaps as hexadecimal characters.
//
// Promise: published samples of this style parse to their printed values and
// build to the same bytes.
//
// How: the 1987 table of part in the style of characters. Fields 52, 55, 64, 96
// and 128 are raw bytes among the characters. What an acquirer's own
// specification must settle is in docs/dialects/iso87ascii.md.
//
// Imported by: switch/translate, switch/link's users, cmd. Imports: iso8583,
// internal/assert, its sibling part and moov-io/iso8583.
package iso87ascii
