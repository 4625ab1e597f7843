// SPDX-License-Identifier: Apache-2.0

package emv

// What the terminal writes: TVR, TSI, capabilities, CVM results (EMV book 3
// annex C, book 4 annex A). Bits run from b8 to b1; "" is reserved.

func tvrBytes() [][]Row {
	return [][]Row{
		flags(1, "offline data authentication not performed", "SDA failed", "card data missing", "card on the terminal's exception file",
			"DDA failed", "CDA failed", "SDA selected", "XDA selected"),
		flags(2, "card and terminal have different application versions", "application expired", "application not yet effective",
			"requested service not allowed for the card product", "new card", "", "biometric verification successful", "biometric template format not supported"),
		flags(3, "cardholder verification failed", "CVM not recognised", "PIN try limit exceeded", "PIN required, no working PIN pad",
			"PIN required, PIN pad present, PIN not entered", "online PIN (online CVM) captured", "biometric required, capture device not working", "biometric required, entry bypassed"),
		flags(4, "floor limit exceeded", "lower consecutive offline limit exceeded", "upper consecutive offline limit exceeded",
			"selected at random for online processing", "merchant forced the transaction online", "biometric try limit exceeded", "biometric type not supported", "XDA signature verification failed"),
	}
}

var tvr = table("terminal verification results", append(tvrBytes(),
	flags(5, "default TDOL used", "issuer authentication failed", "script failed before the final GENERATE AC",
		"script failed after the final GENERATE AC", "", "CA ECC key missing", "ECC key recovery failed", ""))...)

var tvrMastercard = table("terminal verification results (kernel 2)", append(tvrBytes(),
	bit(5, 0x80, "default TDOL used"), bit(5, 0x40, "issuer authentication failed"),
	bit(5, 0x20, "script failed before the final GENERATE AC"), bit(5, 0x10, "script failed after the final GENERATE AC"),
	bit(5, 0x08, "? relay resistance threshold exceeded"), bit(5, 0x04, "? relay resistance time limits exceeded"),
	choice(5, 0x03, value{0x00, "? relay resistance protocol not supported"}, value{0x01, "? relay resistance protocol not performed"},
		value{0x02, "? relay resistance protocol performed"}, value{0x03, "reserved for future use"}))...)

var tsi = table("transaction status information",
	flags(1, "offline data authentication performed", "cardholder verification performed", "card risk management performed",
		"issuer authentication performed", "terminal risk management performed", "script processing performed", "", ""),
	reserved(2, 0xFF))

func inputBits(at int) []Row {
	return flags(at, "manual key entry", "magnetic stripe", "chip with contacts", "", "", "", "", "")
}

func cvmBits(at int) []Row {
	return flags(at, "plaintext PIN, checked by the card", "enciphered PIN, checked online", "signature", "enciphered PIN, checked by the card (RSA)",
		"no CVM", "online biometric", "offline biometric", "enciphered PIN, checked by the card (ECC)")
}

func securityBits(at int) []Row {
	return flags(at, "SDA", "DDA", "card capture", "", "CDA", "XDA", "", "")
}

var (
	terminalCaps = table("terminal capabilities", inputBits(1), cvmBits(2), securityBits(3))
	inputCaps    = table("card data input capability", inputBits(1))
	cvmCaps      = table("CVM capability", cvmBits(1))
	securityCaps = table("security capability", securityBits(1))
)

var additionalCaps = table("additional terminal capabilities",
	flags(1, "cash", "goods", "services", "cashback", "inquiry", "transfer", "payment", "administrative"),
	flags(2, "cash deposit", "", "", "", "", "", "", ""),
	flags(3, "numeric keys", "alphabetic and special keys", "command keys", "function keys", "", "", "", ""),
	flags(4, "print or electronic, attendant", "print or electronic, cardholder", "display, attendant", "display, cardholder",
		"", "", "code table 10", "code table 9"),
	flags(5, "code table 8", "code table 7", "code table 6", "code table 5", "code table 4", "code table 3", "code table 2", "code table 1"))

var terminalType = table("terminal type", choice(1, 0xFF,
	value{0x11, "attended, online only, operated by a financial institution"},
	value{0x12, "attended, offline with online capability, operated by a financial institution"},
	value{0x13, "attended, offline only, operated by a financial institution"},
	value{0x14, "unattended, online only, operated by a financial institution"},
	value{0x15, "unattended, offline with online capability, operated by a financial institution"},
	value{0x16, "unattended, offline only, operated by a financial institution"},
	value{0x21, "attended, online only, operated by a merchant"},
	value{0x22, "attended, offline with online capability, operated by a merchant"},
	value{0x23, "attended, offline only, operated by a merchant"},
	value{0x24, "unattended, online only, operated by a merchant"},
	value{0x25, "unattended, offline with online capability, operated by a merchant"},
	value{0x26, "unattended, offline only, operated by a merchant"},
	value{0x34, "unattended, online only, operated by the cardholder"},
	value{0x35, "unattended, offline with online capability, operated by the cardholder"},
	value{0x36, "unattended, offline only, operated by the cardholder"}))

