// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// The functions of a group are those of its tokens: each is done by the first that
// can (over). A function that is not here is not a group's.

var (
	_ hsm.MACer              = (*Group)(nil)
	_ hsm.Translator         = (*Group)(nil)
	_ hsm.PINVerifier        = (*Group)(nil)
	_ hsm.OffsetVerifier     = (*Group)(nil)
	_ hsm.PINIssuer          = (*Group)(nil)
	_ hsm.PINReplacer        = (*Group)(nil)
	_ hsm.CVVer              = (*Group)(nil)
	_ hsm.CAVVer             = (*Group)(nil)
	_ hsm.DCVVer             = (*Group)(nil)
	_ hsm.CVC3er             = (*Group)(nil)
	_ hsm.CryptogramVerifier = (*Group)(nil)
	_ hsm.CSUAnswerer        = (*Group)(nil)
	_ hsm.GivenVerifier      = (*Group)(nil)
	_ hsm.ScriptProtector    = (*Group)(nil)
	_ hsm.PINChanger         = (*Group)(nil)
	_ hsm.DUKPTMACer         = (*Group)(nil)
	_ hsm.DUKPTDataCipher    = (*Group)(nil)
	_ hsm.DUKPTUpdater       = (*Group)(nil)
	_ hsm.DataCipher         = (*Group)(nil)
	_ hsm.Tokener            = (*Group)(nil)
	_ hsm.Sealer             = (*Group)(nil)
	_ hsm.KeyLoader          = (*Group)(nil)
	_ hsm.KeyMaker           = (*Group)(nil)
	_ hsm.SetLoader          = (*Group)(nil)
	_ hsm.ComponentLoader    = (*Group)(nil)
	_ hsm.KeyBlocks          = (*Group)(nil)
	_ hsm.KeyChecker         = (*Group)(nil)
	_ hsm.SM4Translator      = (*Group)(nil)
	_ hsm.SM3Hasher          = (*Group)(nil)
	_ hsm.Health             = (*Group)(nil)
	_ hsm.Grouped            = (*Group)(nil)
)

// MAC implements hsm.MACer.
func (g *Group) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.MAC(ctx, key, alg, data) })
}

// VerifyMAC implements hsm.MACer.
func (g *Group) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, want []byte) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyMAC(ctx, key, alg, data, want) })
}

// TranslatePIN implements hsm.Translator.
func (g *Group) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (secret.PINBlock, error) { return m.TranslatePIN(ctx, in, to) })
}

// VerifyPVV implements hsm.PINVerifier.
func (g *Group) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyPVV(ctx, in, ref) })
}

// VerifyOffset implements hsm.OffsetVerifier.
func (g *Group) VerifyOffset(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PINOffset) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyOffset(ctx, in, ref) })
}

// GeneratePVV implements hsm.PINIssuer.
func (g *Group) GeneratePVV(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key, index byte) ([4]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([4]byte, error) { return m.GeneratePVV(ctx, in, pvk, index) })
}

// GenerateOffset implements hsm.PINIssuer.
func (g *Group) GenerateOffset(ctx context.Context, in hsm.EncipheredPIN, pvk *hsm.Key) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.GenerateOffset(ctx, in, pvk) })
}

// ChangePVV implements hsm.PINReplacer.
func (g *Group) ChangePVV(ctx context.Context, old, next hsm.EncipheredPIN, ref hsm.PVV) ([4]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([4]byte, error) { return m.ChangePVV(ctx, old, next, ref) })
}

// ChangeOffset implements hsm.PINReplacer.
func (g *Group) ChangeOffset(ctx context.Context, old, next hsm.EncipheredPIN, ref hsm.PINOffset) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.ChangeOffset(ctx, old, next, ref) })
}

// CVV implements hsm.CVVer.
func (g *Group) CVV(ctx context.Context, cvk *hsm.Key, c hsm.CardValueData) (secret.CVV, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (secret.CVV, error) { return m.CVV(ctx, cvk, c) })
}

// VerifyCVV implements hsm.CVVer.
func (g *Group) VerifyCVV(ctx context.Context, cvk *hsm.Key, c hsm.CardValueData, presented secret.CVV) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyCVV(ctx, cvk, c, presented) })
}

