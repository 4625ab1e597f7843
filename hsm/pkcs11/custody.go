// SPDX-License-Identifier: Apache-2.0

package pkcs11

import "strings"

// Custody says of one function what leaves the module while it runs on plain
// PKCS#11. What leaves is in the locked page of one worker and wiped at once.
type Custody struct {
	Function   string
	Mechanisms string // what the module must have
	KeyLeaves  bool   // a key is clear in the process's memory
	PINLeaves  bool   // a PIN is clear in the process's memory
	Remark     string
}

// Can says of one function whether a probed module can do it.
type Can struct {
	Custody
	Works   bool
	Refused bool   // no module can by the standard: the driver refuses it by name
	Why     string // the mechanism that is missing, and what the module said
}

// Functions joins what the functions need with what a module can.
func Functions(module []Probed) []Can {
	state := make(map[string]Probed, len(module))
	for _, p := range module {
		state[p.Mechanism] = p
	}
	var out []Can
	for _, c := range Custodies() {
		can := Can{Custody: c, Works: true}
		for _, name := range strings.Split(c.Mechanisms, ", ") {
			if p := state[name]; !p.Works {
				can.Works, can.Why = false, name+": "+p.Why
				can.Refused = name == "SM3" || name == "SM4"
				break
			}
		}
		out = append(out, can)
	}
	return out
}

