// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"

	"tapswitch/hsm/oda"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
)

// ODA says what came of offline data authentication.
type ODA uint8

// The results.
const (
	ODANotPerformed ODA = iota + 1 // not asked for, not given, or of a kind that is not built
	ODASucceeded                   // fDDA: the card has its issuer's and scheme's word, and signed this payment
	ODAFailed
)

// String names the result.
func (o ODA) String() string {
	names := [...]string{"undecided", "not performed", "fDDA", "failed"}
	if int(o) < len(names) {
		return names[o]
	}
	return names[0]
}

// Authentication is the result of offline data authentication. TVR and TSI are
// the terminal's own record of it. They are not what field 55 carries: there, tag
// 95 is what the card was told before it computed its cryptogram, which covers it.
type Authentication struct {
	Result ODA
	Reason Reason  // why not performed, or what failed; empty when it succeeded
	TVR    [5]byte // 95 (EMV Book 3, annex C5)
	TSI    [2]byte // 9B (EMV Book 3, annex C6)
}

// Why offline data authentication was not performed.
const (
	ODANotAsked Reason = "oda_not_asked"         // the terminal has no key of the card's scheme
	ODANotGiven Reason = "oda_card_gave_no_data" // the card does not sign online authorisations
	SDANotBuilt Reason = "oda_sda_not_built"     // the card gave a static signature
	CDANotBuilt Reason = "oda_cda_not_built"     // the card knows the combined signature only
)

// Why offline data authentication failed.
const (
	ODANotClaimed         Reason = "oda_signature_not_in_card_profile"
	ODADataMissing        Reason = "oda_card_data_missing"
	ODADataMalformed      Reason = "oda_card_data_malformed"
	ODAKeyUnknown         Reason = "oda_ca_key_unknown"
	ODAKeyRevoked         Reason = "oda_ca_key_revoked"
	ODAKeyExpired         Reason = "oda_ca_key_expired"
	ODAIssuerMalformed    Reason = "oda_issuer_certificate_malformed"
	ODAIssuerHash         Reason = "oda_issuer_certificate_hash_wrong"
	ODAIssuerOther        Reason = "oda_issuer_certificate_of_other_issuer"
	ODAIssuerExpired      Reason = "oda_issuer_certificate_expired"
	ODAIssuerRevoked      Reason = "oda_issuer_certificate_revoked"
	ODACardMalformed      Reason = "oda_card_certificate_malformed"
	ODACardHash           Reason = "oda_card_certificate_hash_wrong"
	ODACardOther          Reason = "oda_card_certificate_of_other_pan"
	ODACardExpired        Reason = "oda_card_certificate_expired"
	ODAStaticMalformed    Reason = "oda_static_data_malformed"
	ODAVersionNotBuilt    Reason = "oda_fdda_version_not_built"
	ODAQualifiersDiffer   Reason = "oda_qualifiers_differ"
	ODASignatureOther     Reason = "oda_signature_of_other_format"
	ODASignatureHash      Reason = "oda_signature_hash_wrong"
	ODASignatureMalformed Reason = "oda_signature_malformed"
)

// cause gives an error of package oda the reason it has at one step.
type cause struct {
	err error
	why Reason
}

func issuerCauses() []cause {
	return []cause{
		{oda.ErrRemainder, ODADataMissing}, {oda.ErrHash, ODAIssuerHash}, {oda.ErrIssuer, ODAIssuerOther}, {oda.ErrExpired, ODAIssuerExpired},
		{nil, ODAIssuerMalformed},
	}
}

func cardCauses() []cause {
	return []cause{
		{oda.ErrRemainder, ODADataMissing}, {oda.ErrHash, ODACardHash}, {oda.ErrPAN, ODACardOther}, {oda.ErrExpired, ODACardExpired},
		{nil, ODACardMalformed},
	}
}

func signatureCauses() []cause {
	return []cause{
		{oda.ErrCardData, ODADataMalformed}, {oda.ErrVersion, ODAVersionNotBuilt}, {oda.ErrQualifiers, ODAQualifiersDiffer},
		{oda.ErrFormat, ODASignatureOther}, {oda.ErrHash, ODASignatureHash},
		{nil, ODASignatureMalformed},
	}
}

// because is the reason for err: the first cause that fits, the last for any other.
func because(err error, causes []cause) Reason {
	for _, c := range causes {
		if c.err == nil || errors.Is(err, c.err) {
			return c.why
		}
	}
	return ODADataMalformed
}

// Bits of AIP, TVR and TSI, first bytes.
const (
	aip1SDA          = 0x40
	aip1DDA          = 0x20
	aip1CDA          = 0x01
	tvr1NotPerformed = 0x80
	tvr1DataMissing  = 0x20
	tvr1DDAFailed    = 0x08
	tsi1Performed    = 0x80
)

