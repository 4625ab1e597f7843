// SPDX-License-Identifier: Apache-2.0

// Package bertlv reads and writes BER-TLV as EMV uses it: field 55, the answers
// of a card, records and templates.
//
// Promise: reading allocates nothing, keeps the raw order, shows unknown and
// repeated tags, and takes no byte beyond the data it was given; a fault has an
// offset and a countable reason, never the bytes.
//
// How: a Walker steps over one level and aliases the caller's bytes; a template
// is opened by walking its value. Tags have at most four bytes, lengths at most
// three after the first, nesting at most MaxDepth. Zero bytes between objects
// carry no meaning and are stepped over (EMV book 3 annex B).
//
// Imported by: terminal/kernel, switch/chip, iso8583/emv (what the tags mean),
// iso8583/recognise. Imports: the standard library.
package bertlv
