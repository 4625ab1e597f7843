// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// PINFormat names a PIN block format of ISO 9564-1.
type PINFormat uint8

// The formats. Older ones (IBM 3624, Diebold, ECI, VISA-2, VISA-3) have no name
// here: PCI PIN 3-1 and 3-3 allow ISO formats only.
const (
	ISO0 PINFormat = iota + 1 // PAN, filler F; TDEA, 8 bytes
	ISO1                      // no PAN, random filler; TDEA, 8 bytes
	ISO2                      // no PAN, filler F: for an IC card only
	ISO3                      // PAN, random filler A to F; TDEA, 8 bytes
	ISO4                      // PAN, eight random bytes; AES, 16 bytes
)

// String is the format's name.
func (f PINFormat) String() string {
	if f < ISO0 || f > ISO4 {
		return fmt.Sprintf("PIN format %d", uint8(f))
	}
	return [...]string{"ISO-0", "ISO-1", "ISO-2", "ISO-3", "ISO-4"}[f-ISO0]
}

// BlockLen is the number of bytes of a block, 0 for an unknown format.
func (f PINFormat) BlockLen() int {
	switch f {
	case ISO0, ISO1, ISO2, ISO3:
		return 8
	case ISO4:
		return 16
	}
	return 0
}

// HasPAN reports whether the PAN is part of a block.
func (f PINFormat) HasPAN() bool { return f == ISO0 || f == ISO3 || f == ISO4 }

// HasRandom reports whether a block is made with randomness.
func (f PINFormat) HasRandom() bool { return f == ISO1 || f == ISO3 || f == ISO4 }

// Account12 is the twelve rightmost PAN digits without the check digit, ASCII: what
// the functions take that know format 0 alone.
type Account12 [12]byte

// ErrPINFormat says that a PIN block must not be in this format here, or not
// become one of that format or card (PCI PIN 3-3): a mistake of configuration.
var ErrPINFormat = errors.New("hsm: PIN block format is not allowed here")

// EncipheredPIN is a PIN block with all that is needed to read it.
type EncipheredPIN struct {
	Block  secret.PINBlock // 8 bytes, ISO4 16
	Format PINFormat
	Key    *Key       // TPK or ZPK; TDES for ISO0 to ISO3, AES for ISO4. With a KSN the BDK or IK
	KSN    KSN        // key serial number of a DUKPT device; zero for a TPK or ZPK
	Type   Algorithm  // with a KSN, the algorithm of the transaction's PIN key: TDES2 of a TDES device
	PAN    secret.PAN // the card's: part of ISO0, ISO3 and ISO4 blocks, and of every reference value
}

// DUKPT names the PIN key of a block that came with a KSN.
func (in EncipheredPIN) DUKPT() DUKPTKey { return DUKPTKey{Base: in.Key, KSN: in.KSN, Type: in.Type} }

// PINTarget says in what form a PIN block shall leave.
type PINTarget struct {
	Format PINFormat
	Key    *Key       // ZPK; for a PIN pad's own block TPK, or BDK or IK with a KSN
	KSN    KSN        // of a PIN pad under DUKPT; zero for every block that is translated
	Type   Algorithm  // with a KSN, the algorithm of the transaction's PIN key
	PAN    secret.PAN // of ISO0, ISO3 and ISO4 blocks; zero for ISO1
}

// DUKPT names the PIN key of a PIN pad's block.
func (to PINTarget) DUKPT() DUKPTKey { return DUKPTKey{Base: to.Key, KSN: to.KSN, Type: to.Type} }

// Translator makes of one PIN block another, under another key, in another
// format, or both, as far as PINTranslations allows. Keys: TPK, ZPK or the PIN
// key of a DUKPT transaction, to ZPK.
// ErrPINFormat: not allowed; ErrPINBlock: the incoming block is malformed.
type Translator interface {
	TranslatePIN(ctx context.Context, in EncipheredPIN, to PINTarget) (secret.PINBlock, error)
}

// PVV is what a card's PIN is verified against: the Visa PIN verification value.
type PVV struct {
	Key   *Key    // usage PVK
	Index byte    // PVKI digit '0'..'9', ASCII
	Value [4]byte // ASCII digits
}

// PINVerifier checks a PIN block, under any key it may arrive under, against a Visa PVV: eleven
// digits of the block's PAN, the index, and the first four digits of the PIN.
// ErrPIN: the PIN is wrong, count a try. ErrPINBlock: the block is malformed, no
// try. The comparison takes the same time wherever the values differ.
type PINVerifier interface {
	VerifyPVV(ctx context.Context, in EncipheredPIN, ref PVV) error
}

