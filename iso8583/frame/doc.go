// SPDX-License-Identifier: Apache-2.0

// Package frame takes messages out of a byte stream and puts them in: length,
// TPDU, header, body.
//
// Promise: Read takes exactly one frame and not a byte more, checks its length
// against the bound before it takes memory, and names what is wrong with a frame.
// A clean end of the stream is io.EOF; an end inside a frame is not.
//
// How: the length is read first, into a few bytes, so that a connection waiting
// for its next message holds no buffer; ReadLength and ReadBody are the two
// halves for those who take the buffer from a pool in between.
//
// Imported by: switch/listen, switch/link, terminal/host, simulators. Imports:
// the standard library.
package frame
