// SPDX-License-Identifier: Apache-2.0

package txn

// offlineReasonDocs explains the reasons of offline.go.
func offlineReasonDocs() map[Reason]reasonDoc {
	return map[Reason]reasonDoc{
		"offline_sale_above_limit":  {"one offline sale is for more than the terminal's `offline.max_amount_minor`", "ask the merchant for voucher and authorization; `tapswitch txn saf retry` lets the sale go, `drop` makes it a case. Many: the terminal's own limits (`limits.offline_…`) are not those of the switch"},
		"offline_sales_above_limit": {"the batch of the terminal has `offline.max_count` offline sales already", "as for `offline_sale_above_limit`; the next batch begins anew, so have the terminal settle"},
		"offline_sum_above_limit":   {"the offline sales of the batch would come to more than `offline.max_sum_minor`", "as for `offline_sales_above_limit`"},
	}
}
