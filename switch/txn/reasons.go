// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"errors"
	"fmt"
)

// Code is field 39, two characters.
type Code [2]byte

// String gives the two characters.
func (c Code) String() string {
	if c == (Code{}) {
		return ""
	}
	return string(c[:])
}

// The response codes the switch itself gives (ISO 8583:1987 DE 39 and the
// UnionPay POS table). Acquirers may answer others; those pass unchanged.
var (
	CodeApproved      = Code{'0', '0'}
	CodePartial       = Code{'1', '0'} // an acquirer's: approved in part
	CodeBadTxn        = Code{'1', '2'}
	CodeBadAmount     = Code{'1', '3'}
	CodeBadPAN        = Code{'1', '4'}
	CodeUnmatched     = Code{'2', '5'}
	CodeFormat        = Code{'3', '0'}
	CodeUnsupported   = Code{'4', '0'}
	CodeExpired       = Code{'5', '4'}
	CodeWrongPIN      = Code{'5', '5'}
	CodeNotPermitted  = Code{'5', '8'}
	CodeForgedCard    = Code{'5', '9'}
	CodeAmountLimit   = Code{'6', '1'}
	CodeSecurity      = Code{'6', '3'}
	CodeOriginal      = Code{'6', '4'}
	CodePINTries      = Code{'7', '5'}
	CodeBatch         = Code{'7', '7'}
	CodeIssuerDown    = Code{'9', '1'}
	CodeNoRoute       = Code{'9', '2'}
	CodeDuplicate     = Code{'9', '4'}
	CodeMalfunction   = Code{'9', '6'}
	CodeBadTerminal   = Code{'9', '7'}
	CodeNoAnswer      = Code{'9', '8'}
	CodePINFormat     = Code{'9', '9'}
	CodeBadMAC        = Code{'A', '0'}
	CodeSecurityFault = Code{'A', '7'}
)

// Reason is for logs and metrics: a short constant, never data.
type Reason string

// Decline is an error that knows what to tell the terminal.
type Decline struct {
	Code   Code
	Reason Reason
	Err    error // the cause, may be nil
}

// Error names reason, code and cause.
func (d *Decline) Error() string {
	if d.Err != nil {
		return fmt.Sprintf("declined %s (%s): %v", d.Code, d.Reason, d.Err)
	}
	return fmt.Sprintf("declined %s (%s)", d.Code, d.Reason)
}

// Unwrap gives the cause.
func (d *Decline) Unwrap() error { return d.Err }

// Why returns a Decline with a cause.
func (d *Decline) Why(err error) *Decline { return &Decline{d.Code, d.Reason, err} }

// reason registers nothing: it is only shorter to read.
func reason(c Code, r Reason) *Decline { return &Decline{Code: c, Reason: r} }

