// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/hex"
	"strings"

	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
)

// The kinds of cryptogram, as 9F27 codes them.
const (
	cidMask = 0xC0
	cidAAC  = 0x00
	cidTC   = 0x40
	cidARQC = 0x80
)

// mandatory is what an online request cannot do without, and its lengths.
var mandatory = [...]struct {
	tag      bertlv.Tag
	min, max int
}{
	{bertlv.AIP, 2, 2},
	{bertlv.ATC, 2, 2},
	{bertlv.Track2Equivalent, 8, 19},
	{bertlv.Cryptogram, 8, 8},
	{bertlv.IssuerAppData, 7, 32},
}

// decide ends the tap with what the card decided.
func (m *Machine) decide() Step {
	for _, want := range mandatory {
		v, ok := m.data.find(want.tag)
		switch {
		case !ok:
			return m.end(EndApplication, DataMissing)
		case len(v) < want.min || len(v) > want.max:
			return m.end(EndApplication, DataMalformed)
		}
	}
	cid, ok := m.cryptogramType()
	if !ok {
		return m.end(EndApplication, CryptogramUnknown)
	}
	switch cid {
	case cidAAC:
		return m.end(Declined, CardDeclined)
	case cidTC:
		// An offline approval needs the card's signature checked. Not built, so
		// it must not count as one.
		return m.end(Declined, OfflineNotBuilt)
	}
	return m.online()
}

// online ends the tap of a card that wants its issuer asked: who it is, whether
// it is genuine, how its holder is verified, and what the issuer is told.
func (m *Machine) online() Step {
	step := m.end(OnlineRequest, "")
	o := step.Outcome
	refuse := func(kind Kind, why Reason) Step {
		o.PAN.Wipe()
		o.Track2.Wipe()
		last := m.end(kind, why)
		last.Outcome.Authentication = o.Authentication
		return last
	}
	if why := m.identify(o); why != "" {
		return refuse(EndApplication, why)
	}
	o.Authentication = m.authenticate(o.PAN)
	if kind := m.afterAuthentication(o.Authentication); kind != 0 {
		return refuse(kind, o.Authentication.Reason)
	}
	var why Reason
	if o.CVM, why = m.holder(); why != "" {
		return refuse(Declined, why)
	}
	if ctq, ok := m.data.find(bertlv.CTQ); ok && len(ctq) == 2 {
		o.Update = ctq[1]&ctq2Update != 0 && m.chosen.ttq[2]&UpdateTTQ != 0
	}
	if why := m.fillICC(o); why != "" {
		return refuse(EndApplication, why)
	}
	return step
}

// cryptogramType is 9F27, or what the issuer data says where a card has no 9F27.
func (m *Machine) cryptogramType() (cid byte, ok bool) {
	if v, found := m.data.find(bertlv.CryptogramInfo); found {
		if len(v) != 1 {
			return 0, false
		}
		cid = v[0] & cidMask
		return cid, cid != cidMask
	}
	iad, _ := m.data.find(bertlv.IssuerAppData)
	switch iad[4] & 0x30 { // second byte of the verification results
	case 0x00:
		return cidAAC, true
	case 0x10:
		return cidTC, true
	case 0x20:
		return cidARQC, true
	}
	return 0, false
}

// holder decides how the holder is verified: the card's wishes in their order,
// as far as the terminal can follow.
func (m *Machine) holder() (CVM, Reason) {
	ttq := m.chosen.ttq
	required := ttq[1]&ttq2CVM != 0
	canSign := ttq[0]&ttq1Signature != 0
	ctq, ok := m.data.find(bertlv.CTQ)
	switch {
	case ok && len(ctq) != 2:
		return 0, DataMalformed
	case !ok && !required:
		return NoCVM, ""
	case !ok && canSign:
		return Signature, ""
	case !ok:
		return 0, CVMNotPossible
	case ctq[0]&ctq1OnlinePIN != 0 && ttq[0]&ttq1OnlinePIN != 0:
		return OnlinePIN, ""
	case ctq[1]&ctq2DeviceCVM != 0:
		return DeviceCVM, ""
	case ctq[0]&ctq1Signature != 0 && canSign:
		return Signature, ""
	case required || ctq[0]&(ctq1OnlinePIN|ctq1Signature) != 0:
		return 0, CVMNotPossible
	}
	return NoCVM, ""
}

// identify puts number, expiry and track of the card into the outcome.
func (m *Machine) identify(o *Outcome) Reason {
	raw, _ := m.data.find(bertlv.Track2Equivalent)
	track := strings.TrimSuffix(strings.ToUpper(hex.EncodeToString(raw)), "F")
	number, rest, ok := strings.Cut(track, "D")
	const yymm = 4
	if !ok || len(rest) < yymm || !decimal(number) || !decimal(rest) {
		return DataMalformed
	}
	var err error
	if o.PAN, err = secret.NewPAN([]byte(number)); err != nil {
		return DataMalformed
	}
	if pan, ok := m.data.find(bertlv.CardNumber); ok {
		if strings.TrimRight(strings.ToUpper(hex.EncodeToString(pan)), "F") != number {
			return DataContradicts
		}
	}
	if o.Track2, err = secret.NewTrack2([]byte(track)); err != nil {
		return DataMalformed
	}
	o.Expiry = rest[:yymm]
	if psn, ok := m.data.find(bertlv.SequenceNumber); ok {
		if o.PSN = hex.EncodeToString(psn); len(o.PSN) != 2 || !decimal(o.PSN) {
			return DataMalformed
		}
	}
	return ""
}

func decimal(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
