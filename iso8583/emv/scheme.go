// SPDX-License-Identifier: Apache-2.0

package emv

import "bytes"

// Scheme is what an application identifier says about the card.
type Scheme struct {
	Prefix      string // of the AID, as bytes
	Name        string
	Product     string // "" when the prefix is the provider's alone
	Kernel      Kernel // default kernel of the provider; Unknown for most domestic schemes
	Unconfirmed bool
}

// String gives scheme and product: "UnionPay debit".
func (s Scheme) String() string {
	if s.Product == "" {
		return s.Name
	}
	return s.Name + " " + s.Product
}

// schemes are providers (5 bytes) and products; the longest prefix wins.
var schemes = [...]Scheme{
	{"\xA0\x00\x00\x00\x03", "Visa", "", Visa, false},
	{"\xA0\x00\x00\x00\x03\x10\x10", "Visa", "credit or debit", Visa, false},
	{"\xA0\x00\x00\x00\x03\x20\x10", "Visa", "Electron", Visa, false},
	{"\xA0\x00\x00\x00\x03\x20\x20", "Visa", "V PAY", Visa, false},
	{"\xA0\x00\x00\x00\x03\x80\x10", "Visa", "Plus", Visa, false},
	{"\xA0\x00\x00\x00\x98\x08\x40", "Visa", "US common debit", Visa, false},
	{"\xA0\x00\x00\x00\x04", "Mastercard", "", Mastercard, false},
	{"\xA0\x00\x00\x00\x04\x10\x10", "Mastercard", "credit or debit", Mastercard, false},
	{"\xA0\x00\x00\x00\x04\x22\x03", "Mastercard", "US common debit", Mastercard, false},
	{"\xA0\x00\x00\x00\x04\x30\x60", "Mastercard", "Maestro", Mastercard, false},
	{"\xA0\x00\x00\x00\x04\x60\x00", "Mastercard", "Cirrus", Mastercard, false},
	{"\xA0\x00\x00\x00\x05\x00\x01", "Mastercard", "Maestro UK", Mastercard, true},
	{"\xA0\x00\x00\x00\x25", "American Express", "", Amex, false},
	{"\xA0\x00\x00\x07\x90", "American Express", "China", Unknown, true},
	{"\xA0\x00\x00\x00\x42", "Cartes Bancaires", "", Unknown, false},
	{"\xA0\x00\x00\x00\x65", "JCB", "", JCB, false},
	{"\xA0\x00\x00\x01\x21", "Dankort", "", Unknown, true},
	{"\xA0\x00\x00\x01\x41", "PagoBancomat", "", Unknown, true},
	{"\xA0\x00\x00\x01\x52", "Discover", "", Discover, false},
	{"\xA0\x00\x00\x02\x28", "mada", "", Unknown, true},
	{"\xA0\x00\x00\x02\x77", "Interac", "", Unknown, true},
	{"\xA0\x00\x00\x03\x24", "Discover", "Zip", Discover, false},
	{"\xA0\x00\x00\x03\x33", "UnionPay", "", UnionPay, false},
	{"\xA0\x00\x00\x03\x33\x01\x01\x01", "UnionPay", "debit", UnionPay, false},
	{"\xA0\x00\x00\x03\x33\x01\x01\x02", "UnionPay", "credit", UnionPay, false},
	{"\xA0\x00\x00\x03\x33\x01\x01\x03", "UnionPay", "quasi-credit", UnionPay, false},
	{"\xA0\x00\x00\x03\x33\x01\x01\x06", "UnionPay", "electronic cash", UnionPay, false},
	{"\xA0\x00\x00\x03\x33\x01\x01\x08", "UnionPay", "US common debit", UnionPay, true},
	{"\xA0\x00\x00\x03\x37", "GIM-UEMOA", "", Unknown, true},
	{"\xA0\x00\x00\x03\x59", "girocard", "", Unknown, true},
	{"\xA0\x00\x00\x03\x71", "Verve", "", Unknown, true},
	{"\xA0\x00\x00\x03\x84", "eftpos Australia", "", Unknown, true},
	{"\xA0\x00\x00\x05\x24", "RuPay", "", Unknown, true},
	{"\xA0\x00\x00\x06\x58", "Mir", "", Unknown, true},
	{"\xA0\x00\x00\x07\x32", "Meeza", "", Unknown, true},
}

// SchemeOf finds the scheme of an application identifier by its longest known
// prefix.
func SchemeOf(aid []byte) (Scheme, bool) {
	best := -1
	for i := range schemes {
		if bytes.HasPrefix(aid, []byte(schemes[i].Prefix)) && (best < 0 || len(schemes[i].Prefix) > len(schemes[best].Prefix)) {
			best = i
		}
	}
	if best < 0 {
		return Scheme{}, false
	}
	return schemes[best], true
}

// KernelOfPAN takes the kernel from the first digits of a card number (ASCII): the
// issuer identification numbers that the schemes publish as their own (ISO/IEC
// 7812). Ranges that several schemes share, and co-badged cards, are told by an
// application identifier alone; those of 62 that Discover carries are UnionPay's.
func KernelOfPAN(pan []byte) Kernel {
	if len(pan) < shortest {
		return Unknown
	}
	first := 0
	for _, c := range pan[:leading] {
		if c < '0' || c > '9' {
			return Unknown
		}
		first = first*10 + int(c-'0')
	}
	for _, r := range panRanges {
		if r.from <= first && first <= r.to {
			return r.kernel
		}
	}
	return Unknown
}

// panRanges are first six digits. 60 and 65 are shared by Discover and RuPay, 81
// by UnionPay and RuPay, 353 and 356 by JCB and RuPay, 50 and 56 to 58 by Maestro
// and domestic schemes.
var panRanges = [...]struct {
	from, to int
	kernel   Kernel
}{
	{222100, 272099, Mastercard}, {340000, 349999, Amex}, {352800, 352999, JCB}, {354000, 355999, JCB}, {357000, 358999, JCB},
	{370000, 379999, Amex}, {400000, 499999, Visa}, {510000, 559999, Mastercard}, {601100, 601199, Discover}, {620000, 629999, UnionPay},
	{644000, 649999, Discover},
}
