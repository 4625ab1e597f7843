// SPDX-License-Identifier: Apache-2.0

package emv

// Issuer application data by scheme: where key index, cryptogram version and
// card verification results stand, and the bits of the latter.

// shape is one layout of a value whose format depends on scheme and content.
type shape struct {
	kernels Kernels
	lengths []int // none: any from the table's needs
	fixed   []fixedBits
	table   *Table
}

// fixedBits must be in the value for the shape to fit.
type fixedBits struct {
	at       int // from 1
	mask, is byte
}

func (s *shape) fits(p []byte, kernel Kernel) bool {
	return (s.kernels == all || s.kernels.Holds(kernel)) && s.hasForm(p)
}

// hasForm says whether length and fixed bits are those of the shape.
func (s *shape) hasForm(p []byte) bool {
	ok := len(s.lengths) == 0
	for _, n := range s.lengths {
		ok = ok || n == len(p)
	}
	for _, f := range s.fixed {
		ok = ok && f.at <= len(p) && p[f.at-1]&f.mask == f.is
	}
	return ok
}

// iadShapes, first fit first. CCD is told by its fixed bytes alone.
var iadShapes = [...]shape{
	{all, []int{32}, []fixedBits{{1, 0xFF, 0x0F}, {2, 0xFF, 0xA5}, {17, 0xFF, 0x0F}}, &iadCommonCore},
	{all, []int{32}, []fixedBits{{1, 0xFF, 0x0F}, {2, 0xFF, 0xA6}, {17, 0xFF, 0x0F}}, &iadCommonCore},
	{k3, nil, []fixedBits{{1, 0xFF, 0x06}, {3, 0xF0, 0x00}, {4, 0xFF, 0x03}, {7, 0, 0}}, &iadVisa},
	{k3, nil, []fixedBits{{1, 0xFF, 0x06}, {3, 0xF0, 0x10}, {4, 0xFF, 0x03}, {7, 0, 0}}, &iadVisa},
	{k3, nil, []fixedBits{{1, 0xFF, 0x06}, {3, 0xF0, 0x30}, {4, 0xFF, 0x03}, {7, 0, 0}}, &iadVisa},
	{k3, []int{32}, []fixedBits{{1, 0xFF, 0x1F}, {2, 0xF0, 0x20}}, &iadVisaLong},
	{k3, []int{32}, []fixedBits{{1, 0xFF, 0x1F}, {2, 0xF0, 0x40}}, &iadVisaLong},
	{k2, []int{18, 20, 26, 28}, []fixedBits{{2, 0xFA, 0x10}}, &iadMChip},
	{k7, nil, []fixedBits{{1, 0xFF, 0x07}, {4, 0xFF, 0x03}, {8, 0, 0}}, &iadUnionPay},
	{k5, nil, []fixedBits{{1, 0xFF, 0x07}, {4, 0xFF, 0x04}, {8, 0, 0}}, &iadJCB},
	{k4, nil, []fixedBits{{1, 0xFF, 0x06}, {4, 0xFF, 0x03}, {7, 0, 0}}, &iadAmex},
}

// firstSecond is the byte of a CVR that says what the card answered.
func firstSecond(at int) []Row {
	rows := choice(at, 0xC0, value{0x00, "second GENERATE AC: AAC"}, value{0x40, "second GENERATE AC: TC"},
		value{0x80, "second GENERATE AC not requested"}, value{0xC0, "reserved for future use"})
	return append(rows, choice(at, 0x30, value{0x00, "first cryptogram: AAC"}, value{0x10, "first cryptogram: TC"},
		value{0x20, "first cryptogram: ARQC"}, value{0x30, "reserved for future use"})...)
}

var cvrCommonCore = table("CVR (common core)", firstSecond(1),
	bit(1, 0x08, "CDA performed"), bit(1, 0x04, "offline DDA performed"), bit(1, 0x02, "issuer authentication not performed"),
	bit(1, 0x01, "issuer authentication failed"),
	number(2, 0xF0, "PIN try counter, low nibble"), bit(2, 0x08, "offline PIN checked"), bit(2, 0x04, "offline PIN check failed"),
	bit(2, 0x02, "PIN try limit exceeded"), bit(2, 0x01, "last online transaction not completed"),
	flags(3, "lower offline count limit exceeded", "upper offline count limit exceeded", "lower cumulative offline amount limit exceeded",
		"upper cumulative offline amount limit exceeded", "issuer's bit 1", "issuer's bit 2", "issuer's bit 3", "issuer's bit 4"),
	number(4, 0xF0, "script commands successful"), bit(4, 0x08, "script processing failed"),
	bit(4, 0x04, "offline data authentication failed in the previous transaction"), bit(4, 0x02, "go online next time was set"),
	bit(4, 0x01, "unable to go online"), reserved(5, 0xFF))

