// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// Item is one payment of a batch as its terminal uploads it, after totals that
// differ.
type Item struct {
	Trace STAN
	PAN   secret.PAN
	Minor money.MinorUnits
}

// Uploaded is an item as the journal keeps it, and what it came to. With a verdict
// other than UploadAgrees a case for a person is open: nothing is posted, and no
// payment moves by it.
type Uploaded struct {
	Trace   STAN // zero when the verdict is about the batch, not one payment of it
	Minor   money.MinorUnits
	Token   [16]byte // keyed token of the card number
	Masked  string   // the same, first six and last four
	Verdict Verdict
}

// Verdict is what an item came to beside the switch's own payment. Numbers are
// stored: append only.
type Verdict uint8

// The verdicts.
const (
	UploadAgrees    Verdict = iota + 1 // a payment in force has this trace number, card and amount
	UploadAmount                       // it has another amount
	UploadCard                         // it has another card
	UploadState                        // it is known, and not in force: declined, reversed, or it moves no money
	UploadUnknown                      // no payment of the batch has this trace number
	UploadMissing                      // a payment in force that was not uploaded until the batch's end
	UploadCount                        // at the end, the terminal counted other items than came
	UploadForgotten                    // at the end, payments counted in the totals whose details are no longer known
	numVerdicts
)

// verdictReasons name the verdicts; agreement has none.
var verdictReasons = [numVerdicts]Reason{
	UploadAmount:    "upload_amount_differs",
	UploadCard:      "upload_card_differs",
	UploadState:     "upload_payment_not_in_force",
	UploadUnknown:   "upload_payment_unknown",
	UploadMissing:   "upload_payment_missing",
	UploadCount:     "upload_count_differs",
	UploadForgotten: "upload_payments_forgotten",
}

// Known says whether v is one of the verdicts above.
func (v Verdict) Known() bool { return v >= UploadAgrees && v < numVerdicts }

// Reason is why a case is open; empty when none is.
func (v Verdict) Reason() Reason {
	if v >= numVerdicts {
		return ""
	}
	return verdictReasons[v]
}

// UploadReasons is the closed set of them, for documentation.
func UploadReasons() (all []Reason) {
	for v := UploadAmount; v < numVerdicts; v++ {
		all = append(all, v.Reason())
	}
	return all
}

// Adjusted are what those payments of a batch come to that were adjusted in it: the
// latest adjustment in force holds. Payments are in the order in which they came.
func Adjusted(payments []Payment) map[Key]money.MinorUnits {
	comes := map[Key]money.MinorUnits{}
	for i := range payments {
		if p := &payments[i]; p.Share().Side == OnDebitSum {
			comes[p.Original] = p.Amount.Minor
		}
	}
	return comes
}

// Comes is what p comes to among what was adjusted.
func (p *Payment) Comes(adjusted map[Key]money.MinorUnits) money.MinorUnits {
	if minor, ok := adjusted[p.Key]; ok {
		return minor
	}
	return p.Worth().Minor
}

// Judge says what an uploaded item comes to beside the payments of its batch that
// have its trace number.
func (u *Uploaded) Judge(payments []Payment) Verdict {
	verdict, adjusted := UploadUnknown, Adjusted(payments)
	for i := range payments {
		p := &payments[i]
		switch {
		case p.Key.Trace != u.Trace, p.Key.Class == Adjustment: // which is no item: its original comes to it
		case p.Share().Side == OnNeither:
			verdict = UploadState
		case p.Token != u.Token:
			return UploadCard
		case p.Comes(adjusted) != u.Minor:
			return UploadAmount
		default:
			return UploadAgrees
		}
	}
	return verdict
}
