// SPDX-License-Identifier: Apache-2.0

package jcb

import (
	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

// Name is the dialect's name in configuration and records.
const Name = "jcb"

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

// style: numbers of three digits that the network carries in two bytes are
// written as four.
func style() part.Style {
	return part.Style{
		Number: encoding.BCD, NumberV: encoding.LBCD, Text: encoding.EBCDIC, Track: part.TrackNibbles{},
		Length: part.OneByte(), Bytes: part.OneByte(),
	}
}

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	s := style()
	fields := part.ISO87(s)
	fields[0] = field.NewString(&field.Spec{Length: 4, Description: "Message type", Enc: encoding.EBCDIC, Pref: prefix.EBCDIC.Fixed})
	fields[1] = part.Bitmap(false, true)
	for n, what := range map[int]string{22: "Point of service entry mode", 23: "Card sequence number", 70: "Network management information code"} {
		fields[n] = s.N(4, what)
	}
	for _, n := range []int{48, 60, 61, 62, 63} {
		fields[n] = s.BV(1, 255, "Private use, with subfields")
	}
	fields[55] = field.NewBinary(&field.Spec{Length: 255, Description: "Chip data", Enc: encoding.Binary, Pref: prefix.Binary.LL})
	return &moov.MessageSpec{Name: Name, Fields: fields}
}