// CAVV implements hsm.CAVVer.
func (g *Group) CAVV(ctx context.Context, cvk *hsm.Key, a hsm.AuthenticationData) (secret.CVV, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (secret.CVV, error) { return m.CAVV(ctx, cvk, a) })
}

// VerifyCAVV implements hsm.CAVVer.
func (g *Group) VerifyCAVV(ctx context.Context, cvk *hsm.Key, a hsm.AuthenticationData, presented secret.CVV) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyCAVV(ctx, cvk, a, presented) })
}

// DCVV implements hsm.DCVVer.
func (g *Group) DCVV(ctx context.Context, imk *hsm.Key, d hsm.DCVVData) (secret.CVV, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (secret.CVV, error) { return m.DCVV(ctx, imk, d) })
}

// VerifyDCVV implements hsm.DCVVer.
func (g *Group) VerifyDCVV(ctx context.Context, imk *hsm.Key, d hsm.DCVVData, presented secret.CVV) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyDCVV(ctx, imk, d, presented) })
}

// CVC3 implements hsm.CVC3er.
func (g *Group) CVC3(ctx context.Context, imk *hsm.Key, c hsm.CVC3Data) (secret.CVV, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (secret.CVV, error) { return m.CVC3(ctx, imk, c) })
}

// VerifyCVC3 implements hsm.CVC3er.
func (g *Group) VerifyCVC3(ctx context.Context, imk *hsm.Key, c hsm.CVC3Data, presented secret.CVV) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyCVC3(ctx, imk, c, presented) })
}

// VerifyARQC implements hsm.CryptogramVerifier.
func (g *Group) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyARQC(ctx, imk, c) })
}

// ARPC implements hsm.CryptogramVerifier.
func (g *Group) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([10]byte, error) { return m.ARPC(ctx, imk, c, arc) })
}

// ARPC2 implements hsm.CSUAnswerer.
func (g *Group) ARPC2(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, csu hsm.CSU) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.ARPC2(ctx, imk, c, csu) })
}

// VerifyGiven implements hsm.GivenVerifier.
func (g *Group) VerifyGiven(ctx context.Context, imk *hsm.Key, given hsm.Given) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyGiven(ctx, imk, given) })
}

// GivenARPC1 implements hsm.GivenVerifier.
func (g *Group) GivenARPC1(ctx context.Context, imk *hsm.Key, given hsm.Given, arc [2]byte) ([8]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([8]byte, error) { return m.GivenARPC1(ctx, imk, given, arc) })
}

// GivenARPC2 implements hsm.GivenVerifier.
func (g *Group) GivenARPC2(ctx context.Context, imk *hsm.Key, given hsm.Given, csu hsm.CSU) ([4]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([4]byte, error) { return m.GivenARPC2(ctx, imk, given, csu) })
}

// ScriptMAC implements hsm.ScriptProtector.
func (g *Group) ScriptMAC(ctx context.Context, smi *hsm.Key, s hsm.Script, header [5]byte, data []byte) ([8]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([8]byte, error) { return m.ScriptMAC(ctx, smi, s, header, data) })
}

// EncipherScript implements hsm.ScriptProtector.
func (g *Group) EncipherScript(ctx context.Context, smc *hsm.Key, s hsm.Script, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.EncipherScript(ctx, smc, s, data) })
}

// ChangePIN implements hsm.PINChanger.
func (g *Group) ChangePIN(ctx context.Context, s hsm.Script, p hsm.PINChange) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.ChangePIN(ctx, s, p) })
}

// DUKPTMAC implements hsm.DUKPTMACer.
func (g *Group) DUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.DUKPTMAC(ctx, d, dir, alg, data) })
}

// VerifyDUKPTMAC implements hsm.DUKPTMACer.
func (g *Group) VerifyDUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data, received []byte) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.VerifyDUKPTMAC(ctx, d, dir, alg, data, received) })
}

// EncipherDUKPTData implements hsm.DUKPTDataCipher.
func (g *Group) EncipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) {
		return m.EncipherDUKPTData(ctx, d, dir, mode, data)
	})
}

