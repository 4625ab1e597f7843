// SPDX-License-Identifier: Apache-2.0

// Package secret holds card data so that it cannot be printed by accident.
//
// Promise: no way of printing, logging or encoding a value of this package
// gives its content, also as an unexported field of somebody else's struct.
//
// How: every type keeps its bytes behind two pointers (fmt and slog print what
// reflection finds in unexported fields without calling methods, so pointers
// are the only safe shape), masks in every formatter, and hands out the clear
// bytes only against a Need, a closed set of reasons.
//
// Imported by: everything that touches card data. Imports: the standard library.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Need is the reason for which clear card data is asked; "who can see a PAN"
// is answered by searching for these names.
type Need uint8

// The closed set of reasons.
const (
	ForWire     Need = iota + 1 // to build a message to an acquirer or a host
	ForHSM                      // to hand it to the HSM as input
	ForRoute                    // to look up the BIN
	ForStore                    // to encrypt it for the journal
	ForReplay                   // to compute a keyed fingerprint
	ForChip                     // to check a cryptogram against its card
	ForTest                     // tests and simulators only
	ForDatabase                 // to connect to the journal's server
)

// Errors of this package name the rule, never the value.
var (
	ErrPANLength = errors.New("secret: a PAN has 8 to 19 digits")
	ErrPANDigits = errors.New("secret: a PAN has decimal digits only")
	ErrLength    = errors.New("secret: value longer than its type allows")
	ErrCVV       = errors.New("secret: a card verification value has 1 to 5 decimal digits")
)

// value is the common part: bytes behind two pointers, masked everywhere. One
// pointer is not enough: a verb that does not fit (%s) makes fmt print what the
// pointer points to, at depth 0, without calling methods.
type value struct{ p *box }

type box struct{ b *[]byte }

// held is a value in one piece of memory, when it is short.
type held struct {
	box
	b    []byte
	room [inPlace]byte
}

// inPlace is as long as most values are: card numbers, PIN blocks, keys, track 2.
const inPlace = 40

func newValue(b []byte) value {
	h := new(held)
	h.box.b = &h.b
	if len(b) <= inPlace {
		h.b = append(h.room[:0:len(b)], b...)
	} else {
		h.b = append(make([]byte, 0, len(b)), b...)
	}
	return value{&h.box}
}

func (v value) bytes() []byte {
	if v.p == nil {
		return nil
	}
	return *v.p.b
}

// IsZero reports that nothing is held (never set, or wiped).
func (v value) IsZero() bool { return len(v.bytes()) == 0 }

// Len is the number of bytes (digits) held.
func (v value) Len() int { return len(v.bytes()) }

// Wipe overwrites the bytes; every copy of the value sees it.
func (v value) Wipe() {
	if v.p == nil {
		return
	}
	clear(*v.p.b)
	*v.p.b = (*v.p.b)[:0]
}

// PAN is a card number: 8 to 19 decimal digits (ISO/IEC 7812-1). Every way of
// printing it gives the first six and the last four digits.
type PAN struct{ value }

// NewPAN copies digits; it refuses anything but 8 to 19 decimal digits.
func NewPAN(digits []byte) (PAN, error) {
	if len(digits) < 8 || len(digits) > 19 {
		return PAN{}, ErrPANLength
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return PAN{}, ErrPANDigits
		}
	}
	return PAN{newValue(digits)}, nil
}

// Reveal returns the clear digits; the slice belongs to the PAN and dies with Wipe.
func (p PAN) Reveal(Need) []byte { return p.bytes() }

// LuhnOK reports whether the check digit is right (ISO/IEC 7812-1 annex B).
func (p PAN) LuhnOK() bool {
	d := p.bytes()
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return len(d) > 0 && sum%10 == 0
}

// Account12 is the twelve rightmost digits without the check digit, zero filled
// on the left, as PIN block formats 0 and 3 use them (ISO 9564-1).
func (p PAN) Account12() (a [12]byte) {
	d := p.bytes()
	for i := range a {
		a[i] = '0'
	}
	if len(d) == 0 {
		return a
	}
	d = d[:len(d)-1]
	if len(d) > 12 {
		d = d[len(d)-12:]
	}
	copy(a[12-len(d):], d)
	return a
}

