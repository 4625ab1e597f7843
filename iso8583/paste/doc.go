// SPDX-License-Identifier: Apache-2.0

// Package paste finds the bytes of a message in what somebody pasted: hex, a hex
// dump with offsets, base64, a line of a log, or the bytes themselves.
//
// Promise: never guesses silently. Where a paste can be read in several ways
// (digits are hex, base64 and text at once) every way is given, the likeliest
// first, and whoever knows the dialects chooses. No error holds a character of
// the paste.
//
// How: a dump is believed only when its offsets count its bytes and its column
// of characters, if it has one, shows them. Input and work are bounded: MaxInput
// bytes, MaxReadings readings.
//
// Imported by: cmd. Imports: the standard library.
package paste
