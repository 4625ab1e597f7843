// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"

	"tapswitch/internal/secret"
)

// The SM series (GB/T 32905, GB/T 32907) for terminals that negotiate it. MACs
// are algorithms of MACer; SM4 working keys travel under an SM4 terminal master
// key by KeyMaker and KeyLoader. PKCS#11 has no standard mechanism for any of
// it: the driver refuses with ErrUnsupported.

// SM4Shape is how a PIN block fills the 16 bytes of an SM4 block. Both are in
// use; the host says which.
type SM4Shape uint8

// The shapes.
const (
	SM4Filled SM4Shape = iota + 1 // the 8-byte format 0 block, zeros behind it
	SM4Wide                       // one block of 16: PIN field filled with F, 12 PAN digits on the right
)

// SM4Translator moves an SM4 PIN block to another key without changing its
// account: to an SM4 key in the same shape, to a TDES key as format 0 (PCI PIN
// 3-3). Keys: TPK or ZPK of SM4 to ZPK.
type SM4Translator interface {
	TranslateSM4PIN(ctx context.Context, in secret.PINBlock, shape SM4Shape, from, to *Key, account Account12) (secret.PINBlock, error)
}

// SM4PINEncipherer is the PIN pad's function under an SM4 TPK. Only hsm/soft has it.
type SM4PINEncipherer interface {
	EncipherSM4PIN(ctx context.Context, pin secret.Key, shape SM4Shape, key *Key, account Account12) (secret.PINBlock, error)
}

// SM3Hasher computes SM3 digests (GB/T 32905).
type SM3Hasher interface {
	SM3(ctx context.Context, data []byte) ([32]byte, error)
}
