// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// lengthField is the two bytes in front of the key: its length in bits.
const lengthField = 2

// WorkLen is the number of bytes of working memory that Unwrap needs.
func (b *Block) WorkLen() int { return len(b.text) + 2*len(b.payload) + 2*blockSize(b.Header.Version) }

// Unwrap checks the MAC and deciphers the key. The key, clear, is a part of work,
// which the caller wipes; after an error nothing clear is left in it. A key whose
// length is none of its algorithm's is refused.
func (b *Block) Unwrap(keys Keys, work []byte) (key []byte, err error) {
	if len(work) < b.WorkLen() {
		return nil, fmt.Errorf("%w: %d bytes are needed", ErrTooLarge, b.WorkLen())
	}
	work = work[:b.WorkLen()]
	defer func() {
		if err != nil {
			clear(work)
		}
	}()
	data := append(append(work[:0], b.text...), b.payload...)
	payload, rest := data[len(b.text):], work[len(data):]
	switch b.Header.Version {
	case 'A', 'C':
		if err := b.checkMAC(func(sum []byte) error { return chainMAC(keys.Authenticate, data, rest, sum) }); err != nil {
			return nil, err
		}
		if err := keys.Encipher.CBC(false, []byte(b.text[:8]), payload); err != nil {
			return nil, err
		}
	default:
		if b.Header.Version == 'E' {
			err = counterMode(keys.Encipher, b.mac, payload, rest)
		} else {
			err = keys.Encipher.CBC(false, b.mac, payload)
		}
		if err != nil {
			return nil, err
		}
		if err := b.checkMAC(func(sum []byte) error { return keys.Authenticate.CMAC(data, sum) }); err != nil {
			return nil, err
		}
	}
	return content(b.Header.Algorithm, payload)
}

// checkMAC computes the MAC and compares it in constant time.
func (b *Block) checkMAC(compute func(sum []byte) error) error {
	var sum [16]byte
	if err := compute(sum[:blockSize(b.Header.Version)]); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum[:len(b.mac)], b.mac) != 1 {
		return ErrMAC
	}
	return nil
}

// content is the key in deciphered key data.
func content(algorithm byte, plain []byte) ([]byte, error) {
	if len(plain) < lengthField {
		return nil, ErrKeyEmpty
	}
	bits := int(binary.BigEndian.Uint16(plain))
	n := bits / 8
	switch {
	case bits%8 != 0:
		return nil, ErrKeyBits
	case n == 0:
		return nil, ErrKeyEmpty
	case n > len(plain)-lengthField:
		return nil, ErrKeyExceeds
	case !keyLength(algorithm, n):
		return nil, fmt.Errorf("%w: %d bytes", ErrKeyLength, n)
	}
	return plain[lengthField : lengthField+n], nil
}

// keyLength reports whether a key of an algorithm may have n bytes.
func keyLength(algorithm byte, n int) bool {
	switch algorithm {
	case 'A':
		return n == 16 || n == 24 || n == 32
	case 'D':
		return n == 8
	case 'T':
		return n == 8 || n == 16 || n == 24
	}
	return true
}

// chainMAC is the CBC-MAC of versions A and C over whole blocks, with rest as memory.
func chainMAC(c Cipher, data, rest, sum []byte) error {
	// data is text of any multiple of 8, so the chain is cut into what rest holds
	var chain [8]byte
	step := len(rest) &^ 7
	for len(data) > 0 {
		n := copy(rest[:step], data)
		data = data[n:]
		if err := c.CBC(true, chain[:], rest[:n]); err != nil {
			return err
		}
		copy(chain[:], rest[n-8:n])
	}
	copy(sum, chain[:])
	return nil
}

// counterMode is AES in counter mode, both directions; each counter block is one
// block of CBC under a zero vector.
func counterMode(c Cipher, first, data, rest []byte) error {
	var zero [16]byte
	counter, stream := rest[:16], rest[16:32]
	copy(counter, first)
	defer clear(rest[:32])
	for len(data) > 0 {
		copy(stream, counter)
		if err := c.CBC(true, zero[:], stream); err != nil {
			return err
		}
		n := subtle.XORBytes(data, data, stream[:min(16, len(data))])
		data = data[n:]
		for i := 15; i >= 0; i-- {
			if counter[i]++; counter[i] != 0 {
				break
			}
		}
	}
	return nil
}

// PaddingLen is the number of padding bytes behind a key of size bytes, length
// masking included: a DES key looks like 24 bytes, an AES key like 32 (X9.143
// section 6.4). Version E hides the length too, to whole blocks.
func (h *Header) PaddingLen(size int) int {
	longest := size
	switch h.Algorithm {
	case 'T', 'D':
		longest = max(size, 24)
	case 'A':
		longest = max(size, 32)
	}
	unit := blockSize(h.Version)
	total := (lengthField + longest + unit - 1) / unit * unit
	return total - lengthField - size
}

// Wrap builds the key block of key, which padding follows, under keys. work is
// memory for the clear key data; the caller wipes it.
func Wrap(keys Keys, h Header, key, padding, work []byte) (string, error) {
	if !keyLength(h.Algorithm, len(key)) || len(key) == 0 || len(key) > 0xFFFF/8 {
		return "", fmt.Errorf("%w: %d bytes", ErrKeyLength, len(key))
	}
	text, err := h.append()
	if err != nil {
		return "", err
	}
	size, unit := lengthField+len(key)+len(padding), blockSize(h.Version)
	if h.Version != 'E' && size%unit != 0 {
		return "", fmt.Errorf("%w: key and padding fill no whole blocks of %d", ErrAlignment, unit)
	}
	total := len(text) + 2*size + 2*macSize(h.Version)
	if total > maxText {
		return "", fmt.Errorf("%w: %d characters", ErrLength, total)
	}
	copy(text[1:5], fmt.Sprintf("%04d", total))
	need := len(text) + 2*size + 2*unit
	if len(work) < need {
		return "", fmt.Errorf("%w: %d bytes are needed", ErrTooLarge, need)
	}
	work = work[:need]
	data := append(work[:0], text...)
	data = binary.BigEndian.AppendUint16(data, uint16(8*len(key)))
	data = append(append(data, key...), padding...)
	var sum [16]byte
	mac, err := bind(keys, h.Version, text, data, work[len(data):], sum[:])
	if err != nil {
		return "", err
	}
	return string(appendHex(appendHex(text, data[len(text):]), mac)), nil
}

// bind enciphers the key data behind text in data, in place, and returns the MAC.
func bind(keys Keys, version byte, text, data, rest, sum []byte) (mac []byte, err error) {
	payload, mac := data[len(text):], sum[:macSize(version)]
	if version == 'A' || version == 'C' {
		if err := keys.Encipher.CBC(true, text[:8], payload); err != nil {
			return nil, err
		}
		return mac, chainMAC(keys.Authenticate, data, rest, sum[:8])
	}
	if err := keys.Authenticate.CMAC(data, mac); err != nil {
		return nil, err
	}
	if version == 'E' {
		return mac, counterMode(keys.Encipher, mac, payload, rest)
	}
	return mac, keys.Encipher.CBC(true, mac, payload)
}
