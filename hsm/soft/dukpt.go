// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/mac"
)

var (
	_ hsm.DUKPTMACer      = (*Module)(nil)
	_ hsm.DUKPTDataCipher = (*Module)(nil)
	_ hsm.DUKPTUpdater    = (*Module)(nil)
)

// dukptValue puts the working key of a transaction into room and returns it
// there. d was checked.
func (m *Module) dukptValue(room *clear.Room, d hsm.DUKPTKey, use dukpt.Use) ([]byte, error) {
	value, err := m.dukptBase(room, d.Base)
	if err != nil {
		return nil, err
	}
	if !d.KSN.IsAES() {
		if d.Base.Usage == hsm.BDK {
			room.DUKPTInitial(d.KSN)
		}
		room.DUKPTWorking(d.KSN, use)
		return value, nil
	}
	return runSteps(room, value, append(dukpt.Path(d.Base, d.KSN), dukpt.WorkingStep(use.Purpose(), d.Type, d.KSN)))
}

// runSteps goes down a chain of AES DUKPT from the key at the place of room.Key.
func runSteps(room *clear.Room, value []byte, steps []dukpt.Step) ([]byte, error) {
	for _, s := range steps {
		block, err := aes.NewCipher(value)
		if err != nil {
			return nil, fmt.Errorf("soft hsm: %w", err)
		}
		value = room.Key(len(s.Data))
		for i := 0; i < len(value); i += 16 {
			block.Encrypt(value[i:], s.Data[i:i+16])
		}
		value = room.Key(s.Type.Size())
	}
	return value, nil
}

// dukptBase puts a base key into room and returns it there.
func (m *Module) dukptBase(room *clear.Room, base *hsm.Key) ([]byte, error) {
	if _, err := m.use(hsm.OpDUKPT, base); err != nil {
		return nil, err
	}
	value := room.Key(base.Algorithm.Size())
	if !unwrap(m.lmk, value, base.Wrapped) {
		return nil, fmt.Errorf("%w: %s %q version %d does not unwrap", hsm.ErrBinding, base.Usage, base.Name, base.Version)
	}
	return value, nil
}

// DUKPTUpdateKey derives the key under which a device's next initial key travels.
func (m *Module) DUKPTUpdateKey(ctx context.Context, base *hsm.Key, ksn hsm.KSN, spec hsm.Spec) (hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return hsm.Key{}, err
	}
	d := hsm.DUKPTKey{Base: base, KSN: ksn, Type: spec.Algorithm}
	if err := m.permitDUKPT(base, func() error { return d.CheckUpdate(spec) }); err != nil {
		return hsm.Key{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	value, err := m.dukptBase(room, base)
	if err != nil {
		return hsm.Key{}, err
	}
	if _, err := runSteps(room, value, dukpt.UpdatePath(base, spec.Algorithm, ksn)); err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(spec, room)
	return key, err
}

// dukptCiphers is a working key that enciphers blocks.
func (m *Module) dukptCiphers(d hsm.DUKPTKey, use dukpt.Use) (*ciphers, error) {
	room := clear.Unlocked()
	defer room.Wipe()
	value, err := m.dukptValue(room, d, use)
	if err != nil {
		return nil, err
	}
	return expand(d.Type, value)
}

// dukptPIN is the PIN key of a transaction: what the PIN functions take in
// place of m.use(op, key) when the block came with a key serial number.
func (m *Module) dukptPIN(d hsm.DUKPTKey) (*ciphers, error) {
	if err := m.permitDUKPT(d.Base, d.Check); err != nil {
		return nil, err
	}
	if d.Type.BlockSize() == 0 {
		return nil, fmt.Errorf("%w: a PIN is not enciphered with a key of %s", hsm.ErrInput, d.Type)
	}
	return m.dukptCiphers(d, dukpt.PIN)
}

// permitDUKPT refuses a base key that must not be used before what is wrong with
// the rest.
func (m *Module) permitDUKPT(base *hsm.Key, check func() error) error {
	if err := hsm.Permit(hsm.OpDUKPT, base, m.clock.Now()); err != nil {
		return err
	}
	return check()
}

// DUKPTMAC makes a MAC under the key of a transaction.
func (m *Module) DUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data []byte) ([]byte, error) {
	return m.dukptMAC(ctx, d, dir, alg, data, nil)
}

func (m *Module) dukptMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data, received []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	check := func() error { _, err := d.CheckMAC(alg, dir, received); return err }
	if err := m.permitDUKPT(d.Base, check); err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data) > hsm.MaxMACData {
		return nil, fmt.Errorf("%w: a MAC covers 1 to %d bytes", hsm.ErrInput, hsm.MaxMACData)
	}
	room := clear.Unlocked()
	defer room.Wipe()
	value, err := m.dukptValue(room, d, dukpt.MAC(dir))
	if err != nil {
		return nil, err
	}
	if alg == hsm.DUKPTHMAC {
		h := hmac.New(sha256.New, value)
		h.Write(data)
		return h.Sum(nil), nil
	}
	c, err := expand(d.Type, value)
	if err != nil {
		return nil, err
	}
	if alg == hsm.DUKPTRetail {
		out := c.alg3(mac.AppendPad1(nil, data))
		return out[:], nil
	}
	out := cmac(c.whole, data)
	return out[:c.whole.BlockSize()], nil
}

// VerifyDUKPTMAC checks a MAC under the key of a transaction.
func (m *Module) VerifyDUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data, received []byte) error {
	if received == nil {
		received = []byte{}
	}
	got, err := m.dukptMAC(ctx, d, dir, alg, data, received)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got[:len(received)], received) != 1 {
		return fmt.Errorf("%w: under a transaction key of %s %q version %d", hsm.ErrMAC, d.Base.Usage, d.Base.Name, d.Base.Version)
	}
	return nil
}

// EncipherDUKPTData enciphers under the data key of a transaction.
func (m *Module) EncipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.dukptData(ctx, d, dir, mode, data, true)
}

// DecipherDUKPTData deciphers under the data key of a transaction.
func (m *Module) DecipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.dukptData(ctx, d, dir, mode, data, false)
}

func (m *Module) dukptData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte, encipher bool) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if err := m.permitDUKPT(d.Base, func() error { return d.CheckData(dir, mode, data) }); err != nil {
		return nil, err
	}
	c, err := m.dukptCiphers(d, dukpt.Data(dir))
	if err != nil {
		return nil, err
	}
	return c.run(mode, data, encipher), nil
}
