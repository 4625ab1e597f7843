// SPDX-License-Identifier: Apache-2.0

package frame

import "strconv"

// Why a frame could not be read or written; constants, to be counted.
const (
	ReasonLengthZero      = "frame_length_zero"
	ReasonTooShort        = "frame_too_short"
	ReasonTooLong         = "frame_too_long"
	ReasonLengthNotDigits = "frame_length_not_digits"
	ReasonHeaderLength    = "frame_header_length_wrong"
	ReasonHeaderWrong     = "frame_header_wrong"
	ReasonHeaderTotal     = "frame_header_total_length_wrong"
	ReasonReservedNotZero = "frame_reserved_bytes_not_zero"
	ReasonNoSTX           = "frame_start_missing"
	ReasonNoETX           = "frame_end_missing"
	ReasonETXInside       = "frame_end_character_inside"
	ReasonCheckWrong      = "frame_check_character_wrong"
	ReasonEndInLength     = "frame_end_inside_length"
	ReasonEndInFrame      = "frame_end_inside_frame"
	ReasonReadFailed      = "frame_read_failed"
)

// Error says what is wrong with a frame. It never holds a byte of it. The stream
// cannot be trusted after one: close the connection.
type Error struct {
	Reason string // one of the Reason constants
	Length int    // the length said, or the bytes that came
	Bound  int    // what it was measured against
	Err    error  // the reader's error, may be nil
}

// Error gives the reason and the numbers.
func (e *Error) Error() string {
	text := "frame: " + e.Reason
	if e.Length != 0 || e.Bound != 0 {
		text += " (" + strconv.Itoa(e.Length) + " against " + strconv.Itoa(e.Bound) + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the reader's error.
func (e *Error) Unwrap() error { return e.Err }
