// SPDX-License-Identifier: Apache-2.0

// Package host is a POS terminal's conversation with its switch: sign-on and
// keys, sale, reversal, echo, over a connection that is made again when lost.
//
// Promise: before the first byte of a sale leaves, its reversal is on disk; it
// goes away only when an authenticated final answer was recorded. While one is
// there no other sale is sent: it is repeated until the switch says, under a
// valid MAC, that it is done. The disk holds the card number enciphered, and no
// track or PIN block; a cryptogram, enciphered too, only in what is to be told of an
// issuer's script, which is on disk with the approval that brought it. A trace number is never used for two sales. An
// offline sale is on disk before the goods go, until the switch has it or said for
// good that it will not; a refund until the switch said what became of it, and it is
// sent again unchanged, never reversed.
//
// How: Host is one terminal, used by one goroutine. memory.go keeps trace,
// batch, the reversal that is due and the last approved sale in one small file
// that is replaced whole; sale.go, reversal.go, offline.go, script.go and refund.go are read top to bottom;
// answer.go holds the checks in their order; conn.go knows whether a byte may
// have left, which is what parts "not sent" from "no answer".
//
// Imported by: terminal/pos, tests of the switch. Imports: iso8583 and its
// unionpaypos dialect, frame, bertlv, hsm, hsm/soft, internal/{env, money, secret}.
package host
