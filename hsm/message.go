// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"time"
)

// MACAlgorithm names a MAC of the field: which key and cipher, how the data is
// padded, and how many bytes are kept. The length belongs to the algorithm that
// two parties agreed on, never to what arrives: a shorter MAC is a wrong one.
type MACAlgorithm uint16

// The MAC algorithms in service. "Padding n" is method n of ISO 9797-1: zeros,
// none for whole blocks; 80 and zeros, always; the length in bits in front.
const (
	// MACUnionPayECB folds the data by xor to 8 bytes, and enciphers its 16 hex
	// characters in two halves; the result is the first 8 hex characters as
	// ASCII (UnionPay POS, field 64). Keys: TDES-2, where an 8-byte key is K‖K.
	MACUnionPayECB MACAlgorithm = iota + 1
	// MACRetail is ISO 9797-1 algorithm 3 with padding 1 (ANSI X9.19): single
	// DES CBC under K1, then decipher under K2 and encipher under K1. TDES-2.
	MACRetail
	MACRetailPad2 // the same with padding 2
	MACRetailPad3 // the same with padding 3
	// MACCBC is ISO 9797-1 algorithm 1 with padding 1: CBC under the whole key,
	// the last block. TDES-2 or TDES-3. Safe only where all data has one length.
	MACCBC
	MACCBCPad2 // the same with padding 2
	MACCBCPad3 // the same with padding 3
	// MACX99 is ANSI X9.9: single DES CBC with padding 1. It takes single-length
	// keys alone (kept as K‖K): under a double-length key it would lay the left
	// half open to a search of 2^56.
	MACX99
	// MACAS2805 is AS 2805.4.1, read as algorithm 3 with padding 1. The one public
	// vector has one block, and cannot tell algorithm 3 from CBC under the whole
	// key: try it with the host before relying on it.
	MACAS2805
	// MACCMACAES is AES-CMAC, 16 bytes (NIST SP 800-38B).
	MACCMACAES
	// MACCMACTDES is TDES-CMAC, 8 bytes (NIST SP 800-38B). TDES-2 or TDES-3.
	MACCMACTDES
	// MACHMACSHA256 is HMAC-SHA-256, 32 bytes (FIPS 198-1, RFC 2104).
	MACHMACSHA256
	// MACSM4CBC is GB/T 15852.1 algorithm 1 (as ISO 9797-1) over SM4 with padding
	// 1, 16 bytes.
	MACSM4CBC
	MACSM4CBCPad2 // the same with padding 2
	MACSM4CBCPad3 // the same with padding 3
	// MACSM4CMAC is CMAC over SM4, 16 bytes (GB/T 15852.1 algorithm 5).
	MACSM4CMAC
)

// MaxMACData bounds what one MAC may cover: a message of the field is at most a
// two-byte length long.
const MaxMACData = 1 << 16

// MACer makes and checks message authentication codes with a TAK, ZAK or HMAC
// key. ErrUsage: the key is not for this algorithm; ErrInput: algorithm, length
// or amount of data that is not built; ErrUnsupported: the module cannot.
type MACer interface {
	// MAC returns alg.Size() bytes over data, of at most MaxMACData bytes.
	MAC(ctx context.Context, key *Key, alg MACAlgorithm, data []byte) ([]byte, error)
	// VerifyMAC returns ErrMAC when mac does not belong to data, or has another
	// length than alg says; the comparison takes the same time wherever they differ.
	VerifyMAC(ctx context.Context, key *Key, alg MACAlgorithm, data, mac []byte) error
}

// The two parts of a MACAlgorithm: what is computed, and the bytes kept (0: all).
const (
	macKindMask  = 0x00FF
	macKeepShift = 8
)

// macRule is all that both drivers need to know of an algorithm.
type macRule struct {
	name    string
	op      Operation
	keys    []Algorithm
	padding uint8 // method of ISO 9797-1, 0 for none outside the cipher
	block   uint8 // bytes of the cipher's block, 0 without padding
	size    uint8 // bytes of the whole MAC
	least   uint8 // the shortest that may be kept
	empty   bool  // defined for no data
}

