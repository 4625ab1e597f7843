// SPDX-License-Identifier: Apache-2.0

package iso8583

// MTI is a message type indicator as four BCD digits: 0x0200 is "0200".
type MTI uint16

// String gives the four digits.
func (m MTI) String() string {
	return string(m.AppendText(nil))
}

// AppendText appends the four digits to dst.
func (m MTI) AppendText(dst []byte) []byte {
	for shift := 12; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[m>>shift&0xF])
	}
	return dst
}

// Response is the type that answers m: 0200 gives 0210. The answer to a repeat
// is the answer to the original, so 0401 gives 0410.
func (m MTI) Response() MTI {
	return m&^1 + 0x0010
}
