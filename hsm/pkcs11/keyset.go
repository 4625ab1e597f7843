// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
	"tapswitch/internal/secret"
)

// GenerateSet makes random working keys and exports them under a TMK, ZMK or KBPK.
// Plain PKCS#11 modules do not wrap under double-length DES, nor into key blocks, so
// each key is in the worker's locked page while it is enciphered, and wiped at once.
func (m *Module) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	if err := refuseSM(set); err != nil {
		return nil, nil, err
	}
	if err := keyblock.CheckSet(under, set, true, m.world.Clock.Now()); err != nil {
		return nil, nil, err
	}
	headers := make([]keyblock.Header, len(set))
	for i := range set {
		if under.Usage != hsm.KBPK {
			continue
		}
		var err error
		if headers[i], err = keyblock.HeaderFor(&set[i], under); err != nil {
			return nil, nil, err
		}
	}
	keys, exports := make([]hsm.Key, len(set)), make([]hsm.Exported, len(set))
	err := m.do(ctx, func(w *worker) error {
		for i := range set {
			err := w.fresh(&set[i])
			if err != nil {
				return err
			}
			if exports[i], err = w.export(under, &set[i], headers[i]); err != nil {
				return err
			}
			made, err := w.keepRoom(set[i].Spec)
			if err != nil {
				return err
			}
			keys[i], exports[i].KCV = made.key, [4]byte(made.check[:4])
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return keys, exports, nil
}

// refuseSM refuses keys of SM4, which might travel under another.
func refuseSM(set []hsm.WorkingKey) error {
	for i := range set {
		if set[i].Algorithm == hsm.SM4 && hsm.OpTravelsUnderSM4.Allows(set[i].Usage) {
			return noSM("keys of " + set[i].Algorithm.String())
		}
	}
	return nil
}

// fresh puts a random key into the worker's locked page.
func (w *worker) fresh(want *hsm.WorkingKey) error {
	return keyblock.Fresh(want, func() (bool, error) {
		if err := w.m.fused.random(w.session, w.room.Key(want.Algorithm.Size())); err != nil {
			return false, w.fault("generate a key", err)
		}
		return w.room.Fresh(want), nil
	})
}

// export enciphers the key in the worker's locked page.
func (w *worker) export(under *hsm.Key, want *hsm.WorkingKey, h keyblock.Header) (out hsm.Exported, err error) {
	value := w.room.Travel(want)
	if under.Usage == hsm.KBPK {
		out.Block, err = w.closeBlock(under, h, len(value), want.Name)
		return out, err
	}
	transport, err := w.objects(under)
	if err != nil {
		return out, err
	}
	out.Cryptogram = make([]byte, len(value))
	return out, w.ecb(true, transport.whole, value, out.Cryptogram)
}

// LoadSet takes in working keys under a TMK, ZMK or KBPK.
func (m *Module) LoadSet(ctx context.Context, under *hsm.Key, set []hsm.WorkingKey, in []hsm.Exported) ([]hsm.Key, error) {
	if err := refuseSM(set); err != nil {
		return nil, err
	}
	if err := keyblock.CheckIncoming(under, set, in, m.world.Clock.Now()); err != nil {
		return nil, err
	}
	keys := make([]hsm.Key, len(set))
	if under.Usage == hsm.KBPK {
		for i := range set {
			var err error
			if keys[i], err = m.ImportKeyBlock(ctx, under, set[i], in[i].Block); err != nil {
				return nil, err
			}
		}
		return keys, nil
	}
	came := make([]hsm.Exported, len(in))
	for i := range in { // the caller may go, and change them, while a worker is busy
		came[i] = hsm.Exported{Cryptogram: append([]byte(nil), in[i].Cryptogram...), KCV: in[i].KCV}
	}
	err := m.do(ctx, func(w *worker) (err error) {
		for i := range set {
			if keys[i], err = w.arrive(under, &set[i], came[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// arrive takes in one raw cryptogram. A wrong check value is said first: what was
// deciphered is no key then, so its weakness or parity says nothing.
func (w *worker) arrive(under *hsm.Key, want *hsm.WorkingKey, in hsm.Exported) (hsm.Key, error) {
	transport, err := w.objects(under)
	if err != nil {
		return hsm.Key{}, err
	}
	if err := w.ecb(false, transport.whole, in.Cryptogram, w.room.Key(len(in.Cryptogram))); err != nil {
		return hsm.Key{}, err
	}
	screened := w.room.Arrive(want, len(in.Cryptogram))
	made, err := w.keepRoom(want.Spec)
	if err != nil {
		return hsm.Key{}, err
	}
	if err := keyblock.SameCheck(want, made.check, in.KCV); err != nil {
		return hsm.Key{}, err
	}
	return made.key, screened
}

// derivation is the mechanism that derives by ECB encipherment under a cipher's keys.
func derivation(a hsm.Algorithm) uint {
	if a.IsAES() {
		return p11.CKM_AES_ECB_ENCRYPT_DATA
	}
	return p11.CKM_DES3_ECB_ENCRYPT_DATA
}

// LoadComponents takes in the xor of what custodians bring. The components come from the
// caller's memory; their sum is in the worker's locked page only.
func (m *Module) LoadComponents(ctx context.Context, want hsm.WorkingKey, components ...secret.Key) (hsm.Key, error) {
	if err := keyblock.CheckWorking(&want); err != nil {
		return hsm.Key{}, err
	}
	out := new(made)
	err := m.do(ctx, func(w *worker) error {
		err := w.room.Combine(components, want.Algorithm.Size())
		if err == nil {
			err = w.room.Arrive(&want, want.Algorithm.Size())
		}
		if err == nil {
			*out, err = w.keepRoom(want.Spec)
		}
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	return out.key, nil
}
