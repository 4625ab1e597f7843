// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/pinblock"
)

// uniqueKeys are DUKPT. MACs and data go through the driver's functions. Keys
// cannot be read out of it: they are derived as it derives them, by the same
// package, with every cipher operation done by the module.
func uniqueKeys() map[string]Function {
	all := map[string]Function{
		"dukpt.tdes.initial_key":              initialTDES,
		"dukpt.tdes.transaction_key":          keyTDES(0, false),
		"dukpt.tdes.pin_key":                  keyTDES(dukpt.PIN, false),
		"dukpt.tdes.mac_request_key":          keyTDES(dukpt.MACRequest, false),
		"dukpt.tdes.mac_response_key":         keyTDES(dukpt.MACResponse, false),
		"dukpt.tdes.data_request_variant":     keyTDES(dukpt.DataRequest, false),
		"dukpt.tdes.data_request_key":         keyTDES(dukpt.DataRequest, true),
		"dukpt.tdes.encrypt_pin_iso0":         pinTDES,
		"dukpt.aes.initial_key":               initialAES,
		"dukpt.aes.key":                       keyAES("bdk", hsm.BDK),
		"dukpt.aes.key_from_initial_key":      keyAES("initial_key", hsm.IK),
		"dukpt.aes.intermediate_register":     registerAES,
		"dukpt.aes.update_key_derivation_key": updateAES(1),
		"dukpt.aes.update_key":                updateAES(0),
		"dukpt.aes.encrypt_pin_iso4":          pinAES,
	}
	for name, dir := range map[string]hsm.Direction{"request": hsm.Request, "response": hsm.Response} {
		all["dukpt.tdes.mac_"+name] = dukptMAC(dir, hsm.DUKPTRetail)
		all["dukpt.tdes.cmac_"+name] = dukptMAC(dir, hsm.DUKPTCMAC)
		all["dukpt.aes.cmac_"+name] = dukptMAC(dir, hsm.DUKPTCMAC)
		all["dukpt.aes.hmac_sha256_"+name] = dukptMAC(dir, hsm.DUKPTHMAC)
		all["dukpt.tdes.encrypt_"+name] = dukptData(dir)
		all["dukpt.aes.encrypt_"+name] = dukptData(dir)
	}
	return all
}

// number reads the key serial number of a vector; that of an initial key has
// the counter 0 or none, and stands for the device's first transaction.
func number(in Inputs) (hsm.KSN, error) {
	name := "ksn"
	if !in.Has(name) {
		name = "initial_key_id"
	}
	b, err := in.Bytes(name)
	if err != nil {
		return hsm.KSN{}, err
	}
	if name != "ksn" {
		b = append(b, 0, 0, 0, 1)
	} else if in.v.Function == "dukpt.tdes.initial_key" {
		b[len(b)-1] |= 1
	}
	return hsm.ParseKSN(b)
}

// workingType is the type of a vector's working key; TDES DUKPT has one only.
func workingType(in Inputs) (hsm.Algorithm, error) {
	types := map[string]hsm.Algorithm{
		"": hsm.TDES2, "2TDEA": hsm.TDES2, "3TDEA": hsm.TDES3, "AES128": hsm.AES128, "AES192": hsm.AES192, "AES256": hsm.AES256,
		"HMAC128": hsm.HMAC128, "HMAC192": hsm.HMAC192, "HMAC256": hsm.HMAC256,
	}
	t, ok := types[in.Text("key_type")]
	if !ok {
		return 0, fmt.Errorf("%w: no key type %q", hsm.ErrInput, in.Text("key_type"))
	}
	return t, nil
}

// dukptKey loads a vector's BDK and names its transaction.
func dukptKey(ctx context.Context, m Module, in Inputs) (d hsm.DUKPTKey, err error) {
	if d.KSN, err = number(in); err != nil {
		return d, err
	}
	if d.Type, err = workingType(in); err != nil {
		return d, err
	}
	value, err := in.Bytes("bdk")
	if err != nil {
		return d, err
	}
	kind := TDES
	if d.KSN.IsAES() {
		kind = AES
	}
	base, err := kind(value)
	if err != nil {
		return d, err
	}
	d.Base, err = load(ctx, m, hsm.BDK, base)
	return d, err
}

