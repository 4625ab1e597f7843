// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Lengths of an optional block's frame: identifier and length, and for lengths of
// 256 and more "00", the number of length characters (always 04 here), and those.
const (
	shortFrame    = 4
	extendedFrame = 10
)

// padID is the optional block that fills the others up to whole cipher blocks; it
// is the last one.
const padID = "PB"

// parseOptions reads count optional blocks behind the fixed header and returns
// where they end.
func parseOptions(h *Header, text string, count int, strict bool) (end int, err error) {
	end = headerLen
	for i := range count {
		o, size, err := parseOption(text[end:])
		if err == nil && strict {
			err = o.check()
		}
		if err != nil {
			return 0, fmt.Errorf("%w (number %d)", err, i+1)
		}
		if _, twice := h.Option(o.ID); twice {
			return 0, fmt.Errorf("%w: %s stands twice", ErrOptional, o.ID)
		}
		if o.ID == padID && i != count-1 {
			return 0, fmt.Errorf("%w: %s is not the last", ErrOptional, padID)
		}
		h.Options = append(h.Options, o)
		end += size
	}
	return end, nil
}

// optionsAligned: all optional blocks together fill whole cipher blocks (X9.143
// section 6.3.6, ISO 20038 A.2.1).
func optionsAligned(version byte, end int) error {
	if n := end - headerLen; n%blockSize(version) != 0 {
		return fmt.Errorf("%w: optional blocks have %d characters, want a multiple of %d (padding block %s)", ErrAlignment, n, blockSize(version), padID)
	}
	return nil
}

// parseOption reads one optional block at the start of rest.
func parseOption(rest string) (o Option, size int, err error) {
	if len(rest) < shortFrame {
		return o, 0, fmt.Errorf("%w: it is cut", ErrOptional)
	}
	o.ID = rest[:2]
	if !alphanumeric(o.ID[0]) || !alphanumeric(o.ID[1]) {
		return o, 0, fmt.Errorf("%w: identifier %q", ErrOptional, o.ID)
	}
	frame := shortFrame
	size, ok := hexNumber(rest[2:4])
	if ok && size == 0 {
		frame, size, ok = extended(rest)
	}
	if !ok {
		return o, 0, fmt.Errorf("%w: length of %s is not hex", ErrOptional, o.ID)
	}
	if size < frame || size > len(rest) {
		return o, 0, fmt.Errorf("%w: length %d of %s, at least %d and at most the %d characters left", ErrOptional, size, o.ID, frame, len(rest))
	}
	o.Data = rest[frame:size]
	return o, size, nil
}

// extended reads "00", a two-character number of length characters, and those:
// characters, not bytes, as the samples 8.5 and 8.6 of X9.143 count.
func extended(rest string) (frame, size int, ok bool) {
	if len(rest) < shortFrame+2 {
		return 0, 0, false
	}
	n, ok := hexNumber(rest[4:6])
	if !ok || n == 0 || n > 4 || len(rest) < shortFrame+2+n {
		return 0, 0, false
	}
	size, ok = hexNumber(rest[6 : 6+n])
	return shortFrame + 2 + n, size, ok
}

// hexNumber reads upper-case hex.
func hexNumber(s string) (n int, ok bool) {
	for i := range len(s) {
		v, ok := nibble(s[i])
		if !ok {
			return 0, false
		}
		n = n<<4 | int(v)
	}
	return n, true
}

// appendOptions writes the optional blocks, and a padding block when they need one.
func appendOptions(dst []byte, h *Header) ([]byte, error) {
	start := len(dst)
	for i, o := range h.Options {
		if err := o.check(); err != nil {
			return nil, err
		}
		if o.ID == padID && i != len(h.Options)-1 {
			return nil, fmt.Errorf("%w: %s is not the last", ErrOptional, padID)
		}
		for _, other := range h.Options[:i] {
			if other.ID == o.ID {
				return nil, fmt.Errorf("%w: %s stands twice", ErrOptional, o.ID)
			}
		}
		size := shortFrame + len(o.Data)
		if size < 256 {
			dst = fmt.Appendf(dst, "%s%02X%s", o.ID, size, o.Data)
			continue
		}
		if size = extendedFrame + len(o.Data); size > maxText {
			return nil, fmt.Errorf("%w: %s has %d characters", ErrOptional, o.ID, len(o.Data))
		}
		dst = fmt.Appendf(dst, "%s0004%04X%s", o.ID, size, o.Data)
	}
	return pad(dst, h, start)
}

