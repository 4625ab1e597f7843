// SPDX-License-Identifier: Apache-2.0

package dukpt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/des"
	"encoding/hex"
	"errors"
	"math/bits"
	"strconv"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/hsmtest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, b []byte) hsm.KSN {
	t.Helper()
	k, err := hsm.ParseKSN(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// device is a key serial number of the device, whatever its counter.
func device(t testing.TB, b []byte) hsm.KSN {
	t.Helper()
	b = bytes.Clone(b)
	b[len(b)-1] |= 1 // an initial key has counter 0, which no transaction has
	return parse(t, b)
}

// The ciphers of these tests are the standard library's.

func encipher(key, block []byte) {
	c, err := des.NewCipher(key)
	if err != nil {
		panic(err) // the tests' own key lengths
	}
	c.Encrypt(block, block)
}

func decipher(key, block []byte) {
	c, err := des.NewCipher(key)
	if err != nil {
		panic(err)
	}
	c.Decrypt(block, block)
}

// ede enciphers one block under a double-length key.
func ede(key, block []byte) []byte {
	out := bytes.Clone(block)
	encipher(key[:8], out)
	decipher(key[8:16], out)
	encipher(key[:8], out)
	return out
}

func initialTDES(bdk []byte, ksn hsm.KSN) []byte {
	id, masked := ksn.ID(), bytes.Clone(bdk)
	dukpt.Mask(masked)
	return append(ede(bdk, id[:]), ede(masked, id[:])...)
}

func memory(key []byte) dukpt.Memory {
	return dukpt.Memory{Key: bytes.Clone(key), Scratch: make([]byte, dukpt.ScratchLen)}
}

// run is one step of AES DUKPT.
func run(key []byte, s dukpt.Step) []byte {
	c, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(s.Data))
	for i := 0; i < len(out); i += 16 {
		c.Encrypt(out[i:], s.Data[i:i+16])
	}
	return out[:s.Type.Size()]
}

func aesOf(key []byte) hsm.Algorithm {
	return map[int]hsm.Algorithm{16: hsm.AES128, 24: hsm.AES192, 32: hsm.AES256}[len(key)]
}

// host derives what a working key is made from.
func host(usage hsm.Usage, key []byte, ksn hsm.KSN) []byte {
	for _, s := range dukpt.Path(&hsm.Key{Usage: usage, Algorithm: aesOf(key)}, ksn) {
		key = run(key, s)
	}
	return key
}

func keyType(name []byte) hsm.Algorithm {
	return map[string]hsm.Algorithm{
		"2TDEA": hsm.TDES2, "3TDEA": hsm.TDES3, "AES128": hsm.AES128, "AES192": hsm.AES192, "AES256": hsm.AES256,
		"HMAC128": hsm.HMAC128, "HMAC192": hsm.HMAC192, "HMAC256": hsm.HMAC256,
	}[string(name)]
}

var purposes = map[string]dukpt.Purpose{
	"pin": dukpt.PINEncryption, "mac_gen": dukpt.MACGeneration, "mac_ver": dukpt.MACVerification, "mac_both": dukpt.MACBothWays,
	"data_enc": dukpt.DataEncrypt, "data_dec": dukpt.DataDecrypt, "data_both": dukpt.DataBothWays, "kek": dukpt.KeyEncryption,
}

func TestTDESVectors(t *testing.T) {
	for name, change := range map[string]func(m dukpt.Memory, ksn hsm.KSN){
		"initial_key":     func(dukpt.Memory, hsm.KSN) {},
		"transaction_key": func(m dukpt.Memory, ksn hsm.KSN) { dukpt.TransactionKey(encipher, m, ksn) },
		"data_request_variant": func(m dukpt.Memory, ksn hsm.KSN) {
			dukpt.TransactionKey(encipher, m, ksn)
			dukpt.Variant(m, dukpt.DataRequest)
		},
		"pin_key":          working(dukpt.PIN),
		"mac_request_key":  working(dukpt.MACRequest),
		"mac_response_key": working(dukpt.MACResponse),
		"data_request_key": working(dukpt.DataRequest),
	} {
		hsmtest.Vectors(t, "dukpt_tdes", "dukpt.tdes."+name, func(in map[string][]byte) ([]byte, error) {
			ksn := in["ksn"]
			if name == "initial_key" {
				ksn = device(t, ksn).Bytes()
			}
			number := parse(t, ksn)
			m := memory(initialTDES(in["bdk"], number))
			change(m, number)
			if !bytes.Equal(m.Scratch, bytes.Repeat([]byte{0}, dukpt.ScratchLen)) {
				t.Errorf("%s leaves key bytes in its scratch memory", name)
			}
			return m.Key, nil
		})
	}
}

func working(u dukpt.Use) func(m dukpt.Memory, ksn hsm.KSN) {
	return func(m dukpt.Memory, ksn hsm.KSN) { dukpt.WorkingKey(encipher, decipher, m, ksn, u) }
}

func TestAESVectors(t *testing.T) {
	id := func(in map[string][]byte) hsm.KSN {
		return parse(t, append(bytes.Clone(in["initial_key_id"]), 0, 0, 0, 1))
	}
	for name, compute := range map[string]func(in map[string][]byte) []byte{
		"initial_key": func(in map[string][]byte) []byte {
			return run(in["bdk"], dukpt.InitialStep(aesOf(in["bdk"]), id(in)))
		},
		"key": func(in map[string][]byte) []byte { return workingAES(t, hsm.BDK, in["bdk"], in) },
		"key_from_initial_key": func(in map[string][]byte) []byte {
			return workingAES(t, hsm.IK, in["initial_key"], in)
		},
		"intermediate_register": func(in map[string][]byte) []byte {
			n, err := strconv.Atoi(string(in["register"]))
			if err != nil {
				t.Fatal(err)
			}
			return run(in["initial_key"], dukpt.DerivationStep(hsm.AES128, id(in), 1<<n))
		},
		"update_key_derivation_key": func(in map[string][]byte) []byte { return update(t, in, hsm.AES128, 1) },
		"update_key":                func(in map[string][]byte) []byte { return update(t, in, keyType(in["key_type"]), 0) },
	} {
		hsmtest.Vectors(t, "dukpt_aes", "dukpt.aes."+name, func(in map[string][]byte) ([]byte, error) { return compute(in), nil })
	}
}

func workingAES(t *testing.T, usage hsm.Usage, key []byte, in map[string][]byte) []byte {
	ksn := parse(t, in["ksn"])
	base := host(usage, key, ksn)
	if string(in["usage"]) == "txn" {
		return base
	}
	p := purposes[string(in["usage"])]
	if p == 0 {
		t.Fatalf("usage %q", in["usage"])
	}
	return run(base, dukpt.WorkingStep(p, keyType(in["key_type"]), ksn))
}

// update runs the chain of the update key, or all of it but its last step.
func update(t *testing.T, in map[string][]byte, kind hsm.Algorithm, leave int) []byte {
	ksn, key := parse(t, append(bytes.Clone(in["initial_key_id"]), 0, 0, 0, 1)), in["bdk"]
	steps := dukpt.UpdatePath(&hsm.Key{Usage: hsm.BDK, Algorithm: aesOf(key)}, kind, ksn)
	for _, s := range steps[:len(steps)-leave] {
		key = run(key, s)
	}
	return key
}

// TestTrapCounterLimits: 10 one-bits of TDES and 16 of AES are the most; the
// register procedure of X9.24-3 reaches 17 in one shape, and its list has one.
func TestTrapCounterLimits(t *testing.T) {
	for number, served := range map[string]bool{
		"FFFF9876543210E003FF": true, "FFFF9876543210E007FF": false, "FFFF9876543210FFF800": true,
		"FFFF9876543210FFFC00": false, "FFFF9876543210E00000": false, "FFFF9876543210E00001": true,
		"12345678901234560000FFFF": true, "12345678901234560001FFFF": true, "12345678901234560003FFFE": false, "12345678901234560003FFFF": false,
		"1234567890123456FFFF0000": true, "1234567890123456FFFF8000": false, "1234567890123456FFFF0001": true, "1234567890123456FFFFFFFF": false, "123456789012345600000000": false,
	} {
		_, err := hsm.ParseKSN(unhex(t, number))
		if served != (err == nil) || err != nil && !errors.Is(err, hsm.ErrInput) {
			t.Errorf("%s: %v", number, err)
		}
	}
}

// TestTrapShortKSN: an 8-byte number lacks its leading FFFF; what is derived
// from the 8 bytes as they are is another device's key.
func TestTrapShortKSN(t *testing.T) {
	long, short := parse(t, unhex(t, "FFFF9876543210E00001")), parse(t, unhex(t, "9876543210E00001"))
	if long != short || short.String() != "FFFF9876543210E00001" {
		t.Errorf("8 bytes read as %s", short)
	}
	bdk := unhex(t, "0123456789ABCDEFFEDCBA9876543210")
	if got := initialTDES(bdk, short); hex.EncodeToString(got) != "6ac292faa1315b4d858ab3a3d7d5933a" {
		t.Errorf("initial key %x", got)
	}
	for n := range 16 {
		if _, err := hsm.ParseKSN(make([]byte, n)); !errors.Is(err, hsm.ErrInput) {
			t.Errorf("number of %d zero bytes: %v", n, err)
		}
	}
}

// TestTrapParity: the published initial key has bytes of even parity, and a key
// that is adjusted gives other keys from there on.
func TestTrapParity(t *testing.T) {
	ksn := parse(t, unhex(t, "FFFF9876543210E00003"))
	initial := initialTDES(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), ksn)
	adjusted := bytes.Clone(initial)
	for i, b := range adjusted {
		if bits.OnesCount8(b)%2 == 0 {
			adjusted[i] ^= 1
		}
	}
	a, b := memory(initial), memory(adjusted)
	dukpt.TransactionKey(encipher, a, ksn)
	dukpt.TransactionKey(encipher, b, ksn)
	if bytes.Equal(initial, adjusted) || bytes.Equal(a.Key, b.Key) {
		t.Error("parity of the initial key makes no difference")
	}
	derived := run(unhex(t, "1273671EA26AC29AFA4D1084127652A1"), dukpt.WorkingStep(dukpt.PINEncryption, hsm.TDES2, parse(t, unhex(t, "123456789012345600000001"))))
	even := 0
	for _, b := range derived {
		even += 1 - bits.OnesCount8(b)%2
	}
	if even == 0 {
		t.Error("a double-length key derived by AES DUKPT was adjusted to odd parity")
	}
}

