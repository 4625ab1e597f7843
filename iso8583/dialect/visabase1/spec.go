// SPDX-License-Identifier: Apache-2.0

package visabase1

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
const Name = "visabase1"

// Profile is what differs between endpoints of the style.
type Profile struct {
	EBCDICType bool // the message type in EBCDIC characters, not BCD
}

// New compiles the dialect with the message type in BCD.
func New() *iso8583.Layout { return Profile{}.New() }

// Spec is the dialect as moov-io/iso8583 writes one, the message type in BCD.
func Spec() *moov.MessageSpec { return Profile{}.Spec() }

// Marks say what the fields mean to those who print, store or route them.
func Marks() iso8583.Marks {
	m := part.Only(part.Marks87(), Spec().Fields)
	m[126] = iso8583.MarkSensitive // card verification value, request data
	return m
}

// New compiles the dialect with a profile.
func (p Profile) New() *iso8583.Layout {
	l, err := iso8583.Compile(p.Spec(), Marks())
	if err != nil {
		assert.Fail("dialect %s does not compile: %v", Name, err)
	}
	return l
}

// style: an odd count of digits is filled on the left, also in variable numbers
// and tracks.
func style() part.Style {
	return part.Style{
		Number: encoding.BCD, NumberV: encoding.BCD, Text: encoding.EBCDIC, Track: part.TrackNibblesLeft{},
		Length: part.OneByte(), Bytes: part.OneByte(),
	}
}

// Spec is the dialect with a profile as moov-io/iso8583 writes one.
func (p Profile) Spec() *moov.MessageSpec {
	s := style()
	fields := part.ISO87(s)
	fields[0], fields[1] = s.MTI(), part.Bitmap(false, true)
	if p.EBCDICType {
		fields[0] = field.NewString(&field.Spec{Length: 4, Description: "Message type", Enc: encoding.EBCDIC, Pref: prefix.EBCDIC.Fixed})
	}
	fields[22] = s.N(4, "Point of service entry mode")
	for n, what := range map[int]string{49: "Currency, transaction", 50: "Currency, settlement", 51: "Currency, cardholder billing"} {
		fields[n] = s.N(3, what)
	}
	for n, what := range map[int]string{48: "Additional data, private", 60: "Additional point of service data", 104: "Transaction description, TLV", 118: "National data", 124: "Text"} {
		fields[n] = s.BV(1, 255, what)
	}
	fields[61] = s.NV(1, 36, "Other amounts")
	fields[62] = bits(8, "Payment service fields", map[string]field.Field{
		"1": s.T(1, "Authorization characteristics"), "2": s.N(15, "Transaction identifier"), "3": s.T(4, "Validation code")})
	fields[63] = bits(3, "Network fields", map[string]field.Field{
		"1": s.N(4, "Network identifier"), "2": s.N(4, "Preauthorization time limit"), "3": s.N(4, "Message reason code")})
	fields[126] = bits(8, "Private fields", map[string]field.Field{
		"8": s.B(20, "Transaction identifier, internet"), "9": s.B(20, "Authentication value"), "10": s.T(6, "Card verification value, request data")})
	return &moov.MessageSpec{Name: Name, Fields: fields}
}

// bits is a field with a bitmap of its own; subfields that no public source
// describes are left out, and refused when their bit is set.
func bits(size int, what string, subs map[string]field.Field) field.Field {
	return field.NewComposite(&field.Spec{
		Length: 255, Description: what, Pref: prefix.Binary.L,
		Bitmap:    field.NewBitmap(&field.Spec{Length: size, Description: "Bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true}),
		Subfields: subs,
	})
}
