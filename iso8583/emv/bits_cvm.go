// SPDX-License-Identifier: Apache-2.0

package emv

// Cardholder verification (EMV book 3 annex C3, book 4 annex A4).

// cvmCode is the first byte of a rule and of the CVM results.
func cvmCode(at int) []Row {
	code := func(is byte, text string) value { return value{is, text} }
	rows := reserved(at, 0x80)
	rows = append(rows, bit(at, 0x40, "the next rule applies if this one fails")...)
	rows = append(rows, choice(at, 0x3F,
		code(0x00, "fail CVM processing"), code(0x01, "plaintext PIN, checked by the card"), code(0x02, "enciphered PIN, checked online"),
		code(0x03, "plaintext PIN, checked by the card, and signature"), code(0x04, "enciphered PIN, checked by the card"),
		code(0x05, "enciphered PIN, checked by the card, and signature"),
		code(0x06, "face, checked by the card"), code(0x07, "face, checked online"), code(0x08, "finger, checked by the card"), code(0x09, "finger, checked online"),
		code(0x0A, "palm, checked by the card"), code(0x0B, "palm, checked online"), code(0x0C, "iris, checked by the card"), code(0x0D, "iris, checked online"),
		code(0x0E, "voice, checked by the card"), code(0x0F, "voice, checked online"))...)
	rows = append(rows, between(at, 0x3F, 0x10, 0x1D, "reserved for future use")...)
	rows = append(rows, choice(at, 0x3F, code(0x1E, "signature"), code(0x1F, "no CVM required"))...)
	rows = append(rows, between(at, 0x3F, 0x20, 0x2F, "reserved for the payment systems")...)
	rows = append(rows, between(at, 0x3F, 0x30, 0x3E, "reserved for the issuer")...)
	return append(rows, choice(at, 0x3F, code(0x3F, "no CVM performed"))...)
}

// cvmCondition is the second byte of a rule and of the CVM results.
func cvmCondition(at int) []Row {
	rows := choice(at, 0xFF,
		value{0x00, "always"}, value{0x01, "if unattended cash"}, value{0x02, "if not unattended cash, not manual cash, not cashback"},
		value{0x03, "if the terminal supports the CVM"}, value{0x04, "if manual cash"}, value{0x05, "if cashback"},
		value{0x06, "if in the application currency and under X"}, value{0x07, "if in the application currency and over X"},
		value{0x08, "if in the application currency and under Y"}, value{0x09, "if in the application currency and over Y"})
	rows = append(rows, between(at, 0xFF, 0x0A, 0x7F, "reserved for future use")...)
	return append(rows, between(at, 0xFF, 0x80, 0xFF, "reserved for the payment systems")...)
}

var cvmResults = table("CVM results", cvmCode(1), cvmCondition(2), choice(3, 0xFF,
	value{0x00, "result unknown (for example signature)"}, value{0x01, "failed"}, value{0x02, "successful"}))

// cvmRule is one rule of the CVM list.
var cvmRule = table("CVM rule", cvmCode(1), cvmCondition(2))
