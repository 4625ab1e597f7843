// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import (
	"errors"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/internal/assert"
	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
)

// Profile is what acquirers do otherwise, as far as it changes the wire. The
// zero Profile is the common form: Spec and New.
type Profile struct {
	Keys             KeyForm // field 62 of the answer to a sign-on
	BinaryMAC        bool    // field 64 is the MAC itself, not eight hexadecimal characters
	EntryModeOnRight bool    // field 22 is filled on the left: 071 is 0071, not 0710
	Field48Bytes     bool    // field 48 is bytes, not digits
	Balances         int     // field 54 holds so many balances of twenty characters, 1 to 6; 0 is 1
	NoHeader         bool    // no six bytes between TPDU and message
	NoTPDU           bool    // no TPDU either
}

// Spec is the dialect with a profile.
func (p Profile) Spec() *moov.MessageSpec {
	spec := Spec()
	if p.EntryModeOnRight {
		spec.Fields[22] = digits(3, "Entry mode")
	}
	if p.Field48Bytes {
		spec.Fields[48] = bytesOf(322, "Additional data", prefix.BCD.LLL)
	}
	if p.Balances > 1 {
		spec.Fields[54] = field.NewString(&field.Spec{
			Length: 20 * min(p.Balances, 6), Description: "Balances", Enc: encoding.ASCII, Pref: prefix.BCD.LLL})
	}
	return spec
}

// New compiles the dialect with a profile.
func (p Profile) New() *iso8583.Layout {
	l, err := iso8583.Compile(p.Spec(), Marks())
	if err != nil {
		assert.Fail("dialect %s does not compile: %v", Name, err)
	}
	return l
}

// Format is how messages travel with a profile.
func (p Profile) Format() frame.Format {
	f := frame.UnionPayPOS()
	if p.NoHeader || p.NoTPDU {
		f.Header = 0
	}
	f.TPDU = !p.NoTPDU
	return f
}

// AppendMAC appends field 64 for a MAC of eight bytes: those bytes, or the
// hexadecimal characters of the first four.
func (p Profile) AppendMAC(dst []byte, mac [8]byte) []byte {
	if p.BinaryMAC {
		return append(dst, mac[:]...)
	}
	const hexDigits = "0123456789ABCDEF"
	for _, c := range mac[:4] {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&0x0F])
	}
	return dst
}

// KeyForm is how field 62 of the answer to a sign-on holds the working keys. All
// are enciphered under the terminal's master key, a check value behind each.
type KeyForm uint8

// The forms seen. The network code of the sign-on (60.3) is the usual one.
const (
	Keys40       KeyForm = iota // 003: PIN key 16, MAC key 16, check values of 4
	Keys40Single                // 003: the same, the MAC key 8 bytes and 8 zeros
	Keys24                      // 001: PIN key 8, MAC key 8
	Keys60                      // 004: as Keys40, and a track key 16
	Keys60Single                // 004: as Keys40Single, and a track key 16
	Keys57                      // 011: three keys of 16, check values of 3
)

// keyShape is the size of each key on the wire and of each check value.
type keyShape struct {
	keys  []int
	used  []int // what of it is key; the rest is zeros
	check int
}

func (f KeyForm) shape() keyShape {
	switch f {
	case Keys40Single:
		return keyShape{[]int{16, 16}, []int{16, 8}, 4}
	case Keys24:
		return keyShape{[]int{8, 8}, []int{8, 8}, 4}
	case Keys60:
		return keyShape{[]int{16, 16, 16}, []int{16, 16, 16}, 4}
	case Keys60Single:
		return keyShape{[]int{16, 16, 16}, []int{16, 8, 16}, 4}
	case Keys57:
		return keyShape{[]int{16, 16, 16}, []int{16, 16, 16}, 3}
	}
	return keyShape{[]int{16, 16}, []int{16, 16}, 4}
}

// WorkingKey is one key of a sign-on, enciphered, and its check value. Order:
// PIN key, MAC key, and where the form has one the track key.
type WorkingKey struct {
	Cryptogram, Check []byte
}

// ErrKeys says that field 62 does not have the form, or that keys do not fit it.
var ErrKeys = errors.New("unionpaypos: the working keys do not have the size of the profile's form")

// ParseKeys takes field 62 of the answer to a sign-on apart; the keys alias raw.
func (f KeyForm) ParseKeys(raw []byte) ([]WorkingKey, error) {
	shape := f.shape()
	keys := make([]WorkingKey, 0, len(shape.keys))
	for i, size := range shape.keys {
		if len(raw) < size+shape.check {
			return nil, ErrKeys
		}
		for _, c := range raw[shape.used[i]:size] {
			if c != 0 {
				return nil, ErrKeys // a double-length key where a single one belongs
			}
		}
		keys = append(keys, WorkingKey{raw[:shape.used[i]:shape.used[i]], raw[size : size+shape.check : size+shape.check]})
		raw = raw[size+shape.check:]
	}
	if len(raw) != 0 {
		return nil, ErrKeys
	}
	return keys, nil
}

// AppendKeys appends field 62 of the answer to a sign-on. Check values may be
// longer than the form's; their first bytes are written.
func (f KeyForm) AppendKeys(dst []byte, keys []WorkingKey) ([]byte, error) {
	shape := f.shape()
	if len(keys) != len(shape.keys) {
		return dst, ErrKeys
	}
	out := dst
	for i, k := range keys {
		if len(k.Cryptogram) != shape.used[i] || len(k.Check) < shape.check {
			return dst, ErrKeys
		}
		out = append(out, k.Cryptogram...)
		out = append(out, make([]byte, shape.keys[i]-shape.used[i])...)
		out = append(out, k.Check[:shape.check]...)
	}
	return out, nil
}
