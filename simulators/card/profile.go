// SPDX-License-Identifier: Apache-2.0

package card

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// ErrProfile says that a profile describes no possible card.
var ErrProfile = errors.New("card: profile is wrong")

// The cryptograms a card can compute.
const (
	UnionPayCVN01 = "unionpay-cvn01" // session key from the counter, four bytes of CVR
	VisaCVN10     = "visa-cvn10"     // the card's own key, four bytes of CVR, zero padding
	VisaCVN17     = "visa-cvn17"     // the card's own key, amount, number and counter, one byte of CVR, zero padding
	VisaCVN18     = "visa-cvn18"     // session key from the counter, the whole IAD
	VisaCVN22     = "visa-cvn22"     // as CVN 18
)

// The ways a card wants its holder verified.
const (
	CVMNone      = "none"
	CVMOnlinePIN = "online-pin"
	CVMDevice    = "device" // on the phone itself
	CVMSignature = "signature"
)

// Profile is all that makes one card. It is JSON in a deck file. Its keys are
// published test keys and nothing else.
type Profile struct {
	Name         string        `json:"name"`
	Plastic      string        `json:"plastic"` // cards of one plastic share the transaction counter
	Applications []Application `json:"applications"`

	PAN         string `json:"pan"`
	PSN         string `json:"psn,omitempty"` // two digits, none when empty
	Expiry      string `json:"expiry"`        // YYMM
	ServiceCode string `json:"service_code"`
	PVKI        string `json:"pvki"`
	PVV         string `json:"pvv"`
	PIN         string `json:"pin"` // what the PVV stands for: the card never uses it

	IMK        string `json:"imk"` // issuer master key for cryptograms, hex
	Cryptogram string `json:"cryptogram"`
	Decision   string `json:"decision,omitempty"` // "arqc" (default), "aac", "tc"
	CVM        CVM    `json:"cvm"`
	Faults     Faults `json:"faults,omitzero"`

	Offline Offline `json:"offline,omitzero"` // none: no offline data authentication

	Scripts bool `json:"scripts,omitempty"` // carries out what its issuer sends, at a second tap

	PDOL        string `json:"pdol,omitempty"`         // hex; the usual one when empty
	RecordBytes int    `json:"record_bytes,omitempty"` // answers with a record file that has so many bytes nobody asks for
}

// Application is one entry of the card's directory.
type Application struct {
	AID      string `json:"aid"` // hex
	Label    string `json:"label"`
	Priority byte   `json:"priority"`
	Kernel   string `json:"kernel,omitempty"` // hex of 9F2A, absent when empty
}

// CVM says how and from which amount the card wants its holder verified.
type CVM struct {
	Kind      string `json:"kind"`
	FromMinor int64  `json:"from_minor"` // below it only when the reader asks; 0 always
	// UnconfirmedTaps is how many taps a phone refuses with "see phone" first.
	UnconfirmedTaps int `json:"unconfirmed_taps,omitempty"`
}

// Faults are the ways a card misbehaves on purpose.
type Faults struct {
	Forged       bool    `json:"forged,omitempty"`        // the cryptogram is wrong
	RemovedAfter int     `json:"removed_after,omitempty"` // leaves the field instead of answering APDU n+1
	WrongSW      WrongSW `json:"wrong_sw,omitzero"`
}

// WrongSW makes the card answer one instruction with a status word only.
type WrongSW struct {
	INS byte   `json:"ins"`
	SW  uint16 `json:"sw"`
}

// usualPDOL asks for TTQ, amounts, country, TVR, currency, date, type and
// unpredictable number.
const usualPDOL = "9F66049F02069F03069F1A0295055F2A029A039C019F3704"