// Every refusal of the switch. Order: as the flow meets them.
var (
	// What was asked has no sense or is not built.
	DeclineFormat      = reason(CodeFormat, "message_malformed")
	DeclineField       = reason(CodeFormat, "field_missing_or_malformed")
	DeclineUnsupported = reason(CodeUnsupported, "transaction_not_supported")
	DeclineAmount      = reason(CodeBadAmount, "amount_must_be_positive")
	DeclineAmountGiven = reason(CodeBadAmount, "amount_in_balance_inquiry")
	DeclineCurrency    = reason(CodeBadTxn, "currency_not_accepted")
	DeclinePAN         = reason(CodeBadPAN, "pan_check_digit_wrong")
	DeclineTrack       = reason(CodeBadPAN, "track_does_not_match_pan")
	DeclineExpired     = reason(CodeExpired, "card_expired")
	DeclineAuthMissing = reason(CodeFormat, "authorization_code_missing")
	DeclinePINGiven    = reason(CodeFormat, "pin_in_advice")
	DeclineCash        = reason(CodeBadAmount, "cash_not_below_amount")
	// Who asks.
	DeclineTerminalUnknown = reason(CodeBadTerminal, "terminal_unknown")
	DeclineTerminalBlocked = reason(CodeBadTerminal, "terminal_blocked")
	DeclineMerchant        = reason(CodeBadTerminal, "merchant_does_not_own_terminal")
	DeclineNotSignedOn     = reason(CodeBadTerminal, "terminal_not_signed_on")
	DeclineMAC             = reason(CodeBadMAC, "mac_wrong")
	DeclineMACMissing      = reason(CodeBadMAC, "mac_missing")
	// Room.
	DeclineOverload    = reason(CodeMalfunction, "too_many_in_flight")
	DeclineJournalFull = reason(CodeMalfunction, "journal_full")
	DeclineJournal     = reason(CodeMalfunction, "journal_failed")
	DeclineNumbers     = reason(CodeMalfunction, "no_trace_number_free")
	// Said before.
	DeclineDuplicate   = reason(CodeDuplicate, "repeat_with_other_content")
	DeclineInFlight    = reason(CodeDuplicate, "original_still_in_flight")
	DeclineTombstone   = reason(CodeDuplicate, "reversed_before_arrival")
	DeclineWasReversed = reason(CodeDuplicate, "repeat_of_reversed_payment")
	// Card and PIN.
	DeclineCryptogram  = reason(CodeForgedCard, "cryptogram_wrong")
	DeclineChipData    = reason(CodeForgedCard, "chip_data_missing_or_inconsistent")
	DeclineATCSeen     = reason(CodeSecurity, "atc_used_before")
	DeclineATCWindow   = reason(CodeSecurity, "atc_outside_window")
	DeclineCounters    = reason(CodeMalfunction, "no_room_for_counter")
	DeclinePIN         = reason(CodeWrongPIN, "pin_wrong")
	DeclinePINTries    = reason(CodePINTries, "pin_tries_exceeded")
	DeclinePINBlock    = reason(CodePINFormat, "pin_block_malformed")
	DeclinePINMissing  = reason(CodeWrongPIN, "pin_required")
	DeclineNoReference = reason(CodeWrongPIN, "card_has_no_pin_reference")
	// The HSM.
	DeclineHSM     = reason(CodeSecurityFault, "hsm_unavailable")
	DeclineHSMBusy = reason(CodeSecurityFault, "hsm_busy")
	DeclineKey     = reason(CodeSecurityFault, "key_unusable")
	// The way to the acquirer.
	DeclineNoRoute   = reason(CodeNoRoute, "no_route")
	DeclineLinkClass = reason(CodeUnsupported, "transaction_not_supported_by_link")
	DeclineLinkDown  = reason(CodeIssuerDown, "no_healthy_link")
	DeclineNotSent   = reason(CodeIssuerDown, "not_sent")
	DeclineNoAnswer  = reason(CodeNoAnswer, "acquirer_no_answer")
	DeclineAnswer    = reason(CodeMalfunction, "acquirer_answer_failed_checks")
	DeclineAnswerMAC = reason(CodeMalfunction, "acquirer_answer_mac_wrong")
	DeclineDeadline  = reason(CodeNoAnswer, "deadline_passed")
	DeclineUndone    = reason(CodeNoAnswer, "reversed_by_terminal")
	DeclineUnwritten = reason(CodeNoAnswer, "answer_not_written")
	DeclineAnswerKey = reason(CodeSecurityFault, "answer_could_not_be_authenticated")
	// What a terminal or a link may do.
	DeclineCashbackNone  = reason(CodeNotPermitted, "cashback_not_permitted")
	DeclineCashbackLimit = reason(CodeAmountLimit, "cashback_above_limit")
	// Why the switch does not decide in the place of an issuer out of reach.
	DeclineStandInChip   = reason(CodeIssuerDown, "stand_in_without_chip")
	DeclineStandInAmount = reason(CodeIssuerDown, "stand_in_amount")
	DeclineStandInType   = reason(CodeIssuerDown, "stand_in_merchant_type")
	DeclineStandInPIN    = reason(CodeIssuerDown, "stand_in_without_pin")
	DeclineStandInCount  = reason(CodeIssuerDown, "stand_in_count")
	DeclineStandInSum    = reason(CodeIssuerDown, "stand_in_sum")
	// Said by the acquirer.
	DeclineAcquirer = reason(CodeMalfunction, "declined_by_acquirer")
	// What a void, a refund or a completion names.
	DeclineReference        = reason(CodeBadTxn, "refund_without_original")
	DeclineOriginalUnknown  = reason(CodeUnmatched, "original_payment_not_found")
	DeclineOriginalBatch    = reason(CodeBadTxn, "original_payment_in_another_batch")
	DeclineHistory          = reason(CodeMalfunction, "history_behind")
	DeclineHistoryGap       = reason(CodeUnmatched, "history_incomplete")
	DeclineOriginalDiffers  = reason(CodeOriginal, "original_payment_differs")
	DeclineOriginalState    = reason(CodeBadTxn, "original_payment_not_in_force")
	DeclineOriginalVoided   = reason(CodeBadTxn, "original_payment_voided")
	DeclineOriginalRefunded = reason(CodeBadTxn, "original_payment_refunded")
	DeclineNotRefundable    = reason(CodeBadTxn, "original_payment_not_refundable")
	DeclineRefundExceeds    = reason(CodeOriginal, "refund_exceeds_original")
	DeclineOriginalBusy     = reason(CodeMalfunction, "original_payment_being_changed")
	DeclineOriginalCase     = reason(CodeBadTxn, "original_payment_in_dispute")
	// What an adjustment names, and to how much.
	DeclineNotAdjustable    = reason(CodeBadTxn, "original_payment_not_adjustable")
	DeclineAdjustLimit      = reason(CodeAmountLimit, "adjustment_above_limit")
	DeclineTip              = reason(CodeBadAmount, "tip_must_raise_amount")
	DeclineOriginalAdjusted = reason(CodeOriginal, "original_payment_adjusted")
	// A reversal of what stays in force. Terminals take 12 and 25 for its end (UnionPay POS).
	DeclineOriginalUsed = reason(CodeOriginal, "original_payment_used")
	// What the result of an issuer's script names, and says.
	DeclineScript        = reason(CodeFormat, "script_result_malformed")
	DeclineNoScript      = reason(CodeBadTxn, "original_payment_had_no_script")
	DeclineScriptDiffers = reason(CodeDuplicate, "script_result_told_otherwise")
	// Batches.
	DeclineBatchClosed  = reason(CodeBatch, "batch_closed")
	DeclineBatches      = reason(CodeMalfunction, "too_many_open_batches")
	DeclineSettleAmount = reason(CodeUnsupported, "settlement_in_several_currencies")
	DeclineNotSettled   = reason(CodeBadTxn, "batch_totals_not_told")
	DeclineUploadLong   = reason(CodeBadTxn, "batch_upload_too_long")
	// Reversals.
	DeclineUnmatched = reason(CodeUnmatched, "original_not_found")
	DeclineOriginal  = reason(CodeOriginal, "reversal_differs_from_original")
	// Not 25, which is the end of a reversal for its terminal.
	DeclineReversalLate = reason(CodeMalfunction, "original_no_longer_known")
	// Ours.
	DeclineMalfunction = reason(CodeMalfunction, "malfunction")
)

