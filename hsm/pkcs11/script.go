// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
)

var _ hsm.ScriptProtector = (*Module)(nil)

// scriptKeys derives the session key of a script: inside, but for Visa's, which
// is a xor of keys: its bytes are in the worker's locked page until it is
// brought in.
func (w *worker) scriptKeys(imk *hsm.Key, s hsm.Script, doubled bool) (derivedKeys, error) {
	way, xor, err := emvkey.ScriptWay(s)
	if err != nil {
		return derivedKeys{}, err
	}
	if !xor {
		return w.chipKeys(imk, way, doubled)
	}
	if err := w.cardBytes(imk, way.Card[:]); err != nil {
		return derivedKeys{}, err
	}
	w.room.VisaScriptKey(s.ATC)
	return w.roomKey(doubled)
}

// scriptMAC makes the MAC of padded script data.
func (w *worker) scriptMAC(smi *hsm.Key, s hsm.Script, padded []byte) ([8]byte, error) {
	keys, err := w.scriptKeys(smi, s, true)
	if err != nil {
		return [8]byte{}, err
	}
	defer w.drop(keys)
	return w.alg3(&keys.pair, padded)
}

// encipherScript enciphers padded script data.
func (w *worker) encipherScript(smc *hsm.Key, s hsm.Script, chained bool, in, out []byte) error {
	keys, err := w.scriptKeys(smc, s, false)
	if err != nil {
		return err
	}
	defer w.drop(keys)
	if !chained {
		return w.ecb(true, keys.whole, in, out)
	}
	var iv [8]byte
	if err := w.m.fused.crypt(w.session, true, p11.CKM_DES3_CBC, iv[:], keys.whole, in, out); err != nil {
		return w.fault("encipher a script", err)
	}
	return nil
}

// ScriptMAC makes the MAC of a script command.
func (m *Module) ScriptMAC(ctx context.Context, smi *hsm.Key, s hsm.Script, header [5]byte, data []byte) ([8]byte, error) {
	if err := m.permit(hsm.OpScriptMAC, smi); err != nil {
		return [8]byte{}, err
	}
	padded, err := emvkey.ScriptInput(s, header, data)
	if err != nil {
		return [8]byte{}, err
	}
	out := new([8]byte)
	err = m.do(ctx, func(w *worker) (err error) { // its own: a caller that gave up has err
		*out, err = w.scriptMAC(smi, s, padded)
		return err
	})
	if err != nil {
		return [8]byte{}, err
	}
	return *out, nil
}

// EncipherScript enciphers the data of a script command.
func (m *Module) EncipherScript(ctx context.Context, smc *hsm.Key, s hsm.Script, data []byte) ([]byte, error) {
	if err := m.permit(hsm.OpScriptEncipher, smc); err != nil {
		return nil, err
	}
	padded, chained, err := emvkey.ScriptPadded(nil, data, s.Rules.Padding)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(padded))
	err = m.do(ctx, func(w *worker) error {
		defer clear(padded)
		return w.encipherScript(smc, s, chained, padded, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
