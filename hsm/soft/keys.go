// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/secret"
)

// Generate makes a random key.
func (m *Module) Generate(ctx context.Context, spec hsm.Spec) (hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return hsm.Key{}, err
	}
	if err := spec.Check(); err != nil {
		return hsm.Key{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := m.randomKey(room, spec.Algorithm); err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(spec, room)
	return key, err
}

// randomKey puts a random key into room.
func (m *Module) randomKey(room *clear.Room, algorithm hsm.Algorithm) error {
	size := algorithm.Size()
	if err := m.random(room.Key(size)); err != nil {
		return err
	}
	if algorithm.IsTDES() {
		room.OddParity(size)
	}
	return nil
}

// LoadClear brings in a key as the xor of clear components.
func (m *Module) LoadClear(ctx context.Context, spec hsm.Spec, components ...secret.Key) (hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return hsm.Key{}, err
	}
	if err := spec.Check(); err != nil {
		return hsm.Key{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.Combine(components, spec.Algorithm.Size()); err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(spec, room)
	return key, err
}

// GenerateUnder makes a random working key and exports it under a TMK.
func (m *Module) GenerateUnder(ctx context.Context, tmk *hsm.Key, spec hsm.Spec) (hsm.Key, hsm.Exported, error) {
	transport, err := m.transport(ctx, tmk, spec)
	if err != nil {
		return hsm.Key{}, hsm.Exported{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := m.randomKey(room, spec.Algorithm); err != nil {
		return hsm.Key{}, hsm.Exported{}, err
	}
	out := hsm.Exported{Cryptogram: make([]byte, 16)}
	ecb(transport.whole.BlockSize(), transport.whole.Encrypt, out.Cryptogram, room.Key(16))
	key, check, err := m.keep(spec, room)
	copy(out.KCV[:], check[:])
	return key, out, err
}

// LoadUnder takes in a working key enciphered under a TMK.
func (m *Module) LoadUnder(ctx context.Context, tmk *hsm.Key, spec hsm.Spec, in hsm.Exported) (hsm.Key, error) {
	transport, err := m.transport(ctx, tmk, spec)
	if err != nil {
		return hsm.Key{}, err
	}
	if len(in.Cryptogram) != 16 {
		return hsm.Key{}, fmt.Errorf("%w: key %q: a working key travels as 16 bytes", hsm.ErrInput, spec.Name)
	}
	room := clear.Unlocked()
	defer room.Wipe()
	ecb(transport.whole.BlockSize(), transport.whole.Decrypt, room.Key(16), in.Cryptogram)
	key, check, err := m.keep(spec, room)
	if err != nil {
		return hsm.Key{}, err
	}
	if subtle.ConstantTimeCompare(check[:4], in.KCV[:]) != 1 {
		return hsm.Key{}, fmt.Errorf("%w: key %q: check value is wrong; the key is damaged or under another TMK", hsm.ErrInput, spec.Name)
	}
	return key, nil
}

// transport checks both sides of a key that travels and returns the TMK's ciphers.
func (m *Module) transport(ctx context.Context, tmk *hsm.Key, spec hsm.Spec) (*ciphers, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if err := spec.Check(); err != nil {
		return nil, err
	}
	op, travel := hsm.OpTransportKey, hsm.OpTravelsUnderTMK
	if spec.Algorithm == hsm.SM4 {
		op, travel = hsm.OpSM4Transport, hsm.OpTravelsUnderSM4
	}
	if !travel.Allows(spec.Usage) || !travel.Takes(spec.Algorithm) {
		return nil, fmt.Errorf("%w: a %s of %s cannot %s", hsm.ErrUsage, spec.Usage, spec.Algorithm, travel)
	}
	return m.use(op, tmk)
}

// ecb runs whole blocks of n bytes through one direction of a cipher.
func ecb(n int, cipher func(dst, src []byte), dst, src []byte) {
	for at := 0; at+n <= len(src); at += n {
		cipher(dst[at:at+n], src[at:at+n])
	}
}

// keep wraps and binds the key in room and returns it with the first 8 bytes of
// its check value.
func (m *Module) keep(spec hsm.Spec, room *clear.Room) (key hsm.Key, check [8]byte, err error) {
	value := room.Key(spec.Algorithm.Size())
	c, err := expand(spec.Algorithm, value)
	if err != nil {
		return hsm.Key{}, check, err
	}
	copy(check[:], c.checkValue(spec.Algorithm))
	key = spec.Key()
	key.LMK = m.id
	key.Wrapped = wrap(m.lmk, value)
	copy(key.KCV[:], check[:])
	key.Binding = cmac(m.binding, key.AppendBound(nil))
	return key, check, nil
}

// checkValue is the payment check value: the cipher of a zero block for TDES and
// SM4, the CMAC of a zero block for AES (X9.24-1:2017), the HMAC of nothing.
func (c *ciphers) checkValue(algorithm hsm.Algorithm) []byte {
	if algorithm.IsHMAC() {
		return hmacSHA256(c.hmacKey, nil)
	}
	zeros := make([]byte, c.whole.BlockSize())
	if algorithm.IsAES() {
		full := cmac(c.whole, zeros)
		return full[:]
	}
	c.whole.Encrypt(zeros, zeros)
	return zeros
}
