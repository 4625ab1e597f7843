// SPDX-License-Identifier: Apache-2.0

// Package pos is the till of a POS terminal, steered by lines: it reads the
// amount, asks for the card and where the card wants it for the PIN, talks to
// the switch, and prints a receipt line or one JSON object per event.
//
// Promise: every sale command ends in exactly one result with a named outcome,
// also written to the log; what the card or the reader did wrong never reaches
// the switch. No event, log line or error shows a PIN, a track, or more of a
// card number than its first six and last four digits.
//
// How: Run reads commands while one of them works; sale.go is a sale from top
// to bottom; tap.go joins reader and EMV kernel behind the Tapper port;
// config.go reads the strict YAML file; the rest is terminal/host and
// terminal/pinpad.
//
// Imported by: cmd. Imports: terminal/{host, pinpad, reader, kernel}, hsm/soft,
// iso8583/frame, internal/{env, money, secret}, go.yaml.in/yaml/v3.
package pos
