// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"fmt"
	"io"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/secret"
)

// PINs on plain PKCS#11: the module deciphers a block into the worker's locked
// page, the page is checked and laid out anew by hsm/clear, and the module
// enciphers it in place. Keys stay inside; the PIN is in that page between the
// two, and nowhere else here.

var (
	_ hsm.Translator     = (*Module)(nil)
	_ hsm.PINVerifier    = (*Module)(nil)
	_ hsm.OffsetVerifier = (*Module)(nil)
	_ hsm.PINIssuer      = (*Module)(nil)
	_ hsm.PINReplacer    = (*Module)(nil)
)

// pinCipher is a key of the module at work on one block of the locked page.
func (w *worker) pinCipher(key *hsm.Key) (clear.Cipher, error) {
	keys, err := w.objects(key)
	if err != nil {
		return nil, err
	}
	return w.blockCipher(keys.whole, key.Algorithm), nil
}

// blockCipher runs one block of the locked page through an object.
func (w *worker) blockCipher(object p11.ObjectHandle, algorithm hsm.Algorithm) clear.Cipher {
	if w.ciphersUsed == len(w.ciphers) {
		c := &roomCipher{w: w}
		c.run = c.block
		w.ciphers = append(w.ciphers, c)
	}
	c := w.ciphers[w.ciphersUsed]
	w.ciphersUsed++
	c.mechanism, c.object = p11.CKM_DES3_ECB, object
	if algorithm.IsAES() {
		c.mechanism = p11.CKM_AES_ECB
	}
	return c.run
}

// roomCipher is a clear.Cipher that a worker uses again.
type roomCipher struct {
	w         *worker
	mechanism uint
	object    p11.ObjectHandle
	run       clear.Cipher // block, made once
}

func (c *roomCipher) block(encipher bool, block []byte) error {
	return c.w.ecbWith(c.mechanism, encipher, c.object, block, block)
}

// filler is the randomness of one PIN block, none for a format without.
func (m *Module) filler(f hsm.PINFormat) (random [8]byte, err error) {
	if !f.HasRandom() {
		return random, nil
	}
	if _, err := io.ReadFull(m.world.Rand, random[:]); err != nil {
		return random, fmt.Errorf("%w: no randomness: %w", hsm.ErrUnavailable, err)
	}
	return random, nil
}

// TranslatePIN makes of one PIN block another.
func (m *Module) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	if err := hsm.PermitTranslation(in, to, m.nowFor(in.Key, to.Key)); err != nil {
		return secret.PINBlock{}, err
	}
	random, err := m.filler(to.Format)
	if err != nil {
		return secret.PINBlock{}, err
	}
	c := m.calls.translate.take()
	c.in, c.to, c.random = in, to, random
	err = m.serve(ctx, to.Key, &c.job)
	var block secret.PINBlock
	if err == nil {
		block, err = secret.NewPINBlock(c.out[:to.Format.BlockLen()])
	}
	m.calls.translate.leave(c)
	return block, err
}

// translateCall is one PIN block on its way.
type translateCall struct {
	job

	in     hsm.EncipheredPIN
	to     hsm.PINTarget
	random [8]byte
	out    [16]byte
}

func (c *translateCall) wipe() {
	c.in, c.to, c.random, c.out = hsm.EncipheredPIN{}, hsm.PINTarget{}, [8]byte{}, [16]byte{}
}

func (c *translateCall) run(w *worker) error {
	target, err := w.pinCipher(c.to.Key)
	if err != nil {
		return err
	}
	if err := w.readPIN(&c.in); err != nil {
		return err
	}
	block, err := w.room.WritePIN(target, c.to, c.random)
	copy(c.out[:], block)
	return err
}

// readPIN brings the PIN of a block into the worker's locked page.
func (w *worker) readPIN(in *hsm.EncipheredPIN) error {
	source, made, err := w.pinSource(in)
	if err != nil {
		return err
	}
	err = w.room.ReadPIN(source, *in)
	if made != 0 {
		w.destroy(made)
	}
	return err
}

// pinSource is the cipher under which a block arrived; the object that was made
// for it, 0 for none, is the caller's to destroy. The worker's locked page must
// hold nothing yet that is needed later: a key of TDES DUKPT is made there.
func (w *worker) pinSource(in *hsm.EncipheredPIN) (source clear.Cipher, made p11.ObjectHandle, err error) {
	if in.KSN.IsZero() {
		source, err = w.pinCipher(in.Key)
		return source, 0, err
	}
	d := in.DUKPT()
	if err := w.m.permitDUKPT(d.Base, func() error { return checkPIN(d) }); err != nil {
		return nil, 0, err
	}
	if made, err = w.dukptPIN(d); err != nil {
		return nil, 0, err
	}
	return w.blockCipher(made, d.Type), made, nil
}

// permitPIN checks a PIN block, and the key under which its PIN becomes a
// reference value.
func (m *Module) permitPIN(in hsm.EncipheredPIN, op hsm.Operation, key *hsm.Key) error {
	if err := hsm.PermitPIN(hsm.OpVerifyPIN, in, m.nowFor(in.Key, nil)); err != nil {
		return err
	}
	return m.permit(op, key)
}

