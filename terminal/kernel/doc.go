// SPDX-License-Identifier: Apache-2.0

// Package kernel takes a contactless card through EMV's entry point and through
// kernel 3 (Visa) or 7 (UnionPay), as far as an online transaction needs.
//
// Promise: it never approves. The outcome is an online request with all that
// field 55 needs, or a refusal with a name; what is not built (offline approval,
// static and combined signatures, other kernels) is named. A card whose dynamic
// signature (fDDA) is wrong goes online only when its own qualifiers say so.
//
// How: Machine is pure: the card's answers in, commands out, at the end an
// Outcome. Run feeds it from a reader.Card. The order of the parts is that of a
// tap: config.go, authority.go, entry.go, gpo.go, decide.go, authenticate.go,
// icc.go.
//
// Imported by: terminal/pos. Imports: hsm/oda, iso8583/bertlv, internal,
// terminal/reader.
//
// Non-obvious: TVR in field 55 is what the card was told before it computed its
// cryptogram, all zeros; what the authentication found is in the outcome alone.
package kernel
