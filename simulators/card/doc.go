// SPDX-License-Identifier: Apache-2.0

// Package card is a contactless EMV card of UnionPay or Visa that lives in
// memory: it answers real APDUs and computes genuine cryptograms.
//
// Promise: without a fault asked for by its profile, the cryptogram is the one
// its issuer would compute, and its transaction counter only ever grows; once
// the counter is used up the card refuses.
//
// How: a Profile says what is printed and written on the card, how it wants its
// holder verified and how it misbehaves. TLV and ciphers are this package's own,
// on the standard library, so that the code under test is checked by a second
// implementation. All keys, numbers and PINs here are published test data.
//
// Imported by: simulators/reader, simulators/world, cmd. Imports: the standard
// library.
package card