// pad fills the optional blocks from start on up to whole cipher blocks.
func pad(dst []byte, h *Header, start int) ([]byte, error) {
	unit := blockSize(h.Version)
	if (len(dst)-start)%unit == 0 {
		return dst, nil
	}
	if _, ok := h.Option(padID); ok {
		return nil, fmt.Errorf("%w: optional blocks with their padding block %s are no multiple of %d characters", ErrAlignment, padID, unit)
	}
	if len(h.Options) == maxOptions {
		return nil, fmt.Errorf("%w: no number left for the padding block %s", ErrOptional, padID)
	}
	size := unit - (len(dst)-start)%unit
	if size < shortFrame {
		size += unit
	}
	dst = fmt.Appendf(dst, "%s%02X%s", padID, size, strings.Repeat("0", size-shortFrame))
	copy(dst[12:14], fmt.Sprintf("%02d", len(h.Options)+1))
	return dst, nil
}

// check enforces the form of an optional block's data (X9.143 section 6.3.6).
// Identifiers that the standard does not print may hold any printable text.
func (o Option) check() error {
	if len(o.ID) != 2 || !alphanumeric(o.ID[0]) || !alphanumeric(o.ID[1]) {
		return fmt.Errorf("%w: identifier %q", ErrOptional, o.ID)
	}
	for i := range len(o.Data) {
		if o.Data[i] < ' ' || o.Data[i] > '~' {
			return fmt.Errorf("%w: data of %s is not printable ASCII", ErrOptional, o.ID)
		}
	}
	if rule, ok := forms[o.ID]; ok && !rule.holds(o.Data) {
		return fmt.Errorf("%w: data of %s is not %s", ErrOptional, o.ID, rule.want)
	}
	return nil
}

// form is the rule for one identifier's data.
type form struct {
	want  string
	holds func(data string) bool
}

// forms by identifier. A check value is one byte that says how it was computed, and
// up to 3 bytes of the old way or 5 of a CMAC.
var forms = map[string]form{
	"AL": {"version 01 and key life 00 or 01", func(d string) bool { return d == "0100" || d == "0101" }},
	"BI": {"a kind and a key identifier", func(d string) bool {
		return isHex(d) && (len(d) == 12 && d[:2] == "00" || len(d) == 10 && d[:2] == "01")
	}},
	"CT": {"a kind 00, 01 or 02 and base64", certificate},
	"DA": {"version 01 and groups of five characters", func(d string) bool {
		return strings.HasPrefix(d, "01") && len(d) > 2 && (len(d)-2)%5 == 0 && isAlphanumeric(d)
	}},
	"HM": {"a hash algorithm", func(d string) bool { return len(d) == 2 && strings.Contains(hashes, " "+d+" ") }},
	"IK": {"an initial key identifier of 16 hex characters", func(d string) bool { return len(d) == 16 && isHex(d) }},
	"KC": {"a check value", checkValue},
	"KP": {"a check value", checkValue},
	"KS": {"a key serial number of 16 or 20 hex characters", func(d string) bool { return (len(d) == 16 || len(d) == 20) && isHex(d) }},
	"KV": {"a version of four characters", func(d string) bool { return len(d) == 4 && isAlphanumeric(d) }},
	"PK": {"a check value", checkValue},
	"TC": {"a time in UTC", utc},
	"TS": {"a time in UTC", utc},
	"WP": {"version 00 and a pedigree 0 to 3", func(d string) bool { return len(d) == 3 && d[:2] == "00" && d[2] >= '0' && d[2] <= '3' }},
}

// hashes of an HMAC key: SHA-1, SHA-2, SHA-3, SHAKE.
const hashes = " 10 20 21 22 23 24 25 30 31 32 33 40 41 "

func isHex(s string) bool { _, ok := hexNumber(s); return ok }

func isAlphanumeric(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) {
			return false
		}
	}
	return true
}

func checkValue(d string) bool {
	return isHex(d) && len(d)%2 == 0 && len(d) >= 6 && (d[:2] == "00" && len(d) <= 8 || d[:2] == "01" && len(d) <= 12)
}

// certificate: kinds 00 and 01 hold one certificate; 02 a chain of framed ones.
func certificate(d string) bool {
	if len(d) < 3 || d[:2] != "00" && d[:2] != "01" && d[:2] != "02" {
		return false
	}
	if d[:2] == "02" {
		return true
	}
	_, err := base64.StdEncoding.DecodeString(d[2:])
	return err == nil
}

// utc: YYYYMMDDhhmmssZ, with two more digits of the second, or with delimiters.
func utc(d string) bool {
	shape := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '9'
		}
		return r
	}, d)
	switch shape {
	case "99999999999999Z", "9999999999999999Z", "9999-99-99T99:99:99Z", "9999-99-99T99:99:99.99Z":
		return true
	}
	return false
}
