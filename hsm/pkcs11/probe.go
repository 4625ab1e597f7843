// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/internal/secret"
)

// Probed is one mechanism and what the module did with it. A module's own list
// says what it knows by name; only doing it shows that it can.
type Probed struct {
	Mechanism string
	Works     bool
	Why       string // what the module said, or how its answer was wrong; empty when it works
}

// errAnswer says that a module did something else than was asked.
var errAnswer = errors.New("the answer is not the one that the standard library computes")

// probe tries mechanisms in one session with published test keys, as session
// objects that are destroyed at once.
type probe struct {
	ctx     *p11.Ctx
	session p11.SessionHandle
}

// attempt is one line of the list of probes.
type attempt struct {
	mechanism string
	try       func(p *probe) error
}

// Test keys and data of the probes; none is of use anywhere else.
var (
	probeDES2 = []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}
	probeDES3 = append(bytes.Clone(probeDES2), 0x2C, 0x4F, 0x6E, 0x8A, 0xA1, 0xC2, 0xE3, 0x07)
	probeAES  = []byte{0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C}
	probeData = []byte("thirty-two bytes are four blocks")
)

// ckmSP800108Counter is CKM_SP800_108_COUNTER_KDF of PKCS#11 3.0.
const ckmSP800108Counter = 0x000003AC

// attempts are all probes, in the order in which they are shown.
func attempts() []attempt {
	return []attempt{
		{"CKM_DES_ECB", func(p *probe) error { return p.cipher(p11.CKM_DES_ECB, nil, p11.CKK_DES, probeDES2[:8]) }},
		{"CKM_DES3_ECB", func(p *probe) error {
			return errors.Join(p.cipher(p11.CKM_DES3_ECB, nil, p11.CKK_DES2, probeDES2), p.cipher(p11.CKM_DES3_ECB, nil, p11.CKK_DES3, probeDES3))
		}},
		{"CKM_DES3_CBC", func(p *probe) error { return p.cipher(p11.CKM_DES3_CBC, make([]byte, 8), p11.CKK_DES2, probeDES2) }},
		{"CKM_DES3_CMAC", func(p *probe) error { return p.sign(p11.CKM_DES3_CMAC, p11.CKK_DES3, probeDES3, desCMAC(probeDES3)) }},
		{"CKM_AES_ECB", func(p *probe) error { return p.cipher(p11.CKM_AES_ECB, nil, p11.CKK_AES, probeAES) }},
		{"CKM_AES_CBC", func(p *probe) error { return p.cipher(p11.CKM_AES_CBC, make([]byte, 16), p11.CKK_AES, probeAES) }},
		{"CKM_AES_GCM", (*probe).gcm},
		{"CKM_AES_CMAC", func(p *probe) error { return p.sign(p11.CKM_AES_CMAC, p11.CKK_AES, probeAES, aesCMAC(probeAES)) }},
		{"CKM_SHA256_HMAC", func(p *probe) error {
			return p.sign(p11.CKM_SHA256_HMAC, p11.CKK_GENERIC_SECRET, probeData, hmacOf(probeData))
		}},
		{"CKM_DES3_ECB_ENCRYPT_DATA", func(p *probe) error {
			return p.derive(p11.CKM_DES3_ECB_ENCRYPT_DATA, p11.CKK_DES2, probeDES2, p11.CKK_DES2, stringData(probeData[:16]))
		}},
		{"CKM_AES_ECB_ENCRYPT_DATA", func(p *probe) error {
			return p.derive(p11.CKM_AES_ECB_ENCRYPT_DATA, p11.CKK_AES, probeAES, p11.CKK_AES, stringData(probeData[:16]))
		}},
		{"CKM_AES_KEY_WRAP", (*probe).wrap},
		{"CKM_XOR_BASE_AND_DATA", func(p *probe) error {
			return p.derive(p11.CKM_XOR_BASE_AND_DATA, p11.CKK_DES2, probeDES2, p11.CKK_DES2, stringData(probeData[:16]))
		}},
		{"CKM_CONCATENATE_BASE_AND_DATA", func(p *probe) error {
			return p.derive(p11.CKM_CONCATENATE_BASE_AND_DATA, p11.CKK_GENERIC_SECRET, probeDES2[:8], p11.CKK_GENERIC_SECRET, stringData(probeData[:8]))
		}},
		{"CKM_EXTRACT_KEY_FROM_KEY", func(p *probe) error {
			return p.derive(p11.CKM_EXTRACT_KEY_FROM_KEY, p11.CKK_AES, probeAES, p11.CKK_GENERIC_SECRET, bitPosition)
		}},
		{"CKM_SP800_108_COUNTER_KDF", (*probe).counterKDF},
		{"CKM_DES2_KEY_GEN", func(p *probe) error { return p.generate(p11.CKM_DES2_KEY_GEN, 0) }},
		{"CKM_DES3_KEY_GEN", func(p *probe) error { return p.generate(p11.CKM_DES3_KEY_GEN, 0) }},
		{"CKM_AES_KEY_GEN", func(p *probe) error { return p.generate(p11.CKM_AES_KEY_GEN, 32) }},
		{"CKM_GENERIC_SECRET_KEY_GEN", func(p *probe) error { return p.generate(p11.CKM_GENERIC_SECRET_KEY_GEN, 32) }},
		{"C_GenerateRandom", (*probe).random},
		{"SM3", noStandard},
		{"SM4", noStandard},
	}
}

