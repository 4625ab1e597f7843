// SPDX-License-Identifier: Apache-2.0

// Package dialect is the catalogue of the dialects this module ships.
//
// Promise: every dialect says how far it can be trusted: production, or public
// facts only, for tests and simulation. Names never change.
//
// How: All is the list, made anew at each call; nothing registers itself.
// Dialects of one's own come from a file, by iso8583/dialect/load.
//
// Imported by: switch/config, switch/node, cmd. Imports: iso8583 and the
// dialects.
package dialect

import (
	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/as2805"
	"tapswitch/iso8583/dialect/iso2003bin"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/iso87bin"
	"tapswitch/iso8583/dialect/iso93ascii"
	"tapswitch/iso8583/dialect/iso93bin"
	"tapswitch/iso8583/dialect/jcb"
	"tapswitch/iso8583/dialect/mastercardcis"
	"tapswitch/iso8583/dialect/unionpayinterchange"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/dialect/visabase1"
	"tapswitch/iso8583/frame"
)

// Standing is how far a dialect can be trusted.
type Standing uint8

// The standings.
const (
	Production  Standing = iota + 1 // for live traffic, once a peer's profile is settled
	PublicFacts                     // put together from public facts only: for tests and simulation
	Own                             // from a specification file that somebody brought
)

// String gives what the tools print.
func (s Standing) String() string {
	switch s {
	case Production:
		return "production"
	case PublicFacts:
		return "public facts only, for tests and simulation"
	case Own:
		return "your own specification"
	}
	return "unknown"
}

// Entry is one dialect of the catalogue.
type Entry struct {
	Name     string
	Title    string // one line for people
	Standing Standing
	Spec     func() *moov.MessageSpec
	Marks    func() iso8583.Marks
	New      func() *iso8583.Layout
	Format   frame.Format // how its messages usually travel
	Page     string       // its page in the documentation
}

// All is every dialect, in the order the tools list them.
func All() []Entry {
	two, pos, cups := frame.ISO87(), frame.UnionPayPOS(), unionpayinterchange.Format()
	return []Entry{
		{unionpaypos.Name, "UnionPay POS terminal to POS centre", Production, unionpaypos.Spec, unionpaypos.Marks, unionpaypos.New, pos, page(unionpaypos.Name)},
		{unionpayinterchange.Name, "UnionPay interchange, header of 46 bytes", Production, unionpayinterchange.Spec, unionpayinterchange.Marks, unionpayinterchange.New, cups, page(unionpayinterchange.Name)},
		{iso87ascii.Name, "ISO 8583:1987, ASCII", Production, iso87ascii.Spec, iso87ascii.Marks, iso87ascii.New, two, page(iso87ascii.Name)},
		{iso87bin.Name, "ISO 8583:1987, BCD and binary bitmap", Production, iso87bin.Spec, iso87bin.Marks, iso87bin.New, two, page(iso87bin.Name)},
		{iso93ascii.Name, "ISO 8583:1993, ASCII", Production, iso93ascii.Spec, iso93ascii.Marks, iso93ascii.New, two, page(iso93ascii.Name)},
		{iso93bin.Name, "ISO 8583:1993, BCD and binary bitmap", Production, iso93bin.Spec, iso93bin.Marks, iso93bin.New, two, page(iso93bin.Name)},
		{iso2003bin.Name, "ISO 8583:2003, BCD and binary bitmap", Production, iso2003bin.Spec, iso2003bin.Marks, iso2003bin.New, two, page(iso2003bin.Name)},
		{visabase1.Name, "Visa Base I style, header of 22 bytes, EBCDIC and BCD", PublicFacts, visabase1.Spec, visabase1.Marks, visabase1.New, visabase1.Format(), page(visabase1.Name)},
		{mastercardcis.Name, "Mastercard authorization style, EBCDIC", PublicFacts, mastercardcis.Spec, mastercardcis.Marks, mastercardcis.New, two, page(mastercardcis.Name)},
		{jcb.Name, "JCB style, EBCDIC and BCD", PublicFacts, jcb.Spec, jcb.Marks, jcb.New, two, page(jcb.Name)},
		{as2805.Name, "AS 2805.2 style, BCD", PublicFacts, as2805.Spec, as2805.Marks, as2805.New, two, page(as2805.Name)},
	}
}

// Find gives the dialect of that name.
func Find(name string) (Entry, bool) {
	for _, e := range All() {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Names are the names of all dialects.
func Names() (names []string) {
	for _, e := range All() {
		names = append(names, e.Name)
	}
	return names
}

func page(name string) string { return "docs/dialects/" + name + ".md" }
