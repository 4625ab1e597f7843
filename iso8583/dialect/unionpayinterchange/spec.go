// SPDX-License-Identifier: Apache-2.0

package unionpayinterchange

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
const Name = "unionpayinterchange"

// New compiles the dialect.
func New() *iso8583.Layout {
	l, err := iso8583.Compile(Spec(), Marks())
	if err != nil {
		assert.Fail("dialect %s does not compile: %v", Name, err)
	}
	return l
}

// Marks say what the fields mean to those who print, store or route them.
func Marks() iso8583.Marks { return part.Only(part.Marks87(), Spec().Fields) }

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	style := part.Characters()
	all := part.ISO87(style)
	fields := map[int]field.Field{0: style.MTI(), 1: part.Bitmap(false, true)}
	for _, n := range []int{2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 22, 23, 25, 26, 28, 32, 33, 35, 36, 37, 38, 39, 41, 42, 44, 45,
		49, 50, 51, 52, 53, 56, 57, 58, 59, 60, 61, 62, 63, 66, 70, 74, 75, 76, 77, 82, 84, 86, 87, 88, 89, 90, 96, 97, 99, 100, 102, 103, 121, 122, 123} {
		fields[n] = all[n]
	}
	fields[43] = bytesOf(40, "Merchant name and place", prefix.ASCII.Fixed, padding.Right(' ')) // often GBK
	fields[48] = style.TV(3, 512, "Additional data, private")
	fields[54] = style.TV(3, 40, "Balances")
	fields[57] = bytesOf(100, "Issuer and acquirer data", prefix.ASCII.LLL, nil)
	fields[58] = bytesOf(100, "Electronic purse data", prefix.ASCII.LLL, nil)
	fields[59] = bytesOf(999, "Detail data", prefix.ASCII.LLL, nil)
	fields[60] = style.TV(3, 100, "Reason, service, transaction information")
	fields[61] = bytesOf(200, "Cardholder identification", prefix.ASCII.LLL, nil)
	fields[62] = bytesOf(200, "Switching centre data", prefix.ASCII.LLL, nil)
	fields[63] = bytesOf(512, "Financial network data", prefix.ASCII.LLL, nil)
	fields[104] = bytesOf(100, "Transaction description", prefix.ASCII.LLL, nil)
	fields[121] = bytesOf(100, "Centre's own data", prefix.ASCII.LLL, nil)
	fields[122] = bytesOf(100, "Acquirer's own data", prefix.ASCII.LLL, nil)
	fields[123] = bytesOf(100, "Issuer's own data", prefix.ASCII.LLL, nil)
	fields[128] = bytesOf(8, "Message authentication code, hexadecimal", prefix.Binary.Fixed, nil)
	fields[55] = bytesOf(255, "Chip data", prefix.ASCII.LLL, nil)
	return &moov.MessageSpec{Name: Name, Fields: fields}
}

// bytesOf is text in the members' own character set, or binary.
func bytesOf(n int, what string, length prefix.Prefixer, pad padding.Padder) field.Field {
	return field.NewBinary(&field.Spec{Length: n, Description: what, Enc: encoding.Binary, Pref: length, Pad: pad})
}
