// SPDX-License-Identifier: Apache-2.0

package part

import "github.com/moov-io/iso8583/field"

// ISO93 is the field table of ISO 8583:1993 in a style, without message type
// and bitmap. Fields 73 to 127 that the standard reserves are text of up to 999.
func ISO93(s Style) map[int]field.Field {
	m := map[int]field.Field{
		2: s.NV(2, 19, "Primary account number"), 3: s.N(6, "Processing code"),
		4: s.N(12, "Amount, transaction"), 5: s.N(12, "Amount, reconciliation"), 6: s.N(12, "Amount, cardholder billing"),
		7: s.N(10, "Date and time, transmission, UTC"), 8: s.N(8, "Amount, cardholder billing fee"),
		9: s.N(8, "Conversion rate, reconciliation"), 10: s.N(8, "Conversion rate, cardholder billing"),
		11: s.N(6, "System trace audit number"), 12: s.N(12, "Date and time, local transaction"), 13: s.N(4, "Date, effective"),
		14: s.N(4, "Date, expiration"), 15: s.N(6, "Date, settlement"), 16: s.N(4, "Date, conversion"), 17: s.N(4, "Date, capture"),
		18: s.N(4, "Merchant type"), 19: s.N(3, "Country, acquirer"), 20: s.N(3, "Country, card number"), 21: s.N(3, "Country, forwarder"),
		22: s.T(12, "Point of service data code"), 23: s.N(3, "Card sequence number"), 24: s.N(3, "Function code"), 25: s.N(4, "Message reason code"),
		26: s.N(4, "Card acceptor business code"), 27: s.N(1, "Approval code length"), 28: s.N(6, "Date, reconciliation"), 29: s.N(3, "Reconciliation indicator"),
		30: s.N(24, "Amounts, original"), 31: s.TV(2, 99, "Acquirer reference data"), 32: s.NV(2, 11, "Acquiring institution"), 33: s.NV(2, 11, "Forwarding institution"),
		34: s.TV(2, 28, "Card number, extended"), 35: s.Z(2, 37, "Track 2 data"), 36: s.Z(3, 104, "Track 3 data"), 37: s.T(12, "Retrieval reference number"),
		38: s.T(6, "Approval code"), 39: s.N(3, "Action code"), 40: s.N(3, "Service code"), 41: s.Named(8, "Card acceptor terminal"),
		42: s.Named(15, "Card acceptor"), 43: s.TV(2, 99, "Card acceptor name and location"), 44: s.TV(2, 99, "Additional response data"), 45: s.TV(2, 76, "Track 1 data"),
		46: s.TV(3, 204, "Amounts, fees"), 47: s.TV(3, 999, "Additional data, national"), 48: s.TV(3, 999, "Additional data, private"),
		49: s.Code(3, "Currency, transaction"), 50: s.Code(3, "Currency, reconciliation"), 51: s.Code(3, "Currency, cardholder billing"),
		52: s.B(8, "PIN data"), 53: s.BV(2, 48, "Security related control information"), 54: s.TV(3, 120, "Amounts, additional"), 55: s.BV(3, 255, "Chip data"),
		56: s.NV(2, 35, "Original data elements"), 57: s.N(3, "Authorization life cycle code"), 58: s.NV(2, 11, "Authorizing agent"), 59: s.TV(3, 999, "Transport data"),
		60: s.TV(3, 999, "National use"), 61: s.TV(3, 999, "National use"), 62: s.TV(3, 999, "Private use"), 63: s.TV(3, 999, "Private use"),
		64: s.B(8, "Message authentication code"),
	}
	secondHalf93(s, m)
	return m
}

// secondHalf93 is what needs the second bitmap.
func secondHalf93(s Style, m map[int]field.Field) {
	for n, f := range map[int]field.Field{
		66: s.TV(3, 204, "Amounts, original fees"), 67: s.N(2, "Extended payment data"), 68: s.N(3, "Country, receiver"), 69: s.N(3, "Country, settlement"),
		70: s.N(3, "Country, authorizing agent"), 71: s.N(8, "Message number"), 72: s.TV(3, 999, "Data record"), 73: s.N(6, "Date, action"),
		74: s.N(10, "Credits, number"), 75: s.N(10, "Credits, reversal number"), 76: s.N(10, "Debits, number"), 77: s.N(10, "Debits, reversal number"),
		78: s.N(10, "Transfers, number"), 79: s.N(10, "Transfers, reversal number"), 80: s.N(10, "Inquiries, number"), 81: s.N(10, "Authorizations, number"),
		82: s.N(10, "Inquiries, reversal number"), 83: s.N(10, "Payments, number"), 84: s.N(10, "Payments, reversal number"), 85: s.N(10, "Fee collections, number"),
		86: s.N(16, "Credits, amount"), 87: s.N(16, "Credits, reversal amount"), 88: s.N(16, "Debits, amount"), 89: s.N(16, "Debits, reversal amount"),
		90: s.N(10, "Authorizations, reversal number"), 91: s.N(3, "Country, transaction destination"), 92: s.N(3, "Country, transaction originator"),
		93: s.NV(2, 11, "Transaction destination institution"), 94: s.NV(2, 11, "Transaction originator institution"), 95: s.TV(2, 99, "Card issuer reference data"),
		96: s.BV(3, 999, "Key management data"), 97: s.Signed(16, "Amount, net reconciliation"), 98: s.T(25, "Payee"), 99: s.TV(2, 11, "Settlement institution"),
		100: s.NV(2, 11, "Receiving institution"), 101: s.TV(2, 17, "File name"), 102: s.TV(2, 28, "Account identification 1"), 103: s.TV(2, 28, "Account identification 2"),
		104: s.TV(3, 100, "Transaction description"), 105: s.N(16, "Credits, chargeback amount"), 106: s.N(16, "Debits, chargeback amount"),
		107: s.N(10, "Credits, chargeback number"), 108: s.N(10, "Debits, chargeback number"), 109: s.TV(2, 84, "Credits, fee amounts"), 110: s.TV(2, 84, "Debits, fee amounts"),
		128: s.B(8, "Message authentication code"),
	} {
		m[n] = f
	}
	for n := 111; n <= 127; n++ {
		m[n] = s.TV(3, 999, "Reserved")
	}
}
