// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/secret"
)

var (
	_ hsm.Translator     = (*Module)(nil)
	_ hsm.PINVerifier    = (*Module)(nil)
	_ hsm.OffsetVerifier = (*Module)(nil)
	_ hsm.PINIssuer      = (*Module)(nil)
	_ hsm.PINReplacer    = (*Module)(nil)
	_ hsm.PINEncipherer  = (*Module)(nil)
)

// block is the whole key at work on one block, in place.
func (c *ciphers) block(encipher bool, block []byte) error {
	if encipher {
		c.whole.Encrypt(block, block)
	} else {
		c.whole.Decrypt(block, block)
	}
	return nil
}

// filler is the randomness of one PIN block, none for a format without.
func (m *Module) filler(f hsm.PINFormat) (random [8]byte, err error) {
	if f.HasRandom() {
		err = m.random(random[:])
	}
	return random, err
}

// TranslatePIN makes of one PIN block another.
func (m *Module) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	if err := hsm.PermitTranslation(in, to, m.clock.Now()); err != nil {
		return secret.PINBlock{}, err
	}
	source, err := m.pinSource(hsm.OpTranslateFrom, in)
	if err != nil {
		return secret.PINBlock{}, err
	}
	target, err := m.use(hsm.OpTranslateTo, to.Key)
	if err != nil {
		return secret.PINBlock{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.ReadPIN(source.block, in); err != nil {
		return secret.PINBlock{}, err
	}
	return m.writePIN(room, target, to)
}

// pinSource is the cipher under which a block arrived.
func (m *Module) pinSource(op hsm.Operation, in hsm.EncipheredPIN) (*ciphers, error) {
	if in.KSN.IsZero() {
		return m.use(op, in.Key)
	}
	return m.dukptPIN(in.DUKPT())
}

// writePIN makes the block of the PIN in room.
func (m *Module) writePIN(room *clear.Room, c *ciphers, to hsm.PINTarget) (secret.PINBlock, error) {
	random, err := m.filler(to.Format)
	if err != nil {
		return secret.PINBlock{}, err
	}
	block, err := room.WritePIN(c.block, to, random)
	if err != nil {
		return secret.PINBlock{}, err
	}
	return secret.NewPINBlock(block)
}

// reading is a PIN block on its way to a reference value: its cipher, and the
// cipher of the verification key.
type reading struct {
	in       hsm.EncipheredPIN
	source   *ciphers
	verifier *ciphers
}

// reading checks both keys. op is what the verification key shall do.
func (m *Module) reading(ctx context.Context, in hsm.EncipheredPIN, op hsm.Operation, key *hsm.Key) (r reading, err error) {
	if err := alive(ctx); err != nil {
		return r, err
	}
	if err := hsm.PermitPIN(hsm.OpVerifyPIN, in, m.clock.Now()); err != nil {
		return r, err
	}
	r.in = in
	if r.source, err = m.pinSource(hsm.OpVerifyPIN, in); err != nil {
		return r, err
	}
	r.verifier, err = m.use(op, key)
	return r, err
}

// VerifyPVV checks a PIN block against a Visa PIN verification value.
func (m *Module) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	r, err := m.reading(ctx, in, hsm.OpPVV, ref.Key)
	if err != nil {
		return err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	return r.checkPVV(room, ref)
}

func (r reading) checkPVV(room *clear.Room, ref hsm.PVV) error {
	if err := room.ReadPIN(r.source.block, r.in); err != nil {
		return err
	}
	return room.CheckPVV(r.verifier.block, r.in.PAN, ref)
}

// VerifyOffset checks a PIN block against an IBM 3624 offset.
func (m *Module) VerifyOffset(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PINOffset) error {
	r, err := m.reading(ctx, in, hsm.OpOffset, ref.Key)
	if err != nil {
		return err
	}
	if err := ref.Check(); err != nil {
		return err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	return r.checkOffset(room, ref)
}

func (r reading) checkOffset(room *clear.Room, ref hsm.PINOffset) error {
	if err := room.ReadPIN(r.source.block, r.in); err != nil {
		return err
	}
	return room.CheckOffset(r.verifier.block, r.in.PAN, ref)
}

// GeneratePVV computes the Visa PVV of the PIN in a block.
func (m *Module) GeneratePVV(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key, index byte) ([4]byte, error) {
	r, err := m.reading(ctx, in, hsm.OpPVV, pvk)
	if err != nil {
		return [4]byte{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.ReadPIN(r.source.block, r.in); err != nil {
		return [4]byte{}, err
	}
	return room.PVV(r.verifier.block, in.PAN, index)
}

// GenerateOffset computes the IBM 3624 offset of the PIN in a block.
func (m *Module) GenerateOffset(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key) ([]byte, error) {
	r, err := m.reading(ctx, in, hsm.OpOffset, pvk)
	if err != nil {
		return nil, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.ReadPIN(r.source.block, r.in); err != nil {
		return nil, err
	}
	return room.Offset(r.verifier.block, in.PAN, pvk.Offset)
}

// ChangePVV verifies the old PIN and computes the Visa PVV of the new one.
func (m *Module) ChangePVV(ctx context.Context, old, fresh hsm.EncipheredPIN, ref hsm.PVV) ([4]byte, error) {
	r, err := m.reading(ctx, old, hsm.OpPVV, ref.Key)
	if err != nil {
		return [4]byte{}, err
	}
	next, err := m.changed(old, fresh)
	if err != nil {
		return [4]byte{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := r.checkPVV(room, ref); err != nil {
		return [4]byte{}, err
	}
	if err := room.ReadPIN(next.block, fresh); err != nil {
		return [4]byte{}, err
	}
	return room.PVV(r.verifier.block, fresh.PAN, ref.Index)
}

// ChangeOffset verifies the old PIN and computes the IBM 3624 offset of the new one.
func (m *Module) ChangeOffset(ctx context.Context, old, fresh hsm.EncipheredPIN, ref hsm.PINOffset) ([]byte, error) {
	r, err := m.reading(ctx, old, hsm.OpOffset, ref.Key)
	if err != nil {
		return nil, err
	}
	if err := ref.Check(); err != nil {
		return nil, err
	}
	next, err := m.changed(old, fresh)
	if err != nil {
		return nil, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := r.checkOffset(room, ref); err != nil {
		return nil, err
	}
	if err := room.ReadPIN(next.block, fresh); err != nil {
		return nil, err
	}
	return room.Offset(r.verifier.block, fresh.PAN, ref.Key.Offset)
}

// changed checks a change of PIN and returns the ciphers of the new block's key.
func (m *Module) changed(old, fresh hsm.EncipheredPIN) (*ciphers, error) {
	if err := hsm.PermitChange(old, fresh, m.clock.Now()); err != nil {
		return nil, err
	}
	return m.pinSource(hsm.OpVerifyPIN, fresh)
}

// EncipherPIN makes the PIN block of a typed PIN: ISO-0, 1 and 3 under a TDES
// TPK, ISO-4 under an AES one.
func (m *Module) EncipherPIN(ctx context.Context, pin secret.Key, to hsm.PINTarget) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	if err := hsm.PermitPINPad(to, m.clock.Now()); err != nil {
		return secret.PINBlock{}, err
	}
	c, err := m.pinTarget(to)
	if err != nil {
		return secret.PINBlock{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.TypePIN(pin); err != nil {
		return secret.PINBlock{}, err
	}
	return m.writePIN(room, c, to)
}

// pinTarget is the cipher under which a PIN pad's block leaves.
func (m *Module) pinTarget(to hsm.PINTarget) (*ciphers, error) {
	if to.KSN.IsZero() {
		return m.use(hsm.OpEncipherPIN, to.Key)
	}
	return m.dukptPIN(to.DUKPT())
}
