// SPDX-License-Identifier: Apache-2.0

package translate

import "tapswitch/iso8583"

// codes93 are the response codes of 1987 and the action codes of 1993. Where
// several have one partner, the first line of a code counts in its direction.
func codes93() []pair {
	return []pair{
		{"00", "000"}, {"08", "001"}, {"10", "002"}, {"11", "003"},
		{"05", "100"}, {"54", "101"}, {"59", "102"}, {"60", "103"}, {"62", "104"}, {"66", "105"}, {"75", "106"}, {"01", "107"}, {"02", "108"},
		{"03", "109"}, {"13", "110"}, {"14", "111"}, {"39", "114"}, {"40", "115"}, {"51", "116"}, {"55", "117"}, {"56", "118"}, {"57", "119"},
		{"58", "120"}, {"61", "121"}, {"63", "122"}, {"65", "123"}, {"93", "124"}, {"99", "126"},
		{"04", "200"}, {"33", "201"}, {"34", "202"}, {"35", "203"}, {"36", "204"}, {"37", "205"}, {"38", "206"}, {"07", "207"}, {"41", "208"}, {"43", "209"},
		{"12", "902"}, {"19", "903"}, {"30", "904"}, {"15", "905"}, {"90", "906"}, {"91", "912"}, {"92", "908"}, {"96", "909"}, {"98", "911"},
		{"94", "913"}, {"25", "914"}, {"95", "915"}, {"A0", "916"}, {"A7", "920"},
		// One direction only: the partner has another first line.
		{"22", "909"}, {"31", "905"}, {"42", "114"}, {"52", "114"}, {"53", "114"}, {"64", "110"}, {"67", "200"}, {"68", "911"}, {"97", "109"},
		{"91", "907"}, {"91", "910"}, {"96", "921"}, {"77", "915"}, {"55", "112"}, {"99", "127"}, {"99", "128"}, {"59", "129"}, {"A0", "917"}, {"04", "210"},
	}
}

// codes2003 are those of 1993 with a zero behind the first digit.
func codes2003() (all []pair) {
	for _, p := range codes93() {
		all = append(all, pair{p.iso, p.here[:1] + "0" + p.here[1:]})
	}
	return all
}

// unknownDecline is the code, in the 1987 edition, of a code that no line has:
// do not honour. A code nobody knows is never an approval.
const unknownDecline = "05"

// codeHere gives the dialect's code for one of 1987 in a message of that type.
func (t *table) codeHere(iso []byte, mti iso8583.MTI) (code string, known bool) {
	if t.codes == nil {
		return "", false
	}
	if string(iso) == "00" {
		if first := acceptedClass(mti); first != 0 {
			return accepted(first, len(t.codes[0].here)), true
		}
	}
	for _, p := range t.codes {
		if p.iso == string(iso) {
			return p.here, true
		}
	}
	decline, _ := t.codeHere([]byte(unknownDecline), 0)
	return decline, false
}

// code87 gives the 1987 code for the dialect's.
func (t *table) code87(here []byte) (iso string, known bool) {
	if string(here) == accepted('4', len(here)) || string(here) == accepted('8', len(here)) {
		return "00", true
	}
	for _, p := range t.codes {
		if p.here == string(here) {
			return p.iso, true
		}
	}
	return unknownDecline, false
}

// acceptedClass is the first digit with which the later editions accept a
// reversal or a network message; 0 for other messages, whose yes is 000.
func acceptedClass(mti iso8583.MTI) byte {
	switch mti >> 8 & 0x0F {
	case 4:
		return '4'
	case 8:
		return '8'
	}
	return 0
}

// accepted is that digit and zeros, of the code's width.
func accepted(first byte, width int) string {
	switch {
	case first == '4' && width == 3:
		return "400"
	case first == '8' && width == 3:
		return "800"
	case first == '4':
		return "4000"
	}
	return "8000"
}

// swap gives the partner of the first two digits of field 3. Digits without a
// line stay as they are, unless they mean something else on the other side: those
// have no partner.
func swap(pairs []pair, two string, toHere bool) (partner string, ok bool) {
	taken := false
	for _, p := range pairs {
		mine, other := p.here, p.iso
		if toHere {
			mine, other = p.iso, p.here
		}
		if mine == two {
			return other, true
		}
		taken = taken || other == two
	}
	return two, !taken
}

// networkCodes are field 70 of 1987 and the function codes of the later editions.
var networkCodes = [...]pair{{"001", "801"}, {"002", "802"}, {"301", "831"}, {"101", "811"}, {"201", "821"}}

// function is the function code of a message that is no network message.
func function(mti iso8583.MTI) string {
	switch mti >> 8 & 0x0F {
	case 1:
		return "100"
	case 2:
		return "200"
	case 4:
		return "400"
	}
	return ""
}

// mode is one way of reading a card: the first two digits of the entry mode of
// 1987, the characters 1 and 7 of 1993, the first two bytes of 2003.
type mode struct {
	iso       string
	able, how byte
	bits      [2]byte
}

// modes: M and A are what clearing files write for contactless chip and stripe;
// the 1993 edition has no character of its own for them.
var modes = [...]mode{
	{"00", '0', '0', [2]byte{0x01, 0}}, {"01", '6', '6', [2]byte{0x04, 0}}, {"02", '2', '2', [2]byte{0x10, 0}}, {"03", '3', '3', [2]byte{0x08, 0}},
	{"05", '5', '5', [2]byte{0x20, 0}}, {"07", 'M', 'M', [2]byte{0x22, 0}}, {"91", 'M', 'A', [2]byte{0x12, 0}}, {"80", '5', '2', [2]byte{0x10, 0x20}},
}

// pinAble is the third digit of the entry mode, character 12 of 1993 and the
// verification bits of 2003.
type pinAble struct {
	iso  byte
	able byte
	bit  byte
}

var pinAbles = [...]pinAble{{'0', '1', 0x01}, {'1', 'C', 0x08}, {'2', '0', 0x02}}
