// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"

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
	if err := m.fresh(&hsm.WorkingKey{Spec: spec}, room); err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(spec, room)
	return key, err
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
