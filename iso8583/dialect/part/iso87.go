// SPDX-License-Identifier: Apache-2.0

package part

import "github.com/moov-io/iso8583/field"

// ISO87 is the field table of ISO 8583:1987 in a style, without message type
// and bitmap. Fields 105 to 127 are reserved there: text of up to 999.
func ISO87(s Style) map[int]field.Field {
	m := map[int]field.Field{
		2: s.NV(2, 19, "Primary account number"), 3: s.N(6, "Processing code"),
		4: s.N(12, "Amount, transaction"), 5: s.N(12, "Amount, settlement"), 6: s.N(12, "Amount, cardholder billing"),
		7: s.N(10, "Transmission date and time, UTC"), 8: s.N(8, "Amount, cardholder billing fee"),
		9: s.N(8, "Conversion rate, settlement"), 10: s.N(8, "Conversion rate, cardholder billing"),
		11: s.N(6, "System trace audit number"), 12: s.N(6, "Time, local transaction"), 13: s.N(4, "Date, local transaction"),
		14: s.N(4, "Date, expiration"), 15: s.N(4, "Date, settlement"), 16: s.N(4, "Date, conversion"), 17: s.N(4, "Date, capture"),
		18: s.N(4, "Merchant type"), 19: s.N(3, "Acquirer country"), 20: s.N(3, "Card number country"), 21: s.N(3, "Forwarder country"),
		22: s.N(3, "Point of service entry mode"), 23: s.N(3, "Card sequence number"), 24: s.N(3, "Network international identifier"),
		25: s.N(2, "Point of service condition code"), 26: s.N(2, "Point of service PIN capture code"), 27: s.N(1, "Authorization code length"),
		28: s.Signed(8, "Amount, transaction fee"), 29: s.Signed(8, "Amount, settlement fee"),
		30: s.Signed(8, "Amount, transaction processing fee"), 31: s.Signed(8, "Amount, settlement processing fee"),
		32: s.NV(2, 11, "Acquiring institution"), 33: s.NV(2, 11, "Forwarding institution"), 34: s.TV(2, 28, "Card number, extended"),
		35: s.Z(2, 37, "Track 2 data"), 36: s.Z(3, 104, "Track 3 data"), 37: s.T(12, "Retrieval reference number"),
		38: s.T(6, "Authorization identification response"), 39: s.T(2, "Response code"), 40: s.T(3, "Service restriction code"),
		41: s.Named(8, "Card acceptor terminal"), 42: s.Named(15, "Card acceptor"), 43: s.Named(40, "Card acceptor name and location"),
		44: s.TV(2, 25, "Additional response data"), 45: s.TV(2, 76, "Track 1 data"), 46: s.TV(3, 999, "Additional data, ISO"),
		47: s.TV(3, 999, "Additional data, national"), 48: s.TV(3, 999, "Additional data, private"),
		49: s.Code(3, "Currency, transaction"), 50: s.Code(3, "Currency, settlement"), 51: s.Code(3, "Currency, cardholder billing"),
		52: s.B(8, "PIN data"), 53: s.N(16, "Security related control information"), 54: s.TV(3, 120, "Additional amounts"),
		55: s.BV(3, 255, "Chip data"), 64: s.B(8, "Message authentication code"),
	}
	for n := 56; n <= 59; n++ {
		m[n] = s.TV(3, 999, "Reserved")
	}
	for n := 60; n <= 63; n++ {
		m[n] = s.TV(3, 999, "Private use")
	}
	secondHalf87(s, m)
	return m
}

// secondHalf87 is what needs the second bitmap.
func secondHalf87(s Style, m map[int]field.Field) {
	for n, f := range map[int]field.Field{
		66: s.N(1, "Settlement code"), 67: s.N(2, "Extended payment code"), 68: s.N(3, "Receiver country"), 69: s.N(3, "Settlement country"),
		70: s.N(3, "Network management information code"), 71: s.N(4, "Message number"), 72: s.N(4, "Message number, last"), 73: s.N(6, "Date, action"),
		74: s.N(10, "Credits, number"), 75: s.N(10, "Credits, reversal number"), 76: s.N(10, "Debits, number"), 77: s.N(10, "Debits, reversal number"),
		78: s.N(10, "Transfers, number"), 79: s.N(10, "Transfers, reversal number"), 80: s.N(10, "Inquiries, number"), 81: s.N(10, "Authorizations, number"),
		82: s.N(12, "Credits, processing fee"), 83: s.N(12, "Credits, transaction fee"), 84: s.N(12, "Debits, processing fee"), 85: s.N(12, "Debits, transaction fee"),
		86: s.N(16, "Credits, amount"), 87: s.N(16, "Credits, reversal amount"), 88: s.N(16, "Debits, amount"), 89: s.N(16, "Debits, reversal amount"),
		90: s.N(42, "Original data elements"), 91: s.T(1, "File update code"), 92: s.T(2, "File security code"), 93: s.T(5, "Response indicator"),
		94: s.T(7, "Service indicator"), 95: s.T(42, "Replacement amounts"), 96: s.B(8, "Message security code"), 97: s.Signed(16, "Amount, net settlement"),
		98: s.T(25, "Payee"), 99: s.NV(2, 11, "Settlement institution"), 100: s.NV(2, 11, "Receiving institution"), 101: s.TV(2, 17, "File name"),
		102: s.TV(2, 28, "Account identification 1"), 103: s.TV(2, 28, "Account identification 2"), 104: s.TV(3, 100, "Transaction description"),
		128: s.B(8, "Message authentication code"),
	} {
		m[n] = f
	}
	for n := 105; n <= 127; n++ {
		m[n] = s.TV(3, 999, "Reserved")
	}
}
