// SPDX-License-Identifier: Apache-2.0

package emv

// What the card says about itself: AIP, AUC, CID, CTQ, form factor (EMV book 3
// annex C, books C-2 to C-5).

func aipByte1() []Row {
	return flags(1, "XDA supported", "SDA supported", "DDA supported", "cardholder verification supported", "terminal risk management to be performed",
		"issuer authentication supported", "on-device cardholder verification supported", "CDA supported")
}

var aip = table("application interchange profile", aipByte1(),
	flags(2, "? reserved for the contactless kernels", "? mobile phone", "? contactless transaction", "", "", "", "", "? relay resistance protocol supported"))

var aipMastercard = table("application interchange profile (kernel 2)", aipByte1(),
	flags(2, "contactless EMV mode supported", "", "", "", "", "", "", "relay resistance protocol supported"))

var aipVisa = table("application interchange profile (kernel 3)", aipByte1(),
	flags(2, "contactless mag-stripe mode supported", "? mobile phone", "? contactless transaction", "", "", "", "", ""))

var auc = table("application usage control",
	flags(1, "domestic cash", "international cash", "domestic goods", "international goods", "domestic services", "international services",
		"ATMs", "terminals other than ATMs"),
	flags(2, "domestic cashback", "international cashback", "", "", "", "", "", ""))

var cid = table("cryptogram information data",
	choice(1, 0xC0, value{0x00, "AAC: declined"}, value{0x40, "TC: approved offline"}, value{0x80, "ARQC: online authorisation requested"},
		value{0xC0, "reserved for future use"}),
	number(1, 0x30, "cryptogram of the payment system"),
	bit(1, 0x08, "advice required"),
	choice(1, 0x07, value{0x00, "no reason given"}, value{0x01, "service not allowed"}, value{0x02, "PIN try limit exceeded"},
		value{0x03, "issuer authentication failed"}), between(1, 0x07, 0x04, 0x07, "reserved for future use"))

var ctq = table("card transaction qualifiers",
	flags(1, "online PIN required", "signature required", "go online if offline data authentication fails", "switch interface if offline data authentication fails",
		"go online if the application has expired", "switch interface for cash", "switch interface for cashback", "not valid for contactless ATM transactions"),
	flags(2, "consumer device CVM performed", "issuer update processing supported by the card", "", "", "", "", "", ""))

var cardAuthForm = table("card authentication related data",
	span(1, 1, "fDDA version"), span(2, 5, "unpredictable number of the card"), from(6, ctq.Rows), rest(8, "? reserved"))

var formFactor = table("form factor indicator (Visa)",
	choice(1, 0xE0, value{0x20, "version 1"}),
	choice(1, 0x1F, value{0x00, "card"}, value{0x01, "mini-card"}, value{0x02, "other form, not a card"}, value{0x03, "mobile phone"},
		value{0x04, "wrist-worn device"}),
	flags(2, "passcode capable", "signature panel", "hologram", "CVV2 printed", "two-way messaging", "credentials in the cloud", "biometric capable", ""),
	reserved(3, 0xFF),
	reserved(4, 0xF0),
	choice(4, 0x0F, value{0x00, "proximity, ISO/IEC 14443"}, value{0x01, "? not used"}))

var thirdPartyForm = table("third party data (kernel 2)",
	span(1, 2, "country code"), span(3, 4, "unique identifier"),
	rest(5, "device type (when the identifier begins with a 0 bit) and proprietary data"))

var capabilities = table("application capabilities information (kernel 2)",
	choice(1, 0xF0, value{0x00, "version 0"}),
	choice(1, 0x0F, value{0x00, "data storage not supported"}, value{0x01, "data storage version 1"}, value{0x02, "data storage version 2"}),
	flags(2, "", "", "", "", "", "field-off detection supported", "", "CDA over TC, ARQC and AAC"),
	choice(3, 0xFF, value{0x00, "no scheme data storage configuration"}, value{0x01, "10 tags of 32 bytes"}, value{0x02, "10 tags of 48 bytes"},
		value{0x03, "10 tags of 64 bytes"}, value{0x04, "10 tags of 96 bytes"}, value{0x05, "10 tags of 128 bytes"}, value{0x06, "10 tags of 160 bytes"},
		value{0x07, "10 tags of 192 bytes"}, value{0x08, "tags of 32 bytes, 9F78 of 64"}))