func dukptMAC(dir hsm.Direction, alg hsm.DUKPTMACAlgorithm) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		key, err := dukptKey(ctx, m, in)
		if err != nil {
			return "", err
		}
		data, err := in.Bytes("data")
		if err != nil {
			return "", err
		}
		sum, err := m.DUKPTMAC(ctx, key, dir, alg, data)
		if err != nil {
			return "", err
		}
		return cut(sum, in.Number("length"))
	}
}

func dukptData(dir hsm.Direction) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		key, err := dukptKey(ctx, m, in)
		if err != nil {
			return "", err
		}
		data, err := in.Bytes("data")
		if err != nil {
			return "", err
		}
		iv, err := in.Bytes("iv")
		if err != nil {
			return "", err
		}
		out, err := m.EncipherDUKPTData(ctx, key, dir, hsm.CBC(iv), data)
		return Hex(out), err
	}
}

// desOf is single DES in the module, as the double-length key K‖K; the first
// error is kept in failed.
func desOf(ctx context.Context, m Module, decrypt bool, failed *error) dukpt.DES {
	return func(key, block []byte) {
		out, err := m.Cipher(ctx, hsm.TDES2, append(bytes.Clone(key), key...), decrypt, nil, block)
		if err != nil {
			*failed = errors.Join(*failed, err)
			return
		}
		copy(block, out)
	}
}

// initialKey is the initial key of TDES DUKPT.
func initialKey(ctx context.Context, m Module, in Inputs) (out []byte, ksn hsm.KSN, err error) {
	bdk, err := in.Bytes("bdk")
	if err != nil {
		return nil, ksn, err
	}
	if len(bdk) != hsm.TDES2.Size() {
		return nil, ksn, fmt.Errorf("%w: a TDES BDK has 16 bytes", hsm.ErrInput)
	}
	if ksn, err = number(in); err != nil {
		return nil, ksn, err
	}
	id := ksn.ID()
	left, err := m.Cipher(ctx, hsm.TDES2, bdk, false, nil, id[:])
	if err != nil {
		return nil, ksn, err
	}
	dukpt.Mask(bdk)
	right, err := m.Cipher(ctx, hsm.TDES2, bdk, false, nil, id[:])
	return append(left, right...), ksn, err
}

func initialTDES(ctx context.Context, m Module, in Inputs) (string, error) {
	key, _, err := initialKey(ctx, m, in)
	return Hex(key), err
}

// transactionKey is the key of a transaction: its variant for use unless use is
// 0, and behind the one-way step where oneWay says so.
func transactionKey(ctx context.Context, m Module, in Inputs, use dukpt.Use, oneWay bool) ([]byte, error) {
	key, ksn, err := initialKey(ctx, m, in)
	if err != nil {
		return nil, err
	}
	var failed error
	encipher := desOf(ctx, m, false, &failed)
	memory := dukpt.Memory{Key: key, Scratch: make([]byte, dukpt.ScratchLen)}
	dukpt.TransactionKey(encipher, memory, ksn)
	if use != 0 {
		dukpt.Variant(memory, use)
	}
	if oneWay {
		dukpt.OneWay(encipher, desOf(ctx, m, true, &failed), memory)
	}
	return memory.Key, failed
}

func keyTDES(use dukpt.Use, oneWay bool) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		key, err := transactionKey(ctx, m, in, use, oneWay)
		return Hex(key), err
	}
}

func pinTDES(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := transactionKey(ctx, m, in, dukpt.PIN, false)
	if err != nil {
		return "", err
	}
	account, err := pinblock.Account([]byte(in.Text("pan")))
	if err != nil {
		return "", err
	}
	var block [8]byte
	if err := pinblock.Encode0(&block, []byte(in.Text("pin")), account); err != nil {
		return "", err
	}
	out, err := m.Cipher(ctx, hsm.TDES2, key, false, nil, block[:])
	return Hex(out), err
}

// walk runs steps of AES DUKPT from the key that an input gives.
func walk(ctx context.Context, m Module, in Inputs, name string, steps func(a hsm.Algorithm, ksn hsm.KSN) []dukpt.Step) ([]byte, error) {
	value, err := in.Bytes(name)
	if err != nil {
		return nil, err
	}
	key, err := AES(value)
	if err != nil {
		return nil, err
	}
	ksn, err := number(in)
	if err != nil {
		return nil, err
	}
	if !ksn.IsAES() {
		return nil, fmt.Errorf("%w: the key serial number is of TDES DUKPT", hsm.ErrInput)
	}
	for _, s := range steps(key.Algorithm, ksn) {
		out, err := key.ECB(ctx, m, s.Data)
		if err != nil {
			return nil, err
		}
		key = Clear{s.Type, out[:s.Type.Size()]}
	}
	return key.Value, nil
}

