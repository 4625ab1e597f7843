// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"fmt"
	"strings"
)

// The values of the header's fields (X9.143 tables 2 to 6; ISO 20038 adds K4 and
// the algorithms I and J). Usages of two digits and modes of one digit are
// proprietary: they parse, and agree with no usage of this HSM.
const (
	usages = "B0 B1 B2 B3 C0 D0 D1 D2 D3 E0 E1 E2 E3 E4 E5 E6 E7 I0 K0 K1 K2 K3 K4 " +
		"M0 M1 M2 M3 M4 M5 M6 M7 M8 P0 P1 S0 S1 S2 V0 V1 V2 V3 V4 V5"
	algorithms      = "ADEHIJRST"
	modes           = "BCDEGNSTVXY"
	exportabilities = "ENS"
	contexts        = "012"
)

// ParseHeader reads a header with its optional blocks, for building: the length
// field may hold anything, and nothing follows.
func ParseHeader(text string) (Header, error) {
	h, count, err := parseFields(text)
	if err != nil {
		return Header{}, err
	}
	end, err := parseOptions(&h, text, count, true)
	if err == nil && end != len(text) {
		err = fmt.Errorf("%w: %d characters follow the header", ErrHeader, len(text)-end)
	}
	if err == nil {
		err = optionsAligned(h.Version, end)
	}
	return h, err
}

// parseFields reads the sixteen fixed characters; the length is the caller's to check.
func parseFields(text string) (h Header, count int, err error) {
	if len(text) < headerLen || len(text) > maxText {
		return h, 0, fmt.Errorf("%w: %d characters, a key block has %d to %d", ErrLength, len(text), headerLen, maxText)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return h, 0, fmt.Errorf("%w: character %d is not printable ASCII", ErrHeader, i+1)
		}
	}
	h = Header{
		Version: text[0], Usage: text[5:7], Algorithm: text[7], Mode: text[8], KeyVersion: text[9:11],
		Exportability: text[11], Context: text[14],
	}
	if err := h.checkFields(); err != nil {
		return h, 0, err
	}
	if count, err = decimal(text[12:14]); err != nil {
		return h, 0, fmt.Errorf("%w: number of optional blocks %q", ErrHeader, text[12:14])
	}
	if text[15] != '0' {
		return h, 0, fmt.Errorf("%w: reserved character %q, want 0", ErrHeader, text[15])
	}
	return h, count, nil
}

// checkFields is the ladder of rules for the fixed part of the header.
func (h *Header) checkFields() error {
	switch {
	case h.Version < 'A' || h.Version > 'E':
		return fmt.Errorf("%w: it is %q", ErrVersion, h.Version)
	case !knownUsage(h.Usage):
		return fmt.Errorf("%w: key usage %q", ErrHeader, h.Usage)
	case !strings.ContainsRune(algorithms, rune(h.Algorithm)):
		return fmt.Errorf("%w: algorithm %q", ErrHeader, h.Algorithm)
	case (h.Algorithm == 'I' || h.Algorithm == 'J') && h.Version != 'E':
		return fmt.Errorf("%w: algorithm %q is of ISO 20038, version E", ErrHeader, h.Algorithm)
	case h.Version < 'D' && h.Algorithm == 'A':
		return fmt.Errorf("%w: an AES key under a triple DES key (version %c)", ErrHeader, h.Version)
	case !strings.ContainsRune(modes, rune(h.Mode)) && !digit(h.Mode):
		return fmt.Errorf("%w: mode of use %q", ErrHeader, h.Mode)
	case !goodKeyVersion(h.KeyVersion):
		return fmt.Errorf("%w: key version number %q", ErrHeader, h.KeyVersion)
	case !strings.ContainsRune(exportabilities, rune(h.Exportability)):
		return fmt.Errorf("%w: exportability %q", ErrHeader, h.Exportability)
	case !strings.ContainsRune(contexts, rune(h.Context)):
		return fmt.Errorf("%w: key context %q", ErrHeader, h.Context)
	}
	return nil
}

func knownUsage(u string) bool {
	return len(u) == 2 && (digit(u[0]) && digit(u[1]) || u[0] != ' ' && u[1] != ' ' && strings.Contains(usages, u))
}

// goodKeyVersion: two letters and digits, or 'c' and the number of a component.
func goodKeyVersion(v string) bool {
	if len(v) != 2 {
		return false
	}
	return (v[0] == 'c' || alphanumeric(v[0])) && alphanumeric(v[1])
}

// IsComponent reports whether the block holds one component of a key.
func (h *Header) IsComponent() bool { return h.KeyVersion[0] == 'c' }

func digit(c byte) bool { return c >= '0' && c <= '9' }

func alphanumeric(c byte) bool { return digit(c) || c >= 'A' && c <= 'Z' }

// append writes the header with its length field left open (zeros).
func (h *Header) append() ([]byte, error) {
	if err := h.checkFields(); err != nil {
		return nil, err
	}
	if len(h.Options) > maxOptions {
		return nil, fmt.Errorf("%w: %d of them, at most %d", ErrOptional, len(h.Options), maxOptions)
	}
	dst := fmt.Appendf(nil, "%c0000%s%c%c%s%c%02d%c0", h.Version, h.Usage, h.Algorithm, h.Mode, h.KeyVersion, h.Exportability, len(h.Options), h.Context)
	return appendOptions(dst, h)
}
