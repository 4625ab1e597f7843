// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/emvkey"
)

var _ hsm.PINChanger = (*Module)(nil)

// ChangePIN makes a whole PIN change command. The PINs, and of Visa's cards the
// session keys and the left half of the card's AC key, are in the worker's
// locked page.
func (m *Module) ChangePIN(ctx context.Context, s hsm.Script, p hsm.PINChange) ([]byte, error) {
	change, err := emvkey.PrepareChange(s, p)
	if err != nil {
		return nil, err
	}
	if err := m.permitChange(s, p, change.Block); err != nil {
		return nil, err
	}
	sealed, mac := make([]byte, change.Size()), new([8]byte)
	err = m.do(ctx, func(w *worker) error {
		if err := w.changeBlock(p, change); err != nil {
			return err
		}
		text, err := w.room.ScriptText(s.Rules.Padding)
		if err != nil {
			return err
		}
		if err := w.encipherScript(p.SMC, s, change.Chained, text, sealed); err != nil {
			return err
		}
		padded, err := emvkey.ScriptInput(s, change.Header, sealed)
		if err != nil {
			return err
		}
		*mac, err = w.scriptMAC(p.SMI, s, padded)
		return err
	})
	if err != nil {
		return nil, err
	}
	return change.Command(sealed, *mac), nil
}

func (m *Module) permitChange(s hsm.Script, p hsm.PINChange, block hsm.ScriptBlock) error {
	if err := p.Permit(s, m.world.Clock.Now()); err != nil {
		return err
	}
	if err := m.permit(hsm.OpScriptMAC, p.SMI); err != nil {
		return err
	}
	if err := m.permit(hsm.OpScriptEncipher, p.SMC); err != nil {
		return err
	}
	if block != hsm.ScriptVIS {
		return nil
	}
	return m.permit(hsm.OpCryptogram, p.AC)
}

// changeBlock puts the script's PIN block into the worker's locked page. All
// keys are there before the first PIN is: making one may use the page.
func (w *worker) changeBlock(p hsm.PINChange, c emvkey.Change) error {
	var sources []clear.Cipher
	blocks := p.Blocks()
	for _, in := range blocks {
		source, made, err := w.pinSource(&in)
		if err != nil {
			return err
		}
		defer w.destroy(made)
		sources = append(sources, source)
	}
	for i := len(blocks) - 1; i >= 0; i-- { // the new one last
		if err := w.room.ReadPIN(sources[i], blocks[i]); err != nil {
			return err
		}
		if i > 0 {
			w.room.KeepCurrent()
		}
	}
	if c.Block == hsm.ScriptVIS {
		if err := w.cardBytes(p.AC, c.Card[:8]); err != nil {
			return err
		}
	}
	return w.room.ScriptBlock(c.Block)
}
