// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"crypto/des"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

// cardOf names what leaves the module of one issuer key: the card key, adjusted
// or not, and its Visa script key. All is wiped again.
func (n *needles) cardOf(t *testing.T, name string, value []byte, s hsm.Script) {
	t.Helper()
	data, err := emvkey.CardData(s.Option, s.PAN.Reveal(secret.ForTest), s.PSN)
	if err != nil {
		t.Fatal(err)
	}
	triple := make([]byte, 24)
	copy(triple[copy(triple, value):], value[:8])
	c, err := des.NewTripleDESCipher(triple)
	if err != nil {
		t.Fatal(err)
	}
	c.Encrypt(data[:8], data[:8])
	c.Encrypt(data[8:], data[8:])
	n.add(name+" card key", data[:])
	emvkey.OddParity(data[:])
	n.add(name+" card key, adjusted", data[:])
	emvkey.VisaScriptKey(data[:], s.ATC)
	n.add(name+" script key", data[:])
	copy(data[8:], data[:8])
	n.add(name+" companion", data[:])
	clear(data[:])
	clear(triple)
}

// TestNoScriptKeysInMemory: PINs, card keys and script keys pass through the
// locked pages. After a thousand operations neither Go's memory nor those pages
// hold eight bytes of one.
func TestNoScriptKeysInMemory(t *testing.T) {
	n, m := newNeedles(t), module(t)
	const digits = "6224242300000069"
	pan, err := secret.NewPAN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := hsm.VisaCVN10.ScriptRules()
	s := hsm.Script{Rules: rules, PAN: pan, PSN: [2]byte{'0', '1'}, ATC: [2]byte{0x01, 0x5A}}
	var p hsm.PINChange
	p.New = hsm.EncipheredPIN{Format: hsm.ISO0, PAN: pan}
	p.Current = p.New
	p.New.Key = n.canary(t, m, "script ZPK", hsm.ZPK, func(value []byte) {
		p.New.Block, p.Current.Block = n.block(t, value, digits), n.block(t, value, digits)
	})
	p.Current.Key = p.New.Key
	p.AC = n.canary(t, m, "IMK-AC", hsm.IMKAC, func(value []byte) { n.cardOf(t, "IMK-AC", value, s) })
	p.SMI = n.canary(t, m, "IMK-SMI", hsm.IMKSMI, func(value []byte) { n.cardOf(t, "IMK-SMI", value, s) })
	p.SMC = n.canary(t, m, "IMK-SMC", hsm.IMKSMC, func(value []byte) { n.cardOf(t, "IMK-SMC", value, s) })
	g := hsm.Given{PAN: pan, PSN: s.PSN, Session: hsm.SessionEMV2000, Answer: hsm.SessionEMV2000, Tree: hsm.Tree{Height: 8, Branch: 4}, ATC: s.ATC, Padding: hsm.Padding2, Data: []byte("data")}
	for range 200 {
		if _, err := m.ChangePIN(t.Context(), s, p); err != nil {
			t.Fatal(err)
		}
		if _, err := m.ScriptMAC(t.Context(), p.SMI, s, [5]byte{0x84, 0x18, 0, 0, 8}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := m.EncipherScript(t.Context(), p.SMC, s, []byte("script")); err != nil {
			t.Fatal(err)
		}
		if _, err := m.GivenARPC1(t.Context(), p.AC, g, [2]byte{'0', '0'}); err != nil {
			t.Fatal(err)
		}
		other := s
		other.Rules, _ = hsm.MChipCVN16.ScriptRules()
		change := p
		change.Current = hsm.EncipheredPIN{}
		if _, err := m.ChangePIN(t.Context(), other, change); err != nil {
			t.Fatal(err)
		}
	}
	n.nothingLeft(t)
}
