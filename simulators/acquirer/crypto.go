// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
)

const (
	blockSize = des.BlockSize
	keySize   = 16 // a double-length key K1‖K2; TDEA uses K1, K2, K1
)

// singleDES and tripleDES take keys whose length the configuration has checked.
func singleDES(k []byte) cipher.Block {
	b, _ := des.NewCipher(k[:blockSize]) // fails on a wrong length only
	return b
}

func tripleDES(k []byte) cipher.Block {
	b, _ := des.NewTripleDESCipher(append(append(make([]byte, 0, 24), k[:keySize]...), k[:blockSize]...))
	return b
}

// padZero fills with zero bytes to whole blocks and adds nothing to data that
// is aligned already (ISO/IEC 9797-1 padding method 1).
func padZero(data []byte) []byte {
	n := (len(data) + blockSize - 1) / blockSize * blockSize
	return append(append(make([]byte, 0, n), data...), make([]byte, n-len(data))...)
}

// pad80 adds 80 and zero bytes to whole blocks, always at least one byte
// (padding method 2).
func pad80(data []byte) []byte {
	return padZero(append(append(make([]byte, 0, len(data)+1), data...), 0x80))
}

// retailMAC is ISO/IEC 9797-1 algorithm 3 over padded data: CBC under K1, and
// the last block once through K2 backwards and K1 forwards.
func retailMAC(key, padded []byte) (mac [blockSize]byte) {
	k1, k2 := singleDES(key[:blockSize]), singleDES(key[blockSize:])
	for at := 0; at < len(padded); at += blockSize {
		subtle.XORBytes(mac[:], mac[:], padded[at:at+blockSize])
		k1.Encrypt(mac[:], mac[:])
	}
	k2.Decrypt(mac[:], mac[:])
	k1.Encrypt(mac[:], mac[:])
	return mac
}

// pinFromISO0 deciphers a format 0 block (ISO 9564-1) and returns the PIN
// digits; false when the clear block does not have the form, which a wrong key
// or another account brings about.
func pinFromISO0(zpk, block []byte, account [12]byte) (string, bool) {
	var clear [blockSize]byte
	tripleDES(zpk).Decrypt(clear[:], block)
	pan := [blockSize]byte{2: digit(account[0], account[1]), 3: digit(account[2], account[3]), 4: digit(account[4], account[5]),
		5: digit(account[6], account[7]), 6: digit(account[8], account[9]), 7: digit(account[10], account[11])}
	subtle.XORBytes(clear[:], clear[:], pan[:])
	n := int(clear[0])
	if n < 4 || n > 12 { // the control nibble 0 is part of the comparison
		return "", false
	}
	pin := make([]byte, 0, 12)
	for i := range 14 {
		nibble := clear[1+i/2] >> 4
		if i%2 == 1 {
			nibble = clear[1+i/2] & 0x0F
		}
		switch {
		case i < n && nibble <= 9:
			pin = append(pin, '0'+nibble)
		case i >= n && nibble == 0x0F:
		default:
			return "", false
		}
	}
	return string(pin), true
}

// digit packs two ASCII digits into one byte.
func digit(hi, lo byte) byte { return (hi-'0')<<4 | (lo - '0') }

// visaPVV is the PIN verification value: eleven card digits without the check
// digit, the key index and the first four PIN digits, enciphered and decimalised
// in two passes (digits first, then A to F less ten).
func visaPVV(pvk, pan []byte, index byte, pin string) string {
	tsp := append(append(append([]byte{}, pan[len(pan)-12:len(pan)-1]...), index), pin[:4]...)
	var b [blockSize]byte
	for i := range b {
		b[i] = digit(tsp[2*i], tsp[2*i+1])
	}
	tripleDES(pvk).Encrypt(b[:], b[:])
	return decimalise(b[:], 4)
}

// decimalise takes n digits from the nibbles of b: first the decimal ones from
// the left, then the others less ten.
func decimalise(b []byte, n int) string {
	out := make([]byte, 0, n)
	for pass := range 2 {
		for i := 0; i < 2*len(b) && len(out) < n; i++ {
			nibble := b[i/2] >> 4
			if i%2 == 1 {
				nibble = b[i/2] & 0x0F
			}
			if (nibble > 9) == (pass == 1) {
				out = append(out, '0'+nibble%10)
			}
		}
	}
	return string(out)
}
