// SPDX-License-Identifier: Apache-2.0

package txn

// The refusals of what is about a pre-authorization, beside those of every original.
var (
	DeclineOriginalMany      = reason(CodeUnmatched, "original_payment_ambiguous")
	DeclineOriginalCompleted = reason(CodeBadTxn, "preauthorization_completed")
	DeclineHoldExpired       = reason(CodeBadTxn, "preauthorization_expired")
	DeclineHoldExceeded      = reason(CodeAmountLimit, "completion_exceeds_preauthorization")
)
