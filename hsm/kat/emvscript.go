// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// scripts are issuer scripts: with a session key that is given, by the module's
// ciphers; from issuer keys, by the driver.
func scripts() map[string]Function {
	return map[string]Function{
		"emv.script_mac":            scriptMACOf,
		"emv.script_mac_pin_change": scriptMACOf,
		"emv.script_encrypt":        scriptEncrypt,
		"emv.vis_pin_block":         visBlock,
		"emv.script_pin_block_iso2": iso2Block,
		"emv.script_mac_from_imk":   scriptMAC,
		"emv.script_mac_chain":      scriptChain,
		"emv.pin_change_apdu":       pinChange,
		"emv.script_pin_from_zpk":   pinFromZone,
	}
}

// schemes are the profiles whose script rules a vector's scheme has.
var schemes = map[string]hsm.Profile{
	"VisaCVN10": hsm.VisaCVN10, "VisaCVN18": hsm.VisaCVN18, "VisaCVN22": hsm.VisaCVN22, "InteracCVN133": hsm.InteracCVN133, "MasterCardCVN16": hsm.MChipCVN16,
	"MasterCardCVN17": hsm.MChipCVN17, "MasterCardCVN20": hsm.MChipCVN20, "MasterCardCVN21": hsm.MChipCVN21,
}

var scriptPaddings = map[string]hsm.ScriptPadding{"visa": hsm.ScriptLength, "mastercard": hsm.ScriptAligned, "emv": hsm.ScriptPad2}

// scriptMACOf covers all of data, whatever is in it.
func scriptMACOf(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := tdesOf(in, "sk")
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	if in.Has("encrypted_pin") {
		pin, err := in.Bytes("encrypted_pin")
		if err != nil {
			return "", err
		}
		data = append(data, pin...)
	}
	if len(data) < 5 {
		return "", fmt.Errorf("%w: a command has a header of 5 bytes", hsm.ErrInput)
	}
	padded, err := emvkey.ScriptInput(hsm.Script{Rules: hsm.ScriptRules{Bare: true}}, [5]byte(data), data[5:])
	if err != nil {
		return "", err
	}
	out, err := alg3(ctx, m, key, padded)
	if err != nil {
		return "", err
	}
	return cut(out, in.Number("length"))
}

func scriptEncrypt(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := tdesOf(in, "sk")
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	padded, chained, err := emvkey.ScriptPadded(nil, data, scriptPaddings[in.Text("scheme")])
	if err != nil {
		return "", err
	}
	var iv []byte
	if chained {
		iv = make([]byte, 8)
	}
	out, err := m.Cipher(ctx, key.Algorithm, key.Value, false, iv, padded)
	return Hex(out), err
}

func visBlock(_ context.Context, _ Module, in Inputs) (string, error) {
	udk, err := tdesOf(in, "udk_ac")
	if err != nil {
		return "", err
	}
	var block [8]byte
	err = emvkey.VIS(&block, udk.Value[:8], []byte(in.Text("pin")), []byte(in.Text("current_pin")))
	return Hex(block[:]), err
}

func iso2Block(_ context.Context, _ Module, in Inputs) (string, error) {
	var block [8]byte
	err := emvkey.ISO2(&block, []byte(in.Text("pin")))
	return Hex(block[:]), err
}

// script is a vector's script under given rules.
func script(in Inputs, rules hsm.ScriptRules) (s hsm.Script, err error) {
	s.Rules = rules
	if s.PAN, err = in.PAN("pan"); err != nil {
		return s, err
	}
	if s.PSN, err = psnOf(in); err != nil {
		return s, err
	}
	return s, errors.Join(fill(in, "atc", s.ATC[:]), fill(in, "arqc", s.ARQC[:]))
}

func rulesOf(in Inputs) (hsm.ScriptRules, error) {
	rules, ok := schemes[in.Text("scheme")].ScriptRules()
	if !ok {
		return rules, unsupported{"no script rules of scheme " + in.Text("scheme") + " are built"}
	}
	return rules, nil
}

// keyFrom loads an issuer key of an input.
func keyFrom(ctx context.Context, m Module, in Inputs, name string, u hsm.Usage) (*hsm.Key, error) {
	value, err := tdesOf(in, name)
	if err != nil {
		return nil, err
	}
	return load(ctx, m, u, value)
}

func scriptMAC(ctx context.Context, m Module, in Inputs) (string, error) {
	rules, err := rulesOf(in)
	if err != nil {
		return "", err
	}
	s, err := script(in, rules)
	if err != nil {
		return "", err
	}
	var header [5]byte
	if err := fill(in, "header", header[:]); err != nil {
		return "", err
	}
	smi, err := keyFrom(ctx, m, in, "imk_smi", hsm.IMKSMI)
	if err != nil {
		return "", err
	}
	out, err := m.ScriptMAC(ctx, smi, s, header, nil)
	return Hex(out[:]), err
}

// sessionsOf are the words of vectors that mix what no scheme mixes.
var sessionsOf = map[string]hsm.ScriptSession{"common": hsm.ScriptCommon, "visa_sm": hsm.ScriptVisa}

