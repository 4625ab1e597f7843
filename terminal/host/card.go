// SPDX-License-Identifier: Apache-2.0

package host

import (
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
)

// Entry is how the card was read: the first two digits of field 22.
type Entry string

// The entries in service.
const (
	Contactless Entry = "07"
	Contact     Entry = "05"
)

// Card is what the sale message says of a card. The caller keeps it and wipes
// it; the host copies what it must keep.
type Card struct {
	PAN    secret.PAN
	PSN    string        // card sequence number, two or three digits; "" when the card has none
	Expiry string        // YYMM
	Track2 secret.Track2 // track 2 equivalent data; may be absent
	ICC    secret.ICC    // field 55
	Entry  Entry
}

// Sale is a purchase, or another kind of message with a card, to be authorised.
type Sale struct {
	Kind     Kind
	Amount   money.MinorUnits
	Cash     money.MinorUnits // of KindCashback: of Amount, what the customer gets in cash
	Card     Card
	PIN      secret.PINBlock // under the key of PINKey; absent when no PIN was asked
	Original Original        // of the kinds that are about an earlier message
}

// Outcome is how a sale ended for the terminal.
type Outcome string

// The outcomes. All but Approved and Declined by an authenticated answer leave
// a reversal due, except NotSent, where surely nothing left, and Kept. A refund is
// never reversed: without an answer it is sent again.
const (
	Approved        Outcome = "approved"
	Declined        Outcome = "declined"
	Unauthenticated Outcome = "unauthenticated" // an answer without a valid MAC, or not to this sale
	NoAnswer        Outcome = "no_answer"       // time-out or connection lost after sending
	NotSent         Outcome = "not_sent"        // surely nothing left
	Kept            Outcome = "kept"            // an offline sale, on the disk of the terminal
	Unclear         Outcome = "unclear"         // of a refund: the switch does not know, or did not carry it out; a person asks the acquirer
	Unrecorded      Outcome = "unrecorded"      // authenticated, but the terminal's disk failed: it will be reversed
)

// Reason is why, as a short constant for logs and tests.
type Reason string

// The reasons of outcomes and of reversals that are not done.
const (
	ReasonNone           Reason = ""
	ReasonUnreachable    Reason = "host_unreachable"
	ReasonNotSignedOn    Reason = "not_signed_on"
	ReasonSignOnRefused  Reason = "sign_on_refused"
	ReasonKeys           Reason = "sign_on_keys_bad"
	ReasonReversalDue    Reason = "reversal_pending"
	ReasonMemory         Reason = "memory_unwritable"
	ReasonSaleMalformed  Reason = "sale_malformed"
	ReasonCancelled      Reason = "cancelled"
	ReasonTimeout        Reason = "answer_timeout"
	ReasonLost           Reason = "connection_lost"
	ReasonNoMAC          Reason = "answer_without_mac"
	ReasonBadMAC         Reason = "answer_mac_wrong"
	ReasonOtherTerminal  Reason = "answer_terminal_differs"
	ReasonOtherMerchant  Reason = "answer_merchant_differs"
	ReasonOtherAmount    Reason = "answer_amount_differs"
	ReasonOtherType      Reason = "answer_processing_code_differs"
	ReasonNoCode         Reason = "answer_without_code"
	ReasonPartial        Reason = "partial_approval_not_supported"
	ReasonNotDone        Reason = "reversal_refused"
	ReasonNothing        Reason = "nothing_to_reverse"
	ReasonSettlementDue  Reason = "settlement_pending"
	ReasonBatchFull      Reason = "batch_full"
	ReasonOfflineDue     Reason = "offline_sales_not_told"
	ReasonRefused        Reason = "settlement_refused"
	ReasonNoTotals       Reason = "answer_without_totals"
	ReasonOfflineFull    Reason = "offline_memory_full"
	ReasonOfflineFloor   Reason = "offline_sale_above_limit"
	ReasonOfflineCount   Reason = "offline_sales_above_limit"
	ReasonOfflineSum     Reason = "offline_sum_above_limit"
	ReasonNotKept        Reason = "not_kept_by_switch"
	ReasonAdviceRefused  Reason = "advice_refused"
	ReasonRefundDue      Reason = "refund_pending"
	ReasonRefundOld      Reason = "refund_too_old_to_repeat"
	ReasonUnjudged       Reason = "not_judged_by_switch"
	ReasonAskAcquirer    Reason = "ask_acquirer"
	ReasonMalfunction    Reason = "malfunction"
	ReasonMessageTooLong Reason = "message_not_built"
)

// Result is the end of a sale.
type Result struct {
	Outcome Outcome
	Reason  Reason
	Code    string           // field 39, "" when no answer carried one
	Amount  money.MinorUnits // of a refund
	Trace   uint32
	Batch   string
	RRN     string           // field 37
	Auth    string           // field 38
	Date    string           // field 13, MMDD: what a later message names it by
	Part    money.MinorUnits // what was approved, when it is a part of the amount
	Notice  string           // texts of field 63 for the receipt
	ICC     secret.ICC
	Err     error // the cause of NotSent or Unrecorded, for the operator
}

// Undo is what became of a reversal. Done means that the switch acknowledged it.
type Undo struct {
	Trace  uint32
	Batch  string
	Why    string // field 39 of the reversal: 98, A0 or 06
	Code   string // field 39 of its answer, "" without one
	Done   bool
	Reason Reason // why it is not done
}

// shortICC takes from field 55 what a reversal repeats: terminal results,
// device serial, issuer data, counter and script results, never card data.
func shortICC(icc secret.ICC) []byte {
	full := icc.AppendTo(nil, secret.ForWire)
	defer clear(full)
	var out []byte
	for _, tag := range []bertlv.Tag{0x95, 0x9F1E, 0x9F10, 0x9F36, 0xDF31} {
		if value, ok := bertlv.Find(full, tag); ok {
			out = bertlv.Append(out, tag, value)
		}
	}
	return out
}
