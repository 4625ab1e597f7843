// SPDX-License-Identifier: Apache-2.0

// Package frame takes messages out of a byte stream and puts them in: length,
// TPDU, header, body, and the check character of a serial line.
//
// Promise: Read takes exactly one frame and not a byte more, checks its length
// against the bound before it takes memory, and names what is wrong with a frame.
// A clean end of the stream is io.EOF; an end inside a frame is not.
//
// How: the length is read first, into a few bytes, so that a connection waiting
// for its next message holds no buffer; ReadLength and ReadBody are the two
// halves for those who take the buffer from a pool in between. A frame between
// STX and ETX says no length: its buffer grows with what came, up to the bound.
// The body of an HTTP POST is a frame of the form Body, or holds one of any
// other form.
//
// Imported by: switch/listen, switch/link, terminal/host, simulators. Imports:
// the standard library.
package frame
