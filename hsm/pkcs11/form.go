// SPDX-License-Identifier: Apache-2.0

package pkcs11

/*
#cgo nocallback ts_form
#cgo nocallback ts_component
#include "form.h"
*/
import "C"

import (
	"unsafe"

	p11 "github.com/miekg/pkcs11"
)

// role is what a key made of a clear value may do.
type role int

const (
	roleWrapping  = role(C.TS_WRAPPING)
	roleBinding   = role(C.TS_BINDING)
	roleMigrating = role(C.TS_MIGRATING)
)

// form makes an AES-256 key of value, a view of a locked page.
func (f functions) form(s p11.SessionHandle, r role, token bool, label, id string, value []byte) (p11.ObjectHandle, error) {
	stays := C.int(0)
	if token {
		stays = 1
	}
	name, mark := []byte(label), []byte(id)
	var key C.ts_ulong
	err := result(C.ts_form(f.f, C.ts_ulong(s), C.int(r), stays, ptr(name), C.ts_ulong(len(name)), ptr(mark), C.ts_ulong(len(mark)),
		ptr(value), C.ts_ulong(len(value)), &key))
	return p11.ObjectHandle(key), err
}

// component makes a session key of value, a view of a locked page, for CMACs.
func (f functions) component(s p11.SessionHandle, value []byte) (p11.ObjectHandle, error) {
	var key C.ts_ulong
	err := result(C.ts_component(f.f, C.ts_ulong(s), ptr(value), C.ts_ulong(len(value)), &key))
	return p11.ObjectHandle(key), err
}

// cmacInto is AES-CMAC of in, with its 16 bytes put into a locked page.
func (f functions) cmacInto(s p11.SessionHandle, key p11.ObjectHandle, in, out []byte) error {
	return f.cmac(s, key, in, (*[16]byte)(unsafe.Pointer(unsafe.SliceData(out[:16]))))
}