var mobileSupport = table("mobile support indicator", flags(1, "", "", "", "", "", "", "? offline PIN required by the terminal", "? mobile supported"))

var amexReader = table("contactless reader capabilities (kernel 4)",
	choice(1, 0xC8, value{0x00, "deprecated"}, value{0x40, "mag-stripe, CVM not required"}, value{0x48, "mag-stripe, CVM required"},
		value{0x80, "deprecated: EMV and mag-stripe"}, value{0xC0, "EMV and mag-stripe, CVM not required"}, value{0xC8, "EMV and mag-stripe, CVM required"}),
	number(1, 0x37, "? bits of the terminal type"))

var amexEnhanced = table("enhanced contactless reader capabilities (kernel 4)",
	flags(1, "contact supported", "contactless mag-stripe supported", "contactless EMV full online supported (legacy)", "contactless EMV partial online supported",
		"contactless mobile supported", "try another interface after a decline", "", ""),
	flags(2, "mobile CVM supported", "online PIN supported", "signature supported", "plaintext offline PIN supported", "", "", "", ""),
	flags(3, "offline-only reader", "CVM required", "", "", "", "", "", ""),
	bit(4, 0x80, "exempt from the no-CVM check"), bit(4, 0x40, "delayed authorisation terminal"), bit(4, 0x20, "transit terminal"), reserved(4, 0x18),
	choice(4, 0x07, value{0x01, "kernel version 2.2 or 2.3"}, value{0x02, "kernel version 2.4 to 2.6"}, value{0x03, "kernel version 2.7 or later"}))

var jcbVerification = table("cardholder verification status (kernel 5)", choice(1, 0xFF,
	value{0x00, "? no CVM"}, value{0x10, "? signature"}, value{0x20, "? online PIN"}, value{0x30, "? consumer device CVM performed"}, value{0xF0, "? not applicable"}))

var jcbCompatibility = table("terminal compatibility indicator (kernel 5)", flags(1, "", "", "", "", "", "", "EMV mode supported", "mag-stripe mode supported"))

var jcbInterchange = table("terminal interchange profile (kernel 5)",
	flags(1, "CVM required by the reader", "signature supported", "online PIN supported", "on-device CVM supported", "", "transit reader",
		"EMV contact chip supported", "offline PIN supported (contact chip)"),
	flags(2, "issuer update supported", "", "", "", "", "", "", ""), reserved(3, 0xFF))

var priority = table("application priority indicator",
	bit(1, 0x80, "not to be selected without the cardholder's confirmation"), reserved(1, 0x70), number(1, 0x0F, "priority (1 highest, 0 none)"))

var kernelID = table("kernel identifier",
	choice(1, 0xC0, value{0x00, "international kernel"}, value{0x40, "reserved for future use"}, value{0x80, "domestic kernel, EMVCo format"},
		value{0xC0, "domestic kernel, proprietary format"}),
	number(1, 0x3F, "kernel number"), rest(2, "extended identifier"))

var sfi = table("short file identifier", reserved(1, 0xE0), number(1, 0x1F, "file"))

var logEntry = table("log entry", number(1, 0xFF, "file of the log"), number(2, 0xFF, "records in it"))

var codeTable = table("issuer code table index", choice(1, 0xFF,
	value{0x01, "ISO/IEC 8859-1"}, value{0x02, "ISO/IEC 8859-2"}, value{0x03, "ISO/IEC 8859-3"}, value{0x04, "ISO/IEC 8859-4"}, value{0x05, "ISO/IEC 8859-5"},
	value{0x06, "ISO/IEC 8859-6"}, value{0x07, "ISO/IEC 8859-7"}, value{0x08, "ISO/IEC 8859-8"}, value{0x09, "ISO/IEC 8859-9"}, value{0x10, "ISO/IEC 8859-10"}))
