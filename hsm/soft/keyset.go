// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/keyblock"
	"tapswitch/internal/secret"
)

// GenerateSet makes random working keys and exports them under a TMK, ZMK or KBPK.
func (m *Module) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	if err := alive(ctx); err != nil {
		return nil, nil, err
	}
	if err := keyblock.CheckSet(under, set, true, m.clock.Now()); err != nil {
		return nil, nil, err
	}
	room := clear.Spacious()
	defer room.Wipe()
	keys, exports := make([]hsm.Key, len(set)), make([]hsm.Exported, len(set))
	for i := range set {
		w := &set[i]
		err := m.fresh(w, room)
		if err != nil {
			return nil, nil, err
		}
		if exports[i], err = m.export(under, w, room); err != nil {
			return nil, nil, err
		}
		var check [8]byte
		if keys[i], check, err = m.keep(w.Spec, room); err != nil {
			return nil, nil, err
		}
		copy(exports[i].KCV[:], check[:])
	}
	return keys, exports, nil
}

// fresh puts a random key into room.
func (m *Module) fresh(w *hsm.WorkingKey, room *clear.Room) error {
	return keyblock.Fresh(w, func() (bool, error) {
		if err := m.random(room.Key(w.Algorithm.Size())); err != nil {
			return false, err
		}
		return room.Fresh(w), nil
	})
}

// export enciphers the key in room.
func (m *Module) export(under *hsm.Key, w *hsm.WorkingKey, room *clear.Room) (out hsm.Exported, err error) {
	if under.Usage == hsm.KBPK {
		h, err := keyblock.HeaderFor(w, under)
		if err != nil {
			return out, err
		}
		out.Block, err = m.closeBlock(under, h, len(room.Travel(w)), room, w.Name)
		return out, err
	}
	c, err := m.carrier(under)
	if err != nil {
		return out, err
	}
	value := room.Travel(w)
	out.Cryptogram = make([]byte, len(value))
	ecb(c.whole.BlockSize(), c.whole.Encrypt, out.Cryptogram, value)
	return out, nil
}

// carrier is the cipher of a TMK or ZMK.
func (m *Module) carrier(under *hsm.Key) (*ciphers, error) {
	op, _ := keyblock.Carrying(under)
	return m.use(op, under)
}

// LoadSet takes in working keys under a TMK, ZMK or KBPK.
func (m *Module) LoadSet(ctx context.Context, under *hsm.Key, set []hsm.WorkingKey, in []hsm.Exported) ([]hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if err := keyblock.CheckIncoming(under, set, in, m.clock.Now()); err != nil {
		return nil, err
	}
	keys := make([]hsm.Key, len(set))
	for i := range set {
		var err error
		if under.Usage == hsm.KBPK {
			keys[i], err = m.ImportKeyBlock(ctx, under, set[i], in[i].Block)
		} else {
			keys[i], err = m.arrive(under, &set[i], in[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// arrive takes in one raw cryptogram. A wrong check value is said first: what was
// deciphered is no key then, so its weakness or parity says nothing.
func (m *Module) arrive(under *hsm.Key, w *hsm.WorkingKey, in hsm.Exported) (hsm.Key, error) {
	c, err := m.carrier(under)
	if err != nil {
		return hsm.Key{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	value := room.Key(len(in.Cryptogram))
	ecb(c.whole.BlockSize(), c.whole.Decrypt, value, in.Cryptogram)
	screened := room.Arrive(w, len(value))
	key, check, err := m.keep(w.Spec, room)
	if err != nil {
		return hsm.Key{}, err
	}
	if err := keyblock.SameCheck(w, check, in.KCV); err != nil {
		return hsm.Key{}, err
	}
	return key, screened
}

// LoadComponents takes in the xor of what custodians bring.
func (m *Module) LoadComponents(ctx context.Context, want hsm.WorkingKey, components ...secret.Key) (hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return hsm.Key{}, err
	}
	if err := keyblock.CheckWorking(&want); err != nil {
		return hsm.Key{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.Combine(components, want.Algorithm.Size()); err != nil {
		return hsm.Key{}, err
	}
	if err := room.Arrive(&want, want.Algorithm.Size()); err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(want.Spec, room)
	return key, err
}