var transactionType = table("transaction type", choice(1, 0xFF,
	value{0x00, "purchase of goods or services"}, value{0x01, "cash"}, value{0x09, "purchase with cashback"}, value{0x20, "refund"},
	value{0x30, "inquiry"}, value{0x31, "balance inquiry"}))

var entryMode = table("point-of-service entry mode", choice(1, 0xFF,
	value{0x00, "unknown"}, value{0x01, "manual"}, value{0x02, "magnetic stripe"}, value{0x03, "optical code"}, value{0x04, "optical character reading"},
	value{0x05, "chip with contacts"}, value{0x07, "contactless chip"}, value{0x10, "credential on file"}, value{0x80, "fallback from chip to magnetic stripe"},
	value{0x90, "magnetic stripe, whole track"}, value{0x91, "contactless magnetic stripe"}, value{0x95, "chip, card check value may be unreliable"},
	value{0x99, "as in the original transaction"}))

var accountType = table("account type", choice(1, 0xFF,
	value{0x00, "default"}, value{0x10, "savings"}, value{0x20, "cheque or debit"}, value{0x30, "credit"}))

var trmd = table("terminal risk management data",
	flags(1, "restart supported", "online PIN (contactless)", "signature (contactless)", "enciphered offline PIN (contactless)", "no CVM (contactless)",
		"consumer device CVM (contactless)", "plaintext offline PIN (contactless)", "present and hold supported"),
	flags(2, "CVM limit exceeded", "online PIN (contact)", "signature (contact)", "enciphered offline PIN (contact)", "no CVM (contact)",
		"consumer device CVM (contact)", "plaintext offline PIN (contact)", ""),
	flags(3, "contactless mag-stripe mode not supported", "contactless EMV mode not supported", "consumer device CVM without CDA supported", "", "", "", "", ""),
	flags(4, "consumer device CVM bypass requested", "exempt from strong customer authentication", "", "", "", "", "", ""),
	reserved(5, 0xFF), reserved(6, 0xFF), reserved(7, 0xFF), reserved(8, 0xFF))

// ttqBytes are the terminal transaction qualifiers: byte 1 what the terminal can
// do, byte 2 what it asks for. Later bits are confirmed for kernel 3 alone.
func ttqBytes(later, transitCVM string) [][]Row {
	return [][]Row{
		flags(1, "mag-stripe mode supported", "", "EMV mode supported", "EMV contact chip supported", "offline-only reader", "online PIN supported",
			"signature supported", "offline data authentication for online authorisations supported"),
		flags(2, "online cryptogram required", "CVM required", "offline PIN supported (contact chip)", "", later+"fast mode supported", later+"transit terminal", "", ""),
		flags(3, "issuer update processing supported", "consumer device CVM supported", transitCVM, "", later+"consumer device CVM required", "", "", ""),
		flags(4, later+"fDDA version 1 supported", "", "", "", "", "", "", ""),
	}
}

var (
	ttq      = table("terminal transaction qualifiers", ttqBytes("", "consumer device CVM for transit supported")...)
	ttqOther = table("terminal transaction qualifiers (kernels 6 and 7)", ttqBytes(unsurePrefix, "")...)
)

var scriptResults = table("issuer script results",
	choice(1, 0xF0, value{0x00, "script not performed"}, value{0x10, "script failed"}, value{0x20, "script successful"}),
	number(1, 0x0F, "command that failed (0 none or not said, 15 the fifteenth or later)"),
	span(2, 5, "script identifier"), rest(6, "results of further scripts"))

var supported = table("support indicator", choice(1, 0xFF, value{0x00, "not supported"}, value{0x01, "supported"}))

var selectionIndicator = table("application selection indicator", choice(1, 0xFF,
	value{0x00, "? partial name allowed"}, value{0x01, "? full name required"}))

var hashAlgorithm = table("hash algorithm", choice(1, 0xFF, value{0x01, "SHA-1"}))

var keyAlgorithm = table("public key algorithm", choice(1, 0xFF, value{0x01, "RSA"}, value{0x04, "? SM2"}))

var kernelTerminal = table("kernel identifier (terminal)",
	bit(1, 0x80, "? kernel 8 supported by the reader"), bit(1, 0x40, "? kernel 8 supported for the transaction"), reserved(1, 0x3F), rest(2, "? further data"))