var iadCommonCore = table("issuer application data, common core definitions",
	number(1, 0xFF, "length of the issuer's part 1"), choice(2, 0xF0, value{0xA0, "common core format 4.1"}),
	choice(2, 0x0F, value{0x05, "cryptogram by triple DES"}, value{0x06, "cryptogram by AES"}),
	span(3, 3, "derivation key index"), from(4, cvrCommonCore.Rows), span(9, 16, "counters"),
	number(17, 0xFF, "length of the issuer's part 2"), span(18, 32, "issuer discretionary data"))

// vsdcLast are the two bytes of counters and history that VSDC and PBOC share.
func vsdcLast(at int, unsure string) []Row {
	u := func(text string) string { return unsure + text }
	rows := flags(at, u("last online transaction not completed"), u("PIN try limit exceeded"), u("velocity counters exceeded"), u("new card"),
		u("issuer authentication failed in the last online transaction"), u("issuer authentication not performed after online authorisation"),
		u("application blocked because the PIN try limit was exceeded"), u("static data authentication failed in the last offline transaction"))
	rows = append(rows, number(at+1, 0xF0, u("script commands processed"))...)
	rows = append(rows, bit(at+1, 0x08, u("script processing failed"))...)
	rows = append(rows, bit(at+1, 0x04, u("dynamic data authentication failed in the last offline transaction"))...)
	return append(rows, bit(at+1, 0x02, u("offline dynamic data authentication performed"))...)
}

var cvrVisa = table("CVR (Visa, formats 0, 1 and 3)", firstSecond(1),
	bit(1, 0x08, "issuer authentication failed"), bit(1, 0x04, "offline PIN checked"), bit(1, 0x02, "offline PIN check failed"),
	bit(1, 0x01, "unable to go online"), vsdcLast(2, ""), bit(3, 0x01, "PIN command not received although the card expects a PIN"))

var iadVisa = table("issuer application data, Visa format 0, 1 or 3",
	number(1, 0xFF, "length of what follows"), span(2, 2, "derivation key index"),
	between(3, 0xFF, 0x00, 0x09, "format 0, cryptogram version"), choice(3, 0xFF, value{0x0A, "format 0, cryptogram version 10"}),
	between(3, 0xFF, 0x0B, 0x0F, "format 0, cryptogram version"), choice(3, 0xFF, value{0x10, "format 1, cryptogram version 16"}),
	choice(3, 0xFF, value{0x11, "format 1, cryptogram version 17"}, value{0x12, "format 1, cryptogram version 18"}),
	between(3, 0xFF, 0x13, 0x1F, "format 1, cryptogram version"), between(3, 0xFF, 0x30, 0x3F, "format 3, cryptogram version"),
	number(4, 0xFF, "length of the CVR"), from(5, cvrVisa.Rows), rest(8, "issuer discretionary data, with its length"))

var cvrVisaLong = table("CVR (Visa, formats 2 and 4)",
	choice(1, 0xF0, value{0x00, "no consumer device CVM"}, value{0x10, "CVM by the Visa mobile application"}, value{0x20, "? CVM by MG"},
		value{0x30, "CVM by an application in the secure element"}, value{0x40, "CVM by an application in the trusted environment"},
		value{0x50, "CVM by the mobile application"}, value{0x60, "CVM by the terminal"}, value{0x70, "CVM in the cloud"}, value{0x80, "CVM by the device's operating system"}),
	choice(1, 0x0F, value{0x00, "no CVM"}, value{0x01, "passcode"}, value{0x02, "finger"}, value{0x03, "pattern"}, value{0x04, "face"}, value{0x05, "iris"},
		value{0x06, "voice"}, value{0x07, "palm"}, value{0x0D, "signature"}, value{0x0E, "online PIN"}),
	firstSecond(2),
	bit(2, 0x08, "issuer authentication failed"), bit(2, 0x04, "consumer device CVM performed"), reserved(2, 0x02), bit(2, 0x01, "unable to go online"),
	vsdcLast(3, ""), bit(4, 0x01, "PIN command not received although the card expects a PIN"),
	flags(5, "device not in debug mode", "device not rooted", "mobile application not hooked", "mobile application intact", "device has connectivity",
		"device genuine", "consumer device CVM performed", "secure messaging with EMV session keys"))

