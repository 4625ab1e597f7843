// SPDX-License-Identifier: Apache-2.0

// Package translate turns messages of a dialect into txn values and back.
//
// Promise: what a dialect cannot say is refused by name, nothing is guessed; an
// answer is accepted only when it repeats what was asked.
//
// How: one file per dialect: unionpaypos.go for terminals, iso87ascii.go for
// acquirer links. A table says which message is which business. Messages that
// carry a MAC are built with eight zero bytes in its place, always the last
// eight; the caller computes the MAC over everything before and sets it.
//
// Imported by: node. Imports: iso8583 and its dialects, switch/txn, internal.
package translate

// MACSize is the length of the MAC field at the end of both dialects' messages.
const MACSize = 8

// noMAC is what stands in the MAC's place until the MAC is computed.
var noMAC = make([]byte, MACSize)

// SplitMAC gives what the MAC of a built message covers, and where it goes.
func SplitMAC(message []byte) (covered, mac []byte) {
	at := len(message) - MACSize
	return message[:at], message[at:]
}