// PINOffset is what a card's PIN is verified against: the IBM 3624 offset.
type PINOffset struct {
	Key   *Key   // usage PVKOffset; holds decimalisation table and validation data rule
	Value []byte // 4 to 12 ASCII digits, as many as the PIN has
}

// Check refuses with ErrInput a reference value that no PIN has.
func (o PINOffset) Check() error {
	if len(o.Value) < pinblock.MinPIN || len(o.Value) > pinblock.MaxPIN {
		return fmt.Errorf("%w: a PIN offset has 4 to 12 digits", ErrInput)
	}
	for _, c := range o.Value {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: a PIN offset has decimal digits only", ErrInput)
		}
	}
	return nil
}

// OffsetVerifier checks a PIN block under a TPK or ZPK against an IBM 3624
// offset. Errors are those of PINVerifier; a PIN that is longer or shorter than
// the offset is wrong.
type OffsetVerifier interface {
	VerifyOffset(ctx context.Context, in EncipheredPIN, ref PINOffset) error
}

// PINIssuer makes the reference value of a PIN that arrives in a block.
type PINIssuer interface {
	// GeneratePVV computes the Visa PVV with a PVK and its index digit.
	GeneratePVV(ctx context.Context, in EncipheredPIN, pvk *Key, index byte) ([4]byte, error)
	// GenerateOffset computes the IBM 3624 offset with a PVKOffset: as many ASCII
	// digits as the PIN has.
	GenerateOffset(ctx context.Context, in EncipheredPIN, pvk *Key) ([]byte, error)
}

// PINReplacer verifies an old PIN and makes the reference value of a new one, in
// one operation: without the right old PIN there is no new value. Both blocks are
// of one card, else ErrInput. Errors on the old PIN are those of PINVerifier.
type PINReplacer interface {
	ChangePVV(ctx context.Context, old, next EncipheredPIN, ref PVV) ([4]byte, error)
	ChangeOffset(ctx context.Context, old, next EncipheredPIN, ref PINOffset) ([]byte, error)
}

// PINEncipherer is the PIN pad's function: clear digits to a block under a TPK.
// Only hsm/soft has it; the switch cannot ask for it.
type PINEncipherer interface {
	EncipherPIN(ctx context.Context, pin secret.Key, to PINTarget) (secret.PINBlock, error)
}

// PINTranslation is what PCI PIN 3-3 says of one format becoming another.
type PINTranslation uint8

// The words of the table.
const (
	NeverTranslated PINTranslation = iota // no
	WithSamePAN                           // yes; both blocks hold the PAN, and it must be the same
	WithAnyPAN                            // yes; the incoming block holds no PAN
	ToCardOnly                            // for submission to an IC card only, never to another host
)

// String is the word of the table.
func (t PINTranslation) String() string {
	switch t {
	case WithSamePAN:
		return "same PAN"
	case WithAnyPAN:
		return "yes"
	case ToCardOnly:
		return "IC card only"
	}
	return "no"
}

// pinTranslations is the table of PCI PIN Security Requirements 3.1, 3-3: rows are what
// arrives, columns what leaves. That a card token becomes its PAN, and that an
// issuing machine changes the PAN, need bindings that are not built: refused.
var pinTranslations = [5][5]PINTranslation{
	//       ISO0        ISO1             ISO2        ISO3         ISO4
	ISO0 - 1: {WithSamePAN, NeverTranslated, ToCardOnly, WithSamePAN, WithSamePAN},
	ISO1 - 1: {WithAnyPAN, WithAnyPAN, ToCardOnly, WithAnyPAN, WithAnyPAN},
	ISO2 - 1: {NeverTranslated, NeverTranslated, ToCardOnly, NeverTranslated, NeverTranslated},
	ISO3 - 1: {WithSamePAN, NeverTranslated, ToCardOnly, WithSamePAN, WithSamePAN},
	ISO4 - 1: {WithSamePAN, NeverTranslated, ToCardOnly, WithSamePAN, WithSamePAN},
}

// Translation looks up what the table says of a block of format from becoming
// one of format to.
func Translation(from, to PINFormat) PINTranslation {
	if from.BlockLen() == 0 || to.BlockLen() == 0 {
		return NeverTranslated
	}
	return pinTranslations[from-ISO0][to-ISO0]
}

