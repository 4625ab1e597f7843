// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

var _ hsm.MACer = (*Module)(nil)

// MAC makes a message authentication code with a TAK, ZAK or HMAC key.
func (m *Module) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if err := alg.Permit(key, m.clock.Now(), len(data)); err != nil {
		return nil, err
	}
	c, err := m.open(key)
	if err != nil {
		return nil, err
	}
	whole, err := c.mac(alg, data)
	if err != nil {
		return nil, err
	}
	return whole[:alg.Size():alg.Size()], nil
}

// mac computes the whole MAC of data.
func (c *ciphers) mac(alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	if method, block := alg.Padding(); method != 0 {
		data = mac.AppendPad(make([]byte, 0, len(data)+2*block), data, method, block)
	}
	switch alg.Whole() {
	case hsm.MACUnionPayECB:
		left, right := mac.Halves(mac.Fold(data))
		out := mac.Text(c.encrypt(mac.Xor(c.encrypt(left), right)))
		return out[:], nil
	case hsm.MACRetail, hsm.MACRetailPad2, hsm.MACRetailPad3, hsm.MACAS2805:
		out := c.alg3(data)
		return out[:], nil
	case hsm.MACX99:
		if !c.single {
			return nil, fmt.Errorf("%w: X9.9 is single DES and takes an 8-byte key alone; use X9.19 with this one", hsm.ErrUsage)
		}
		return cbcMAC(c.whole, data), nil
	case hsm.MACCBC, hsm.MACCBCPad2, hsm.MACCBCPad3, hsm.MACSM4CBC, hsm.MACSM4CBCPad2, hsm.MACSM4CBCPad3:
		return cbcMAC(c.whole, data), nil
	case hsm.MACCMACAES, hsm.MACCMACTDES, hsm.MACSM4CMAC:
		out := cmac(c.whole, data)
		return out[:c.whole.BlockSize()], nil
	case hsm.MACHMACSHA256:
		return hmacSHA256(c.hmacKey, data), nil
	}
	return nil, fmt.Errorf("%w: %s is not built", hsm.ErrInput, alg)
}

// cbcMAC is ISO 9797-1 algorithm 1 over data padded to whole blocks.
func cbcMAC(block cipher.Block, padded []byte) []byte {
	n := block.BlockSize()
	out := make([]byte, n)
	for ; len(padded) >= n; padded = padded[n:] {
		subtle.XORBytes(out, out, padded[:n])
		block.Encrypt(out, out)
	}
	return out
}

// hmacSHA256 is HMAC-SHA-256 (FIPS 198-1).
func hmacSHA256(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data) // a hash takes everything
	return h.Sum(nil)
}

// VerifyMAC checks a message authentication code, comparing in constant time.
func (m *Module) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, want []byte) error {
	got, err := m.MAC(ctx, key, alg, data)
	if err != nil {
		return err
	}
	return hsm.CheckMAC(key, got, want)
}