// Equal reports whether both hold the same digits.
func (p PAN) Equal(q PAN) bool { return string(p.bytes()) == string(q.bytes()) }

// String masks: 622424******0069. Short numbers show the last four only.
func (p PAN) String() string {
	d := p.bytes()
	if len(d) == 0 {
		return "(no pan)"
	}
	out := make([]byte, len(d))
	for i := range out {
		out[i] = '*'
	}
	copy(out[len(d)-4:], d[len(d)-4:])
	if len(d) >= 13 {
		copy(out[:6], d[:6])
	}
	return string(out)
}

// Format masks under every verb.
func (p PAN) Format(s fmt.State, _ rune) { fmt.Fprint(s, p.String()) }

// LogValue masks in slog.
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText masks in encodings of text.
func (p PAN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalJSON masks in JSON.
func (p PAN) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// hidden is what sensitive authentication data prints as.
const hidden = "(hidden)"

// sad is sensitive authentication data: nothing of it is ever shown and it has
// no Reveal, only AppendTo for those who build a message or call the HSM.
type sad struct{ value }

// AppendTo appends the clear bytes to dst.
func (v sad) AppendTo(dst []byte, _ Need) []byte { return append(dst, v.bytes()...) }

// String never shows anything.
func (v sad) String() string { return hidden }

// Format hides under every verb.
func (v sad) Format(s fmt.State, _ rune) { fmt.Fprint(s, hidden) }

// LogValue hides in slog.
func (v sad) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides in encodings of text.
func (v sad) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides in JSON.
func (v sad) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// PINBlock is an enciphered PIN block of 8 or 16 bytes (ISO 9564-1).
type PINBlock struct{ sad }

// NewPINBlock copies an enciphered block of 8 (TDEA) or 16 bytes (AES).
func NewPINBlock(b []byte) (PINBlock, error) {
	if len(b) != 8 && len(b) != 16 {
		return PINBlock{}, ErrLength
	}
	return PINBlock{sad{newValue(b)}}, nil
}

// Track2 is track 2 or its equivalent data (ISO/IEC 7813): digits with the
// separator written as 'D' or '='.
type Track2 struct{ sad }

// NewTrack2 copies at most 37 characters.
func NewTrack2(b []byte) (Track2, error) {
	if len(b) > 37 {
		return Track2{}, ErrLength
	}
	return Track2{sad{newValue(b)}}, nil
}

// ICC is field 55: it holds tag 57 (track 2) and so counts as sensitive whole.
type ICC struct{ sad }

// NewICC copies at most 999 bytes of BER-TLV.
func NewICC(b []byte) (ICC, error) {
	if len(b) > 999 {
		return ICC{}, ErrLength
	}
	return ICC{sad{newValue(b)}}, nil
}

// CVV is a card verification value of any kind (CVV, CVV2, iCVV, dCVV, CVC3,
// CAVV): decimal digits. It is compared and sent, never kept (PCI DSS 3.3.1.2).
type CVV struct{ sad }

// NewCVV copies 1 to 5 decimal digits.
func NewCVV(digits []byte) (CVV, error) {
	if len(digits) < 1 || len(digits) > 5 {
		return CVV{}, ErrCVV
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return CVV{}, ErrCVV
		}
	}
	return CVV{sad{newValue(digits)}}, nil
}

// Key is clear key material of tests, simulators and key loading.
type Key struct{ sad }

// NewKey copies at most 32 bytes.
func NewKey(b []byte) (Key, error) {
	if len(b) > 32 {
		return Key{}, ErrLength
	}
	return Key{sad{newValue(b)}}, nil
}

// urlMax is the most that NewURL takes.
const urlMax = 1024

// NewURL copies an address that holds a password, at most 1 KiB.
func NewURL(b []byte) (Key, error) {
	if len(b) > urlMax {
		return Key{}, ErrLength
	}
	return Key{sad{newValue(b)}}, nil
}
