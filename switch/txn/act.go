// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"errors"
	"fmt"
	"time"
	"unicode"
)

// Deed is what an operator does to a payment. The numbers are stored: append only.
type Deed uint8

// The deeds.
const (
	Hold        Deed = iota + 1 // what it owes its acquirer is not sent until Retry
	Retry                       // it is sent at once, and not held any more
	Drop                        // it is sent no more, and a case is open instead
	FoundUndone                 // its case is closed: the acquirer holds nothing of it
	FoundStands                 // its case is closed: the acquirer holds it
	Settled                     // of no payment: cases that an upload opened are closed
	numDeeds
)

var deedNames = [numDeeds]string{"", "hold", "retry", "drop", "found_undone", "found_stands", "settled"}

// String is the name used in dumps and the log.
func (d Deed) String() string { return name(deedNames[:], int(d)) }

// Event is what a deed is to the payment's life; false when it moves nothing.
func (d Deed) Event() (Event, bool) {
	switch d {
	case Drop:
		return CaseOpened, true
	case FoundUndone:
		return CaseUndone, true
	case FoundStands:
		return CaseStands, true
	}
	return 0, false
}

// Known reports whether d is one of the deeds.
func (d Deed) Known() bool { return d > 0 && d < numDeeds }

// Act is something that an operator did to a payment, and answers for.
type Act struct {
	What Deed
	By   string    // who, at most ByMax bytes
	Why  string    // at most WhyMax bytes
	At   time.Time // switch time
	Code Code      // Drop: what the acquirer said at last, zero when nothing
}

// The bounds of what an operator writes: a record of it must fit the room that a
// payment has kept.
const (
	ByMax  = 40
	WhyMax = 160
)

// Check says what is wrong with an act's words: they are stored for years and
// shown on screens, so they are short, printable and no card number.
func (a Act) Check() error {
	switch {
	case !a.What.Known():
		return errors.New("this act is not known to this version")
	case a.By == "" || a.Why == "":
		return errors.New("who does it and why must be said")
	}
	if err := words("who does it", a.By, ByMax); err != nil {
		return err
	}
	return words("the reason", a.Why, WhyMax)
}

func words(what, s string, most int) error {
	if len(s) > most {
		return fmt.Errorf("%s has %d bytes, at most %d are kept", what, len(s), most)
	}
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) || r > '9' && unicode.IsDigit(r) {
			return fmt.Errorf("%s has a character that cannot be printed, or digits other than 0 to 9", what)
		}
	}
	if maybeCard(s) {
		return fmt.Errorf("%s has digits that could be a card number: name the payment by its reference number", what)
	}
	return nil
}

// cardDigits is the length from which digits may be a card number (ISO/IEC
// 7812-1: up to 19; none that a switch sees has fewer than 13).
const cardDigits = 13

// maybeCard looks for a run of digits that may be a card number, written as one or
// in groups; of groups only those whose check digit fits.
func maybeCard(s string) bool {
	digits, grouped := make([]byte, 0, len(s)), false
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] >= '0' && s[i] <= '9':
			digits = append(digits, s[i]-'0')
		case i+1 < len(s) && (s[i] == ' ' || s[i] == '-' || s[i] == '.') && len(digits) > 0:
			grouped = true
		default:
			if len(digits) >= cardDigits && (!grouped || luhn(digits)) {
				return true
			}
			digits, grouped = digits[:0], false
		}
	}
	return false
}

// luhn is the check of ISO/IEC 7812-1, annex B.
func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
