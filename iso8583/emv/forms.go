// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"encoding/binary"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/iso8583/bertlv"
)

// form is a kind of value that is a list, a text or a number, not bits.
type form uint8

// The forms; 0 is bits.
const (
	formText form = iota + 1
	formDate
	formTime
	formAmount
	formBinary
	formCurrency
	formCountry
	formAID
	formDOL
	formTagList
	formAFL
	formARC
	formScript
	formCVMList
	formIAD
	formAuthData
)

// The forms the dictionary names.
var (
	textForm     = Table{Name: "text", form: formText}
	dateForm     = Table{Name: "date", form: formDate}
	timeForm     = Table{Name: "time", form: formTime}
	amountForm   = Table{Name: "amount", form: formAmount}
	binaryForm   = Table{Name: "binary number", form: formBinary}
	currencyForm = Table{Name: "currency", form: formCurrency}
	countryForm  = Table{Name: "country", form: formCountry}
	aidForm      = Table{Name: "application identifier", form: formAID}
	dolForm      = Table{Name: "data object list", form: formDOL}
	tagListForm  = Table{Name: "tag list", form: formTagList}
	aflForm      = Table{Name: "file locator", form: formAFL}
	arcForm      = Table{Name: "response code", form: formARC}
	scriptForm   = Table{Name: "script command", form: formScript}
	cvmListForm  = Table{Name: "CVM list", form: formCVMList}
	iadForm      = Table{Name: "issuer application data", form: formIAD}
	authDataForm = Table{Name: "issuer authentication data", form: formAuthData}
)

// explain reads a value of that form.
func (f form) explain(p []byte, kernel Kernel, everything bool) []Line {
	switch f {
	case formText:
		return text(p)
	case formDate:
		return date(p)
	case formTime:
		return clock(p)
	case formAmount:
		return amount(p)
	case formBinary:
		return bigEndian(p)
	case formCurrency:
		return currency(p)
	case formCountry:
		return country(p)
	case formAID:
		return aid(p)
	case formDOL:
		return dol(p, kernel)
	case formTagList:
		return tagList(p, kernel)
	case formAFL:
		return afl(p)
	case formARC:
		return arc(p)
	case formScript:
		return script(p)
	case formCVMList:
		return cvmList(p, everything)
	case formIAD:
		return byShape(iadShapes[:], p, kernel, everything)
	case formAuthData:
		return authData(p, kernel, everything)
	}
	return nil
}

func note(text string) []Line { return []Line{{Text: text}} }

func unknown(text string) []Line { return []Line{{Text: text, Unknown: true}} }

// text shows printable characters; a dot stands for anything else.
func text(p []byte) []Line {
	out := make([]byte, len(p))
	for i, c := range p {
		if out[i] = c; c < ' ' || c > '~' {
			out[i] = '.'
		}
	}
	return note(strconv.Quote(string(out)))
}

// digits gives a packed number, false when a nibble is no digit.
func digits(p []byte) (string, bool) {
	out := make([]byte, 0, 2*len(p))
	for _, c := range p {
		if c>>4 > 9 || c&15 > 9 {
			return "", false
		}
		out = append(out, '0'+c>>4, '0'+c&15)
	}
	return string(out), true
}

func pair(c byte) int { return int(c>>4)*10 + int(c&15) }

func date(p []byte) []Line {
	d, ok := digits(p)
	if !ok || len(p) != 3 || pair(p[1]) < 1 || pair(p[1]) > 12 || pair(p[2]) < 1 || pair(p[2]) > 31 {
		return unknown("not a date (YYMMDD)")
	}
	return note("20" + d[:2] + "-" + d[2:4] + "-" + d[4:])
}

func clock(p []byte) []Line {
	d, ok := digits(p)
	if !ok || len(p) != 3 || pair(p[0]) > 23 || pair(p[1]) > 59 || pair(p[2]) > 59 {
		return unknown("not a time (hhmmss)")
	}
	return note(d[:2] + ":" + d[2:4] + ":" + d[4:])
}

// amount is minor units: the number of decimals depends on a currency that
// stands elsewhere.
func amount(p []byte) []Line {
	d, ok := digits(p)
	if !ok {
		return unknown("not a number (n 12)")
	}
	minor, err := strconv.ParseInt(d, 10, 64)
	if err != nil {
		return unknown("not a number (n 12)")
	}
	return note(strconv.FormatInt(minor, 10) + " minor units")
}

func bigEndian(p []byte) []Line {
	if len(p) == 0 || len(p) > 8 {
		return nil
	}
	var wide [8]byte
	copy(wide[8-len(p):], p)
	return note(strconv.FormatUint(binary.BigEndian.Uint64(wide[:]), 10))
}

// threeDigits reads a code of n 3 in two bytes.
func threeDigits(p []byte) (string, bool) {
	d, ok := digits(p)
	if !ok || len(d) != 4 || d[0] != '0' {
		return "", false
	}
	return d[1:], true
}