var macRules = [...]macRule{
	MACUnionPayECB: {"UnionPay ECB", OpMAC, []Algorithm{TDES2}, 0, 0, 8, 8, false},
	MACRetail:      {"ISO 9797-1 algorithm 3, padding 1", OpMAC, []Algorithm{TDES2}, 1, 8, 8, 4, false},
	MACRetailPad2:  {"ISO 9797-1 algorithm 3, padding 2", OpMAC, []Algorithm{TDES2}, 2, 8, 8, 4, true},
	MACRetailPad3:  {"ISO 9797-1 algorithm 3, padding 3", OpMAC, []Algorithm{TDES2}, 3, 8, 8, 4, true},
	MACCBC:         {"ISO 9797-1 algorithm 1, padding 1", OpMAC, []Algorithm{TDES2, TDES3}, 1, 8, 8, 4, false},
	MACCBCPad2:     {"ISO 9797-1 algorithm 1, padding 2", OpMAC, []Algorithm{TDES2, TDES3}, 2, 8, 8, 4, true},
	MACCBCPad3:     {"ISO 9797-1 algorithm 1, padding 3", OpMAC, []Algorithm{TDES2, TDES3}, 3, 8, 8, 4, true},
	MACX99:         {"ANSI X9.9", OpMAC, []Algorithm{TDES2}, 1, 8, 8, 4, false},
	MACAS2805:      {"AS 2805.4.1", OpMAC, []Algorithm{TDES2}, 1, 8, 8, 4, false},
	MACCMACAES:     {"AES-CMAC", OpCMAC, []Algorithm{AES128, AES192, AES256}, 0, 0, 16, 8, true},
	MACCMACTDES:    {"TDES-CMAC", OpCMAC, []Algorithm{TDES2, TDES3}, 0, 0, 8, 4, true},
	MACHMACSHA256:  {"HMAC-SHA-256", OpHMAC, []Algorithm{HMAC128, HMAC192, HMAC256}, 0, 0, 32, 8, true},
	MACSM4CBC:      {"SM4 CBC-MAC, padding 1", OpSM4MAC, []Algorithm{SM4}, 1, 16, 16, 4, false},
	MACSM4CBCPad2:  {"SM4 CBC-MAC, padding 2", OpSM4MAC, []Algorithm{SM4}, 2, 16, 16, 4, true},
	MACSM4CBCPad3:  {"SM4 CBC-MAC, padding 3", OpSM4MAC, []Algorithm{SM4}, 3, 16, 16, 4, true},
	MACSM4CMAC:     {"SM4-CMAC", OpSM4MAC, []Algorithm{SM4}, 0, 0, 16, 4, true},
}

// MACAlgorithms lists the algorithms in service, whole.
func MACAlgorithms() []MACAlgorithm {
	var all []MACAlgorithm
	for a := MACUnionPayECB; int(a) < len(macRules); a++ {
		all = append(all, a)
	}
	return all
}

// Keep is the same algorithm of whose MAC the leftmost n bytes are sent. Whether
// n is allowed shows when it is used: ErrInput.
func (a MACAlgorithm) Keep(n int) MACAlgorithm {
	if n < 0 || n > 0xFF {
		n = 0xFF // longer than any MAC: refused when used
	}
	return a.Whole() | MACAlgorithm(n)<<macKeepShift
}

// Whole is the algorithm without cutting.
func (a MACAlgorithm) Whole() MACAlgorithm { return a & macKindMask }

// rule is the algorithm's row; the zero row for an unknown one.
func (a MACAlgorithm) rule() macRule {
	if int(a.Whole()) >= len(macRules) {
		return macRule{}
	}
	return macRules[a.Whole()]
}

// Size is the number of bytes of the MAC, 0 for an unknown algorithm.
func (a MACAlgorithm) Size() int {
	if n := a >> macKeepShift; n != 0 && a.rule().size != 0 {
		return int(n)
	}
	return int(a.rule().size)
}

// Padding is the method of ISO 9797-1 by which data is filled to whole blocks,
// and the size of these; 0, 0 when the algorithm fills otherwise.
func (a MACAlgorithm) Padding() (method, block int) {
	r := a.rule()
	return int(r.padding), int(r.block)
}

// IsSM reports whether the algorithm is of the SM series.
func (a MACAlgorithm) IsSM() bool { return a.rule().op == OpSM4MAC }

// Keys lists the key algorithms that the MAC is defined for.
func (a MACAlgorithm) Keys() []Algorithm { return slices.Clone(a.rule().keys) }

// String is the algorithm in words, with its length when it is cut.
func (a MACAlgorithm) String() string {
	r := a.rule()
	if r.name == "" {
		return fmt.Sprintf("MAC algorithm %d", uint16(a))
	}
	if a.Whole() != a {
		return fmt.Sprintf("%s, %d bytes kept", r.name, a.Size())
	}
	return r.name
}

// Permit refuses what no driver may compute: a key that is not for this
// algorithm (ErrUsage), an algorithm or a length that is not built, too much
// data, or none where the algorithm has no meaning for it (ErrInput).
func (a MACAlgorithm) Permit(key *Key, now time.Time, dataLen int) error {
	r := a.rule()
	if r.name == "" {
		return fmt.Errorf("%w: %s is not built", ErrInput, a)
	}
	if err := Permit(r.op, key, now); err != nil {
		return err
	}
	if !slices.Contains(r.keys, key.Algorithm) {
		return fmt.Errorf("%w: %s %q is a key of %s, which %s does not take", ErrUsage, key.Usage, key.Name, key.Algorithm, r.name)
	}
	if n := a.Size(); n < int(r.least) || n > int(r.size) {
		return fmt.Errorf("%w: %s has %d to %d bytes", ErrInput, r.name, r.least, r.size)
	}
	if dataLen > MaxMACData || dataLen == 0 && !r.empty {
		return fmt.Errorf("%w: %s covers at most %d bytes, and some", ErrInput, r.name, MaxMACData)
	}
	return nil
}

// CheckMAC compares in constant time a MAC that was computed with the one that
// was presented; ErrMAC names the key. Another length is a wrong MAC.
func CheckMAC(key *Key, computed, presented []byte) error {
	if subtle.ConstantTimeCompare(computed, presented) != 1 {
		return fmt.Errorf("%w: under %s %q version %d", ErrMAC, key.Usage, key.Name, key.Version)
	}
	return nil
}
