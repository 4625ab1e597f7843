// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
)

// kind is the content a field may have, and its length form.
type kind uint8

const (
	kindN     kind = iota + 1 // n, fixed
	kindNLL                   // n, LL
	kindAN                    // an, ans, fixed
	kindANLL                  // ans or z, LL
	kindANLLL                 // ans, LLL
	kindB                     // b, fixed
	kindBLLL                  // b, LLL
)

type layout struct {
	id   int
	kind kind
	size int
	name string
}

// layouts is the dialect iso87ascii, in the order of ISO 8583:1987 table 3.
func layouts() []layout {
	return []layout{
		{2, kindNLL, 19, "Primary account number"},
		{3, kindN, 6, "Processing code"},
		{4, kindN, 12, "Amount, transaction"},
		{7, kindN, 10, "Transmission date and time"},
		{11, kindN, 6, "System trace audit number"},
		{12, kindN, 6, "Time, local transaction"},
		{13, kindN, 4, "Date, local transaction"},
		{14, kindN, 4, "Date, expiration"},
		{15, kindN, 4, "Date, settlement"},
		{18, kindN, 4, "Merchant type"},
		{22, kindN, 3, "Point of service entry mode"},
		{23, kindN, 3, "Card sequence number"},
		{25, kindN, 2, "Point of service condition code"},
		{26, kindN, 2, "Point of service PIN capture code"},
		{28, kindAN, 9, "Amount, transaction fee"},
		{32, kindNLL, 11, "Acquiring institution identification code"},
		{33, kindNLL, 11, "Forwarding institution identification code"},
		{35, kindANLL, 37, "Track 2 data"},
		{37, kindAN, 12, "Retrieval reference number"},
		{38, kindAN, 6, "Authorization identification response"},
		{39, kindAN, 2, "Response code"},
		{41, kindAN, 8, "Card acceptor terminal identification"},
		{42, kindAN, 15, "Card acceptor identification code"},
		{43, kindAN, 40, "Card acceptor name/location"},
		{44, kindANLL, 25, "Additional response data"},
		{48, kindANLLL, 999, "Additional data, private"},
		{49, kindN, 3, "Currency code, transaction"},
		{52, kindB, 8, "Personal identification number data"},
		{53, kindN, 16, "Security related control information"},
		{54, kindANLLL, 120, "Additional amounts"},
		{55, kindBLLL, 255, "ICC system related data"},
		{60, kindANLLL, 999, "Reserved, private"},
		{61, kindANLLL, 999, "Reserved, private"},
		{62, kindANLLL, 999, "Reserved, private"},
		{63, kindANLLL, 999, "Reserved, private"},
		{64, kindB, 8, "Message authentication code"},
		{70, kindN, 3, "Network management information code"},
		{90, kindN, 42, "Original data elements"},
		{95, kindAN, 42, "Replacement amounts"},
		{100, kindNLL, 11, "Receiving institution identification code"},
		{102, kindANLL, 28, "Account identification 1"},
		{103, kindANLL, 28, "Account identification 2"},
		{128, kindB, 8, "Message authentication code"},
	}
}

// newSpec writes the layouts as moov's specification.
func newSpec() *moov.MessageSpec {
	ascii, bytes := encoding.ASCII, encoding.Binary
	fields := map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Description: "Message type", Enc: ascii, Pref: prefix.ASCII.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Description: "Bitmap", Enc: encoding.BytesToASCIIHex, Pref: prefix.Hex.Fixed}),
	}
	for _, l := range layouts() {
		s := &field.Spec{Length: l.size, Description: l.name, Enc: ascii, Pref: prefix.ASCII.Fixed}
		switch l.kind {
		case kindNLL, kindANLL:
			s.Pref = prefix.ASCII.LL
		case kindANLLL:
			s.Pref = prefix.ASCII.LLL
		case kindB:
			s.Enc, s.Pref = bytes, prefix.Binary.Fixed
		case kindBLLL:
			s.Enc, s.Pref = bytes, prefix.ASCII.LLL
		}
		if l.kind == kindB || l.kind == kindBLLL {
			fields[l.id] = field.NewBinary(s)
			continue
		}
		fields[l.id] = field.NewString(s)
	}
	return &moov.MessageSpec{Name: "iso87ascii", Fields: fields}
}
