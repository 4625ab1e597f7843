// SPDX-License-Identifier: Apache-2.0

// Package chip checks field 55 of a payment: that the chip spoke of this
// payment and no other, and, where we hold the issuer's key, that its
// cryptogram is genuine.
//
// Promise: a cryptogram over another amount, currency or card than the
// message's own is refused before the HSM is asked; a wrong cryptogram has its
// own reason, and so has a transaction counter that was used before.
//
// How: Consistent compares tags with fields; Check asks the HSM for the ARQC,
// Respond for the ARPC that goes back to the card; Counters (counter.go) takes
// the transaction counter of a cryptogram that was verified.
//
// Imported by: node. Imports: hsm, iso8583/bertlv, switch/{txn,pin,window,journal}.
package chip

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/switch/pin"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// Issuer is whose cards we answer for: key and profile are chosen by BIN.
type Issuer struct {
	Name    string
	Profile hsm.Profile
	Option  hsm.MKOption
	Answer  Answer
	IMK     *hsm.Key       // cryptogram master key
	PVK     *hsm.Key       // PIN verification key, nil when PINs go to the acquirer
	ATC     window.Profile // of its cards' transaction counters
}

// Answer is what an issuer tells its cards of an approval. Of a refusal it tells
// the response code's two characters, or a status update of zeros.
type Answer struct {
	ARC [2]byte // method 1; zero: the response code's two characters
	CSU [4]byte // method 2
}

// Tags read here (EMV Book 3 annex A).
const (
	tagAmount   bertlv.Tag = 0x9F02
	tagCash     bertlv.Tag = 0x9F03
	tagCurrency bertlv.Tag = 0x5F2A
	tagTrack2   bertlv.Tag = 0x57
	tagType     bertlv.Tag = 0x9F27
	tagIssuer   bertlv.Tag = 0x91
)

// arqc is the cryptogram information data of an online request (EMV Book 3, 6.5.5.4).
const arqc = 0x80

// Consistent refuses field 55 data that does not belong to the message.
func Consistent(in *txn.Request) error {
	data := in.Card.ICC.AppendTo(make([]byte, 0, 1024), secret.ForChip)
	defer clear(data[:cap(data)])
	if err := bertlv.Check(data); err != nil {
		return txn.DeclineChipData.Why(err)
	}
	amount, ok := bertlv.Find(data, tagAmount)
	if !ok || hex.EncodeToString(amount) != fmt.Sprintf("%012d", in.Amount.Minor) {
		return txn.DeclineChipData.Why(fmt.Errorf("tag 9F02 is missing or differs from field 4"))
	}
	if cash, ok := bertlv.Find(data, tagCash); (ok || in.Cash > 0) && hex.EncodeToString(cash) != fmt.Sprintf("%012d", in.Cash) {
		return txn.DeclineChipData.Why(fmt.Errorf("tag 9F03 is not the cash of field 54"))
	}
	currency, ok := bertlv.Find(data, tagCurrency)
	if !ok || hex.EncodeToString(currency) != fmt.Sprintf("%04d", in.Amount.Currency) {
		return txn.DeclineChipData.Why(fmt.Errorf("tag 5F2A is missing or differs from field 49"))
	}
	if kind, ok := bertlv.Find(data, tagType); ok && (len(kind) != 1 || kind[0]&0xC0 != arqc) {
		return txn.DeclineChipData.Why(fmt.Errorf("tag 9F27 is not an online request"))
	}
	if track, ok := bertlv.Find(data, tagTrack2); ok && !trackMatches(track, in.Card.PAN) {
		return txn.DeclineTrack
	}
	return nil
}

// trackMatches compares the PAN of packed track 2 data with the message's.
func trackMatches(track []byte, pan secret.PAN) bool {
	digits := []byte(hex.EncodeToString(track))
	defer clear(digits)
	end := bytes.IndexByte(digits, 'd')
	return end > 0 && bytes.Equal(digits[:end], pan.Reveal(secret.ForChip))
}

// Module is what a Checker asks of the HSM.
type Module interface {
	hsm.CryptogramVerifier
	hsm.CSUAnswerer
}

// Checker asks the HSM.
type Checker struct {
	Module Module
}

// Check verifies the ARQC of an on-us card.
func (c Checker) Check(ctx context.Context, in *txn.Request, is Issuer) error {
	if in.Card.ICC.IsZero() {
		return txn.DeclineChipData.Why(fmt.Errorf("field 55 is missing"))
	}
	if err := c.Module.VerifyARQC(ctx, is.IMK, cryptogram(in, is)); err != nil {
		return pin.Refusal(err)
	}
	return nil
}

// Respond makes field 55 of the answer: tag 91 with the ARPC over code, by the
// method of the issuer's profile.
func (c Checker) Respond(ctx context.Context, in *txn.Request, is Issuer, code txn.Code) ([]byte, error) {
	if is.Profile.AnsweredByCSU() {
		var csu hsm.CSU
		if approves(code) {
			csu.Status = is.Answer.CSU
		}
		content, err := c.Module.ARPC2(ctx, is.IMK, cryptogram(in, is), csu)
		if err != nil {
			return nil, pin.Refusal(err)
		}
		return bertlv.Append(nil, tagIssuer, content), nil
	}
	arc := [2]byte(code)
	if approves(code) && is.Answer.ARC != [2]byte{} {
		arc = is.Answer.ARC
	}
	arpc, err := c.Module.ARPC(ctx, is.IMK, cryptogram(in, is), arc)
	if err != nil {
		return nil, pin.Refusal(err)
	}
	return bertlv.Append(nil, tagIssuer, arpc[:]), nil
}

// approves says whether a code that is told to a card is a yes.
func approves(code txn.Code) bool { return code == txn.CodeApproved || code == txn.CodePartial }

func cryptogram(in *txn.Request, is Issuer) hsm.Cryptogram {
	return hsm.Cryptogram{Profile: is.Profile, Option: is.Option, PAN: in.Card.PAN, PSN: sequence(in), Data: in.Card.ICC}
}
