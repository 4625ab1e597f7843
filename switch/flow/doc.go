// SPDX-License-Identifier: Apache-2.0

// Package flow is what happens to the customer's money, one file per message
// flow, each read from top to bottom.
//
// Promise: a payment is journaled before its first byte leaves and again, with
// its answer, before the terminal hears of it; whatever else happens ends in a
// durable undo, or of a refund a durable case for a person; a refusal is always named.
//
// How: authorize.go is the life of a payment (purchase, cash), void.go of what
// takes one back, refund.go of what gives a part of it, preauth.go and completion.go of
// what is held, cancelled and taken, balance.go of an inquiry,
// advice.go of what has happened already, script.go of what a card did with its
// issuer's script, reverse.go the terminal's reversal,
// settle.go the close of its batch, network.go sign-on and echo;
// steps.go and undo.go are what they share. The ports a
// flow needs are interfaces of one or two methods declared in ports.go, in the
// order of use; the drivers behind them never import this package's callers.
//
// Imported by: node. Imports: switch/{txn,record,journal,replay}, internal.
package flow