func initialAES(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := walk(ctx, m, in, "bdk", func(a hsm.Algorithm, ksn hsm.KSN) []dukpt.Step { return []dukpt.Step{dukpt.InitialStep(a, ksn)} })
	return Hex(key), err
}

func registerAES(ctx context.Context, m Module, in Inputs) (string, error) {
	counter := uint32(1) << uint(in.Number("register"))
	key, err := walk(ctx, m, in, "initial_key", func(a hsm.Algorithm, ksn hsm.KSN) []dukpt.Step {
		return []dukpt.Step{dukpt.DerivationStep(a, ksn, counter)}
	})
	return Hex(key), err
}

// updateAES is the chain of the update key, but for its last steps.
func updateAES(leave int) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		kind, err := workingType(in)
		if err != nil {
			return "", err
		}
		key, err := walk(ctx, m, in, "bdk", func(a hsm.Algorithm, ksn hsm.KSN) []dukpt.Step {
			steps := dukpt.UpdatePath(&hsm.Key{Usage: hsm.BDK, Algorithm: a}, kind, ksn)
			return steps[:len(steps)-leave]
		})
		return Hex(key), err
	}
}

// purposes are the usages of vectors; a transaction's own derivation key has none.
var purposes = map[string]dukpt.Purpose{
	"txn": 0, "pin": dukpt.PINEncryption, "mac_gen": dukpt.MACGeneration, "mac_ver": dukpt.MACVerification, "mac_both": dukpt.MACBothWays,
	"data_enc": dukpt.DataEncrypt, "data_dec": dukpt.DataDecrypt, "data_both": dukpt.DataBothWays, "kek": dukpt.KeyEncryption,
}

func keyAES(name string, usage hsm.Usage) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		purpose, ok := purposes[in.Text("usage")]
		if !ok {
			return "", fmt.Errorf("%w: no usage %q", hsm.ErrInput, in.Text("usage"))
		}
		key, err := workingAES(ctx, m, in, name, usage, purpose)
		return Hex(key), err
	}
}

func workingAES(ctx context.Context, m Module, in Inputs, name string, usage hsm.Usage, purpose dukpt.Purpose) ([]byte, error) {
	kind, err := workingType(in)
	if err != nil {
		return nil, err
	}
	return walk(ctx, m, in, name, func(a hsm.Algorithm, ksn hsm.KSN) []dukpt.Step {
		steps := dukpt.Path(&hsm.Key{Usage: usage, Algorithm: a}, ksn)
		if purpose == 0 {
			return steps
		}
		return append(steps, dukpt.WorkingStep(purpose, kind, ksn))
	})
}

// pinAES makes a format 4 block (ISO 9564-1): the PIN field enciphered, xor the
// PAN field, enciphered again.
func pinAES(ctx context.Context, m Module, in Inputs) (string, error) {
	value, err := workingAES(ctx, m, in, "bdk", hsm.BDK, dukpt.PINEncryption)
	if err != nil {
		return "", err
	}
	key, err := AES(value)
	if err != nil {
		return "", err
	}
	pin, pan := in.Text("pin"), in.Text("pan")
	if len(pin) < pinblock.MinPIN || len(pin) > pinblock.MaxPIN || len(pan) < 12 || len(pan) > 19 {
		return "", fmt.Errorf("%w: PIN or PAN has a wrong length", hsm.ErrInput)
	}
	fields := Inputs{Vector{Inputs: map[string]any{
		"pin": fmt.Sprintf("4%X%s%s%s", len(pin), pin, strings.Repeat("A", 14-len(pin)), in.Text("random")),
		"pan": fmt.Sprintf("%X%s%s", len(pan)-12, pan, strings.Repeat("0", 31-len(pan))),
	}}}
	block, err := fields.Bytes("pin")
	if err != nil {
		return "", err
	}
	if block, err = key.ECB(ctx, m, block); err != nil {
		return "", err
	}
	mask, err := fields.Bytes("pan")
	if err != nil {
		return "", err
	}
	subtle.XORBytes(block, block, mask)
	out, err := key.ECB(ctx, m, block)
	return Hex(out), err
}
