// SPDX-License-Identifier: Apache-2.0

package iso87bin

import (
	moov "github.com/moov-io/iso8583"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/part"
)

// Name is the dialect's name in configuration and records.
const Name = "iso87bin"

// New compiles the dialect.
func New() *iso8583.Layout {
	l, err := iso8583.Compile(Spec(), Marks())
	if err != nil {
		assert.Fail("dialect %s does not compile: %v", Name, err)
	}
	return l
}

// Marks say what the fields mean to those who print, store or route them.
func Marks() iso8583.Marks { return part.Marks87() }

// Spec is the dialect as moov-io/iso8583 writes one.
func Spec() *moov.MessageSpec {
	style := part.Packed()
	fields := part.ISO87(style)
	fields[0], fields[1] = style.MTI(), part.Bitmap(false, true)
	return &moov.MessageSpec{Name: Name, Fields: fields}
}