// noStandard answers for what PKCS#11 has no number of: there is nothing to try.
func noStandard(*probe) error {
	return errors.New("PKCS#11 has no standard mechanism, and those of vendors are not built")
}

// Probe executes every mechanism that a function of this driver needs or could
// use, on a token of the module, and compares the answers with the standard
// library's. It makes session objects of test keys only. The module must not be
// open in this process.
func Probe(modulePath, label string, userPIN secret.Key) (out []Probed, err error) {
	ctx, _, err := start(modulePath)
	if err != nil {
		return nil, err
	}
	defer stop(ctx)
	holder, err := openToken(ctx, label, userPIN)
	if err != nil {
		return nil, err
	}
	slot, err := findToken(ctx, label)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts() {
		// A session of its own: an operation that failed half way would bend the next.
		session, err := ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		if err != nil {
			return nil, fmt.Errorf("pkcs11: open a session on token %q: %w", label, err)
		}
		failed := a.try(&probe{ctx, session})
		if err := ctx.CloseSession(session); err != nil && failed == nil {
			failed = err
		}
		line := Probed{Mechanism: a.mechanism, Works: failed == nil}
		if failed != nil {
			line.Why = strings.ReplaceAll(failed.Error(), "\n", "; ")
		}
		out = append(out, line)
	}
	return out, ctx.CloseSession(holder)
}

// key makes a session object of a test key.
func (p *probe) key(kind uint, value []byte) (p11.ObjectHandle, error) {
	return p.ctx.CreateObject(p.session, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, kind), p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, true), p11.NewAttribute(p11.CKA_VALUE, value),
		p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, true), p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_DERIVE, true), p11.NewAttribute(p11.CKA_WRAP, true), p11.NewAttribute(p11.CKA_UNWRAP, true),
	})
}

// blockOfKey is the same key in the standard library.
func blockOfKey(kind uint, value []byte) (cipher.Block, error) {
	switch kind {
	case p11.CKK_DES:
		return des.NewCipher(value)
	case p11.CKK_DES2:
		return des.NewTripleDESCipher(append(bytes.Clone(value), value[:8]...))
	case p11.CKK_DES3:
		return des.NewTripleDESCipher(value)
	}
	return aes.NewCipher(value)
}

// cipher enciphers and deciphers whole blocks, in ECB or (with iv) CBC.
func (p *probe) cipher(mechanism uint, iv []byte, kind uint, value []byte) error {
	key, err := p.key(kind, value)
	if err != nil {
		return err
	}
	m := []*p11.Mechanism{p11.NewMechanism(mechanism, iv)}
	if err := p.ctx.EncryptInit(p.session, m, key); err != nil {
		return err
	}
	got, err := p.ctx.Encrypt(p.session, probeData)
	if err != nil {
		return err
	}
	block, err := blockOfKey(kind, value)
	if err != nil {
		return err
	}
	want := make([]byte, len(probeData))
	if iv != nil {
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(want, probeData)
	} else {
		for i := 0; i < len(want); i += block.BlockSize() {
			block.Encrypt(want[i:], probeData[i:])
		}
	}
	if !bytes.Equal(got, want) {
		return errAnswer
	}
	if err := p.ctx.DecryptInit(p.session, m, key); err != nil {
		return err
	}
	back, err := p.ctx.Decrypt(p.session, got)
	if err == nil && !bytes.Equal(back, probeData) {
		err = errAnswer
	}
	return err
}

