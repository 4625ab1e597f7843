// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import (
	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

// Name is the dialect's name in configuration and records.
const Name = "unionpaypos"

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
		2:  iso8583.MarkPAN,
		35: iso8583.MarkTrack,
		36: iso8583.MarkTrack,
		46: iso8583.MarkSensitive, // device serial numbers
		47: iso8583.MarkSensitive,
		48: iso8583.MarkSensitive, // batch upload records hold card numbers
		52: iso8583.MarkPINBlock,
		55: iso8583.MarkICC,
		57: iso8583.MarkSensitive,
		58: iso8583.MarkSensitive,
		59: iso8583.MarkSensitive, // device data, scanned payment codes
		62: iso8583.MarkKey,       // working keys, in the answer to a sign-on
		64: iso8583.MarkMAC,
	}
}

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	return &moov.MessageSpec{Name: Name, Fields: map[int]field.Field{
		0: digits(4, "Message type"),
		1: field.NewBitmap(&field.Spec{
			Length: 8, Description: "Bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true}),
		2:  digitsLL(19, "Primary account number"),
		3:  digits(6, "Processing code"),
		4:  digits(12, "Amount"),
		11: digits(6, "Terminal trace number"),
		12: digits(6, "Local time"),
		13: digits(4, "Local date"),
		14: digits(4, "Expiry date"),
		15: digits(4, "Settlement date"),
		22: field.NewString(&field.Spec{
			Length: 3, Description: "Entry mode", Enc: encoding.LBCD, Pref: prefix.BCD.Fixed}),
		23: digits(3, "Card sequence number"),
		25: digits(2, "Point of service condition"),
		26: digits(2, "Longest PIN accepted"),
		32: digitsLL(11, "Acquirer"),
		35: track(37, "Track 2", prefix.BCD.LL),
		36: track(104, "Track 3", prefix.BCD.LLL),
		37: ascii(12, "Retrieval reference number"),
		38: ascii(6, "Authorization code"),
		39: ascii(2, "Response code"),
		41: named(8, "Terminal"),
		42: named(15, "Merchant"),
		43: field.NewBinary(&field.Spec{
			Length: 40, Description: "Merchant name", Enc: encoding.Binary, Pref: prefix.BCD.Fixed, Pad: padding.Right(' ')}),
		44: bytesOf(25, "Issuer and acquirer codes", prefix.BCD.LL),
		46: bytesOf(999, "Device data", prefix.BCD.LLL),
		47: bytesOf(999, "Marketing data", prefix.BCD.LLL),
		48: digitsLLL(322, "Settlement totals, batch upload"),
		49: ascii(3, "Currency"),
		52: fixedBytes(8, "PIN block"),
		53: digits(16, "Security control"),
		54: field.NewString(&field.Spec{
			Length: 20, Description: "Balance", Enc: encoding.ASCII, Pref: prefix.BCD.LLL}),
		55: bytesOf(255, "Chip data", prefix.BCD.LLL),
		56: bytesOf(999, "Text", prefix.BCD.LLL),
		57: bytesOf(999, "Additional transaction data", prefix.BCD.LLL),
		58: bytesOf(100, "Electronic purse data", prefix.BCD.LLL),
		59: bytesOf(999, "User data", prefix.BCD.LLL),
		60: digitsLLL(17, "Message type code, batch, network code"),
		61: digitsLLL(29, "Original transaction"),
		62: bytesOf(999, "Keys, parameters", prefix.BCD.LLL),
		63: bytesOf(163, "Operator, card organization, texts", prefix.BCD.LLL),
		64: fixedBytes(8, "MAC"),
	}}
}

// digits is a fixed number: filled on the left when odd.
func digits(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.BCD, Pref: prefix.BCD.Fixed})
}

// digitsLL and digitsLLL are variable numbers: filled on the right when odd.
func digitsLL(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.LBCD, Pref: prefix.BCD.LL})
}

func digitsLLL(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.LBCD, Pref: prefix.BCD.LLL})
}

func track(n int, what string, length prefix.Prefixer) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: part.TrackNibbles{}, Pref: length})
}

func ascii(n int, what string) field.Field {
	return field.NewString(&field.Spec{Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})
}

// named is an identification, filled with spaces on the right.
func named(n int, what string) field.Field {
	return field.NewString(&field.Spec{
		Length: n, Description: what, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: padding.Right(' ')})
}

// bytesOf is text in the host's own character set (often GBK), or binary.
func bytesOf(n int, what string, length prefix.Prefixer) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: length})
}

func fixedBytes(n int, what string) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
}
