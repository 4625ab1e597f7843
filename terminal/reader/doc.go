// SPDX-License-Identifier: Apache-2.0

// Package reader gives the EMV kernel a card: APDU in, APDU out.
//
// Promise: a card that left, two cards at once, a silent chip and a reader that
// was unplugged each end with their own error and within their time; an APDU is
// never sent twice, and no answer of an earlier card reaches a later one.
//
// How: Reader runs the pure machines of pn532 over a serial port: wake-up,
// firmware, SAM configuration, polling for type A then B, data exchange with
// chaining. The field is switched off between transactions, which resets every
// card. A reader that is gone is opened anew by the next Poll.
//
// Imported by: terminal/kernel, terminal/pos. Imports: terminal/pn532,
// terminal/serial.
package reader
