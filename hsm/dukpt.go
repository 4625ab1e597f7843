// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// Bounds of a DUKPT transaction counter.
const (
	// TDESCounterBits and TDESCounterOnes: 21 bits, at most 10 of them one
	// (ANSI X9.24-1), so that no derivation has more than 10 steps.
	TDESCounterBits = 21
	TDESCounterOnes = 10
	// AESCounterBits and AESCounterOnes: 32 bits, at most 16 of them one (ANSI X9.24-3).
	AESCounterBits = 32
	AESCounterOnes = 16
	// AESCounterUpdate is not a transaction: its key-encryption key carries the
	// next initial key to a device (ANSI X9.24-3, update initial key).
	AESCounterUpdate = 0xFFFFFFFF
)

// Lengths of a key serial number.
const (
	tdesShortKSN = 8 // a TDES number without its leading FFFF
	tdesKSN      = 10
	aesKSN       = 12
)

// KSN is a key serial number: which device, and which of its transactions. It
// is public. TDES: 10 bytes, 59 bits of identity and 21 of counter. AES: 12
// bytes, an initial key identifier of 8 and a counter of 4. The zero KSN is
// none. KSNs compare with ==.
type KSN struct {
	bytes [aesKSN]byte
	n     uint8
}

// ParseKSN reads the key serial number of a transaction: 10 bytes of TDES, the
// same as 8 bytes without their leading FFFF, or 12 bytes of AES. ErrInput says
// what is wrong: the length, or a counter that no device can have reached. Of
// AES counters with 17 one-bits those that end in one are served: the register
// procedure of X9.24-3 reaches them, and its own list of examples has 0001FFFF,
// though its text stops at 16. A device of ours skips them.
func ParseKSN(b []byte) (KSN, error) {
	var k KSN
	switch len(b) {
	case tdesShortKSN:
		k.bytes[0], k.bytes[1], k.n = 0xFF, 0xFF, tdesKSN
		copy(k.bytes[2:], b)
	case tdesKSN, aesKSN:
		k.n = uint8(copy(k.bytes[:], b))
	default:
		return KSN{}, fmt.Errorf("%w: a key serial number has 10 bytes (TDES; 8 without its leading FFFF) or 12 (AES), not %d", ErrInput, len(b))
	}
	if err := k.checkCounter(); err != nil {
		return KSN{}, err
	}
	return k, nil
}

func (k KSN) checkCounter() error {
	c := k.Counter()
	ones, most := bits.OnesCount32(c), TDESCounterOnes
	if k.IsAES() {
		most = AESCounterOnes + int(c&1)
	}
	switch {
	case c == 0:
		return fmt.Errorf("%w: the key serial number has counter 0, which names the initial key and no transaction", ErrInput)
	case k.IsAES() && c == AESCounterUpdate:
		return fmt.Errorf("%w: the key serial number has the counter that is kept for the update of the initial key", ErrInput)
	case ones > most:
		return fmt.Errorf("%w: the key serial number has a counter with %d one-bits, and devices skip those with more than %d", ErrInput, ones, most)
	}
	return nil
}

// IsZero reports whether there is no number.
func (k KSN) IsZero() bool { return k.n == 0 }

// IsAES reports whether the number is of AES DUKPT.
func (k KSN) IsAES() bool { return k.n == aesKSN }

// Bytes is the number, 10 or 12 bytes.
func (k KSN) Bytes() []byte { return append([]byte(nil), k.bytes[:k.n]...) }

// String is the number in upper-case hex. It is not secret.
func (k KSN) String() string { return strings.ToUpper(hex.EncodeToString(k.bytes[:k.n])) }

// Counter is the transaction counter: the last 21 bits, or the last 32 of AES.
func (k KSN) Counter() uint32 {
	switch k.n {
	case aesKSN:
		return binary.BigEndian.Uint32(k.bytes[8:])
	case tdesKSN:
		return binary.BigEndian.Uint32(k.bytes[6:]) & (1<<TDESCounterBits - 1)
	}
	return 0
}

