// SPDX-License-Identifier: Apache-2.0

// Package soft is every HSM interface in process: for terminals, the simulated
// world and tests. It protects no key from its own process, so `serve` refuses it.
//
// Promise: the same answers, the same refusals and the same key form as the
// PKCS#11 driver; with the same randomness the same keys.
//
// How: New makes two local master keys (LMK) from the randomness it is given;
// a Key is wrapped with AES key wrap (RFC 3394) under the first and bound with
// an AES-CMAC under the second; ciphers are crypto/des, crypto/aes and gmsm's
// SM4. Keys of one Module cannot be read by another: the LMKs are never stored.
//
// Imported by: terminal, simulators/world, tests. Imports: hsm and its pure
// packages, hsm/clear, internal/env, internal/secret, github.com/emmansun/gmsm.
package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"fmt"
	"io"
	"sync"

	"github.com/emmansun/gmsm/sm4"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
)

// loadedMax bounds the keys kept expanded; beyond it all are dropped at once.
const loadedMax = 1024

// Module is a software HSM, safe for concurrent use. Keys passed to it must not
// be changed afterwards.
type Module struct {
	clock   env.Clock
	lmk     cipher.Block
	binding cipher.Block
	id      [8]byte

	mu     sync.Mutex
	rand   io.Reader
	loaded map[[16]byte]*ciphers
}

// ciphers is one key ready for use: whole, and for double-length DES its halves.
// An HMAC key has no cipher but its bytes.
type ciphers struct {
	whole       cipher.Block
	left, right cipher.Block
	single      bool // double-length DES of two equal halves: single DES in effect
	hmacKey     []byte
}

var (
	_ hsm.CryptogramVerifier = (*Module)(nil)
	_ hsm.KeyMaker           = (*Module)(nil)
	_ hsm.KeyLoader          = (*Module)(nil)
	_ hsm.Sealer             = (*Module)(nil)
	_ hsm.Tokener            = (*Module)(nil)
	_ hsm.Health             = (*Module)(nil)
)

// New makes a module with fresh local master keys out of randomness.
func New(randomness io.Reader, clock env.Clock) (*Module, error) {
	var seed [64]byte
	if _, err := io.ReadFull(randomness, seed[:]); err != nil {
		return nil, fmt.Errorf("soft hsm: make local master keys: %w", err)
	}
	m := &Module{clock: clock, rand: randomness, loaded: make(map[[16]byte]*ciphers)}
	var err error
	if m.lmk, err = aes.NewCipher(seed[:32]); err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	if m.binding, err = aes.NewCipher(seed[32:]); err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	id := cmac(m.binding, []byte(hsm.LMKIdentityInput))
	copy(m.id[:], id[:])
	return m, nil
}

// Health is always nil: the process is the module.
func (m *Module) Health() error { return nil }

// LMK is the identity of the local master key that keys of this module carry.
func (m *Module) LMK() [8]byte { return m.id }

// random fills b; calls take turns, so that one source serves many goroutines.
func (m *Module) random(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := io.ReadFull(m.rand, b); err != nil {
		return fmt.Errorf("%w: no randomness: %w", hsm.ErrUnavailable, err)
	}
	return nil
}

// use checks that key may do op and returns its ciphers.
func (m *Module) use(op hsm.Operation, key *hsm.Key) (*ciphers, error) {
	if err := hsm.Permit(op, key, m.clock.Now()); err != nil {
		return nil, err
	}
	return m.open(key)
}

// open returns the ciphers of a key that is permitted, once its binding is right.
func (m *Module) open(key *hsm.Key) (*ciphers, error) {
	bound := cmac(m.binding, key.AppendBound(nil))
	if key.LMK != m.id || subtle.ConstantTimeCompare(bound[:], key.Binding[:]) != 1 {
		return nil, fmt.Errorf("%w: %s %q version %d", hsm.ErrBinding, key.Usage, key.Name, key.Version)
	}
	m.mu.Lock()
	c := m.loaded[key.Binding]
	m.mu.Unlock()
	if c != nil {
		return c, nil
	}
	room := clear.Unlocked()
	defer room.Wipe()
	value := room.Key(key.Algorithm.Size())
	if !unwrap(m.lmk, value, key.Wrapped) {
		return nil, fmt.Errorf("%w: %s %q version %d does not unwrap", hsm.ErrBinding, key.Usage, key.Name, key.Version)
	}
	c, err := expand(key.Algorithm, value)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.loaded) >= loadedMax {
		m.loaded = make(map[[16]byte]*ciphers)
	}
	m.loaded[key.Binding] = c
	return c, nil
}

// expand makes the ciphers of a clear key value.
func expand(algorithm hsm.Algorithm, value []byte) (*ciphers, error) {
	var whole cipher.Block
	var err error
	switch {
	case algorithm == hsm.TDES2:
		return expandDES(value)
	case algorithm == hsm.TDES3:
		whole, err = des.NewTripleDESCipher(value)
	case algorithm.IsAES():
		whole, err = aes.NewCipher(value)
	case algorithm.IsHMAC():
		return &ciphers{hmacKey: append([]byte(nil), value...)}, nil
	case algorithm == hsm.SM4:
		whole, err = sm4.NewCipher(value)
	default:
		return nil, fmt.Errorf("%w: keys of %s are not built for the software HSM", hsm.ErrInput, algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	return &ciphers{whole: whole}, nil
}

// expandDES makes the ciphers of a double-length DES key.
func expandDES(value []byte) (*ciphers, error) {
	var triple [24]byte
	copy(triple[:], value[:16])
	copy(triple[16:], value[:8])
	whole, err := des.NewTripleDESCipher(triple[:])
	triple = [24]byte{}
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	left, err := des.NewCipher(value[:8])
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	right, err := des.NewCipher(value[8:16])
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	single := subtle.ConstantTimeCompare(value[:8], value[8:16]) == 1
	return &ciphers{whole: whole, left: left, right: right, single: single}, nil
}

// encrypt enciphers one block of eight under the whole key.
func (c *ciphers) encrypt(in [8]byte) (out [8]byte) {
	c.whole.Encrypt(out[:], in[:])
	return out
}

// alg3 is ISO 9797-1 algorithm 3 over data padded to whole blocks: single DES
// CBC under the left half, then decipher under the right and encipher under the left.
func (c *ciphers) alg3(padded []byte) (out [8]byte) {
	for ; len(padded) >= 8; padded = padded[8:] {
		subtle.XORBytes(out[:], out[:], padded[:8])
		c.left.Encrypt(out[:], out[:])
	}
	c.right.Decrypt(out[:], out[:])
	c.left.Encrypt(out[:], out[:])
	return out
}
