// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/cipher"

	"tapswitch/hsm"
)

var _ hsm.DataCipher = (*Module)(nil)

// EncipherData enciphers message data with a TDK or ZDK.
func (m *Module) EncipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.data(ctx, key, mode, data, true)
}

// DecipherData deciphers message data with a TDK or ZDK.
func (m *Module) DecipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.data(ctx, key, mode, data, false)
}

func (m *Module) data(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte, encipher bool) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	c, err := m.use(hsm.OpData, key)
	if err != nil {
		return nil, err
	}
	if err := mode.Check(key.Algorithm, data); err != nil {
		return nil, err
	}
	return c.run(mode, data, encipher), nil
}

// run enciphers or deciphers whole blocks into a new slice.
func (c *ciphers) run(mode hsm.CipherMode, data []byte, encipher bool) []byte {
	out := make([]byte, len(data))
	switch {
	case mode.IV != nil && encipher:
		cipher.NewCBCEncrypter(c.whole, mode.IV).CryptBlocks(out, data)
	case mode.IV != nil:
		cipher.NewCBCDecrypter(c.whole, mode.IV).CryptBlocks(out, data)
	default:
		size := c.whole.BlockSize()
		for i := 0; i < len(data); i += size {
			if encipher {
				c.whole.Encrypt(out[i:], data[i:i+size])
			} else {
				c.whole.Decrypt(out[i:], data[i:i+size])
			}
		}
	}
	return out
}
