// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	p11 "github.com/miekg/pkcs11"
)

// errReadable says that a template which must hold did not.
var errReadable = errors.New("a key that must stay inside could be read or taken out")

// wrap wraps a key under another and takes it back as one that cannot be read,
// which is what working keys are kept by.
func (p *probe) wrap() error {
	over, err := p.key(p11.CKK_AES, probeAES)
	if err != nil {
		return err
	}
	inner, err := p.key(p11.CKK_DES2, probeDES2)
	if err != nil {
		return err
	}
	blob, err := p.ctx.WrapKey(p.session, keyWrap(), over, inner)
	if err != nil {
		return err
	}
	back, err := p.ctx.UnwrapKey(p.session, keyWrap(), over, blob, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_DES2), p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false), p11.NewAttribute(p11.CKA_ENCRYPT, true),
	})
	if err != nil {
		return err
	}
	if got, err := p.ctx.GetAttributeValue(p.session, back, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)}); err == nil && len(got) == 1 && len(got[0].Value) > 0 {
		return errReadable
	}
	if _, err := p.ctx.WrapKey(p.session, keyWrap(), over, back); err == nil {
		return errReadable
	}
	return nil
}

// generate makes a random key of size bytes (0: the type says it) and throws it away.
func (p *probe) generate(mechanism uint, size int) error {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false)}
	if size > 0 {
		template = append(template, p11.NewAttribute(p11.CKA_VALUE_LEN, size))
	}
	_, err := p.ctx.GenerateKey(p.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, template)
	return err
}

func (p *probe) random() error {
	a, err := p.ctx.GenerateRandom(p.session, 16)
	if err != nil {
		return err
	}
	b, err := p.ctx.GenerateRandom(p.session, 16)
	if err == nil && bytes.Equal(a, b) {
		err = errors.New("the same random bytes twice")
	}
	return err
}

// counterKDF asks for the key derivation of SP 800-108 with no parameter: a
// module that knows it refuses the parameter, any other the mechanism.
func (p *probe) counterKDF() error {
	base, err := p.key(p11.CKK_AES, probeAES)
	if err != nil {
		return err
	}
	_, err = p.ctx.DeriveKey(p.session, []*p11.Mechanism{p11.NewMechanism(ckmSP800108Counter, nil)}, base, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_AES), p11.NewAttribute(p11.CKA_VALUE_LEN, 16),
	})
	if errors.Is(err, p11.Error(p11.CKR_MECHANISM_PARAM_INVALID)) {
		return errors.New("the module knows the mechanism; this driver does not use it yet")
	}
	return err
}

// hmacOf is the HMAC-SHA-256 of the probe data.
func hmacOf(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(probeData)
	return h.Sum(nil)
}

func desCMAC(key []byte) []byte { return cmacOf(p11.CKK_DES3, key, 0x1B) }
func aesCMAC(key []byte) []byte { return cmacOf(p11.CKK_AES, key, 0x87) }

// cmacOf is the CMAC of the probe data, which is whole blocks (NIST SP 800-38B);
// polynomial is the constant of the block size.
func cmacOf(kind uint, key []byte, polynomial byte) []byte {
	block, err := blockOfKey(kind, key)
	if err != nil {
		return nil // equal to no answer
	}
	n := block.BlockSize()
	sub := make([]byte, n)
	block.Encrypt(sub, sub)
	carry := byte(0)
	for i := n - 1; i >= 0; i-- {
		sub[i], carry = sub[i]<<1|carry, sub[i]>>7
	}
	sub[n-1] ^= carry * polynomial
	data := bytes.Clone(probeData)
	subtle.XORBytes(data[len(data)-n:], data[len(data)-n:], sub)
	cipher.NewCBCEncrypter(block, make([]byte, n)).CryptBlocks(data, data)
	return data[len(data)-n:]
}
