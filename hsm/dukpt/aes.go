// SPDX-License-Identifier: Apache-2.0

package dukpt

import (
	"encoding/binary"

	"tapswitch/hsm"
)

// Purpose is the key usage indicator of AES DUKPT (ANSI X9.24-3, 6.3.3).
type Purpose uint16

// The key usage indicators. "Generation" and "encrypt" are the terminal's: its
// requests; "verification" and "decrypt" are the host's answers.
const (
	KeyEncryption   Purpose = 0x0002
	PINEncryption   Purpose = 0x1000
	MACGeneration   Purpose = 0x2000
	MACVerification Purpose = 0x2001
	MACBothWays     Purpose = 0x2002
	DataEncrypt     Purpose = 0x3000
	DataDecrypt     Purpose = 0x3001
	DataBothWays    Purpose = 0x3002
	KeyDerivation   Purpose = 0x8000
	InitialKey      Purpose = 0x8001
)

// Purpose is the key usage indicator of a use, 0 for an unknown one.
func (u Use) Purpose() Purpose {
	purposes := [...]Purpose{
		PIN: PINEncryption, MACRequest: MACGeneration, MACResponse: MACVerification, MACBoth: MACBothWays,
		DataRequest: DataEncrypt, DataResponse: DataDecrypt, DataBoth: DataBothWays,
	}
	if int(u) >= len(purposes) {
		return 0
	}
	return purposes[u]
}

// Step is one derivation of AES DUKPT: the key of Type is the first Type.Size()
// bytes of the AES-ECB cipher of Data, under the key before.
type Step struct {
	Data []byte // one block of 16 bytes, or two
	Type hsm.Algorithm
	// Counter says which transactions the key serves or leads to: 0 for the
	// initial key, then the counter's one-bits from the left, one more each step.
	Counter uint32
}

// step lays out the derivation data (X9.24-3, 6.3.2): version, number of the
// block, usage, algorithm and length of the key, and 8 bytes of context.
func step(p Purpose, t hsm.Algorithm, context [8]byte, counter uint32) Step {
	var block [16]byte
	block[0], block[1] = 1, 1
	binary.BigEndian.PutUint16(block[2:], uint16(p))
	binary.BigEndian.PutUint16(block[4:], algorithmIndicator(t))
	binary.BigEndian.PutUint16(block[6:], uint16(8*t.Size()))
	copy(block[8:], context[:])
	data := append(make([]byte, 0, 32), block[:]...)
	if t.Size() > len(block) {
		block[1] = 2
		data = append(data, block[:]...)
	}
	return Step{Data: data, Type: t, Counter: counter}
}

// algorithmIndicator is the code of a key type (X9.24-3, 6.3.2, table 5).
func algorithmIndicator(t hsm.Algorithm) uint16 {
	switch t {
	case hsm.TDES2:
		return 0
	case hsm.TDES3:
		return 1
	case hsm.AES128:
		return 2
	case hsm.AES192:
		return 3
	case hsm.AES256:
		return 4
	}
	return 5 // HMAC
}

// context of every derivation but that of the initial key: the last four bytes
// of the initial key identifier and the counter.
func context(ksn hsm.KSN, counter uint32) (c [8]byte) {
	id := ksn.ID()
	copy(c[:], id[4:])
	binary.BigEndian.PutUint32(c[4:], counter)
	return c
}

// InitialStep makes the initial key of a device from a BDK of algorithm t; the
// initial key has the BDK's length.
func InitialStep(t hsm.Algorithm, ksn hsm.KSN) Step { return step(InitialKey, t, ksn.ID(), 0) }

// DerivationStep makes the derivation key for counter, from the one for counter
// without its lowest one-bit.
func DerivationStep(t hsm.Algorithm, ksn hsm.KSN, counter uint32) Step {
	return step(KeyDerivation, t, context(ksn, counter), counter)
}

// Path is the chain from the key that the host holds, of usage BDK or IK, to
// the derivation key of the transaction: one step for the initial key when it
// is a BDK, and one for each one-bit of the counter.
func Path(base *hsm.Key, ksn hsm.KSN) []Step { return path(base, ksn, ksn.Counter()) }

func path(base *hsm.Key, ksn hsm.KSN, counter uint32) (steps []Step) {
	if base.Usage == hsm.BDK {
		steps = append(steps, InitialStep(base.Algorithm, ksn))
	}
	reached := uint32(0)
	for bit := uint32(1) << (hsm.AESCounterBits - 1); bit != 0; bit >>= 1 {
		if counter&bit != 0 {
			reached |= bit
			steps = append(steps, DerivationStep(base.Algorithm, ksn, reached))
		}
	}
	return steps
}

// WorkingStep makes a working key of type t from the transaction's derivation key.
func WorkingStep(p Purpose, t hsm.Algorithm, ksn hsm.KSN) Step {
	return step(p, t, context(ksn, ksn.Counter()), ksn.Counter())
}

// UpdatePath is the chain to the key-encryption key of type t under which the
// next initial key travels to a device: through the derivation key of counter
// FFFFFFFF, all of whose 32 bits are steps (X9.24-3, update initial key). ksn
// gives the device; its counter does not matter.
func UpdatePath(base *hsm.Key, t hsm.Algorithm, ksn hsm.KSN) []Step {
	steps := path(base, ksn, hsm.AESCounterUpdate)
	return append(steps, step(KeyEncryption, t, context(ksn, hsm.AESCounterUpdate), hsm.AESCounterUpdate))
}
