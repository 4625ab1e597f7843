// SPDX-License-Identifier: Apache-2.0

package card

import (
	"slices"
	"sync"
)

// Keys is the published test key material that the deck's cards are made with:
// what an issuer's HSM must be given to verify them.
type Keys struct {
	UnionPayIMK string // cryptograms of the UnionPay cards
	VisaIMK     string // cryptograms of the Visa cards
	PVK         string // PIN verification key pair of all cards
	PVKI        string // its index
	PIN         string // of all cards
}

// TestKeys gives the published test keys of the deck: UnionPayIMK and VisaIMK
// from public card test sets, the PVK from public PVV examples.
func TestKeys() Keys {
	return Keys{
		UnionPayIMK: "9E15204313F7318ACB79B90BD986AD29",
		VisaIMK:     "2315208C9110AD402315208C9110AD40",
		PVK:         "0123456789ABCDEFFEDCBA9876543210",
		PVKI:        "1",
		PIN:         "1234",
	}
}

// The application identifiers of the deck.
const (
	aidUnionPayDebit  = "A000000333010101"
	aidUnionPayCredit = "A000000333010102"
	aidVisa           = "A0000000031010"
	aidMastercard     = "A0000000041010"
)

// pinFromMinor is the amount from which the deck's ordinary cards want a PIN:
// 1000.00 yuan, the limit in use for payments without PIN and signature.
const pinFromMinor = 100000

// base is a card before its options: a plastic with its number and scheme.
type base struct {
	plastic, pan, psn, aid, label, cryptogram string
	scheme                                    string // whose key certifies it; empty for a card that is not certified
}

// plastics are the cards that exist; Visa and UnionPay numbers are published
// test numbers, those beginning with 9 belong to nobody.
func plastics() map[string]base {
	return map[string]base{
		"unionpay": {"unionpay-0069", "6224242300000069", "01", aidUnionPayDebit, "UnionPay Debit", UnionPayCVN01, "UnionPay"},
		// 6299999999999999 has a wrong check digit: it is in public traces as it is.
		"trace":   {"unionpay-9999", "6299999999999999", "00", aidUnionPayDebit, "PBOC Debit", UnionPayCVN01, ""},
		"visa":    {"visa-0119", "4761739001010119", "01", aidVisa, "Visa Credit", VisaCVN10, "Visa"},
		"visa18":  {"visa-0010", "4761739001010010", "01", aidVisa, "Visa Debit", VisaCVN18, "Visa"},
		"unknown": {"unknown-0006", "9999990000000006", "01", aidUnionPayCredit, "Nobody's Card", UnionPayCVN01, ""},
		"other":   {"other-0011", "5413330089020011", "03", aidMastercard, "Mastercard", VisaCVN10, ""},
	}
}

// option changes a card.
type option func(*Profile)

func cvm(kind string, from int64) option {
	return func(p *Profile) { p.CVM = CVM{Kind: kind, FromMinor: from} }
}

// offline changes a card's offline data authentication.
func offline(change func(*Offline)) option { return func(p *Profile) { change(&p.Offline) } }

// forgesODA signs for another amount.
func forgesODA(o *Offline) { o.WrongSignature = true }

// misissued are the cards whose certificates are wrong.
func misissued() map[string]issuing {
	return map[string]issuing{
		"visa-oda-expired":   {issuerMonth: pastMonth},
		"visa-oda-other-pan": {pan: "4761739001010010"},
	}
}

// Deck is the demonstration deck, in the order in which a tutorial shows it.
// Names end in how the card differs from the ordinary one of its plastic, which
// wants an online PIN from 1000.00 on and has offline data authentication, where
// its plastic has a key.
func Deck() ([]Profile, error) {
	deck, err := madeDeck()
	return slices.Clone(deck), err
}

// madeDeck signs the certificates once: that takes a tenth of a second.
var madeDeck = sync.OnceValues(makeDeck)

