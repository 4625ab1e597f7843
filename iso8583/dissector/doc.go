// SPDX-License-Identifier: Apache-2.0

// Package dissector writes a Wireshark dissector, in Lua, for a dialect.
//
// Promise: the dissector reads what the dialect's Layout reads, to the same
// values, and masks what its marks forbid until a preference says otherwise. A
// dialect that needs what the dissector cannot do is refused by name.
//
// How: the dialect becomes a table at the head of the file, body.lua is the code
// that walks it. The tests run tshark on captures of our own messages and compare
// every value.
//
// Imported by: cmd. Imports: iso8583, iso8583/describe, iso8583/frame and
// moov-io/iso8583.
package dissector