// scriptChain is given all that is covered, ATC and ARQC too: header, ATC, ARQC,
// data.
func scriptChain(ctx context.Context, m Module, in Inputs) (string, error) {
	s, err := script(in, hsm.ScriptRules{Session: sessionsOf[in.Text("skd")]})
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	if len(data) < 15 || [2]byte(data[5:]) != s.ATC || [8]byte(data[7:]) != s.ARQC {
		return "", fmt.Errorf("%w: the data does not hold ATC and ARQC behind the header", hsm.ErrInput)
	}
	smi, err := keyFrom(ctx, m, in, "imk_smi", hsm.IMKSMI)
	if err != nil {
		return "", err
	}
	out, err := m.ScriptMAC(ctx, smi, s, [5]byte(data), data[15:])
	return Hex(out[:]), err
}

// changeKeys loads the keys of a PIN change.
func changeKeys(ctx context.Context, m Module, in Inputs) (p hsm.PINChange, err error) {
	if p.AC, err = keyFrom(ctx, m, in, "imk_ac", hsm.IMKAC); err != nil {
		return p, err
	}
	if p.SMI, err = keyFrom(ctx, m, in, "imk_smi", hsm.IMKSMI); err != nil {
		return p, err
	}
	p.SMC, err = keyFrom(ctx, m, in, "imk_smc", hsm.IMKSMC)
	return p, err
}

// zone is a zone key under which PINs of vectors reach the driver.
var zone = Clear{hsm.TDES2, []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}}

// enciphered is a PIN's format 0 block under zone, none for no PIN.
func enciphered(ctx context.Context, m Module, pin, pan string) (secret.PINBlock, error) {
	if pin == "" {
		return secret.PINBlock{}, nil
	}
	account, err := pinblock.Account([]byte(pan))
	if err != nil {
		return secret.PINBlock{}, err
	}
	var block [8]byte
	if err := pinblock.Encode0(&block, []byte(pin), account); err != nil {
		return secret.PINBlock{}, err
	}
	out, err := zone.ECB(ctx, m, block[:])
	if err != nil {
		return secret.PINBlock{}, err
	}
	return secret.NewPINBlock(out)
}

func pinChange(ctx context.Context, m Module, in Inputs) (string, error) {
	rules, err := rulesOf(in)
	if err != nil {
		return "", err
	}
	s, err := script(in, rules)
	if err != nil {
		return "", err
	}
	p, err := changeKeys(ctx, m, in)
	if err != nil {
		return "", err
	}
	key, err := load(ctx, m, hsm.ZPK, zone)
	if err != nil {
		return "", err
	}
	p.New, p.Current = under0(key, s.PAN), under0(key, s.PAN)
	if p.New.Block, err = enciphered(ctx, m, in.Text("pin"), in.Text("pan")); err != nil {
		return "", err
	}
	if p.Current.Block, err = enciphered(ctx, m, in.Text("current_pin"), in.Text("pan")); err != nil {
		return "", err
	}
	out, err := m.ChangePIN(ctx, s, p)
	return Hex(out), err
}

// under0 is a format 0 block of a zone key that is still to come.
func under0(key *hsm.Key, pan secret.PAN) hsm.EncipheredPIN {
	return hsm.EncipheredPIN{Format: hsm.ISO0, Key: key, PAN: pan}
}

// blockOf0 is an enciphered PIN block of an input, none when it is empty.
func blockOf0(in Inputs, name string) (secret.PINBlock, error) {
	if in.Text(name) == "" {
		return secret.PINBlock{}, nil
	}
	b, err := in.Bytes(name)
	if err != nil {
		return secret.PINBlock{}, err
	}
	return secret.NewPINBlock(b)
}

// pinFromZone is what follows the header: enciphered PIN block and MAC.
func pinFromZone(ctx context.Context, m Module, in Inputs) (string, error) {
	block := map[string]hsm.ScriptBlock{"vis": hsm.ScriptVIS, "iso2": hsm.ScriptISO2}[in.Text("pin_block")]
	s, err := script(in, hsm.ScriptRules{Session: sessionsOf[in.Text("skd")], Padding: scriptPaddings[in.Text("scheme")], Block: block, Current: block})
	if err != nil {
		return "", err
	}
	p, err := changeKeys(ctx, m, in)
	if err != nil {
		return "", err
	}
	key, err := keyFrom(ctx, m, in, "zpk", hsm.ZPK)
	if err != nil {
		return "", err
	}
	p.New, p.Current = under0(key, s.PAN), under0(key, s.PAN)
	if p.New.Block, err = blockOf0(in, "new_pin_block"); err != nil {
		return "", err
	}
	if p.Current.Block, err = blockOf0(in, "current_pin_block"); err != nil {
		return "", err
	}
	if err := fill(in, "header", p.Header[:]); err != nil {
		return "", err
	}
	out, err := m.ChangePIN(ctx, s, p)
	if err != nil {
		return "", err
	}
	return Hex(out[len(p.Header):]), nil
}
