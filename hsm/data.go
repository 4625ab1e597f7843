// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"fmt"
)

// MaxCipherData bounds what one call enciphers: a message of the field is at
// most a two-byte length long.
const MaxCipherData = 1 << 16

// CipherMode is ECB, or CBC with its initial vector. The zero mode is ECB.
type CipherMode struct {
	IV []byte // nil for ECB; 8 bytes of DES or 16 of AES for CBC
}

// ECB enciphers every block by itself.
func ECB() CipherMode { return CipherMode{} }

// CBC chains the blocks, starting from iv.
func CBC(iv []byte) CipherMode { return CipherMode{IV: iv} }

// BlockSize is the cipher block of a in bytes: 8, 16, or 0 when a has none.
func (a Algorithm) BlockSize() int {
	switch {
	case a.IsTDES():
		return 8
	case a.IsAES():
		return 16
	}
	return 0
}

// Check refuses, with ErrInput, data that is not 1 or more whole blocks of
// algorithm a, and an initial vector of another length. Padding is the
// message's business.
func (m CipherMode) Check(a Algorithm, data []byte) error {
	size := a.BlockSize()
	switch {
	case size == 0:
		return fmt.Errorf("%w: data is not enciphered with keys of %s", ErrInput, a)
	case len(data) == 0 || len(data)%size != 0 || len(data) > MaxCipherData:
		return fmt.Errorf("%w: %d bytes to encipher, want whole blocks of %d, 1 to %d bytes in all", ErrInput, len(data), size, MaxCipherData)
	case m.IV != nil && len(m.IV) != size:
		return fmt.Errorf("%w: an initial vector of %d bytes, want %d", ErrInput, len(m.IV), size)
	}
	return nil
}

// DataCipher enciphers and deciphers whole blocks of message data with a TDK or
// ZDK: ISO 10116 ECB and CBC under double- and triple-length DES and AES.
type DataCipher interface {
	EncipherData(ctx context.Context, key *Key, mode CipherMode, data []byte) ([]byte, error)
	DecipherData(ctx context.Context, key *Key, mode CipherMode, data []byte) ([]byte, error)
}

// Bounds of a packed track (fields 35 and 36 as nibbles, separator D): the
// shortest that has a part to encipher, and track 3's 104 digits.
const (
	minPackedTrack = 9
	maxPackedTrack = 52
)

// EncipherTrack enciphers the part of a packed track that UnionPay POS terminals
// protect with their TDK: the eight bytes in front of the last one, ECB. It
// returns a new slice. The rule is known from public terminals and has no
// published example, so a link turns it on by name.
func EncipherTrack(ctx context.Context, c DataCipher, tdk *Key, packed []byte) ([]byte, error) {
	return trackPart(packed, tdk, func(part []byte) ([]byte, error) { return c.EncipherData(ctx, tdk, ECB(), part) })
}

// DecipherTrack undoes EncipherTrack.
func DecipherTrack(ctx context.Context, c DataCipher, tdk *Key, packed []byte) ([]byte, error) {
	return trackPart(packed, tdk, func(part []byte) ([]byte, error) { return c.DecipherData(ctx, tdk, ECB(), part) })
}

func trackPart(packed []byte, tdk *Key, run func(part []byte) ([]byte, error)) ([]byte, error) {
	if tdk != nil && tdk.Algorithm.IsAES() {
		return nil, fmt.Errorf("%w: a track is enciphered with a DES key, not with %s", ErrInput, tdk.Algorithm)
	}
	if len(packed) < minPackedTrack || len(packed) > maxPackedTrack {
		return nil, fmt.Errorf("%w: a packed track of %d bytes, want %d to %d", ErrInput, len(packed), minPackedTrack, maxPackedTrack)
	}
	from := len(packed) - minPackedTrack
	part, err := run(packed[from : from+8])
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), packed...)
	copy(out[from:], part)
	clear(part)
	return out, nil
}