// TestTrapUsesDiffer: every use has its own key, and a data key is not its variant.
func TestTrapUsesDiffer(t *testing.T) {
	ksn := parse(t, unhex(t, "FFFF9876543210E00001"))
	initial := initialTDES(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), ksn)
	number := parse(t, unhex(t, "123456789012345600000001"))
	seen := map[string]string{}
	see := func(name string, key []byte) {
		if other, ok := seen[string(key)]; ok {
			t.Errorf("%s and %s are one key", name, other)
		}
		seen[string(key)] = name
	}
	for u := dukpt.PIN; u <= dukpt.DataBoth; u++ {
		see("AES use "+strconv.Itoa(int(u)), run(host(hsm.BDK, make([]byte, 16), number), dukpt.WorkingStep(u.Purpose(), hsm.AES128, number)))
		if !u.HasTDES() {
			continue
		}
		m, variant := memory(initial), memory(initial)
		dukpt.WorkingKey(encipher, decipher, m, ksn, u)
		see("TDES use "+strconv.Itoa(int(u)), m.Key)
		dukpt.TransactionKey(encipher, variant, ksn)
		dukpt.Variant(variant, u)
		if data := u == dukpt.DataRequest || u == dukpt.DataResponse; bytes.Equal(variant.Key, m.Key) == data {
			t.Errorf("use %d: the one-way step", u)
		}
	}
	if dukpt.MAC(0) != 0 || dukpt.Data(4) != 0 || dukpt.MAC(hsm.Response) != dukpt.MACResponse || dukpt.Data(hsm.BothWays) != dukpt.DataBoth {
		t.Error("uses of directions")
	}
}

// TestTrapPINKeyIsMasked: the key that a sample of a cloud service calls the PIN
// key is the transaction key; the PIN key is that with its mask.
func TestTrapPINKeyIsMasked(t *testing.T) {
	ksn := parse(t, unhex(t, "FFFF9876543210E00001"))
	initial := initialTDES(unhex(t, "0123456789ABCDEFFEDCBA9876543210"), ksn)
	transaction, pin := memory(initial), memory(initial)
	dukpt.TransactionKey(encipher, transaction, ksn)
	dukpt.WorkingKey(encipher, decipher, pin, ksn, dukpt.PIN)
	if got := hex.EncodeToString(transaction.Key[:16]); got != "042666b49184cfa368de9628d0397bc9" {
		t.Errorf("transaction key %s", got)
	}
	for i := range 16 {
		mask := byte(0)
		if i%8 == 7 {
			mask = 0xFF
		}
		if pin.Key[i] != transaction.Key[i]^mask {
			t.Errorf("byte %d of the PIN key: %02X, transaction key %02X", i, pin.Key[i], transaction.Key[i])
		}
	}
}
