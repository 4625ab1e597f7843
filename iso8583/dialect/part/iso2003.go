// SPDX-License-Identifier: Apache-2.0

package part

import "github.com/moov-io/iso8583/field"

// ISO2003 is the field table of ISO 8583:2003 in a style, without message type
// and bitmap. An amount there is sixteen digits: currency 3, count of decimals 1,
// amount 12. Reserved fields are bytes of up to 9999.
func ISO2003(s Style) map[int]field.Field {
	m := map[int]field.Field{
		2: s.NV(2, 19, "Primary account number"), 3: s.T(6, "Processing code"),
		4: s.N(16, "Amount, transaction"), 5: s.N(16, "Amount, reconciliation"), 6: s.N(16, "Amount, cardholder billing"),
		7: s.N(10, "Date and time, transmission, UTC"), 8: s.N(12, "Amount, cardholder billing fee"),
		9: s.N(8, "Conversion rate, reconciliation"), 10: s.N(8, "Conversion rate, cardholder billing"),
		11: s.N(12, "System trace audit number"), 12: s.N(14, "Date and time, local transaction"), 13: s.N(6, "Date, effective"),
		14: s.N(4, "Date, expiration"), 15: s.N(8, "Date, settlement"), 16: s.N(4, "Date, conversion"), 17: s.N(4, "Date, capture"),
		18: s.TV(3, 140, "Message error indicator"), 19: s.N(3, "Country, acquirer"), 20: s.N(3, "Country, card number"),
		21: s.T(22, "Transaction life cycle identification"), 22: s.B(16, "Point of service data code"), 23: s.N(3, "Card sequence number"),
		24: s.N(3, "Function code"), 25: s.N(4, "Message reason code"), 26: s.N(4, "Merchant category code"), 27: s.B(27, "Point of service capability"),
		28: s.N(8, "Date, reconciliation"), 29: s.N(3, "Reconciliation indicator"), 30: s.N(32, "Amounts, original"), 31: s.T(23, "Acquirer reference number"),
		32: s.NV(2, 11, "Acquiring institution"), 33: s.NV(2, 11, "Forwarding institution"), 34: s.BV(4, 9999, "Electronic commerce data"),
		35: s.Z(2, 37, "Track 2 data"), 36: s.Z(3, 104, "Track 3 data"), 37: s.T(12, "Retrieval reference number"), 38: s.T(6, "Approval code"),
		39: s.N(4, "Action code"), 40: s.N(3, "Service code"), 41: s.Named(16, "Card acceptor terminal"), 42: s.TV(2, 35, "Card acceptor"),
		43: s.BV(4, 9999, "Card acceptor name and location"), 44: s.BV(4, 9999, "Additional response data"), 45: s.TV(2, 76, "Track 1 data"),
		46: s.TV(3, 216, "Amounts, fees"), 47: s.TV(3, 999, "Additional data, national"), 48: s.TV(3, 999, "Additional data, private"),
		49: s.BV(4, 9999, "Verification data"), 50: s.BV(4, 9999, "Reserved"), 51: s.BV(4, 9999, "Reserved"), 52: s.B(8, "PIN data"),
		53: s.BV(2, 48, "Security related control information"), 54: s.TV(3, 126, "Amounts, additional"), 55: s.BV(4, 9999, "Chip data"),
		56: s.NV(2, 41, "Original data elements"), 57: s.N(3, "Authorization life cycle code"), 58: s.NV(2, 11, "Authorizing agent"),
		59: s.TV(3, 999, "Transport data"), 60: s.TV(3, 999, "National use"), 61: s.TV(3, 999, "National use"),
		62: s.TV(3, 999, "Private use"), 63: s.TV(3, 999, "Private use"), 64: s.B(8, "Message authentication code"),
	}
	secondHalf2003(s, m)
	return m
}

// secondHalf2003 is what needs the second bitmap.
func secondHalf2003(s Style, m map[int]field.Field) {
	for n := 71; n <= 127; n++ {
		m[n] = s.BV(4, 9999, "Reserved")
	}
	for n, f := range map[int]field.Field{
		66: s.TV(3, 216, "Amounts, original fees"), 67: s.N(2, "Extended payment data"), 68: s.T(9, "File transfer message control"),
		69: s.T(40, "File transfer control data"), 70: s.N(18, "File transfer description"), 72: s.BV(4, 9999, "Data record"), 73: s.N(8, "Date, action"),
		74: s.B(78, "Reconciliation data, primary"), 75: s.N(90, "Reconciliation data, secondary"), 93: s.NV(2, 11, "Transaction destination institution"),
		94: s.NV(2, 11, "Transaction originator institution"), 95: s.TV(2, 99, "Card issuer reference data"), 96: s.BV(3, 999, "Key management data"),
		97: s.Signed(20, "Amount, net reconciliation"), 98: s.T(25, "Payee"), 99: s.TV(2, 11, "Settlement institution"), 100: s.NV(2, 11, "Receiving institution"),
		101: s.TV(2, 99, "File name"), 102: s.TV(2, 28, "Account identification 1"), 103: s.TV(2, 28, "Account identification 2"),
		104: s.BV(4, 9999, "Transaction specific data"), 109: s.TV(3, 144, "Fee amounts, credit"), 110: s.TV(3, 144, "Fee amounts, debit"),
		128: s.B(8, "Message authentication code"),
	} {
		m[n] = f
	}
}