// withPIN runs use on the PIN of a block; verifier is the verification key. The
// keys of later are opened first: a bad one is no answer about the PIN.
func (m *Module) withPIN(ctx context.Context, in hsm.EncipheredPIN, key *hsm.Key, use func(w *worker, verifier clear.Cipher) error, later ...*hsm.Key) error {
	return m.together(ctx, key, func(w *worker) error {
		for _, k := range later {
			if _, err := w.objects(k); err != nil {
				return err
			}
		}
		verifier, err := w.pinCipher(key)
		if err != nil {
			return err
		}
		if err := w.readPIN(&in); err != nil {
			return err
		}
		return use(w, verifier)
	})
}

// VerifyPVV checks a PIN block against a Visa PIN verification value.
func (m *Module) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	if err := m.permitPIN(in, hsm.OpPVV, ref.Key); err != nil {
		return err
	}
	c := m.calls.pvv.take()
	c.in, c.ref = in, ref
	err := m.serve(ctx, ref.Key, &c.job)
	m.calls.pvv.leave(c)
	return err
}

// pvvCall is one PIN block on its way to be checked.
type pvvCall struct {
	job

	in  hsm.EncipheredPIN
	ref hsm.PVV
}

func (c *pvvCall) wipe() { c.in, c.ref = hsm.EncipheredPIN{}, hsm.PVV{} }

func (c *pvvCall) run(w *worker) error {
	pvk, err := w.pinCipher(c.ref.Key)
	if err != nil {
		return err
	}
	if err := w.readPIN(&c.in); err != nil {
		return err
	}
	return w.room.CheckPVV(pvk, c.in.PAN, c.ref)
}

// VerifyOffset checks a PIN block against an IBM 3624 offset.
func (m *Module) VerifyOffset(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PINOffset) error {
	if err := m.permitPIN(in, hsm.OpOffset, ref.Key); err != nil {
		return err
	}
	if err := ref.Check(); err != nil {
		return err
	}
	return m.withPIN(ctx, in, ref.Key, func(w *worker, pvk clear.Cipher) error {
		return w.room.CheckOffset(pvk, in.PAN, ref)
	})
}

// GeneratePVV computes the Visa PVV of the PIN in a block.
func (m *Module) GeneratePVV(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key, index byte) ([4]byte, error) {
	if err := m.permitPIN(in, hsm.OpPVV, pvk); err != nil {
		return [4]byte{}, err
	}
	out := new([4]byte)
	err := m.withPIN(ctx, in, pvk, func(w *worker, verifier clear.Cipher) (err error) {
		*out, err = w.room.PVV(verifier, in.PAN, index)
		return err
	})
	if err != nil {
		return [4]byte{}, err
	}
	return *out, nil
}

// GenerateOffset computes the IBM 3624 offset of the PIN in a block.
func (m *Module) GenerateOffset(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key) ([]byte, error) {
	if err := m.permitPIN(in, hsm.OpOffset, pvk); err != nil {
		return nil, err
	}
	out := new([]byte)
	err := m.withPIN(ctx, in, pvk, func(w *worker, verifier clear.Cipher) (err error) {
		*out, err = w.room.Offset(verifier, in.PAN, pvk.Offset)
		return err
	})
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// ChangePVV verifies the old PIN and computes the Visa PVV of the new one.
func (m *Module) ChangePVV(ctx context.Context, old, next hsm.EncipheredPIN, ref hsm.PVV) ([4]byte, error) {
	if err := m.permitPIN(old, hsm.OpPVV, ref.Key); err != nil {
		return [4]byte{}, err
	}
	if err := hsm.PermitChange(old, next, m.world.Clock.Now()); err != nil {
		return [4]byte{}, err
	}
	out := new([4]byte)
	err := m.withPIN(ctx, old, ref.Key, func(w *worker, pvk clear.Cipher) error {
		err := w.room.CheckPVV(pvk, old.PAN, ref)
		if err != nil {
			return err
		}
		if err := w.readPIN(&next); err != nil {
			return err
		}
		*out, err = w.room.PVV(pvk, next.PAN, ref.Index)
		return err
	}, next.Key)
	if err != nil {
		return [4]byte{}, err
	}
	return *out, nil
}

// ChangeOffset verifies the old PIN and computes the IBM 3624 offset of the new one.
func (m *Module) ChangeOffset(ctx context.Context, old, next hsm.EncipheredPIN, ref hsm.PINOffset) ([]byte, error) {
	if err := m.permitPIN(old, hsm.OpOffset, ref.Key); err != nil {
		return nil, err
	}
	if err := ref.Check(); err != nil {
		return nil, err
	}
	if err := hsm.PermitChange(old, next, m.world.Clock.Now()); err != nil {
		return nil, err
	}
	out := new([]byte)
	err := m.withPIN(ctx, old, ref.Key, func(w *worker, pvk clear.Cipher) error {
		err := w.room.CheckOffset(pvk, old.PAN, ref)
		if err != nil {
			return err
		}
		if err := w.readPIN(&next); err != nil {
			return err
		}
		*out, err = w.room.Offset(pvk, next.PAN, ref.Key.Offset)
		return err
	}, next.Key)
	if err != nil {
		return nil, err
	}
	return *out, nil
}