func currency(p []byte) []Line {
	d, ok := threeDigits(p)
	if !ok {
		return unknown("not a currency code (n 3)")
	}
	number, err := strconv.ParseUint(d, 10, 16)
	if err != nil {
		return unknown("not a currency code (n 3)")
	}
	if code := money.Currency(number).Code(); code != d {
		return note("ISO 4217 " + d + ", " + code)
	}
	return note("ISO 4217 " + d)
}

func country(p []byte) []Line {
	d, ok := threeDigits(p)
	if !ok {
		return unknown("not a country code (n 3)")
	}
	return note("ISO 3166 " + d)
}

func aid(p []byte) []Line {
	if string(p) == "2PAY.SYS.DDF01" {
		return note("proximity payment system environment")
	}
	if string(p) == "1PAY.SYS.DDF01" {
		return note("payment system environment (contact)")
	}
	s, ok := SchemeOf(p)
	if !ok {
		return unknown("unknown scheme")
	}
	return []Line{{Text: s.String(), Unconfirmed: s.Unconfirmed}}
}

// dol explains a data object list: which values the card asks for, how long,
// and where each will stand in the command.
func dol(p []byte, kernel Kernel) []Line {
	var out []Line
	at := 0
	err := bertlv.WalkDOL(p, func(tag bertlv.Tag, n int) error {
		out = append(out, Line{Value: strconv.Itoa(n) + " bytes at " + strconv.Itoa(at), Text: tag.String() + " " + nameOf(tag, kernel)})
		at += n
		return nil
	})
	if err != nil {
		return append(out, Line{Text: "the list is broken: " + err.Error(), Unknown: true})
	}
	return append(out, Line{Value: strconv.Itoa(at) + " bytes", Text: "together"})
}

func tagList(p []byte, kernel Kernel) []Line {
	var out []Line
	for len(p) > 0 {
		tag, n, ok := bertlv.ReadTag(p)
		if !ok {
			return append(out, Line{Text: "the list is broken", Unknown: true})
		}
		out = append(out, Line{Text: tag.String() + " " + nameOf(tag, kernel)})
		p = p[n:]
	}
	return out
}

func afl(p []byte) []Line {
	if len(p)%4 != 0 {
		return unknown("not a file locator: its length is no multiple of 4")
	}
	var out []Line
	for i := 0; i+4 <= len(p); i += 4 {
		first, last, signed := int(p[i+1]), int(p[i+2]), int(p[i+3])
		l := Line{Byte: i + 1, Last: i + 4, Text: "file " + strconv.Itoa(int(p[i]>>3)) + ", records " + strconv.Itoa(first) + " to " + strconv.Itoa(last) +
			", " + strconv.Itoa(signed) + " of them signed"}
		if p[i]&7 != 0 || first == 0 || last < first || signed > last-first+1 {
			l.Text, l.Unknown = "not a valid entry", true
		}
		out = append(out, l)
	}
	return out
}

func cvmList(p []byte, everything bool) []Line {
	if len(p) < 8 || len(p)%2 != 0 {
		return unknown("not a CVM list: 8 bytes of amounts and 2 for each rule")
	}
	out := []Line{
		{Byte: 1, Last: 4, Text: "amount X in minor units", Value: strconv.FormatUint(uint64(binary.BigEndian.Uint32(p)), 10)},
		{Byte: 5, Last: 8, Text: "amount Y in minor units", Value: strconv.FormatUint(uint64(binary.BigEndian.Uint32(p[4:])), 10)},
	}
	for i := 8; i+2 <= len(p); i += 2 {
		for _, l := range cvmRule.lines(p[i:i+2], everything) {
			l.Byte += i
			out = append(out, l)
		}
	}
	return out
}

func byShape(shapes []shape, p []byte, kernel Kernel, everything bool) []Line {
	for i := range shapes {
		if s := &shapes[i]; s.fits(p, kernel) {
			return append(note(s.table.Name), s.table.lines(p, everything)...)
		}
	}
	if kernel != Unknown {
		return unknown("a format that is not known for " + kernel.String())
	}
	out := unknown("the format depends on the scheme, and neither kernel nor AID is known")
	seen := ""
	for i := range shapes {
		if s := &shapes[i]; s.kernels != all && s.hasForm(p) && s.table.Name != seen {
			seen = s.table.Name
			out = append(out, Line{Text: "it has the form of " + seen, Unconfirmed: true})
		}
	}
	return out
}

// nameOf gives a tag's name, or says that it has none or several.
func nameOf(tag bertlv.Tag, kernel Kernel) string {
	if e, ok := Lookup(tag, kernel); ok {
		return e.Name
	}
	if len(Meanings(tag)) > 0 {
		return "(depends on the kernel)"
	}
	return "(unknown)"
}