// DecipherDUKPTData implements hsm.DUKPTDataCipher.
func (g *Group) DecipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) {
		return m.DecipherDUKPTData(ctx, d, dir, mode, data)
	})
}

// DUKPTUpdateKey implements hsm.DUKPTUpdater.
func (g *Group) DUKPTUpdateKey(ctx context.Context, base *hsm.Key, ksn hsm.KSN, spec hsm.Spec) (hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (hsm.Key, error) { return m.DUKPTUpdateKey(ctx, base, ksn, spec) })
}

// EncipherData implements hsm.DataCipher.
func (g *Group) EncipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.EncipherData(ctx, key, mode, data) })
}

// DecipherData implements hsm.DataCipher.
func (g *Group) DecipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.DecipherData(ctx, key, mode, data) })
}

// Token implements hsm.Tokener.
func (g *Group) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) ([16]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([16]byte, error) { return m.Token(ctx, key, pan) })
}

// Seal implements hsm.Sealer.
func (g *Group) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.Seal(ctx, key, plain, aad) })
}

// Open implements hsm.Sealer.
func (g *Group) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]byte, error) { return m.Open(ctx, key, sealed, aad) })
}

// Generate implements hsm.KeyLoader.
func (g *Group) Generate(ctx context.Context, spec hsm.Spec) (hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (hsm.Key, error) { return m.Generate(ctx, spec) })
}

// LoadClear implements hsm.KeyLoader.
func (g *Group) LoadClear(ctx context.Context, spec hsm.Spec, components ...secret.Key) (hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (hsm.Key, error) { return m.LoadClear(ctx, spec, components...) })
}

// GenerateSet implements hsm.KeyMaker.
func (g *Group) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	type result struct {
		keys []hsm.Key
		out  []hsm.Exported
	}
	r, err := over(ctx, g, func(ctx context.Context, m *Module) (r result, err error) {
		r.keys, r.out, err = m.GenerateSet(ctx, under, set...)
		return r, err
	})
	return r.keys, r.out, err
}

// LoadSet implements hsm.SetLoader.
func (g *Group) LoadSet(ctx context.Context, under *hsm.Key, set []hsm.WorkingKey, in []hsm.Exported) ([]hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) ([]hsm.Key, error) { return m.LoadSet(ctx, under, set, in) })
}

// LoadComponents implements hsm.ComponentLoader.
func (g *Group) LoadComponents(ctx context.Context, want hsm.WorkingKey, components ...secret.Key) (hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (hsm.Key, error) {
		return m.LoadComponents(ctx, want, components...)
	})
}

// ImportKeyBlock implements hsm.KeyBlocks.
func (g *Group) ImportKeyBlock(ctx context.Context, kbpk *hsm.Key, want hsm.WorkingKey, block string) (hsm.Key, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (hsm.Key, error) { return m.ImportKeyBlock(ctx, kbpk, want, block) })
}

// TranslateKeyBlock implements hsm.KeyBlocks.
func (g *Group) TranslateKeyBlock(ctx context.Context, from, to *hsm.Key, block string, form hsm.KeyBlockForm) (string, error) {
	return over(ctx, g, func(ctx context.Context, m *Module) (string, error) {
		return m.TranslateKeyBlock(ctx, from, to, block, form)
	})
}

// CheckKey implements hsm.KeyChecker.
func (g *Group) CheckKey(ctx context.Context, key *hsm.Key) error {
	return g.try(ctx, func(ctx context.Context, m *Module) error { return m.CheckKey(ctx, key) })
}

// TranslateSM4PIN implements hsm.SM4Translator: refused by name, as on every token.
func (g *Group) TranslateSM4PIN(ctx context.Context, pin secret.PINBlock, shape hsm.SM4Shape, from, to *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	return g.members[0].TranslateSM4PIN(ctx, pin, shape, from, to, account)
}

// SM3 implements hsm.SM3Hasher: refused by name, as on every token.
func (g *Group) SM3(ctx context.Context, data []byte) ([32]byte, error) {
	return g.members[0].SM3(ctx, data)
}
