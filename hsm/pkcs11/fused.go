// SPDX-License-Identifier: Apache-2.0

package pkcs11

/*
#cgo LDFLAGS: -ldl
#cgo noescape ts_crypt
#cgo noescape ts_chain2
#cgo noescape ts_alg3
#cgo noescape ts_sign
#cgo noescape ts_gcm
#cgo noescape ts_derive
#cgo nocallback ts_gcm
#cgo nocallback ts_derive
#cgo nocallback ts_derive_working
#cgo nocallback ts_import_working
#cgo nocallback ts_destroy
#include <stdlib.h>
#include "fused.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// functions are the module's functions, reached in one crossing for each
// operation instead of two (github.com/miekg/pkcs11 copies through the heap and
// the C heap; here clear bytes stay in the page they are in).
type functions struct{ f C.ts_module }

// load opens the module file for fused calls.
func load(path string) (functions, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why [256]C.char
	f := C.ts_load(name, &why[0], C.int(len(why)))
	if f == 0 {
		return functions{}, errors.New(C.GoString(&why[0]))
	}
	return functions{f}, nil
}

// ptr is the address of b's first byte, nil for none. Its type spares a call
// cgo's look at what else lies there: bytes hold no Go pointers.
func ptr(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }

func result(rv C.ts_ulong) error {
	if rv == 0 {
		return nil
	}
	return p11.Error(rv)
}

// crypt enciphers or deciphers in into out, of the same length.
func (f functions) crypt(s p11.SessionHandle, encipher bool, mechanism uint, iv []byte, key p11.ObjectHandle, in, out []byte) error {
	direction := C.int(0)
	if encipher {
		direction = 1
	}
	return result(C.ts_crypt(f.f, C.ts_ulong(s), direction, C.ts_ulong(mechanism), ptr(iv), C.ts_ulong(key), ptr(in), C.ts_ulong(len(in)), ptr(out[:len(in)])))
}

// chain2 is E(E(first) xor second) under double-length DES, in one crossing.
func (f functions) chain2(s p11.SessionHandle, key p11.ObjectHandle, first, second, out *[8]byte) error {
	return result(C.ts_chain2(f.f, C.ts_ulong(s), C.ts_ulong(key), ptr(first[:]), ptr(second[:]), ptr(out[:])))
}

// alg3 is ISO 9797-1 algorithm 3 over whole blocks, which it uses up, in one crossing.
func (f functions) alg3(s p11.SessionHandle, keys *pair, padded []byte, out *[8]byte) error {
	return result(C.ts_alg3(f.f, C.ts_ulong(s), C.ts_ulong(keys.doubled), C.ts_ulong(keys.whole), ptr(padded), C.ts_ulong(len(padded)), ptr(out[:])))
}

// cmac is AES-CMAC of in.
func (f functions) cmac(s p11.SessionHandle, key p11.ObjectHandle, in []byte, out *[16]byte) error {
	return result(C.ts_sign(f.f, C.ts_ulong(s), p11.CKM_AES_CMAC, C.ts_ulong(key), ptr(in), C.ts_ulong(len(in)), ptr(out[:]), 16))
}

// sign makes a MAC of exactly len(out) bytes by one mechanism.
func (f functions) sign(s p11.SessionHandle, mechanism uint, key p11.ObjectHandle, in, out []byte) error {
	return result(C.ts_sign(f.f, C.ts_ulong(s), C.ts_ulong(mechanism), C.ts_ulong(key), ptr(in), C.ts_ulong(len(in)), ptr(out), C.ts_ulong(len(out))))
}

// gcm enciphers or deciphers in into out and returns how much of it was used.
func (f functions) gcm(s p11.SessionHandle, encipher bool, key p11.ObjectHandle, nonce, aad, in, out []byte) (int, error) {
	direction := C.int(0)
	if encipher {
		direction = 1
	}
	n := C.ts_ulong(len(out))
	err := result(C.ts_gcm(f.f, C.ts_ulong(s), direction, C.ts_ulong(key), ptr(nonce), ptr(aad), C.ts_ulong(len(aad)), ptr(in), C.ts_ulong(len(in)), ptr(out), &n))
	return int(n), err
}

// derive makes the double-length DES key that data enciphered under base is.
func (f functions) derive(s p11.SessionHandle, base p11.ObjectHandle, data *[16]byte, extractable bool) (p11.ObjectHandle, error) {
	extract := C.int(0)
	if extractable {
		extract = 1
	}
	var key C.ts_ulong
	err := result(C.ts_derive(f.f, C.ts_ulong(s), C.ts_ulong(base), ptr(data[:]), extract, &key))
	return p11.ObjectHandle(key), err
}

// cmacOf is the CMAC of in under a key of either cipher; out is one cipher block.
func (f functions) cmacOf(s p11.SessionHandle, mechanism uint, key p11.ObjectHandle, in, out []byte) error {
	return result(C.ts_sign(f.f, C.ts_ulong(s), C.ts_ulong(mechanism), C.ts_ulong(key), ptr(in), C.ts_ulong(len(in)), ptr(out), C.ts_ulong(len(out))))
}

// importKey makes a session key of a clear value, ready to be wrapped.
func (f functions) importKey(s p11.SessionHandle, keyType uint, value []byte) (p11.ObjectHandle, error) {
	var key C.ts_ulong
	err := result(C.ts_import(f.f, C.ts_ulong(s), C.ts_ulong(keyType), ptr(value), C.ts_ulong(len(value)), &key))
	return p11.ObjectHandle(key), err
}

// abilities are what a working key may do.
type abilities int

const (
	mayEncrypt abilities = C.TS_ENCRYPT
	mayDecrypt abilities = C.TS_DECRYPT
	maySign    abilities = C.TS_SIGN
	mayDerive  abilities = C.TS_DERIVE
	mayWrapped abilities = C.TS_WRAPPED // be wrapped: of a key that is kept, until it is
)

// deriveCipher makes a key of keyType, sensitive and not extractable unless told, of data
// enciphered under base by the mechanism and cut to size bytes.
func (f functions) deriveCipher(s p11.SessionHandle, mechanism uint, base p11.ObjectHandle, data []byte, keyType uint, size int, may abilities) (p11.ObjectHandle, error) {
	if keyType == p11.CKK_DES2 || keyType == p11.CKK_DES3 {
		size = 0 // the type has it, and modules refuse to be told
	}
	var key C.ts_ulong
	err := result(C.ts_derive_working(f.f, C.ts_ulong(s), C.ts_ulong(mechanism), C.ts_ulong(base), ptr(data), C.ts_ulong(len(data)), C.ts_ulong(keyType), C.ts_ulong(size), C.int(may), &key))
	return p11.ObjectHandle(key), err
}

// deriveAES is deriveCipher of an AES base.
func (f functions) deriveAES(s p11.SessionHandle, base p11.ObjectHandle, data []byte, keyType uint, size int, may abilities) (p11.ObjectHandle, error) {
	return f.deriveCipher(s, p11.CKM_AES_ECB_ENCRYPT_DATA, base, data, keyType, size, may)
}

// importWorking makes a session key of a clear value, not extractable.
func (f functions) importWorking(s p11.SessionHandle, keyType uint, value []byte, may abilities) (p11.ObjectHandle, error) {
	var key C.ts_ulong
	err := result(C.ts_import_working(f.f, C.ts_ulong(s), C.ts_ulong(keyType), ptr(value), C.ts_ulong(len(value)), C.int(may), &key))
	return p11.ObjectHandle(key), err
}

// random fills out from the module.
func (f functions) random(s p11.SessionHandle, out []byte) error {
	return result(C.ts_random(f.f, C.ts_ulong(s), ptr(out), C.ts_ulong(len(out))))
}

// destroy removes a session object.
func (f functions) destroy(s p11.SessionHandle, object p11.ObjectHandle) error {
	return result(C.ts_destroy(f.f, C.ts_ulong(s), C.ts_ulong(object)))
}
