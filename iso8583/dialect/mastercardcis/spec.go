// SPDX-License-Identifier: Apache-2.0

package mastercardcis

import (
	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

// Name is the dialect's name in configuration and records.
const Name = "mastercardcis"

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

// style is EBCDIC throughout. Digits are characters like others to it.
func style() part.Style {
	e := encoding.EBCDIC1047
	return part.Style{Number: e, NumberV: e, Text: e, Track: e, Length: prefix.EBCDIC1047, Bytes: prefix.EBCDIC1047}
}

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	s := style()
	fields := part.ISO87(s)
	fields[0], fields[1] = s.MTI(), part.Bitmap(false, true)
	fields[61] = s.TV(3, 26, "Point of service data")
	fields[63] = s.TV(3, 50, "Network data")
	fields[96] = s.B(8, "Message security code")
	fields[110] = s.TV(3, 999, "Additional data, keys")
	return &moov.MessageSpec{Name: Name, Fields: fields}
}
