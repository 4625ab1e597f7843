// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"

	"tapswitch/iso8583"
)

// Kind is what a message with a card asks of the switch; the zero value is a sale.
// Names are stored in the reversal memory.
type Kind string

// The kinds in service (UnionPay POS: message type, fields 3, 25 and 60.1).
const (
	KindSale           Kind = ""
	KindPreAuth        Kind = "preauth"       // holds an amount
	KindPreAuthVoid    Kind = "preauth-void"  // releases what is held, whole
	KindCompletion     Kind = "complete"      // takes what is held
	KindCompletionVoid Kind = "complete-void" // gives that back, whole
	KindAdjust         Kind = "adjust"        // an earlier sale comes to another amount
	KindTip            Kind = "tip"           // it comes to more
	KindCashback       Kind = "cashback"      // a sale of which the customer gets a part in cash
	KindRefund         Kind = "refund"        // gives a purchase or a part of it back; by Host.Refund alone

	KindCompletionAdvice Kind = "complete-offline" // has taken what is held: kept, then told
	KindScript           Kind = "script"           // what a card did with its issuer's script: kept by Sale, then told; written like what the script came with
)

// form is how a kind is written.
type form struct {
	mti                        iso8583.MTI
	processing, condition, typ string
}

// form is that of k; false for a kind that this version does not know.
func (k Kind) form() (form, bool) {
	switch k {
	case KindSale:
		return form{mtiSale, processingSale, conditionSale, typeSale}, true
	case KindPreAuth:
		return form{mtiAuthorization, "030000", conditionHold, "10"}, true
	case KindPreAuthVoid:
		return form{mtiAuthorization, "200000", conditionHold, "11"}, true
	case KindCompletion:
		return form{mtiSale, processingSale, conditionHold, "20"}, true
	case KindCompletionAdvice:
		return form{mtiOffline, processingSale, conditionHold, "24"}, true
	case KindCompletionVoid:
		return form{mtiSale, "200000", conditionHold, "21"}, true
	case KindAdjust:
		return form{mtiOffline, processingSale, conditionSale, "32"}, true
	case KindTip:
		return form{mtiOffline, processingSale, conditionSale, "34"}, true
	case KindCashback:
		return form{mtiSale, "090000", conditionSale, typeSale}, true
	case KindRefund:
		return form{mtiRefund, "200000", conditionSale, "25"}, true
	}
	return form{}, false
}

// counts says whether an approved message of k is in the totals of its batch, and
// then on which side: what is held is paid by its completion alone.
func (k Kind) counts() (counted, credit bool) {
	switch k {
	case KindSale, KindCashback, KindCompletion, KindCompletionAdvice:
		return true, false
	case KindCompletionVoid, KindRefund:
		return true, true
	}
	return false, false
}

// Field values that only these kinds have.
const (
	mtiAuthorization iso8583.MTI = 0x0100
	conditionHold                = "06" // ISO 8583:1987 DE 25: preauthorised request
)

// Original is what a receipt says of the message that another one is about. Of a
// completion and of the void of a pre-authorization: authorization code and date, and
// batch and trace number where they are at hand. Of the void of a completion all. Of a
// refund all but the authorization code, and the date where it is at hand.
type Original struct {
	Auth  string `json:"auth,omitempty"`  // field 38
	Date  string `json:"date,omitempty"`  // MMDD, field 13
	Batch string `json:"batch,omitempty"` // six digits
	Trace uint32 `json:"trace,omitempty"`
	RRN   string `json:"rrn,omitempty"` // field 37
}

// field61 names the original: batch, trace, date. What is not known is zeros.
func (o Original) field61() string {
	batch := o.Batch
	if batch == "" {
		batch = "000000"
	}
	date := o.Date
	if date == "" {
		date = "0000"
	}
	return fmt.Sprintf("%s%06d%s", batch, o.Trace, date)
}

// scripted says whether the switch hears what became of the scripts that its answer
// to k brought.
func (k Kind) scripted() bool { return k == KindSale || k == KindCashback || k == KindPreAuth }

// told says whether the switch is told of k, as of an offline sale, and not asked.
func (k Kind) told() bool { return k == KindAdjust || k == KindTip }

// names says what is missing of an original for a kind, "" when nothing is.
func (k Kind) names(o Original) error {
	if _, known := k.form(); !known {
		return errors.New("this kind of transaction is not built")
	}
	whole := digits(o.Batch, 6) && o.Trace >= 1 && o.Trace <= TraceMax
	switch {
	case k == KindSale || k == KindCashback || k == KindPreAuth:
		if o != (Original{}) {
			return errors.New("sales and pre-authorizations are about nothing earlier")
		}
	case k.told():
		return errors.New("an adjustment is kept and told, not asked for: KeepAdjustment")
	case k == KindRefund:
		if !whole || len(o.RRN) != 12 || o.Auth != "" || o.Date != "" && !digits(o.Date, 4) {
			return errors.New("a refund needs batch, trace and reference number of the purchase, and its date MMDD or none")
		}
	case len(o.Auth) != 6 || !digits(o.Date, 4):
		return errors.New("the original's authorization code has 6 characters, its date is MMDD")
	case k == KindCompletionVoid && (!whole || len(o.RRN) != 12):
		return errors.New("the void of a completion needs batch, trace and reference number of the completion")
	case !whole && (o.Batch != "" || o.Trace != 0):
		return errors.New("the original's batch number has 6 digits, its trace number is 1 to 999999; leave out both or none")
	}
	return nil
}
