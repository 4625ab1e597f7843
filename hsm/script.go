// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"fmt"
	"time"

	"tapswitch/internal/secret"
)

// ScriptSession is the way from a card's script key to the key of one script.
type ScriptSession uint8

// The ways in service.
const (
	ScriptVisa   ScriptSession = iota + 1 // card key, parity adjusted, xor ATC in its halves (the right one inverted)
	ScriptCommon                          // EMV common session key with R = ARQC (Book 2, A1.3.1 and 9)
)

// ScriptPadding is the way data is laid out before it is enciphered.
type ScriptPadding uint8

// The ways in service.
const (
	ScriptLength  ScriptPadding = iota + 1 // Visa: length byte, data; 80 and zeros only when not whole; ECB
	ScriptAligned                          // Mastercard: 80 and zeros only when not whole; CBC
	ScriptPad2                             // EMV CCD: 80 and zeros always; CBC
)

// ScriptBlock is the form of a PIN in a script.
type ScriptBlock uint8

// The forms in service.
const (
	ScriptVIS  ScriptBlock = iota + 1 // Visa: format 0 length and digits xor bytes of the card's AC key, xor the current PIN
	ScriptISO2                        // ISO 9564-1 format 2
)

// ScriptRules are how an issuer's cards want their scripts.
type ScriptRules struct {
	Session ScriptSession
	Padding ScriptPadding
	Block   ScriptBlock // of a new PIN alone
	Current ScriptBlock // of a new PIN with the current one; 0: refused
	Bare    bool        // the MAC covers neither ATC nor ARQC
	MAC     int         // bytes of the MAC that are sent, 4 to 8; 0 is 8
}

// Script says which script command of which card is protected.
type Script struct {
	Rules  ScriptRules
	Option MKOption
	PAN    secret.PAN
	PSN    [2]byte // two ASCII digits
	ATC    [2]byte // of the transaction
	ARQC   [8]byte // of the transaction; for a second command, what the scheme counts it up to
}

// ScriptProtector protects the commands of issuer scripts (EMV Book 2, 9).
type ScriptProtector interface {
	// ScriptMAC is the algorithm 3 MAC, padding 2, of header, ATC, ARQC (unless
	// the rules are bare) and data. header is CLA INS P1 P2 Lc; smi has usage IMKSMI.
	ScriptMAC(ctx context.Context, smi *Key, s Script, header [5]byte, data []byte) ([8]byte, error)
	// EncipherScript enciphers 1 to 255 bytes of data; smc has usage IMKSMC.
	EncipherScript(ctx context.Context, smc *Key, s Script, data []byte) ([]byte, error)
}

// PINChange is a new PIN on its way to a card.
type PINChange struct {
	AC, SMI, SMC *Key          // IMKAC (for ScriptVIS alone), IMKSMI, IMKSMC
	New          EncipheredPIN // as it arrived: any format, and any key a PIN arrives under
	Current      EncipheredPIN // likewise; without a Block when the card need not know the old PIN
	// Header is CLA INS P1 P2 Lc; zero: 84 24 00, 02 (01 with a current PIN) and
	// the right length. A header that is given is taken as it is.
	Header [5]byte
}

// Blocks are those in which PINs arrive; none of a block that is not there.
func (p PINChange) Blocks() []EncipheredPIN {
	if p.Current.Block.IsZero() {
		return []EncipheredPIN{p.New}
	}
	return []EncipheredPIN{p.New, p.Current}
}

// Permit refuses PIN blocks that must not or cannot be deciphered for the card
// of s: their PINs go on in a block for an IC card (PCI PIN 3-3, format 2), and
// must be that card's.
func (p PINChange) Permit(s Script, now time.Time) error {
	for _, in := range p.Blocks() {
		if in.Format.BlockLen() != 0 && Translation(in.Format, ISO2) != ToCardOnly {
			return fmt.Errorf("%w: %s does not go on to an IC card (PCI PIN 3-3)", ErrPINFormat, in.Format)
		}
		if err := PermitPIN(OpTranslateFrom, in, now); err != nil {
			return err
		}
		if !in.PAN.Equal(s.PAN) {
			return fmt.Errorf("%w: the PIN belongs to another card than the script", ErrInput)
		}
	}
	return nil
}

// PINChanger makes whole PIN CHANGE/UNBLOCK commands: header, enciphered PIN
// block, MAC. ErrPINFormat: a format that arrives from no host; ErrPINBlock: a
// block does not decipher to its format with this card number.
type PINChanger interface {
	ChangePIN(ctx context.Context, s Script, p PINChange) ([]byte, error)
}

// ScriptRules returns the rules that go with a profile; false when the profile
// has none here: nothing public says how UnionPay's cards want theirs.
func (p Profile) ScriptRules() (ScriptRules, bool) {
	switch p {
	case VisaCVN10, VisaCVN17, VisaCVN18:
		return ScriptRules{Session: ScriptVisa, Padding: ScriptLength, Block: ScriptVIS, Current: ScriptVIS}, true
	case VisaCVN22:
		return ScriptRules{Session: ScriptCommon, Padding: ScriptLength, Block: ScriptISO2, Current: ScriptVIS}, true
	case MChipCVN16, MChipCVN17, MChipCVN20, MChipCVN21:
		return ScriptRules{Session: ScriptCommon, Padding: ScriptAligned, Block: ScriptISO2}, true
	case CCD:
		return ScriptRules{Session: ScriptCommon, Padding: ScriptPad2, Block: ScriptISO2}, true
	case InteracCVN133:
		return ScriptRules{Session: ScriptCommon, Padding: ScriptAligned, Block: ScriptISO2, Bare: true}, true
	}
	return ScriptRules{}, false
}