// authenticate is offline data authentication of an online authorisation: fDDA
// where the terminal asks for it and the card gives it (EMV Contactless C-3 and
// C-7). What it is not, it says.
func (m *Machine) authenticate(pan secret.PAN) Authentication {
	aip, _ := m.data.find(bertlv.AIP)
	_, static := m.data.find(tagStaticSignature)
	switch dynamic := m.givesAny(tagSignature, tagCardCertificate, tagCardRelated); {
	case m.chosen.ttq[0]&ttq1ODA == 0:
		return notPerformed(ODANotAsked)
	case !dynamic && static && aip[0]&aip1SDA != 0:
		return notPerformed(SDANotBuilt)
	case !dynamic && aip[0]&(aip1DDA|aip1CDA) == aip1CDA:
		return notPerformed(CDANotBuilt)
	case !dynamic:
		return notPerformed(ODANotGiven)
	}
	why := ODANotClaimed
	if aip[0]&aip1DDA != 0 {
		why = m.fastDDA(pan)
	}
	out := Authentication{Result: ODASucceeded, TSI: [2]byte{tsi1Performed}}
	if why != "" {
		out.Result, out.Reason, out.TVR[0] = ODAFailed, why, tvr1DDAFailed
	}
	if why == ODADataMissing {
		out.TVR[0] |= tvr1DataMissing
	}
	return out
}

func notPerformed(why Reason) Authentication {
	return Authentication{Result: ODANotPerformed, Reason: why, TVR: [5]byte{tvr1NotPerformed}}
}

func (m *Machine) givesAny(tags ...bertlv.Tag) bool {
	for _, tag := range tags {
		if _, ok := m.data.find(tag); ok {
			return true
		}
	}
	return false
}

// The data of offline data authentication (EMV Book 3, annex B; 9F69 EMV
// Contactless C-3).
const (
	tagCAIndex           bertlv.Tag = 0x8F
	tagIssuerCertificate bertlv.Tag = 0x90
	tagIssuerRemainder   bertlv.Tag = 0x92
	tagIssuerExponent    bertlv.Tag = 0x9F32
	tagStaticSignature   bertlv.Tag = 0x93
	tagCardCertificate   bertlv.Tag = 0x9F46
	tagCardExponent      bertlv.Tag = 0x9F47
	tagCardRemainder     bertlv.Tag = 0x9F48
	tagStaticTags        bertlv.Tag = 0x9F4A
	tagSignature         bertlv.Tag = 0x9F4B
	tagCardRelated       bertlv.Tag = 0x9F69
)

// fastDDA goes from the scheme's key to the card's signature over this payment.
func (m *Machine) fastDDA(pan secret.PAN) Reason {
	get := func(tag bertlv.Tag) []byte { v, _ := m.data.find(tag); return v }
	for _, tag := range []bertlv.Tag{tagCAIndex, tagIssuerCertificate, tagIssuerExponent, tagCardCertificate, tagCardExponent, tagSignature, tagCardRelated} {
		if !m.givesAny(tag) {
			return ODADataMissing
		}
	}
	index, rid := get(tagCAIndex), [5]byte(m.chosen.name)
	if len(index) != 1 {
		return ODADataMalformed
	}
	scheme, why := m.cfg.authority(rid, index[0], m.txn.When)
	if why != "" {
		return why
	}
	issuer, err := oda.RecoverIssuer(scheme, oda.Signed{
		Certificate: get(tagIssuerCertificate), Remainder: get(tagIssuerRemainder), Exponent: get(tagIssuerExponent),
	}, pan, m.txn.When)
	if err != nil {
		return because(err, issuerCauses())
	}
	for _, r := range m.cfg.Revoked {
		if r == (RevokedCertificate{rid, index[0], issuer.Serial}) {
			return ODAIssuerRevoked
		}
	}
	chip, err := oda.RecoverICC(issuer.Key, oda.Signed{
		Certificate: get(tagCardCertificate), Remainder: get(tagCardRemainder), Exponent: get(tagCardExponent),
	}, pan, m.txn.When)
	if err != nil {
		return because(err, cardCauses())
	}
	static, err := oda.StaticData(m.signed, get(tagStaticTags), get(bertlv.AIP))
	if err != nil {
		return ODAStaticMalformed
	}
	defer clear(static) // it holds the card's number
	key, err := chip.Authenticate(static)
	if err != nil {
		return because(err, cardCauses())
	}
	if _, err := oda.FDDA(key, get(tagSignature), m.signedPayment(get(tagCardRelated))); err != nil {
		return because(err, signatureCauses())
	}
	return ""
}

// signedPayment is what the signature must cover, as the card was told it.
func (m *Machine) signedPayment(related []byte) oda.Fast {
	f := oda.Fast{UN: m.txn.Unpredictable, Card: related, Online: m.chosen.app.OnlineFormat}
	copy(f.Amount[:], m.terminalData(bertlv.AmountAuthorised, len(f.Amount)))
	copy(f.Currency[:], m.terminalData(bertlv.TransactionMoney, len(f.Currency)))
	f.Qualifiers, _ = m.data.find(bertlv.CTQ)
	return f
}

// afterAuthentication is where a payment goes whose authentication failed: as the
// card's qualifiers say, and this terminal can go online. 0 goes on.
func (m *Machine) afterAuthentication(a Authentication) Kind {
	if a.Result != ODAFailed {
		return 0
	}
	ctq, _ := m.data.find(bertlv.CTQ)
	switch {
	case len(ctq) == 2 && ctq[0]&ctq1Online != 0:
		return 0
	case len(ctq) == 2 && ctq[0]&ctq1Interface != 0:
		return TryAnother
	}
	return Declined
}
