// SPDX-License-Identifier: Apache-2.0

// Package reader plays a PN532 reader on a pseudo terminal, with simulated
// cards in front of it.
//
// Promise: a program that opens the link sees what it would see on the serial
// line of a real chip: sleeping until it is woken, acknowledges, normal and
// extended frames, chaining, cards that come and go, and the faults asked for.
//
// How: frames are read and written by this package's own code, so that the
// terminal's is checked by a second implementation. One goroutine serves the
// line; Present and Remove change what lies in front of it. RunLines steers it by
// lines of text, for the simulate command.
//
// Imported by: cmd, simulators/world. Imports: simulators/card, github.com/creack/pty.
package reader
