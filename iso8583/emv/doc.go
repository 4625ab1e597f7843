// SPDX-License-Identifier: Apache-2.0

// Package emv knows what the objects of chip data mean: the EMV dictionary, the
// bits of each value, and who may see it.
//
// Promise: a tag or value that the tables do not hold is called unknown, never
// guessed; what public facts do not settle is marked unconfirmed. Card numbers
// are masked; tracks, names, PIN data and everything unknown show their length
// only. Any bytes are described without panic, in time and memory linear in
// their number.
//
// How: the dictionary and the bits are tables. A tag's meaning depends on the
// kernel, so every row says for which kernels it holds; Lookup chooses. Describe
// walks the data with bertlv and puts name, masked value and Explain's lines on
// every object. A test writes docs/reference/emv-tags.md from the same tables.
//
// Imported by: iso8583/describe, cmd. Imports: iso8583/bertlv, internal/money.
package emv