// PermitTranslation refuses a translation that the table forbids, and keys and
// inputs that do not fit. Drivers call it before anything else.
func PermitTranslation(in EncipheredPIN, to PINTarget, now time.Time) error {
	switch rule := Translation(in.Format, to.Format); {
	case rule == NeverTranslated:
		return fmt.Errorf("%w: %s is not translated to %s (PCI PIN 3-3)", ErrPINFormat, in.Format, to.Format)
	case rule == ToCardOnly:
		return fmt.Errorf("%w: %s leaves for an IC card only, not for another host (PCI PIN 3-3)", ErrPINFormat, to.Format)
	case rule == WithSamePAN && !in.PAN.Equal(to.PAN):
		return fmt.Errorf("%w: a translation from %s to %s keeps the card number (PCI PIN 3-3)", ErrPINFormat, in.Format, to.Format)
	}
	if err := PermitPIN(OpTranslateFrom, in, now); err != nil {
		return err
	}
	return to.permit(OpTranslateTo, now)
}

// PermitPIN refuses a PIN block that must not or cannot be deciphered for op.
func PermitPIN(op Operation, in EncipheredPIN, now time.Time) error {
	if err := permitPINKey(op, in.DUKPT(), now); err != nil {
		return err
	}
	if err := in.Format.fits(in.DUKPT(), in.PAN); err != nil {
		return err
	}
	if in.Block.Len() != in.Format.BlockLen() {
		return fmt.Errorf("%w: %w", ErrInput, pinblock.ErrBlockLength)
	}
	return nil
}

// permitPINKey refuses a key that must not do op; with a KSN the key must be a
// base key, whose transaction keys are made for PINs alone.
func permitPINKey(op Operation, d DUKPTKey, now time.Time) error {
	if d.KSN.IsZero() {
		return Permit(op, d.Base, now)
	}
	if err := Permit(OpDUKPT, d.Base, now); err != nil {
		return err
	}
	return d.Check()
}

// PermitPINPad refuses a form in which a typed PIN must not or cannot leave.
func PermitPINPad(to PINTarget, now time.Time) error { return to.permit(OpEncipherPIN, now) }

func (to PINTarget) permit(op Operation, now time.Time) error {
	if !to.KSN.IsZero() && op != OpEncipherPIN {
		return fmt.Errorf("%w: a translated PIN leaves under a zone key, not under a key of DUKPT", ErrUsage)
	}
	if err := permitPINKey(op, to.DUKPT(), now); err != nil {
		return err
	}
	return to.Format.fits(to.DUKPT(), to.PAN)
}

// forms are the formats this HSM makes and reads: the algorithms of their keys, and
// the fewest PAN digits that go into a block.
var forms = [...]struct {
	keys algorithms
	pan  int
}{
	ISO0: {TDES2.bit() | TDES3.bit(), 13},
	ISO1: {TDES2.bit() | TDES3.bit(), 0},
	ISO3: {TDES2.bit() | TDES3.bit(), 13},
	ISO4: {AES128.bit() | AES192.bit() | AES256.bit(), 1},
}

// fits is takes, and refuses a PAN that does not go into a block.
func (f PINFormat) fits(d DUKPTKey, pan secret.PAN) error {
	a := d.Base.Algorithm
	if !d.KSN.IsZero() {
		a = d.Type
	}
	if int(f) < len(forms) && forms[f].keys&a.bit() != 0 && pan.Len() >= forms[f].pan {
		return nil
	}
	if err := f.takes(d); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrInput, pinblock.ErrPANLength)
}

// takes refuses a format that is not for this HSM's blocks, and a key of another
// algorithm: the key's own, or of the transaction key that is derived from it.
func (f PINFormat) takes(d DUKPTKey) error {
	k, a := d.Base, d.Base.Algorithm
	if !d.KSN.IsZero() {
		a = d.Type
	}
	switch {
	case f.BlockLen() == 0:
		return fmt.Errorf("%w: %s is unknown; ISO-0, 1, 3 and 4 are built", ErrInput, f)
	case f == ISO2:
		return fmt.Errorf("%w: %s is between a card reader and its card only (PCI PIN 3-2)", ErrPINFormat, f)
	case f == ISO4 && !a.IsAES(), f != ISO4 && !a.IsTDES():
		return fmt.Errorf("%w: under %s %q is a PIN key of %s, which makes no %s blocks", ErrUsage, k.Usage, k.Name, a, f)
	}
	return nil
}

// PermitChange refuses a change of PIN between two cards.
func PermitChange(old, next EncipheredPIN, now time.Time) error {
	if err := PermitPIN(OpVerifyPIN, old, now); err != nil {
		return err
	}
	if err := PermitPIN(OpVerifyPIN, next, now); err != nil {
		return err
	}
	if !old.PAN.Equal(next.PAN) {
		return fmt.Errorf("%w: old and new PIN belong to two cards", ErrInput)
	}
	return nil
}