// ID is what the initial key is derived from: of TDES the first 8 bytes with
// the counter's bits cleared, of AES the initial key identifier.
func (k KSN) ID() (id [8]byte) {
	copy(id[:], k.bytes[:8])
	if !k.IsAES() {
		id[7] &= 0xE0
	}
	return id
}

// Register is the last 8 bytes of a TDES number with the counter's bits
// cleared: what the key register starts with (ANSI X9.24-1).
func (k KSN) Register() (r [8]byte) {
	copy(r[:], k.bytes[2:])
	r[5] &= 0xE0
	r[6], r[7] = 0, 0
	return r
}

// At is the number of the same device's transaction counter, under the same
// rules as ParseKSN.
func (k KSN) At(counter uint32) (KSN, error) {
	switch {
	case k.n == aesKSN:
		binary.BigEndian.PutUint32(k.bytes[8:], counter)
	case k.n == tdesKSN && counter < 1<<TDESCounterBits:
		rest := binary.BigEndian.Uint32(k.bytes[6:]) &^ (1<<TDESCounterBits - 1)
		binary.BigEndian.PutUint32(k.bytes[6:], rest|counter)
	default:
		return KSN{}, fmt.Errorf("%w: counter %d does not fit this key serial number", ErrInput, counter)
	}
	if err := k.checkCounter(); err != nil {
		return KSN{}, err
	}
	return k, nil
}

// Direction says which of the two keys of a transaction is meant: what the
// terminal sends and what it receives are under different keys.
type Direction uint8

// The directions in service.
const (
	Request  Direction = iota + 1 // terminal to host
	Response                      // host to terminal
	BothWays                      // one key for both: AES DUKPT only (usages 2002 and 3002 of X9.24-3)
)

// DUKPTKey names the working keys of one transaction of one device. Nothing of
// it is derived before a function is called with it.
type DUKPTKey struct {
	Base *Key // usage BDK or IK
	KSN  KSN
	// Type is the algorithm of the working key. With a TDES base it is TDES2. With
	// an AES base it is any but SM4, and not stronger than the base (X9.24-3).
	Type Algorithm
}

// Check refuses, with ErrInput, a KSN or type that does not go with the base key.
func (d DUKPTKey) Check() error {
	switch {
	case d.Base == nil:
		return fmt.Errorf("%w: no key given to %s", ErrInput, OpDUKPT)
	case d.KSN.IsZero():
		return fmt.Errorf("%w: no key serial number given with %s %q", ErrInput, d.Base.Usage, d.Base.Name)
	case d.KSN.IsAES() != d.Base.Algorithm.IsAES():
		return fmt.Errorf("%w: the key serial number is of the other DUKPT than %s %q of %s", ErrInput, d.Base.Usage, d.Base.Name, d.Base.Algorithm)
	case !d.KSN.IsAES() && d.Type != TDES2:
		return fmt.Errorf("%w: TDES DUKPT has working keys of %s, not of %s", ErrInput, TDES2, d.Type)
	case !derivable(d.Type):
		return fmt.Errorf("%w: AES DUKPT has no working keys of %s", ErrInput, d.Type)
	case d.KSN.IsAES() && strength(d.Type) > d.Base.Algorithm.Size():
		return fmt.Errorf("%w: a working key of %s is stronger than %s %q of %s", ErrInput, d.Type, d.Base.Usage, d.Base.Name, d.Base.Algorithm)
	}
	return nil
}

func derivable(a Algorithm) bool {
	return a.IsTDES() || a.IsAES() || a == HMAC128 || a == HMAC192 || a == HMAC256
}

// strength in bytes: no DES key reaches that of AES-128 (NIST SP 800-57, table 2).
func strength(a Algorithm) int {
	if a.IsTDES() {
		return 0
	}
	return a.Size()
}

// DUKPTMACAlgorithm names a MAC under a DUKPT working key.
type DUKPTMACAlgorithm uint8