// sign makes a MAC of the probe data.
func (p *probe) sign(mechanism, kind uint, value, want []byte) error {
	key, err := p.key(kind, value)
	if err != nil {
		return err
	}
	if err := p.ctx.SignInit(p.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, key); err != nil {
		return err
	}
	got, err := p.ctx.Sign(p.session, probeData)
	if err == nil && !bytes.Equal(got, want) {
		err = errAnswer
	}
	return err
}

func (p *probe) gcm() error {
	key, err := p.key(p11.CKK_AES, probeAES)
	if err != nil {
		return err
	}
	nonce := make([]byte, 12)
	params := p11.NewGCMParams(nonce, nil, 128)
	defer params.Free()
	if err := p.ctx.EncryptInit(p.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_GCM, params)}, key); err != nil {
		return err
	}
	got, err := p.ctx.Encrypt(p.session, probeData)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(probeAES)
	if err != nil {
		return err
	}
	mode, err := cipher.NewGCM(block)
	if err == nil && !bytes.Equal(got, mode.Seal(nil, nonce, probeData, nil)) {
		err = errAnswer
	}
	return err
}

// stringData is the image of a CK_KEY_DERIVATION_STRING_DATA {pointer, length};
// the library copies it by its bytes, so what it points to is pinned.
func stringData(data []byte) func(pinned *runtime.Pinner) []byte {
	return func(pinned *runtime.Pinner) []byte {
		at := unsafe.SliceData(data)
		pinned.Pin(at)
		image := binary.NativeEndian.AppendUint64(nil, uint64(uintptr(unsafe.Pointer(at))))
		return binary.NativeEndian.AppendUint64(image, uint64(len(data)))
	}
}

// bitPosition is the parameter of an extraction from the first bit on.
func bitPosition(*runtime.Pinner) []byte { return make([]byte, 8) }

// derive makes a key out of another and checks that it can be used: its value
// cannot be read here, and some modules set the parity of DES keys.
func (p *probe) derive(mechanism, kind uint, value []byte, derived uint, parameter func(*runtime.Pinner) []byte) error {
	base, err := p.key(kind, value)
	if err != nil {
		return err
	}
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, derived), p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true),
		p11.NewAttribute(p11.CKA_SIGN, true),
	}
	if derived != p11.CKK_DES2 {
		template = append(template, p11.NewAttribute(p11.CKA_VALUE_LEN, 16))
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	key, err := p.ctx.DeriveKey(p.session, []*p11.Mechanism{p11.NewMechanism(mechanism, parameter(&pinned))}, base, template)
	if err != nil || mechanism != p11.CKM_DES3_ECB_ENCRYPT_DATA && mechanism != p11.CKM_AES_ECB_ENCRYPT_DATA {
		return err
	}
	return p.derived(kind, value, key)
}

// derived checks a key that is the cipher of data under its base.
func (p *probe) derived(kind uint, value []byte, key p11.ObjectHandle) error {
	base, err := blockOfKey(kind, value)
	if err != nil {
		return err
	}
	want := make([]byte, 16)
	for i := 0; i < 16; i += base.BlockSize() {
		base.Encrypt(want[i:], probeData[i:])
	}
	block, err := blockOfKey(kind, want)
	if err != nil {
		return err
	}
	mechanism := uint(p11.CKM_AES_ECB)
	if kind == p11.CKK_DES2 {
		mechanism = p11.CKM_DES3_ECB
	}
	if err := p.ctx.EncryptInit(p.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, key); err != nil {
		return err
	}
	got, err := p.ctx.Encrypt(p.session, make([]byte, 16))
	if err != nil {
		return err
	}
	zeros := make([]byte, block.BlockSize())
	block.Encrypt(zeros, zeros)
	if !bytes.Equal(got[:len(zeros)], zeros) {
		return errAnswer
	}
	return nil
}
