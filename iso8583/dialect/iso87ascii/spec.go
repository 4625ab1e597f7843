// SPDX-License-Identifier: Apache-2.0

package iso87ascii

import (
	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
)

// Name is the dialect's name in configuration and records.
const Name = "iso87ascii"

// New compiles the dialect.
func New() *iso8583.Layout {
	l, err := iso8583.Compile(Spec(), Marks())
	if err != nil {
		assert.Fail("dialect %s does not compile: %v", Name, err)
	}
	return l
}

// Marks say what the fields mean to those who print, store or route them.
func Marks() iso8583.Marks {
	return iso8583.Marks{
		2:   iso8583.MarkPAN,
		35:  iso8583.MarkTrack,
		48:  iso8583.MarkSensitive, // private use: each acquirer's own content
		52:  iso8583.MarkPINBlock,
		55:  iso8583.MarkICC,
		60:  iso8583.MarkSensitive,
		61:  iso8583.MarkSensitive,
		62:  iso8583.MarkSensitive,
		63:  iso8583.MarkSensitive,
		64:  iso8583.MarkMAC,
		102: iso8583.MarkSensitive, // account numbers
		103: iso8583.MarkSensitive,
		128: iso8583.MarkMAC,
	}
}

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	return &moov.MessageSpec{Name: Name, Fields: map[int]field.Field{
		0: digits(4, "Message type"),
		1: field.NewBitmap(&field.Spec{
			Length: 8, Description: "Bitmap", Enc: encoding.BytesToASCIIHex, Pref: prefix.Hex.Fixed}),
		2:   digitsLL(19, "Primary account number"),
		3:   digits(6, "Processing code"),
		4:   digits(12, "Amount, transaction"),
		7:   digits(10, "Transmission date and time, UTC"),
		11:  digits(6, "System trace audit number"),
		12:  digits(6, "Time, local transaction"),
		13:  digits(4, "Date, local transaction"),
		14:  digits(4, "Date, expiration"),
		15:  digits(4, "Date, settlement"),
		18:  digits(4, "Merchant type"),
		22:  digits(3, "Point of service entry mode"),
		23:  digits(3, "Card sequence number"),
		25:  digits(2, "Point of service condition code"),
		26:  digits(2, "Point of service PIN capture code"),
		28:  ascii(9, "Amount, transaction fee"),
		32:  digitsLL(11, "Acquiring institution"),
		33:  digitsLL(11, "Forwarding institution"),
		35:  asciiLL(37, "Track 2 data"),
		37:  ascii(12, "Retrieval reference number"),
		38:  ascii(6, "Authorization identification response"),
		39:  ascii(2, "Response code"),
		41:  named(8, "Card acceptor terminal"),
		42:  named(15, "Card acceptor"),
		43:  named(40, "Card acceptor name and location"),
		44:  asciiLL(25, "Additional response data"),
		48:  asciiLLL(999, "Additional data, private"),
		49:  digits(3, "Currency, transaction"),
		52:  fixedBytes(8, "PIN data"),
		53:  digits(16, "Security related control information"),
		54:  asciiLLL(120, "Additional amounts"),
		55:  field.NewBinary(&field.Spec{Length: 255, Description: "Chip data", Enc: encoding.Binary, Pref: prefix.ASCII.LLL}),
		60:  asciiLLL(999, "Private use"),
		61:  asciiLLL(999, "Private use"),
		62:  asciiLLL(999, "Private use"),
		63:  asciiLLL(999, "Private use"),
		64:  fixedBytes(8, "Message authentication code"),
		70:  digits(3, "Network management information code"),
		90:  digits(42, "Original data elements"),
		95:  ascii(42, "Replacement amounts"),
		100: digitsLL(11, "Receiving institution"),
		102: asciiLL(28, "Account identification 1"),
		103: asciiLL(28, "Account identification 2"),
		128: fixedBytes(8, "Message authentication code"),
	}}
}

func digits(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: Digits{}, Pref: prefix.ASCII.Fixed})
}

func digitsLL(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: Digits{}, Pref: prefix.ASCII.LL})
}

func ascii(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})
}

func asciiLL(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.LL})
}

func asciiLLL(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.LLL})
}

// named is an identification, filled with spaces on the right.
func named(n int, what string) field.Field {
	return field.NewString(&field.Spec{
		Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: padding.Right(' ')})
}

func fixedBytes(n int, what string) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
}
