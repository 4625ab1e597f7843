// SPDX-License-Identifier: Apache-2.0

// Package txn has the nouns of a payment and the table of its life.
//
// Promise: a payment is always in one of the states of the table, moves only
// along its arrows, and every life ends in a resting state.
//
// How: Request is what a terminal asks, Payment what the switch remembers of it
// (never sensitive authentication data), Answer what the terminal is told.
// Next is the table; reasons and response codes are constants in one file.
//
// Imported by: flow, translate, record and all that speak of payments.
// Imports: hsm, internal/{assert,env,money,secret}.
package txn
