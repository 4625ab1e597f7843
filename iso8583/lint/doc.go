// SPDX-License-Identifier: Apache-2.0

// Package lint checks what a message holds: the fields that its type and entry
// mode ask for, and values that contradict each other.
//
// Promise: a finding has a stable code, the field, its offset and what to do, and
// no byte of the message. A rule speaks only where its subject is settled by
// public facts; what a peer's own specification decides is left to it.
//
// How: Rules is the list; each rule is a function over a View and the facts that
// all rules need. Editions are told apart by the first digit of the message type,
// UnionPay POS by its name, since its network messages are numbered in field 60.
//
// Imported by: cmd. Imports: iso8583, iso8583/bertlv, iso8583/describe.
package lint