// Custodies is the whole list, in the order of the interfaces of package hsm.
// docs/reference/hsm-functions.md shows it, and a test compares the two.
func Custodies() []Custody {
	return []Custody{
		{"MAC, VerifyMAC: UnionPay ECB", "CKM_DES3_ECB", false, false, "data is folded outside; two blocks inside"},
		{"MAC, VerifyMAC: ISO 9797-1 algorithm 3", "CKM_DES3_CBC, CKM_DES3_ECB", false, false, "CBC under the companion K1‖K1, last block under K1‖K2"},
		{"MAC, VerifyMAC: ISO 9797-1 algorithm 1, X9.9", "CKM_DES3_CBC", false, false, "the last block of CBC is the MAC; X9.9 under single-length keys alone"},
		{"MAC, VerifyMAC: AES-CMAC, TDES-CMAC", "CKM_AES_CMAC, CKM_DES3_CMAC", false, false, ""},
		{"MAC, VerifyMAC: HMAC-SHA-256", "CKM_SHA256_HMAC", false, false, "short keys are kept zero filled to 32 bytes, which changes no MAC"},
		{"MAC, VerifyMAC: SM4; SM3; TranslateSM4PIN", "SM3, SM4", false, false, "refused: ErrUnsupported"},
		{"CVV, CAVV and their Verify", "CKM_DES3_CBC, CKM_DES3_ECB", false, false, "an algorithm 3 MAC of the digits, read as digits outside"},
		{"DCVV, CVC3 and their Verify", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_CBC, CKM_DES3_ECB", false, false, "the card's key and its companion are derived inside"},
		{"TranslatePIN", "CKM_DES3_ECB, CKM_AES_ECB", false, true, "formats 0, 1, 3 under TDES, 4 under AES; the block is checked and laid out anew between the operations"},
		{"VerifyPVV, GeneratePVV, ChangePVV", "CKM_DES3_ECB, CKM_AES_ECB", false, true, "the PVV itself is computed inside"},
		{"VerifyOffset, GenerateOffset, ChangeOffset", "CKM_DES3_ECB, CKM_AES_ECB", false, true, "the natural PIN is outside as well as the PIN; the decimalisation table is bound to the key"},
		{"VerifyARQC, VerifyGiven", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_CBC, CKM_DES3_ECB", false, false, "card and session keys are derived inside; card keys are cached as session objects"},
		{"ARPC, GivenARPC1", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_ECB", false, false, "method 1"},
		{"ARPC2, GivenARPC2", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_CBC, CKM_DES3_ECB", false, false, "method 2"},
		{"VerifyGiven, GivenARPC1, GivenARPC2: EMV 2000 key tree", "CKM_DES3_ECB, CKM_DES3_CBC, CKM_AES_KEY_WRAP", true, false, "each level enciphers keys as data: card and session key, no issuer key"},
		{"ScriptMAC: EMV common session key", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_CBC, CKM_DES3_ECB", false, false, "card and session keys are derived inside"},
		{"EncipherScript: EMV common session key", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_ECB, CKM_DES3_CBC", false, false, "CBC for Mastercard and CCD, ECB for Visa"},
		{"ScriptMAC, EncipherScript: Visa session key", "CKM_DES3_ECB, CKM_DES3_CBC", true, false, "card key xor ATC: plain PKCS#11 has no xor of keys; the issuer key stays"},
		{"ChangePIN: ISO format 2 block", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_ECB, CKM_AES_ECB, CKM_DES3_CBC", false, true, "with a Visa session key a card key leaves too; a PIN block under DUKPT as in the PIN functions"},
		{"ChangePIN: Visa block", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_ECB, CKM_AES_ECB, CKM_DES3_CBC, CKM_AES_KEY_WRAP", true, true, "it xors bytes of the card's AC key"},
		{"DUKPTMAC, VerifyDUKPTMAC: AES", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_ECB, CKM_AES_CMAC, CKM_DES3_CMAC, CKM_SHA256_HMAC", false, false, "the whole chain is derived inside"},
		{"DUKPTMAC, VerifyDUKPTMAC: AES, HMAC key of 192 bits", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_ECB, CKM_SHA256_HMAC", true, false, "modules take HMAC keys from 256 bits up, so it is filled up with zeros, outside; for 128 bits that works inside"},
		{"DUKPTMAC, VerifyDUKPTMAC: TDES", "CKM_DES3_ECB, CKM_DES3_CBC, CKM_DES3_CMAC", true, false, "no module in service xors keys: the device's initial key, made of the BDK or kept, comes out of the module and the transaction key is made of it; the BDK stays"},
		{"PIN functions, block under DUKPT: AES", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_ECB, CKM_DES3_ECB", false, true, "the transaction's PIN key is derived inside and may decipher only"},
		{"PIN functions, block under DUKPT: TDES", "CKM_DES3_ECB, CKM_DES3_CBC", true, true, "as the MAC under TDES DUKPT; the PIN itself as TranslatePIN"},
		{"EncipherDUKPTData, DecipherDUKPTData: AES", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_ECB, CKM_AES_CBC, CKM_DES3_ECB, CKM_DES3_CBC", false, false, "the whole chain is derived inside"},
		{"EncipherDUKPTData, DecipherDUKPTData: TDES", "CKM_DES3_ECB, CKM_DES3_CBC", true, false, "as the MAC"},
		{"DUKPTUpdateKey", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_CMAC, CKM_AES_KEY_WRAP", false, false, "derived and wrapped inside; the next initial key then goes as in GenerateSet and ImportKeyBlock"},
		{"EncipherData, DecipherData", "CKM_DES3_ECB, CKM_DES3_CBC, CKM_AES_ECB, CKM_AES_CBC", false, false, ""},
		{"GenerateSet under a TMK or ZMK", "C_GenerateRandom, CKM_DES3_ECB, CKM_AES_KEY_WRAP", true, false, "no module in service wraps under double-length DES by plain PKCS#11"},
		{"LoadSet under a TMK or ZMK", "CKM_DES3_ECB, CKM_AES_KEY_WRAP", true, false, "sign-on of a terminal, key exchange of a link"},
		{"GenerateSet, ImportKeyBlock, TranslateKeyBlock: B under TDES", "CKM_DES3_ECB_ENCRYPT_DATA, CKM_DES3_ECB, CKM_DES3_CBC, CKM_DES3_CMAC, CKM_AES_KEY_WRAP", true, false, "the key of the block; the protection key and the two keys derived from it stay inside, the cipher of a zero block under it leaves"},
		{"GenerateSet, ImportKeyBlock, TranslateKeyBlock: D and E under AES", "CKM_AES_ECB_ENCRYPT_DATA, CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CMAC, CKM_AES_KEY_WRAP", true, false, "as above"},
		{"ImportKeyBlock, TranslateKeyBlock: A and C", "CKM_DES3_CBC, CKM_AES_KEY_WRAP", true, false, "as above; the variants of the protection key are wrapped beside it"},
		{"LoadClear, LoadComponents", "CKM_AES_KEY_WRAP", true, false, "test keys; what custodians bring: components are clear by nature"},
		{"Generate", "CKM_AES_KEY_GEN, CKM_DES2_KEY_GEN, CKM_DES3_ECB_ENCRYPT_DATA, CKM_AES_KEY_WRAP", false, false, "a MAC key and its companion are derived from one base inside"},
		{"Generate: TDES BDK", "C_GenerateRandom, CKM_AES_KEY_WRAP", true, false, "its companion is its xor with a mask, which no module in service computes"},
		{"Generate: TDES IK", "C_GenerateRandom, CKM_AES_KEY_WRAP", true, false, "it is kept under a carrier besides, a key of its own inside, from which it comes out to be xored"},
		{"Generate: KBPK of triple DES", "C_GenerateRandom, CKM_AES_KEY_WRAP", true, false, "its two variants are made of the clear key"},
		{"Generate: HMAC-256", "CKM_GENERIC_SECRET_KEY_GEN, CKM_AES_KEY_WRAP", false, false, ""},
		{"Generate: HMAC-128, HMAC-192", "C_GenerateRandom, CKM_AES_KEY_WRAP", true, false, "zero filled to the length that modules ask for; a key of 256 bits stays inside"},
		{"Seal, Open", "CKM_AES_GCM", false, false, "the nonce comes from the process"},
		{"Token", "CKM_AES_CMAC, CKM_SHA256_HMAC", false, false, "HMAC-SHA-256 cut to 16 bytes, or AES-CMAC, as the key is"},
		{"check value", "CKM_DES3_ECB, CKM_AES_CMAC, CKM_SHA256_HMAC", false, false, "not CKA_CHECK_VALUE, which is another value for AES"},
		{"key binding", "CKM_AES_CMAC", false, false, "checked before anything is unwrapped"},
		{"unwrap into the cache", "CKM_AES_KEY_WRAP", false, false, "sensitive, not extractable, by the unwrap template"},
		{"form local master keys", "CKM_AES_CMAC, CKM_AES_KEY_WRAP", true, false, "components and what is derived from them are clear on locked pages by nature; check values and derivation inside"},
		{"migrate to new local master keys", "CKM_AES_CMAC, CKM_AES_KEY_WRAP", true, false, "stored keys stay inside; the components of the old local master key are entered once more"},
	}
}