// The MACs under DUKPT working keys.
const (
	// DUKPTRetail is ISO 9797-1 algorithm 3 with padding method 1 (ANSI X9.19): 8
	// bytes, under a key of TDES DUKPT.
	DUKPTRetail DUKPTMACAlgorithm = iota + 1
	// DUKPTCMAC is CMAC (ISO 9797-1 algorithm 5): 8 bytes under a DES key, 16
	// under an AES key.
	DUKPTCMAC
	// DUKPTHMAC is HMAC-SHA-256: 32 bytes, under an HMAC key of AES DUKPT.
	DUKPTHMAC
)

// Size is the length of the whole MAC under a working key of algorithm a, 0
// when the two do not go together. aes says of which DUKPT the key is.
func (m DUKPTMACAlgorithm) Size(a Algorithm, aes bool) int {
	switch {
	case m == DUKPTRetail && a == TDES2 && !aes, m == DUKPTCMAC && a.IsTDES():
		return 8
	case m == DUKPTCMAC && a.IsAES():
		return 16
	case m == DUKPTHMAC && (a == HMAC128 || a == HMAC192 || a == HMAC256):
		return 32
	}
	return 0
}

// minDUKPTMAC is the shortest MAC that is checked: 4 bytes, as ISO 8583 field
// 64 of many links carries.
const minDUKPTMAC = 4

// CheckMAC refuses, with ErrInput, a MAC that is not built for the working key,
// a direction it has no key for, or a received MAC of a wrong length (nil for
// one that is made). It returns the length of the whole MAC.
func (d DUKPTKey) CheckMAC(alg DUKPTMACAlgorithm, dir Direction, received []byte) (int, error) {
	if err := d.Check(); err != nil {
		return 0, err
	}
	size := alg.Size(d.Type, d.KSN.IsAES())
	switch {
	case size == 0:
		return 0, fmt.Errorf("%w: DUKPT MAC algorithm %d is not built under a working key of %s from a base key of %s", ErrInput, alg, d.Type, d.Base.Algorithm)
	case received != nil && (len(received) < minDUKPTMAC || len(received) > size):
		return 0, fmt.Errorf("%w: a MAC of %d bytes was received, want %d to %d", ErrInput, len(received), minDUKPTMAC, size)
	}
	return size, d.checkDirection(dir)
}

func (d DUKPTKey) checkDirection(dir Direction) error {
	if dir == Request || dir == Response || dir == BothWays && d.KSN.IsAES() {
		return nil
	}
	return fmt.Errorf("%w: direction %d has no key under a base key of %s", ErrInput, dir, d.Base.Algorithm)
}

// CheckData refuses, with ErrInput, what cannot be enciphered under the working key.
func (d DUKPTKey) CheckData(dir Direction, mode CipherMode, data []byte) error {
	if err := d.Check(); err != nil {
		return err
	}
	if err := mode.Check(d.Type, data); err != nil {
		return err
	}
	return d.checkDirection(dir)
}

// DUKPTMACer makes and checks MACs under the keys of a transaction. data has 1
// to 65,536 bytes.
type DUKPTMACer interface {
	// DUKPTMAC returns the whole MAC; how much of it travels is the link's choice.
	DUKPTMAC(ctx context.Context, key DUKPTKey, dir Direction, alg DUKPTMACAlgorithm, data []byte) ([]byte, error)
	// VerifyDUKPTMAC returns ErrMAC when mac, the first 4 bytes or more of a MAC,
	// does not belong to data; the comparison takes the same time wherever they differ.
	VerifyDUKPTMAC(ctx context.Context, key DUKPTKey, dir Direction, alg DUKPTMACAlgorithm, data, mac []byte) error
}

// DUKPTDataCipher enciphers and deciphers whole blocks under the data key of a
// transaction. TDES data keys have the one-way step of X9.24-1 behind the variant.
type DUKPTDataCipher interface {
	EncipherDUKPTData(ctx context.Context, key DUKPTKey, dir Direction, mode CipherMode, data []byte) ([]byte, error)
	DecipherDUKPTData(ctx context.Context, key DUKPTKey, dir Direction, mode CipherMode, data []byte) ([]byte, error)
}
