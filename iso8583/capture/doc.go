// SPDX-License-Identifier: Apache-2.0

// Package capture takes ISO 8583 messages out of packet captures, pcap and
// pcapng, and finds the answer to each request.
//
// Promise: the bytes of a connection are put together as its receiver saw them,
// whatever was lost, repeated or out of order; a message never spans a gap. A
// capture, however broken, gives what can be read of it or a named error, in
// memory bounded by MaxBytes. No error holds a byte of a packet.
//
// How: gopacket reads files, layers and TCP; Read keeps the streams, with the
// time at which each piece could be read. Messages finds the framing at the start
// of a stream, follows it from message to message, and after a gap starts anew at
// the next packet. An answer belongs to the oldest request of its connection that
// has its type and trace number, and contradicts it in no other number.
//
// Imported by: cmd. Imports: iso8583, iso8583/recognise and gopacket.
package capture
