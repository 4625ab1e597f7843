// SPDX-License-Identifier: Apache-2.0

package txn

// holdReasonDocs explains the reasons of reasons_hold.go.
func holdReasonDocs() map[Reason]reasonDoc {
	return map[Reason]reasonDoc{
		"original_payment_ambiguous":          {"more than one pre-authorization has the card, authorization code and date that a cancel or a completion names, or more than one old payment the numbers that a void or a refund names; none is picked", "send batch and trace number in field 61, which tell them apart"},
		"preauthorization_completed":          {"a completion took what the pre-authorization held, and stands; it is neither completed again nor cancelled nor reversed", "void the completion first, if that is what is wanted"},
		"preauthorization_expired":            {"the pre-authorization is older than the link's `hold_days`; the issuer may have released what it held", "take the money by a new purchase, or by the acquirer's own procedure"},
		"completion_exceeds_preauthorization": {"the completion is for more than the link's `completion_percent` of the pre-authorization", "complete for less, and take the rest by a purchase"},
	}
}
