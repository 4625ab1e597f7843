// SPDX-License-Identifier: Apache-2.0

// Package translate turns messages of a dialect into txn values and back.
//
// Promise: what a dialect cannot say is refused by name, nothing is guessed; an
// answer is accepted only when it repeats what was asked.
//
// How: a table per dialect (tables.go) says which field holds which item, in
// which form, and how codes are written (codes.go); read.go and write.go know
// the forms. Crossing turns messages of one dialect into another's by two
// tables. Acquirer builds requests for a link and reads the answers; Terminal
// (unionpaypos.go) is the terminal side. Messages that carry a MAC are built
// with eight zero bytes in its place, always the last eight; the caller computes
// the MAC over everything before and sets it.
//
// Imported by: node. Imports: iso8583 and its dialects, switch/txn, internal.
package translate

// MACSize is the length of the MAC field at the end of every dialect's messages.
const MACSize = 8

// noMAC is what stands in the MAC's place until the MAC is computed.
var noMAC = make([]byte, MACSize)

// SplitMAC gives what the MAC of a built message covers, and where it goes.
func SplitMAC(message []byte) (covered, mac []byte) {
	at := len(message) - MACSize
	return message[:at], message[at:]
}
