// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"encoding/hex"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
	"tapswitch/simulators/card"
)

// module is the switch's HSM with moods. It outlives the switch.
type module struct {
	*soft.Module
	w        *World
	gone     bool
	sluggish bool
}

// Health implements hsm.Health.
func (m *module) Health() error { return m.ask() }

// MAC implements hsm.MACer.
func (m *module) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	if err := m.ask(); err != nil {
		return nil, err
	}
	return m.Module.MAC(ctx, key, alg, data)
}

// VerifyMAC implements hsm.MACer.
func (m *module) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, mac []byte) error {
	if err := m.ask(); err != nil {
		return err
	}
	return m.Module.VerifyMAC(ctx, key, alg, data, mac)
}

// TranslatePIN implements hsm.Translator.
func (m *module) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	if err := m.ask(); err != nil {
		return secret.PINBlock{}, err
	}
	return m.Module.TranslatePIN(ctx, in, to)
}

// VerifyPVV implements hsm.PINVerifier.
func (m *module) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	if err := m.ask(); err != nil {
		return err
	}
	return m.Module.VerifyPVV(ctx, in, ref)
}

// VerifyARQC implements hsm.CryptogramVerifier.
func (m *module) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	if err := m.ask(); err != nil {
		return err
	}
	return m.Module.VerifyARQC(ctx, imk, c)
}

// ARPC implements hsm.CryptogramVerifier.
func (m *module) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	if err := m.ask(); err != nil {
		return [10]byte{}, err
	}
	return m.Module.ARPC(ctx, imk, c, arc)
}

// GenerateSet implements hsm.KeyMaker.
func (m *module) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	if err := m.ask(); err != nil {
		return nil, nil, err
	}
	return m.Module.GenerateSet(ctx, under, set...)
}

// Seal implements hsm.Sealer.
func (m *module) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	if err := m.ask(); err != nil {
		return nil, err
	}
	return m.Module.Seal(ctx, key, plain, aad)
}

// Open implements hsm.Sealer.
func (m *module) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	if err := m.ask(); err != nil {
		return nil, err
	}
	return m.Module.Open(ctx, key, sealed, aad)
}

// Token implements hsm.Tokener.
func (m *module) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) ([16]byte, error) {
	if err := m.ask(); err != nil {
		return [16]byte{}, err
	}
	return m.Module.Token(ctx, key, pan)
}

// The published test keys of the world.
const (
	tmkHex     = "0123456789ABCDEFFEDCBA9876543210"
	zpkHex     = "1F1E1D1C1B1A19181716151413121110"
	zakHex     = "76850752AD7307ADE554D06D3BA73279"
	storageHex = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
)

// load takes one key into a module.
func load(m *soft.Module, name string, usage hsm.Usage, algorithm hsm.Algorithm, digits string) (hsm.Key, error) {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return hsm.Key{}, err
	}
	value, err := secret.NewKey(b)
	if err != nil {
		return hsm.Key{}, err
	}
	owner := name[:strings.LastIndexByte(name, '/')]
	return m.LoadClear(context.Background(), hsm.Spec{Name: name, Usage: usage, Algorithm: algorithm, Owner: owner, Version: 1}, value)
}

// install fills the keystore of a new disk, as the ceremony does.
func (w *World) install(disk *fake.Disk) error {
	store, err := keystore.Open(disk, w.config.HSM.Keystore)
	if err != nil {
		return err
	}
	put := func(name string, usage hsm.Usage, algorithm hsm.Algorithm, digits string) {
		k, e := load(w.module.Module, name, usage, algorithm, digits)
		if e == nil {
			e = store.Put(k)
		}
		if err == nil {
			err = e
		}
	}
	for _, l := range w.config.Links {
		put(l.ZPK, hsm.ZPK, hsm.TDES2, zpkHex)
		put(l.ZAK, hsm.ZAK, hsm.TDES2, zakHex)
	}
	for _, t := range w.config.Terminals {
		put(t.TMK, hsm.TMK, hsm.TDES2, tmkHex)
	}
	put("issuer/visa/imk", hsm.IMKAC, hsm.TDES2, card.TestKeys().VisaIMK)
	put("issuer/visa/pvk", hsm.PVK, hsm.TDES2, card.TestKeys().PVK)
	put(w.config.PAN.Seal, hsm.PANSeal, hsm.AES256, storageHex)
	put(w.config.PAN.Token, hsm.PANToken, hsm.AES256, storageHex)
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	return disk.SyncDir(".")
}
