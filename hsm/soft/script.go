// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/cipher"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/emvkey"
)

var (
	_ hsm.ScriptProtector = (*Module)(nil)
	_ hsm.PINChanger      = (*Module)(nil)
)

// ScriptMAC makes the MAC of a script command.
func (m *Module) ScriptMAC(ctx context.Context, smi *hsm.Key, s hsm.Script, header [5]byte, data []byte) (out [8]byte, err error) {
	if err := alive(ctx); err != nil {
		return out, err
	}
	master, err := m.use(hsm.OpScriptMAC, smi)
	if err != nil {
		return out, err
	}
	padded, err := emvkey.ScriptInput(s, header, data)
	if err != nil {
		return out, err
	}
	key, err := master.scriptKey(s)
	if err != nil {
		return out, err
	}
	return key.alg3(padded), nil
}

// EncipherScript enciphers the data of a script command.
func (m *Module) EncipherScript(ctx context.Context, smc *hsm.Key, s hsm.Script, data []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	master, err := m.use(hsm.OpScriptEncipher, smc)
	if err != nil {
		return nil, err
	}
	padded, chained, err := emvkey.ScriptPadded(nil, data, s.Rules.Padding)
	if err != nil {
		return nil, err
	}
	key, err := master.scriptKey(s)
	if err != nil {
		wipe(padded)
		return nil, err
	}
	key.encipherChained(padded, chained)
	return padded, nil
}

// encipherChained enciphers whole blocks in place, by CBC with a zero vector
// when chained, else by ECB.
func (c *ciphers) encipherChained(data []byte, chained bool) {
	if chained {
		cipher.NewCBCEncrypter(c.whole, make([]byte, 8)).CryptBlocks(data, data)
		return
	}
	c.encipher(data, data)
}

// changeKeys are the ciphers of one PIN change: those of its PIN blocks in their
// order, then the card's. ac is nil when no block asks for it.
type changeKeys struct {
	pins         []*ciphers
	smi, smc, ac *ciphers
}

// ChangePIN makes a whole PIN change command.
func (m *Module) ChangePIN(ctx context.Context, s hsm.Script, p hsm.PINChange) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	change, err := emvkey.PrepareChange(s, p)
	if err != nil {
		return nil, err
	}
	keys, err := m.changeKeys(s, p, change.Block)
	if err != nil {
		return nil, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := keys.block(room, p, change); err != nil {
		return nil, err
	}
	text, err := room.ScriptText(s.Rules.Padding)
	if err != nil {
		return nil, err
	}
	smc, err := keys.smc.scriptKey(s)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), text...)
	smc.encipherChained(out, change.Chained)
	return keys.seal(s, change, out)
}

func (m *Module) changeKeys(s hsm.Script, p hsm.PINChange, block hsm.ScriptBlock) (k changeKeys, err error) {
	if err := p.Permit(s, m.clock.Now()); err != nil {
		return k, err
	}
	for _, in := range p.Blocks() {
		source, err := m.pinSource(hsm.OpTranslateFrom, in)
		if err != nil {
			return k, err
		}
		k.pins = append(k.pins, source)
	}
	if k.smi, err = m.use(hsm.OpScriptMAC, p.SMI); err != nil {
		return k, err
	}
	if k.smc, err = m.use(hsm.OpScriptEncipher, p.SMC); err != nil {
		return k, err
	}
	if block == hsm.ScriptVIS {
		k.ac, err = m.use(hsm.OpCryptogram, p.AC)
	}
	return k, err
}

// block puts the script's PIN block into room.
func (k changeKeys) block(room *clear.Room, p hsm.PINChange, c emvkey.Change) error {
	blocks := p.Blocks()
	for i := len(blocks) - 1; i >= 0; i-- { // the new one last
		if err := room.ReadPIN(k.pins[i].block, blocks[i]); err != nil {
			return err
		}
		if i > 0 {
			room.KeepCurrent()
		}
	}
	if k.ac != nil {
		k.ac.encipher(room.Key(8), c.Card[:8])
	}
	return room.ScriptBlock(c.Block)
}

// seal makes the MAC and the command around an enciphered block.
func (k changeKeys) seal(s hsm.Script, c emvkey.Change, block []byte) ([]byte, error) {
	padded, err := emvkey.ScriptInput(s, c.Header, block)
	if err != nil {
		return nil, err
	}
	smi, err := k.smi.scriptKey(s)
	if err != nil {
		return nil, err
	}
	return c.Command(block, smi.alg3(padded)), nil
}
