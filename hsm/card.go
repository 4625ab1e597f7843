// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"crypto/subtle"
	"fmt"

	"tapswitch/internal/secret"
)

// CardValueKind says which of the three static card verification values is
// meant. They differ in the service code alone, so each refuses the others'.
type CardValueKind uint8

// The static card verification values.
const (
	CardCVV  CardValueKind = iota + 1 // on the magnetic stripe (CVV, CVC): the card's own service code
	CardCVV2                          // printed on the card (CVV2, CVC2): made with service code 000
	CardICVV                          // in the chip's track 2 (iCVV, Chip CVC): made with service code 999
)

// DateOrder is the order in which an issuer puts the expiry date into a value.
type DateOrder uint8

// The orders in use. Stripe and chip use YYMM; CVV2 hosts differ, so the caller
// says it: there is no default.
const (
	YYMM DateOrder = iota + 1
	MMYY
)

// CardValueData is what a static card verification value is computed from.
type CardValueData struct {
	Kind        CardValueKind
	PAN         secret.PAN
	Expiry      [4]byte   // ASCII digits YYMM, as on the track and in field 14
	Order       DateOrder // how the issuer puts Expiry into the value
	ServiceCode [3]byte   // ASCII digits, of CVV alone; zero bytes for CVV2 and iCVV
}

// CVVer makes and checks static card verification values of 3 digits. cvk has
// usage CVK. ErrInput: digits, order or service code that the kind cannot have.
type CVVer interface {
	CVV(ctx context.Context, cvk *Key, c CardValueData) (secret.CVV, error)
	// VerifyCVV returns ErrCardValue when presented is not the card's value; the
	// comparison takes the same time wherever they differ.
	VerifyCVV(ctx context.Context, cvk *Key, c CardValueData, presented secret.CVV) error
}

// AuthenticationData is what a cardholder authentication verification value is
// computed from: the CVV with other fields in the places of date and service code.
type AuthenticationData struct {
	PAN           secret.PAN
	Unpredictable [4]byte // ASCII digits, in place of the expiry date
	Result        byte    // authentication result code, ASCII digit, starts the service code
	SecondFactor  [2]byte // second factor authentication code, ASCII digits, ends it
}

// CAVVer makes and checks 3-D Secure values (CAVV) of 3 digits. cvk has usage
// CVK; use a key of its own for it, since a CAVV is a CVV of other fields.
type CAVVer interface {
	CAVV(ctx context.Context, cvk *Key, a AuthenticationData) (secret.CVV, error)
	// VerifyCAVV returns ErrCardValue when presented is wrong.
	VerifyCAVV(ctx context.Context, cvk *Key, a AuthenticationData, presented secret.CVV) error
}

// CardKeyMethod is how a card's key for dynamic values comes from the issuer
// master key (EMV Book 2, A1.4).
type CardKeyMethod uint8

// The methods. Option B hashes for every PAN length here, unlike for
// cryptograms, where PANs up to 16 digits fall back to option A: that is how
// the issuers' systems behind the known values do it.
const (
	CardKeyA CardKeyMethod = iota + 1
	CardKeyB
)

// DCVVData is what a dynamic card verification value (dCVV) is computed from.
type DCVVData struct {
	Method      CardKeyMethod
	PAN         secret.PAN
	PSN         [2]byte // ASCII digits, "00" when the card has none
	Expiry      [4]byte // ASCII digits YYMM
	ServiceCode [3]byte // ASCII digits of the track
	ATC         [4]byte // ASCII digits as the card writes them into the track: they replace the first four PAN digits
}

// DCVVer makes and checks dynamic card verification values of 3 digits. imk has
// usage IMKCVC3.
type DCVVer interface {
	DCVV(ctx context.Context, imk *Key, d DCVVData) (secret.CVV, error)
	// VerifyDCVV returns ErrCardValue when presented is wrong.
	VerifyDCVV(ctx context.Context, imk *Key, d DCVVData, presented secret.CVV) error
}

// CVC3Data is what a CVC3 is computed from.
type CVC3Data struct {
	Method CardKeyMethod
	PAN    secret.PAN
	PSN    [2]byte    // ASCII digits, "00" when the card has none
	Track  secret.ICC // static track data as the card holds it (tag 56 or 9F6B); empty when IVCVC3 is given
	IVCVC3 [2]byte    // the card's initial vector, used when Track is empty
	ATC    [2]byte    // binary
	UN     [4]byte    // unpredictable number as it is sent, BCD
	Digits int        // 1 to 5: kept from the right of the number written with five digits
}

// CVC3er makes and checks dynamic values of contactless magnetic stripe cards.
// imk has usage IMKCVC3.
type CVC3er interface {
	CVC3(ctx context.Context, imk *Key, c CVC3Data) (secret.CVV, error)
	// VerifyCVC3 returns ErrCardValue when presented is wrong or of another length.
	VerifyCVC3(ctx context.Context, imk *Key, c CVC3Data, presented secret.CVV) error
}

// MadeCardValue hands out digits that a driver computed, and wipes them.
func MadeCardValue(computed []byte, err error) (secret.CVV, error) {
	if err != nil {
		return secret.CVV{}, err
	}
	defer clear(computed)
	return secret.NewCVV(computed)
}

// CheckCardValue compares in constant time digits that a driver computed with
// the value that was presented, and wipes them. ErrCardValue names the key;
// another length is wrong.
func CheckCardValue(key *Key, presented secret.CVV, computed []byte, err error) error {
	if err != nil {
		return err
	}
	defer clear(computed)
	var room [8]byte
	digits := presented.AppendTo(room[:0], secret.ForHSM)
	defer clear(room[:])
	if subtle.ConstantTimeCompare(computed, digits) != 1 {
		return fmt.Errorf("%w: under %s %q version %d", ErrCardValue, key.Usage, key.Name, key.Version)
	}
	return nil
}
