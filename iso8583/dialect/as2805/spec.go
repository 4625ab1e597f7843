// SPDX-License-Identifier: Apache-2.0

package as2805

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
const Name = "as2805"

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
	m := part.Only(part.Marks87(), Spec().Fields)
	m[48] = iso8583.MarkKey // session keys, in a key change
	delete(m, 57)           // the cash amount
	return m
}

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	s := part.Packed()
	s.NumberV = part.FilledDigits{}
	fields := part.ISO87(s)
	fields[0], fields[1] = s.MTI(), part.Bitmap(false, true)
	for n, what := range map[int]string{22: "Point of service entry mode", 23: "Card sequence number", 70: "Network management information code"} {
		fields[n] = s.N(4, what)
	}
	for n, what := range map[int]string{47: "Additional data, national", 48: "Additional data, private; session keys"} {
		fields[n] = field.NewBinary(&field.Spec{Length: 999, Description: what, Enc: encoding.Binary, Pref: prefix.ASCII.LLL})
	}
	fields[57], fields[58] = s.N(12, "Amount, cash"), s.N(12, "Ledger balance")
	return &moov.MessageSpec{Name: Name, Fields: fields}
}
