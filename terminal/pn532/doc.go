// SPDX-License-Identifier: Apache-2.0

// Package pn532 is the serial protocol of the PN532 NFC chip: its frames, the
// commands a payment terminal needs, and the course of one exchange.
//
// Promise: a damaged, doubled, late or foreign frame is never taken for the
// answer asked for, and every fault has a name.
//
// How: pure machines. Decoder turns bytes into frames and finds its way back
// after noise; Exchange is one command from sending to answer with its ACK,
// NACK, time-outs and abort; Transfer splits and joins what one frame cannot
// hold. Nothing here reads a port or a clock. The chip has no EMV level 1
// approval: good for a laboratory, not for certification.
//
// Imported by: terminal/reader. Imports: the standard library.
package pn532