var iadVisaLong = table("issuer application data, Visa format 2 or 4",
	number(1, 0xFF, "length of what follows"), between(2, 0xFF, 0x20, 0x21, "format 2, cryptogram version"),
	choice(2, 0xFF, value{0x22, "format 2, cryptogram version 22"}), between(2, 0xFF, 0x23, 0x2F, "format 2, cryptogram version"),
	between(2, 0xFF, 0x40, 0x4F, "format 4, cryptogram version"), span(3, 3, "derivation key index"),
	from(4, cvrVisaLong.Rows), reserved(9, 0xF0), number(9, 0x0F, "option of the issuer discretionary data"), rest(10, "issuer discretionary data"))

var cvrMChip = table("CVR (M/Chip)", firstSecond(1),
	bit(1, 0x08, "date check failed"), bit(1, 0x04, "offline PIN checked"), bit(1, 0x02, "offline enciphered PIN checked"), bit(1, 0x01, "offline PIN check successful"),
	bit(2, 0x80, "DDA returned"), bit(2, 0x40, "CDA returned in the first GENERATE AC"), bit(2, 0x20, "CDA returned in the second GENERATE AC"),
	bit(2, 0x10, "issuer authentication performed"), bit(2, 0x08, "default action codes skipped on a cardholder activated terminal"),
	bit(2, 0x04, "offline PIN change successful"), number(2, 0x03, "issuer's bits"),
	number(3, 0xF0, "script counter, low nibble"), number(3, 0x0F, "PIN try counter, low nibble"),
	flags(4, "last online transaction not completed", "unable to go online", "offline PIN not checked", "offline PIN check failed", "PIN try limit exceeded",
		"international transaction", "domestic transaction", "terminal wrongly takes the offline PIN as good"),
	flags(5, "lower consecutive limit or counter 1 exceeded", "upper consecutive limit or counter 1 exceeded", "lower cumulative limit or accumulator 1 exceeded",
		"upper cumulative limit or accumulator 1 exceeded", "go online next time was set", "issuer authentication failed", "script received", "script failed"),
	flags(6, "lower counter 2 limit exceeded", "upper counter 2 limit exceeded", "lower accumulator 2 limit exceeded", "upper accumulator 2 limit exceeded",
		"amount limit of one transaction exceeded", "limit of days offline exceeded", "match in the additional check table", "no match in the additional check table"))

var iadMChip = table("issuer application data, M/Chip 4 and Advance",
	span(1, 1, "derivation key index"), choice(2, 0xF0, value{0x10, "M/Chip cryptogram version"}), reserved(2, 0x08),
	choice(2, 0x06, value{0x00, "session key by Mastercard's own derivation"}, value{0x04, "session key by EMV common derivation"}),
	bit(2, 0x01, "counters included in the cryptogram"),
	from(3, cvrMChip.Rows), span(9, 10, "data authentication code or ICC dynamic number"), rest(11, "counters, plain or enciphered"))

var cvrUnionPay = table("CVR (UnionPay)",
	choice(1, 0xC0, value{0x00, "? second GENERATE AC: AAC"}, value{0x40, "? second GENERATE AC: TC"}, value{0x80, "? second GENERATE AC not requested"},
		value{0xC0, "reserved for future use"}),
	choice(1, 0x30, value{0x00, "first cryptogram: AAC"}, value{0x10, "first cryptogram: TC"}, value{0x20, "first cryptogram: ARQC"},
		value{0x30, "reserved for future use"}),
	bit(1, 0x08, "? issuer authentication failed"), bit(1, 0x04, "? offline PIN checked"), bit(1, 0x02, "? offline PIN check failed"),
	bit(1, 0x01, "? unable to go online"), vsdcLast(2, "? "), reserved(3, 0x01))

