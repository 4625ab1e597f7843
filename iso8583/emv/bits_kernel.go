// SPDX-License-Identifier: Apache-2.0

package emv

// The data between kernel 2 and its reader (book C-2). Nearly all of it is
// general knowledge without a public trace: the entries say unconfirmed.

var kernelConfig = table("kernel configuration (kernel 2)", flags(1, "mag-stripe mode not supported", "EMV mode not supported",
	"on-device cardholder verification supported", "relay resistance protocol supported", "reserved for the payment system",
	"read all records even when no CDA", "", ""))

var magStripeCVM = table("mag-stripe CVM capability", choice(1, 0xF0,
	value{0x00, "no CVM"}, value{0x10, "signature"}, value{0x20, "online PIN"}, value{0xF0, "not applicable"}), reserved(1, 0x0F))

var putStatus = table("put data status", flags(1, "completed", "", "", "", "", "", "", ""))

var referenceControl = table("reference control parameter",
	choice(1, 0xC0, value{0x00, "AAC"}, value{0x40, "TC"}, value{0x80, "ARQC"}, value{0xC0, "reserved for future use"}),
	reserved(1, 0x20), bit(1, 0x10, "CDA requested"), reserved(1, 0x0F))

var outcome = table("outcome parameter set",
	choice(1, 0xF0, value{0x10, "approved"}, value{0x20, "declined"}, value{0x30, "online request"}, value{0x40, "end application"},
		value{0x50, "select next"}, value{0x60, "try another interface"}, value{0x70, "try again"}, value{0xF0, "not applicable"}),
	reserved(1, 0x0F),
	choice(2, 0xF0, value{0x00, "start A"}, value{0x10, "start B"}, value{0x20, "start C"}, value{0x30, "start D"}, value{0xF0, "start not applicable"}),
	reserved(2, 0x0F),
	choice(3, 0xF0, value{0xF0, "online response data not applicable"}), reserved(3, 0x0F),
	choice(4, 0xF0, value{0x00, "no CVM"}, value{0x10, "signature"}, value{0x20, "online PIN"}, value{0x30, "confirmation code verified"}, value{0xF0, "CVM not applicable"}),
	reserved(4, 0x0F),
	flags(5, "user interface request on outcome", "user interface request on restart", "data record present", "discretionary data present", "receipt", "", "", ""),
	choice(6, 0xF0, value{0xF0, "alternate interface not applicable"}), reserved(6, 0x0F),
	number(7, 0xFF, "field-off hold time in 100 ms (255 not applicable)"),
	number(8, 0xFF, "removal timeout in 100 ms"))

var errorIndication = table("error indication",
	choice(1, 0xFF, value{0x00, "L1 ok"}, value{0x01, "L1 timeout"}, value{0x02, "L1 transmission error"}, value{0x03, "L1 protocol error"}),
	choice(2, 0xFF, value{0x00, "L2 ok"}, value{0x01, "card data missing"}, value{0x02, "card authentication failed"}, value{0x03, "status bytes"},
		value{0x04, "parsing error"}, value{0x05, "limit exceeded"}, value{0x06, "card data error"}, value{0x07, "mag-stripe not supported"},
		value{0x08, "no PPSE"}, value{0x09, "PPSE fault"}, value{0x0A, "candidate list empty"}, value{0x0B, "data storage read error"},
		value{0x0C, "data storage write error"}, value{0x0D, "data storage data error"}, value{0x0E, "data storage: no matching cryptogram"},
		value{0x0F, "terminal data error"}),
	choice(3, 0xFF, value{0x00, "L3 ok"}, value{0x01, "L3 timeout"}, value{0x02, "stopped"}, value{0x03, "amount not present"}),
	span(4, 5, "status word"), span(6, 6, "message on error"))

var userInterface = table("user interface request data",
	span(1, 1, "message identifier"),
	choice(2, 0xFF, value{0x00, "not ready"}, value{0x01, "idle"}, value{0x02, "ready to read"}, value{0x03, "processing"}, value{0x04, "card read successfully"},
		value{0x05, "processing error"}, value{0xFF, "status not applicable"}),
	span(3, 5, "hold time (100 ms)"), span(6, 13, "language preference"),
	choice(14, 0xF0, value{0x00, "no value"}, value{0x10, "value is an amount"}, value{0x20, "value is a balance"}), reserved(14, 0x0F),
	span(15, 20, "value"), span(21, 22, "currency"))