// Why a batch that was asked to be closed is not balanced, and what its upload
// came to; the answer's code is 00.
const (
	BatchTotalsDiffer Reason = "batch_totals_differ"
	BatchNotFinal     Reason = "batch_not_final"
	BatchCases        Reason = "batch_upload_disagrees" // of an upload or its end: cases were opened
)

// BatchReasons is the closed set of them, for metrics labels and documentation.
func BatchReasons() []Reason { return []Reason{BatchTotalsDiffer, BatchNotFinal, BatchCases} }

// StandInYes is the reason of an approval that the switch gave in the place of the
// card's issuer. Other approvals have none.
const StandInYes Reason = "stood_in"

// Reasons is the closed set of reasons, for metrics labels and documentation.
func Reasons() []*Decline {
	return []*Decline{
		DeclineFormat, DeclineField, DeclineUnsupported, DeclineAmount, DeclineAmountGiven, DeclineCurrency, DeclinePAN, DeclineTrack, DeclineExpired, DeclineAuthMissing, DeclinePINGiven, DeclineCash,
		DeclineTerminalUnknown, DeclineTerminalBlocked, DeclineMerchant, DeclineNotSignedOn, DeclineMAC, DeclineMACMissing,
		DeclineOverload, DeclineJournalFull, DeclineJournal, DeclineNumbers,
		DeclineDuplicate, DeclineInFlight, DeclineTombstone, DeclineWasReversed,
		DeclineCryptogram, DeclineChipData, DeclineATCSeen, DeclineATCWindow, DeclineCounters, DeclinePIN, DeclinePINTries, DeclinePINBlock, DeclinePINMissing, DeclineNoReference,
		DeclineHSM, DeclineHSMBusy, DeclineKey,
		DeclineNoRoute, DeclineLinkDown, DeclineLinkClass, DeclineNotSent,
		DeclineStandInChip, DeclineStandInAmount, DeclineStandInType, DeclineStandInPIN, DeclineStandInCount, DeclineStandInSum,
		DeclineNoAnswer, DeclineAnswer, DeclineAnswerMAC, DeclineDeadline,
		DeclineUndone, DeclineUnwritten, DeclineAnswerKey, DeclineCashbackNone, DeclineCashbackLimit, DeclineAcquirer,
		DeclineReference, DeclineOriginalUnknown, DeclineOriginalBatch, DeclineHistory, DeclineHistoryGap, DeclineNotRefundable, DeclineOriginalDiffers, DeclineOriginalState, DeclineOriginalVoided, DeclineOriginalRefunded,
		DeclineRefundExceeds, DeclineOriginalBusy, DeclineOriginalCase,
		DeclineNotAdjustable, DeclineAdjustLimit, DeclineTip, DeclineOriginalAdjusted, DeclineOriginalUsed,
		DeclineScript, DeclineNoScript, DeclineScriptDiffers,
		DeclineBatchClosed, DeclineBatches, DeclineSettleAmount, DeclineNotSettled, DeclineUploadLong,
		DeclineOriginalMany, DeclineOriginalCompleted, DeclineHoldExpired, DeclineHoldExceeded, DeclineUnmatched, DeclineOriginal, DeclineReversalLate, DeclineMalfunction,
	}
}

// ByReason finds the refusal of a stored reason.
func ByReason(r Reason) *Decline {
	for _, d := range Reasons() {
		if d.Reason == r {
			return d
		}
	}
	return DeclineMalfunction
}

// AsDecline maps any error to what the terminal is told. An error nobody
// thought about is a malfunction, never an approval.
func AsDecline(err error) *Decline {
	if d, ok := errors.AsType[*Decline](err); ok {
		return d
	}
	return DeclineMalfunction.Why(err)
}