var iadUnionPay = table("issuer application data, UnionPay",
	number(1, 0xFF, "length of what follows"), span(2, 2, "derivation key index"), span(3, 3, "cryptogram version"),
	number(4, 0xFF, "length of the CVR"), from(5, cvrUnionPay.Rows),
	choice(8, 0xFF, value{0x01, "algorithm: triple DES"}, value{0x04, "algorithm: SM4"}),
	rest(9, "issuer discretionary data: length, identifier (01 electronic cash balance), 5 bytes of balance, 4 of MAC"))

var iadJCB = table("issuer application data, JCB",
	number(1, 0xFF, "length of what follows"), span(2, 2, "? derivation key index"), span(3, 3, "? cryptogram version"),
	number(4, 0xFF, "? length of the CVR"), span(5, 8, "? CVR (its bits are not explained here)"), rest(9, "issuer discretionary data"))

var iadAmex = table("issuer application data, American Express",
	number(1, 0xFF, "length of what follows"), span(2, 2, "? derivation key index"), span(3, 3, "? cryptogram version"),
	number(4, 0xFF, "? length of the CVR"), span(5, 7, "? CVR (its bits are not explained here)"), rest(8, "issuer discretionary data"))

// Issuer authentication data.
var csu = table("card status update",
	bit(1, 0x80, "proprietary authentication data included"), reserved(1, 0x70), number(1, 0x0F, "PIN try counter"),
	bit(2, 0x80, "issuer approves the online transaction"), bit(2, 0x40, "block the card"), bit(2, 0x20, "block the application"),
	bit(2, 0x10, "update the PIN try counter"), bit(2, 0x08, "go online next time"), bit(2, 0x04, "made by a proxy for the issuer"),
	choice(2, 0x03, value{0x00, "leave the offline counters"}, value{0x01, "set the offline counters to their upper limits"},
		value{0x02, "reset the offline counters"}, value{0x03, "add the transaction to the offline counters"}),
	reserved(3, 0xFF), number(4, 0xFF, "issuer's bits"))

var (
	arpcMethod1    = table("issuer authentication data, method 1", span(1, 8, "ARPC"), span(9, 10, "authorisation response code (ASCII)"))
	arpcMastercard = table("issuer authentication data, Mastercard", span(1, 8, "ARPC"), span(9, 10, "ARPC response code"))
	arpcMethod2    = table("issuer authentication data, method 2", span(1, 4, "ARPC"), from(5, csu.Rows), rest(9, "proprietary authentication data"))
	arpcAlone      = table("issuer authentication data, method 1", span(1, 8, "ARPC"), rest(9, "issuer's data"))
)

// authDataShapes are those that scheme and length settle; see authData.
var authDataShapes = [...]shape{
	{k2, []int{10}, nil, &arpcMastercard},
	{k3 | k4 | k5 | k6 | k7, []int{10}, nil, &arpcMethod1},
}

// csuReserved are the bits of a card status update that are always clear.
var csuReserved = [4]byte{0x70, 0, 0xFF, 0}

// authData explains tag 91 (EMV Book 2, 8.2): method 1 is an ARPC of eight bytes
// and data of the issuer's, mostly the response code; method 2 an ARPC of four,
// a card status update and proprietary data. Where scheme and length do not
// settle which it is, both readings are given: method 2 only when the reserved
// bits of its card status update are clear, and then first, because an ARPC of
// eight bytes has them clear once in two thousand.
func authData(p []byte, kernel Kernel, everything bool) []Line {
	for i := range authDataShapes {
		if s := &authDataShapes[i]; s.fits(p, kernel) {
			return append(note(s.table.Name), s.table.lines(p, everything)...)
		}
	}
	one := &arpcAlone
	if len(p) == 10 {
		one = &arpcMethod1
	}
	clear := true
	for i, mask := range csuReserved {
		clear = clear && p[4+i]&mask == 0
	}
	if !clear {
		return append(note(one.Name+": the card status update of method 2 would have reserved bits set"), one.lines(p, everything)...)
	}
	out := append(note(arpcMethod2.Name+", or method 1"), as("method 2: ", arpcMethod2.lines(p, everything))...)
	return append(out, as("method 1: ", one.lines(p, everything))...)
}

// as marks lines as one of several readings.
func as(reading string, lines []Line) []Line {
	for i := range lines {
		lines[i].Text = reading + lines[i].Text
		lines[i].Unconfirmed = true
	}
	return lines
}
