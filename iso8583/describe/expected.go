// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"fmt"

	"tapswitch/iso8583"
)

// Expected says in words what stood in the way of reading a message: what was
// expected and what was there, without the place and without a byte of it.
func Expected(e *iso8583.Error) string {
	where := ""
	switch {
	case e.Field == 0:
		where = "message type: "
	case e.Field == 1:
		where = "bitmap: "
	case e.Field > 1:
		where = fmt.Sprintf("field %d: ", e.Field)
	}
	return where + expected(e)
}

func expected(e *iso8583.Error) string {
	switch e.Reason {
	case iso8583.ReasonTruncated:
		return fmt.Sprintf("%d bytes expected, the message has %d left", e.Want, e.Got)
	case iso8583.ReasonMTINotDigits:
		return "four digits expected"
	case iso8583.ReasonBitmapNotHex:
		return "hexadecimal characters expected"
	case iso8583.ReasonSecondaryBitmap:
		return "bit 1 announces a second bitmap, this dialect has none"
	case iso8583.ReasonTertiaryBitmap:
		return "a third bitmap is announced, this dialect has none"
	case iso8583.ReasonFieldUnknown:
		return "its bit is set, the dialect has no such field"
	case iso8583.ReasonPrefixNotDigits:
		return "a length in digits expected"
	case iso8583.ReasonLengthAboveMax:
		return fmt.Sprintf("the length says %d, at most %d can be", e.Got, e.Want)
	case iso8583.ReasonNotASCII:
		return "text expected, other bytes are there"
	case iso8583.ReasonNotDigit:
		return "digits expected, something else is there"
	case iso8583.ReasonPaddingNotZero:
		return "the half byte that fills an odd count of digits is not zero"
	case iso8583.ReasonNotHex:
		return "hexadecimal characters expected, something else is there"
	case iso8583.ReasonFourthBitmap:
		return "a fourth bitmap is announced, no dialect has one"
	case iso8583.ReasonTagUnknown:
		return "a subfield is here that the dialect does not have"
	case iso8583.ReasonTagTooLong:
		return fmt.Sprintf("a tag expected, of at most %d bytes", e.Want)
	case iso8583.ReasonSubfieldsEnd:
		return fmt.Sprintf("the last subfield ends here, %d bytes of the field follow", e.Got)
	case iso8583.ReasonTrailingBytes:
		return fmt.Sprintf("the last field of the bitmap ends here, %d bytes follow", e.Got)
	case iso8583.ReasonMessageTooLong:
		return fmt.Sprintf("%d bytes, at most %d can be", e.Got, e.Want)
	}
	text := e.Reason
	if e.Want != 0 || e.Got != 0 {
		text += fmt.Sprintf(" (expected %d, there is %d)", e.Want, e.Got)
	}
	return text
}
