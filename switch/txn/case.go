// SPDX-License-Identifier: Apache-2.0

package txn

import "time"

// Case says why a person must look at a payment.
type Case struct {
	Why  Reason    // one of CaseReasons
	Code Code      // what the acquirer said at last, zero when it was silent
	At   time.Time // switch time at which it was opened
}

// Why a case is open. They are stored in the journal.
const (
	CaseRefused Reason = "reversal_refused" // the acquirer's code neither ends nor defers the reversal
	CaseExpired Reason = "reversal_expired" // not acknowledged within the longest time

	CaseAdviceRefused Reason = "advice_refused" // the acquirer's code neither acknowledges nor defers the advice
	CaseAdviceExpired Reason = "advice_expired" // not acknowledged within the longest time
	// Of a refund that is not reversed by itself; its reversal, where there is one,
	// has the reasons above.
	CaseRefundUnanswered Reason = "refund_unanswered"        // no answer in time, or a crash before it
	CaseRefundUnusable   Reason = "refund_answer_unusable"   // an answer that failed its checks, or could not be stored
	CaseRefundLate       Reason = "refund_approved_after_no" // a yes for a refund that was told no

	CaseDropped Reason = "dropped" // an operator took it out of what is sent

	CaseApprovedAfterUndone Reason = "approved_after_undone" // a yes came when a person had found that the acquirer holds nothing
)

// CaseReasons is the closed set of them, for metrics labels and documentation.
func CaseReasons() []Reason {
	return []Reason{CaseRefused, CaseExpired, CaseAdviceRefused, CaseAdviceExpired, CaseRefundUnanswered, CaseRefundUnusable, CaseRefundLate, CaseDropped, CaseApprovedAfterUndone}
}
