// SPDX-License-Identifier: Apache-2.0

package emv

import "strconv"

// code is a named value of two characters.
type code struct{ is, text string }

// offlineCodes are the response codes a terminal makes itself (EMV book 4).
var offlineCodes = [...]code{
	{"Y1", "approved offline"}, {"Z1", "declined offline"},
	{"Y2", "approved after a referral"}, {"Z2", "declined after a referral"},
	{"Y3", "unable to go online, approved offline"}, {"Z3", "unable to go online, declined offline"},
}

// hostCodes are response codes with one meaning in all common tables.
var hostCodes = [...]code{
	{"00", "approved"}, {"01", "call the issuer"}, {"02", "call the issuer, special conditions"}, {"03", "invalid merchant"}, {"04", "capture the card"},
	{"05", "do not honour"}, {"10", "approved for a part of the amount"}, {"11", "approved, important customer"}, {"12", "invalid transaction"},
	{"13", "invalid amount"}, {"14", "invalid card number"}, {"15", "no such issuer"}, {"30", "format error"}, {"41", "lost card, capture"},
	{"43", "stolen card, capture"}, {"51", "not sufficient funds"}, {"54", "expired card"}, {"55", "incorrect PIN"},
	{"57", "not permitted to the cardholder"}, {"58", "not permitted to the terminal"}, {"61", "exceeds the amount limit"}, {"62", "restricted card"},
	{"65", "exceeds the count limit"}, {"75", "PIN tries exceeded"}, {"91", "issuer not available"}, {"96", "system malfunction"},
}

func find(table []code, is string) (string, bool) {
	for _, c := range table {
		if c.is == is {
			return c.text, true
		}
	}
	return "", false
}

func arc(p []byte) []Line {
	if t, ok := find(offlineCodes[:], string(p)); ok {
		return []Line{{Value: string(p), Text: "terminal's decision: " + t}}
	}
	if t, ok := find(hostCodes[:], string(p)); ok {
		return []Line{{Value: string(p), Text: "host's answer: " + t}}
	}
	shown := text(p)[0].Text
	return unknown("unknown response code " + shown)
}

// instruction is a command an issuer may send in a script.
type instruction struct {
	ins  byte
	text string
}

var scriptInstructions = [...]instruction{
	{0x16, "CARD BLOCK"}, {0x18, "APPLICATION UNBLOCK"}, {0x1E, "APPLICATION BLOCK"}, {0x24, "PIN CHANGE/UNBLOCK"},
	{0xD2, "WRITE RECORD"}, {0xD6, "UPDATE BINARY"}, {0xDA, "PUT DATA"}, {0xDC, "UPDATE RECORD"}, {0xE2, "APPEND RECORD"},
}

// script shows the header of a command, never its data, which may be a PIN.
func script(p []byte) []Line {
	if len(p) < 4 {
		return unknown("not a command: shorter than its header")
	}
	name, known := "unknown instruction", false
	for _, i := range scriptInstructions {
		if i.ins == p[1] {
			name, known = i.text, true
		}
	}
	out := []Line{{Byte: 1, Last: 4, Text: name, Value: hexUpper(p[:4]), Unknown: !known}}
	if p[0]&0x0C != 0 {
		out = append(out, Line{Byte: 1, Text: "with secure messaging"})
	}
	return append(out, Line{Text: "data not shown", Value: strconv.Itoa(max(0, len(p)-5)) + " bytes"})
}
