// SPDX-License-Identifier: Apache-2.0

package iso8583

// Mark says what a field means to those who print, store or route it. The marks
// belong to the dialect, so a dumper or a log cannot forget to mask.
type Mark uint8

// The closed set of marks.
const (
	MarkNone      Mark = iota // may be shown
	MarkPAN                   // card number: first six and last four digits may be shown
	MarkTrack                 // track 2 or 3: never shown, never stored
	MarkPINBlock              // encrypted PIN block: never shown, never stored
	MarkICC                   // chip data, BER-TLV; may hold track 2 (tag 57) and the PAN (5A)
	MarkMAC                   // message authentication code: may be shown
	MarkKey                   // key material, also when encrypted: never shown
	MarkSensitive             // may hold card or customer data: never shown
	endOfMarks
)

// String gives the mark's name.
func (m Mark) String() string {
	switch m {
	case MarkNone:
		return "none"
	case MarkPAN:
		return "pan"
	case MarkTrack:
		return "track"
	case MarkPINBlock:
		return "pin_block"
	case MarkICC:
		return "icc"
	case MarkMAC:
		return "mac"
	case MarkKey:
		return "key"
	case MarkSensitive:
		return "sensitive"
	}
	return "unknown"
}

// Marks are a dialect's marks by field number; a field without one is MarkNone.
type Marks map[int]Mark
