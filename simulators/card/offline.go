// SPDX-License-Identifier: Apache-2.0

package card

import (
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Offline is what a card needs for offline data authentication: its scheme's
// key index, two certificates and its own RSA key. A card without it answers as
// a card that was never given any. The certificates cover number, expiry and
// application: a profile whose number is changed fails at the terminal.
type Offline struct {
	CAIndex string   `json:"ca_index"` // hex of 8F
	Issuer  Elements `json:"issuer"`   // 90, 92, 9F32
	Card    Elements `json:"card"`     // 9F46, 9F48, 9F47
	P       string   `json:"p"`        // the primes of the card's key, hex; its public exponent is 3
	Q       string   `json:"q"`

	OnlineIfFailed    bool     `json:"online_if_failed,omitempty"`    // qualifiers: go online if it fails
	InterfaceIfFailed bool     `json:"interface_if_failed,omitempty"` // qualifiers: another interface if it fails
	LeaveOut          []string `json:"leave_out,omitempty"`           // tags in hex that the card forgets to give
	WrongSignature    bool     `json:"wrong_signature,omitempty"`     // 9F4B is over another amount
}

// Elements is a certificate in hex, as a card gives it.
type Elements struct {
	Certificate string `json:"certificate"`
	Remainder   string `json:"remainder,omitempty"`
	Exponent    string `json:"exponent"`
}

func (o *Offline) none() bool { return o.CAIndex == "" }

func elements(c Certificate) Elements {
	return Elements{hex.EncodeToString(c.Signed), hex.EncodeToString(c.Remainder), hex.EncodeToString(c.Exponent)}
}

// The file of a card with offline data authentication: what is signed, the
// issuer's certificate, the card's own and what belongs to the transaction.
const (
	offlineSFI     = 2
	offlineRecords = 3
	offlineSigned  = 1
	ttqOnlineODA   = 0x01 // byte 1: offline data authentication for online authorisations
	ctqOnline      = 0x20 // byte 1
	ctqInterface   = 0x10 // byte 1
)

// Months of the deck's certificates, MMYY.
const (
	goodMonth = "1231"
	pastMonth = "1216"
)

// issuing is what an issuer may do wrong when it makes a card.
type issuing struct {
	issuerMonth string // of the issuer's certificate; goodMonth when empty
	pan         string // in the card's certificate; the card's own when empty
}

// issue makes the certificates of p's card, as scheme and issuer do.
func (p *Profile) issue(scheme string, how issuing) (o Offline, err error) {
	var ca, issuer, own *rsa.PrivateKey
	for _, k := range []struct {
		to    **rsa.PrivateKey
		owner string
	}{{&ca, "scheme " + scheme}, {&issuer, "issuer " + scheme}, {&own, "card " + p.Plastic}} {
		if *k.to, err = keyOf(k.owner); err != nil {
			return o, fmt.Errorf("%q: RSA key of %s: %w", p.Name, k.owner, err)
		}
	}
	month, pan := how.issuerMonth, how.pan
	if month == "" {
		month = goodMonth
	}
	if pan == "" {
		pan = p.PAN
	}
	serial := [3]byte{0, 0, 1}
	bank, err := CertifyIssuer(ca, Printed{PAN: p.PAN, Expiry: month, Serial: serial}, &issuer.PublicKey)
	if err != nil {
		return o, err
	}
	static := append(p.signedRecord(), p.aip()...)
	chip, err := CertifyCard(issuer, Printed{PAN: pan, Expiry: p.Expiry[2:] + p.Expiry[:2], Serial: serial}, &own.PublicKey, static)
	if err != nil {
		return o, err
	}
	return Offline{
		CAIndex: hex.EncodeToString([]byte{caIndex}), Issuer: elements(bank), Card: elements(chip),
		P: own.Primes[0].Text(16), Q: own.Primes[1].Text(16),
	}, nil
}

// signedRecord is the content of the record that the card's certificate covers:
// number, expiry and a tag list that adds the interchange profile.
func (p *Profile) signedRecord() []byte {
	expiry, _ := hex.DecodeString(p.Expiry + expiryFirstDay)
	record := tlv(nil, 0x5A, packed(p.PAN))
	record = tlv(record, 0x5F24, expiry)
	return tlv(record, 0x9F4A, []byte{0x82})
}

// asked says that the terminal asks for a signature with an online cryptogram
// and the card has one to give.
func (c *Card) asked(ttq []byte) bool {
	return !c.p.Offline.none() && c.p.Decision != "aac" && ttq[0]&ttqOnlineODA != 0
}

// signature makes 9F4B and keeps 9F69 for the last record. The terminal's part
// is its unpredictable number, amount and currency.
func (c *Card) signature(asked map[uint32][]byte, atc uint16, qualifiers [2]byte) ([]byte, error) {
	counter := []byte{byte(atc >> 8), byte(atc)}
	own := retailMAC(c.mk, pad(counter, 2)) // the card's unpredictable number: another for each counter
	terminal := slices.Concat(asked[0x9F37], asked[0x9F02], asked[0x5F2A])
	if c.p.Offline.WrongSignature {
		terminal[len(terminal)-1] ^= 0xFF
	}
	// Visa tells the signature of an online authorisation from that of an offline
	// approval.
	online := c.p.Cryptogram != UnionPayCVN01 && c.p.Decision != "tc"
	sdad, related, err := SignFast(c.own, counter, [4]byte(own[:4]), qualifiers, terminal, online)
	c.related = related
	return sdad, err
}

// offlineRecord is one record of the file, empty for a number it does not have.
func (c *Card) offlineRecord(number byte) []byte {
	o := &c.p.Offline
	var record []byte
	put := func(tag uint32, text string) {
		value, _ := hex.DecodeString(text) // Check has read it
		if len(value) > 0 && !o.leaves(tag) {
			record = tlv(record, tag, value)
		}
	}
	switch number {
	case 1:
		return c.p.signedRecord()
	case 2:
		put(0x8F, o.CAIndex)
		put(0x9F32, o.Issuer.Exponent)
		put(0x92, o.Issuer.Remainder)
		put(0x90, o.Issuer.Certificate)
	case offlineRecords:
		put(0x9F47, o.Card.Exponent)
		put(0x9F48, o.Card.Remainder)
		put(0x9F46, o.Card.Certificate)
		put(0x9F69, hex.EncodeToString(c.related))
	}
	return record
}

// leaves says that the card forgets to give a tag.
func (o *Offline) leaves(tag uint32) bool {
	return slices.Contains(o.LeaveOut, strings.ToUpper(fmt.Sprintf("%X", tag)))
}

// check reads every field of o and returns the card's key.
func (o *Offline) check() (*rsa.PrivateKey, error) {
	for _, text := range []string{o.CAIndex, o.Issuer.Certificate, o.Issuer.Remainder, o.Issuer.Exponent,
		o.Card.Certificate, o.Card.Remainder, o.Card.Exponent} {
		const longest = 248
		if b, err := hex.DecodeString(text); err != nil || len(b) > longest {
			return nil, ErrSign
		}
	}
	if len(o.CAIndex) != 2 {
		return nil, ErrSign
	}
	return keyFrom(o.P, o.Q)
}

// CAKey is a scheme's public key as terminals are told it, in hex.
type CAKey struct {
	RID      string `json:"rid"`
	Index    string `json:"index"`
	Modulus  string `json:"modulus"`
	Exponent string `json:"exponent"`
	Checksum string `json:"checksum"` // SHA-1 of all before
	Expires  string `json:"expires"`  // the last day, YYYY-MM-DD
}

// TestCAKeys is the public keys of the schemes that made the deck's cards.
func TestCAKeys() ([]CAKey, error) {
	var out []CAKey
	for _, s := range []struct{ scheme, rid string }{{"Visa", aidVisa[:10]}, {"UnionPay", aidUnionPayDebit[:10]}} {
		key, err := keyOf("scheme " + s.scheme)
		if err != nil {
			return nil, err
		}
		modulus, exponent := key.N.Bytes(), exponentOf(&key.PublicKey)
		rid, err := hex.DecodeString(s.rid)
		if err != nil {
			return nil, err
		}
		sum := sha1.Sum(slices.Concat(rid, []byte{caIndex}, modulus, exponent))
		out = append(out, CAKey{
			RID: s.rid, Index: fmt.Sprintf("%X", caIndex), Modulus: hex.EncodeToString(modulus), Exponent: hex.EncodeToString(exponent),
			Checksum: hex.EncodeToString(sum[:]), Expires: "2031-12-31",
		})
	}
	return out, nil
}
