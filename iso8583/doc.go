// SPDX-License-Identifier: Apache-2.0

// Package iso8583 reads and writes ISO 8583 messages: a dialect given as a
// moov-io/iso8583 MessageSpec is compiled once into a flat Layout, a View reads
// a message in place, a Builder writes one.
//
// Promise: Parse accounts for every byte of the message or names the field, the
// offset and the reason; what a Builder appended parses back to the same values;
// neither allocates. No error holds a byte of the message.
//
// How: Parse walks the bitmap as a uint64 and notes where each value lies; the
// View aliases the message and is good only as long as those bytes are. A
// Builder keeps references to what it was given until Append lays the fields
// down in order. The MAC field is the last of a message: append it as eight
// zero bytes, compute over all bytes before it (View.Span gives the offset, its
// bitmap bit is already set), and write the result over the zeros.
//
// Imported by: dialects, describe, switch/translate, switch/listen, switch/link,
// terminal/host. Imports: internal/assert and moov-io/iso8583.
package iso8583