// Check names the first mistake of the profile.
func (p *Profile) Check() error {
	for _, rule := range []struct {
		ok   bool
		what string
	}{
		{p.Name != "" && p.Plastic != "", "name and plastic must be given"},
		{len(p.Applications) > 0 && len(p.Applications) <= 4, "a card has one to four applications"},
		{digits(p.PAN) && len(p.PAN) >= 12 && len(p.PAN) <= 19, "pan must have 12 to 19 digits"},
		{p.PSN == "" || digits(p.PSN) && len(p.PSN) == 2, "psn must have two digits"},
		{digits(p.Expiry) && len(p.Expiry) == 4, "expiry must be YYMM"},
		{digits(p.ServiceCode) && len(p.ServiceCode) == 3, "service_code must have three digits"},
		{digits(p.PVKI) && len(p.PVKI) == 1, "pvki must have one digit"},
		{digits(p.PVV) && len(p.PVV) == 4, "pvv must have four digits"},
		{oneOf(p.Cryptogram, UnionPayCVN01, VisaCVN10, VisaCVN17, VisaCVN18, VisaCVN22), "cryptogram is not known"},
		{oneOf(p.Decision, "", "arqc", "aac", "tc"), "decision is arqc, aac or tc"},
		{oneOf(p.CVM.Kind, CVMNone, CVMOnlinePIN, CVMDevice, CVMSignature), "cvm kind is not known"},
		{p.RecordBytes >= 0 && p.RecordBytes <= 200, "record_bytes is 0 to 200"},
		{p.RecordBytes == 0 || p.Offline.none(), "record_bytes and offline are two files: give one"},
	} {
		if !rule.ok {
			return fmt.Errorf("%w: %q: %s", ErrProfile, p.Name, rule.what)
		}
	}
	if _, err := parseKey(p.IMK); err != nil {
		return fmt.Errorf("%q: imk: %w", p.Name, err)
	}
	if !p.Offline.none() {
		if _, err := p.Offline.check(); err != nil {
			return fmt.Errorf("%w: %q: offline must have an index of one byte, certificates and two primes in hex", ErrProfile, p.Name)
		}
	}
	return p.checkApplications()
}

func (p *Profile) checkApplications() error {
	for _, a := range p.Applications {
		aid, err := hex.DecodeString(a.AID)
		if err != nil || len(aid) < 5 || len(aid) > 16 {
			return fmt.Errorf("%w: %q: aid must be 5 to 16 bytes of hex", ErrProfile, p.Name)
		}
		if _, err = hex.DecodeString(a.Kernel); err != nil || len(a.Label) > 16 {
			return fmt.Errorf("%w: %q: kernel must be hex, label 16 characters at most", ErrProfile, p.Name)
		}
	}
	return nil
}

func digits(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

func oneOf(s string, all ...string) bool {
	for _, a := range all {
		if s == a {
			return true
		}
	}
	return false
}

// maxDeck bounds a deck file.
const maxDeck = 100

// LoadDeck reads a deck from a JSON file: a list of profiles with unique names.
func LoadDeck(path string) ([]Profile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("card: read the deck: %w", err)
	}
	var deck []Profile
	if err := json.Unmarshal(b, &deck); err != nil {
		return nil, fmt.Errorf("card: deck %s: %w", path, err)
	}
	if len(deck) == 0 || len(deck) > maxDeck {
		return nil, fmt.Errorf("%w: deck %s: it must hold 1 to %d cards", ErrProfile, path, maxDeck)
	}
	names := map[string]bool{}
	for i := range deck {
		if err := deck[i].Check(); err != nil {
			return nil, fmt.Errorf("card: deck %s: %w", path, err)
		}
		if names[deck[i].Name] {
			return nil, fmt.Errorf("%w: deck %s: the name %q comes twice", ErrProfile, path, deck[i].Name)
		}
		names[deck[i].Name] = true
	}
	return deck, nil
}

// WriteDeck writes a deck as LoadDeck reads it.
func WriteDeck(path string, deck []Profile) error {
	b, err := json.MarshalIndent(deck, "", "  ")
	if err != nil {
		return fmt.Errorf("card: encode the deck: %w", err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("card: write the deck: %w", err)
	}
	return nil
}
