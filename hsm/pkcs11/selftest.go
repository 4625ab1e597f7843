// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"encoding/hex"
	"fmt"

	p11 "github.com/miekg/pkcs11"
)

// answer is one known answer of the self test.
type answer struct {
	what string
	want string // hex
	get  func(w *worker, key p11.ObjectHandle, out []byte) error
}

// Published test keys and data.
const (
	testTDES = "0123456789ABCDEFFEDCBA9876543210"
	testAES  = "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4" // NIST SP 800-38B, AES-256
	testText = "6BC1BEE22E409F96E93D7E117393172A"                                 // the same, first block
)

// tdesAnswers are for testTDES; TestSelfTestAnswers computes them by other code.
var tdesAnswers = []answer{
	{"CKM_DES3_ECB, enciphering", "08D7B4FB629D0885", func(w *worker, key p11.ObjectHandle, out []byte) error {
		return w.ecb(true, key, make([]byte, 8), out)
	}},
	{"CKM_DES3_ECB, deciphering", "0000000000000000", func(w *worker, key p11.ObjectHandle, out []byte) error {
		return w.ecb(false, key, unhex("08D7B4FB629D0885"), out)
	}},
	{"CKM_DES3_CBC", "EA43F9AA27F82F599735D93D56B5449E", func(w *worker, key p11.ObjectHandle, out []byte) error {
		return w.m.fused.crypt(w.session, true, p11.CKM_DES3_CBC, make([]byte, 8), key, unhex(testText), out)
	}},
	{"CKM_DES3_ECB_ENCRYPT_DATA", "647355E820F09A07", func(w *worker, key p11.ObjectHandle, out []byte) error {
		derived, err := w.m.fused.derive(w.session, key, (*[16]byte)(unhex(testText)), false)
		if err != nil {
			return err
		}
		defer w.destroy(derived)
		return w.ecb(true, derived, make([]byte, 8), out)
	}},
}

// aesAnswers are for testAES: CMAC is example 2 for AES-256 of NIST SP 800-38B.
var aesAnswers = []answer{
	{"CKM_AES_CMAC", "28A7023F452E8F82BD4BF28D8C37C35C", func(w *worker, key p11.ObjectHandle, out []byte) error {
		return w.m.fused.cmac(w.session, key, unhex(testText), (*[16]byte)(out))
	}},
	{"CKM_AES_GCM", "4A40055F4EE551502300E6721DBA0528", func(w *worker, key p11.ObjectHandle, out []byte) error {
		sealed := make([]byte, 16+tagLen)
		if _, err := w.m.fused.gcm(w.session, true, key, make([]byte, nonceLen), unhex(testText), make([]byte, 16), sealed); err != nil {
			return err
		}
		copy(out, sealed[16:]) // the tag depends on all of it
		opened := make([]byte, len(sealed))
		n, err := w.m.fused.gcm(w.session, false, key, make([]byte, nonceLen), unhex(testText), sealed, opened)
		if err == nil && n != 16 {
			err = p11.Error(p11.CKR_FUNCTION_FAILED)
		}
		return err
	}},
}

// unhex is a constant's bytes.
func unhex(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}

// selfTest computes known answers the way keys in service are used: brought in,
// wrapped under the local master key, unwrapped into a session object. A module
// that gives another answer is not taken into use.
func (m *Module) selfTest(session p11.SessionHandle) error {
	w := &worker{m: m, session: session, scratch: new(scratch)}
	for _, t := range []struct {
		kind    uint
		key     string
		answers []answer
	}{{p11.CKK_DES2, testTDES, tdesAnswers}, {p11.CKK_AES, testAES, aesAnswers}} {
		if err := w.knownAnswers(t.kind, t.key, t.answers); err != nil {
			return fmt.Errorf("pkcs11: the module failed its self test and is not used: %w", err)
		}
	}
	if len(w.orphans) != 0 {
		return fmt.Errorf("pkcs11: the module failed its self test and is not used: an object could not be destroyed")
	}
	return nil
}

// knownAnswers holds the module to the answers for one key.
func (w *worker) knownAnswers(kind uint, value string, answers []answer) error {
	brought, err := w.m.fused.importKey(w.session, kind, unhex(value))
	if err != nil {
		return fmt.Errorf("bring in a test key: %w", err)
	}
	defer w.destroy(brought)
	blob, err := w.m.ctx.WrapKey(w.session, keyWrap(), w.m.link.lmk, brought)
	if err != nil {
		return fmt.Errorf("wrap a test key: %w", err)
	}
	key, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), w.m.link.lmk, blob, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, kind), p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true),
		p11.NewAttribute(p11.CKA_DECRYPT, true), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_DERIVE, true),
	})
	if err != nil {
		return fmt.Errorf("unwrap a test key: %w", err)
	}
	defer w.destroy(key)
	for _, a := range answers {
		got := make([]byte, len(a.want)/2)
		if err := a.get(w, key, got); err != nil {
			return fmt.Errorf("%s: %w", a.what, err)
		}
		if string(got) != string(unhex(a.want)) {
			return fmt.Errorf("%s gives a wrong answer to a known question", a.what)
		}
	}
	return nil
}
