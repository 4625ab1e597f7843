// SPDX-License-Identifier: Apache-2.0

package iso8583

import "strconv"

// Why a message could not be read or written. Each is a constant, so that it can
// be counted; docs/dialects/README.md says what each means and what to do.
const (
	ReasonMessageTooLong    = "message_too_long"
	ReasonTruncated         = "truncated"
	ReasonMTINotDigits      = "mti_not_digits"
	ReasonBitmapNotHex      = "bitmap_not_hex"
	ReasonSecondaryBitmap   = "secondary_bitmap_not_in_dialect"
	ReasonTertiaryBitmap    = "tertiary_bitmap_not_in_dialect"
	ReasonFourthBitmap      = "fourth_bitmap"
	ReasonFieldUnknown      = "field_not_in_dialect"
	ReasonPrefixNotDigits   = "length_prefix_not_digits"
	ReasonLengthAboveMax    = "length_above_maximum"
	ReasonLengthNotFixed    = "length_not_as_fixed"
	ReasonLengthOdd         = "length_is_odd"
	ReasonNotASCII          = "character_not_ascii"
	ReasonNotDigit          = "digit_expected"
	ReasonNotHex            = "hex_character_expected"
	ReasonNotTrackCharacter = "track_character_expected"
	ReasonPaddingNotZero    = "padding_nibble_not_zero"
	ReasonTrailingBytes     = "trailing_bytes"
	ReasonTagUnknown        = "tag_not_in_dialect"
	ReasonTagTooLong        = "tag_too_long"
	ReasonSubfieldMissing   = "subfield_missing"
	ReasonSubfieldsEnd      = "bytes_after_subfields"
	ReasonNoSubfields       = "field_has_no_subfields"
	ReasonFieldAbsent       = "field_absent"
	ReasonNotNumeric        = "field_not_numeric"
	ReasonNumberTooLarge    = "number_too_large"
	ReasonNoLayout          = "builder_not_reset"
)

// WholeMessage is the Field of an error that is about no single field.
const WholeMessage = -1

// Error says why a message could not be read or written. It never holds a byte
// of the message.
type Error struct {
	Layout string // name of the dialect
	Field  int    // field number; 0 the MTI, 1 the bitmap, WholeMessage
	Offset int    // byte of the message at which the trouble lies
	Reason string // one of the Reason constants
	Want   int    // what was needed, in the unit of the reason; 0 when it has none
	Got    int    // what was there
}

// Error gives what, where and why in one line.
func (e *Error) Error() string {
	text := "iso8583 " + e.Layout + ": "
	switch e.Field {
	case WholeMessage:
		text += "message"
	case 0:
		text += "MTI"
	case 1:
		text += "bitmap"
	default:
		text += "field " + strconv.Itoa(e.Field)
	}
	text += " at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
	if e.Want != 0 || e.Got != 0 {
		text += " (want " + strconv.Itoa(e.Want) + ", got " + strconv.Itoa(e.Got) + ")"
	}
	return text
}