func makeDeck() ([]Profile, error) {
	plastics := plastics()
	var deck []Profile
	for _, c := range []struct {
		name, plastic string
		options       []option
	}{
		{"unionpay", "unionpay", nil},
		{"unionpay-pin", "unionpay", []option{cvm(CVMOnlinePIN, 0)}},
		{"unionpay-no-pin", "unionpay", []option{cvm(CVMNone, 0)}},
		{"unionpay-phone", "unionpay", []option{cvm(CVMDevice, 0)}},
		{"unionpay-phone-locked", "unionpay", []option{func(p *Profile) {
			p.CVM = CVM{Kind: CVMDevice, UnconfirmedTaps: 1}
		}}},
		{"unionpay-records", "unionpay", []option{func(p *Profile) { p.RecordBytes, p.Offline = 176, Offline{} }}},
		{"unionpay-scripts", "unionpay", []option{func(p *Profile) { p.Scripts = true }}},
		{"unionpay-forged", "unionpay", []option{func(p *Profile) { p.Faults.Forged = true }}},
		{"unionpay-removed", "unionpay", []option{func(p *Profile) { p.Faults.RemovedAfter = 2 }}},
		{"unionpay-declines", "unionpay", []option{func(p *Profile) { p.Decision = "aac" }}},
		{"unionpay-offline", "unionpay", []option{func(p *Profile) { p.Decision = "tc" }}},
		{"unionpay-oda-forged", "unionpay", []option{offline(forgesODA)}},
		{"unionpay-trace", "trace", nil},
		{"visa", "visa", nil},
		{"visa-pin", "visa", []option{cvm(CVMOnlinePIN, 0)}},
		{"visa-no-pin", "visa", []option{cvm(CVMNone, 0)}},
		{"visa-signature", "visa", []option{cvm(CVMSignature, 0)}},
		{"visa-forged", "visa", []option{func(p *Profile) { p.Faults.Forged = true }}},
		{"visa-oda-forged", "visa", []option{offline(forgesODA)}},
		{"visa-oda-online", "visa", []option{offline(forgesODA), offline(func(o *Offline) { o.OnlineIfFailed = true })}},
		{"visa-oda-interface", "visa", []option{offline(forgesODA), offline(func(o *Offline) { o.InterfaceIfFailed = true })}},
		{"visa-oda-expired", "visa", nil},
		{"visa-oda-other-pan", "visa", nil},
		{"visa-oda-no-remainder", "visa", []option{offline(func(o *Offline) { o.LeaveOut = []string{"9F48"} })}},
		{"visa-no-oda", "visa", []option{func(p *Profile) { p.Offline = Offline{} }}},
		{"visa18", "visa18", nil},
		{"visa18-pin", "visa18", []option{cvm(CVMOnlinePIN, 0)}},
		{"visa18-no-pin", "visa18", []option{cvm(CVMNone, 0)}},
		{"visa18-forged", "visa18", []option{func(p *Profile) { p.Faults.Forged = true }}},
		{"unknown-bin", "unknown", nil},
		{"mastercard", "other", nil},
	} {
		p, err := plastics[c.plastic].profile(c.name, TestKeys(), misissued()[c.name])
		if err != nil {
			return nil, err
		}
		for _, change := range c.options {
			change(&p)
		}
		deck = append(deck, p)
	}
	return deck, nil
}

func (b base) profile(name string, keys Keys, how issuing) (Profile, error) {
	imk := keys.VisaIMK
	if b.cryptogram == UnionPayCVN01 {
		imk = keys.UnionPayIMK
	}
	pvv, err := VisaPVV(keys.PVK, keys.PVKI, b.pan, keys.PIN)
	if err != nil {
		return Profile{}, err
	}
	p := Profile{
		Name:         name,
		Plastic:      b.plastic,
		Applications: []Application{{AID: b.aid, Label: b.label, Priority: 1}},
		PAN:          b.pan,
		PSN:          b.psn,
		Expiry:       "3112",
		ServiceCode:  "201",
		PVKI:         keys.PVKI,
		PVV:          pvv,
		PIN:          keys.PIN,
		IMK:          imk,
		Cryptogram:   b.cryptogram,
		CVM:          CVM{Kind: CVMOnlinePIN, FromMinor: pinFromMinor},
	}
	if b.scheme != "" {
		p.Offline, err = p.issue(b.scheme, how)
	}
	return p, err
}
