// SPDX-License-Identifier: Apache-2.0

package txn

// reasonDoc explains a reason to who operates a switch.
type reasonDoc struct{ means, do string }

// reasonDocs must explain every reason of Reasons, and nothing else.
func reasonDocs() map[Reason]reasonDoc {
	return map[Reason]reasonDoc{
		"message_malformed": {"the bytes in the frame are no message of the dialect; nothing in them can be trusted, so there is no answer and the connection is closed",
			"counted in `tapswitch_listen_refused_total`; look at the terminal's dialect settings, or at who else connects to this port"},
		"field_missing_or_malformed": {"a field that the business needs is absent or has another form than the dialect's",
			"compare the terminal's message with docs/dialects; the log's message names the field"},
		"transaction_not_supported": {"message type, fields 3, 25 and 60 together name a business that is not built, or field 53 a PIN form that is not",
			"switch the function off at the terminal"},
		"amount_must_be_positive":        {"field 4 is zero", "nothing; a till that sends this needs correcting"},
		"currency_not_accepted":          {"field 49 is not a currency of this switch (156 only, in this version)", "correct the terminal's currency"},
		"pan_check_digit_wrong":          {"the card number fails its check digit", "nothing: misread or invented number; many from one terminal are a case for its merchant"},
		"track_does_not_match_pan":       {"field 2, track 2 and tag 57 do not name the same card", "nothing; many from one terminal point at a manipulated one"},
		"card_expired":                   {"field 14 lies before this month", "nothing; when all cards expire at once, look at the switch's clock"},
		"terminal_unknown":               {"field 41 is in no entry of `terminals`", "add the terminal, or find out who connects"},
		"terminal_blocked":               {"the terminal is there with `status: blocked`", "nothing, or unblock it"},
		"merchant_does_not_own_terminal": {"field 42 is not the merchant of this terminal", "correct the terminal or its entry"},
		"terminal_not_signed_on":         {"the switch holds no working keys of this terminal", "nothing: on 97 the terminal signs on by itself; repeated: its sign-on fails, see its own reason"},
		"mac_wrong":                      {"field 64 verifies under no key set of the terminal", "nothing for one: on A0 the terminal signs on again; repeated: the master keys differ (compare check values), or somebody tampers"},
		"mac_missing":                    {"a purchase or reversal came without field 64", "switch MACs on at the terminal; without them nothing is served"},
		"too_many_in_flight":             {"`payment.max_in_flight` payments are being worked on, or the replay index is full, or two sign-ons of one terminal collide", "see `tapswitch_flow_in_flight` and what the payments wait for (link, HSM, journal); raise the bound if the machine has room"},
		"journal_full":                   {"no room is left for a new payment and its later records, or the queue of the journal is full", "see [faults](../operating/faults.md#the-disk-is-full)"},
		"journal_failed":                 {"an append failed, or new working keys could not be stored, and it is not known whether they are durable", "see [faults](../operating/faults.md#the-disk-fails); after a failed sync the process stops by itself"},
		"no_trace_number_free":           {"a trace number would come again within its window", "ends by itself; it means more than 999,999 requests within a minute"},
		"repeat_with_other_content":      {"a message with a known key, but another amount, card or cryptogram", "the terminal counts its trace numbers wrongly; renew its batch number"},
		"original_still_in_flight":       {"a repeat waited for its original until its own deadline; the terminal is told nothing, as a yes may follow", "nothing for one; repeated: payments take longer than the terminal waits"},
		"reversed_before_arrival":        {"the terminal's reversal came before the purchase itself, so the purchase is refused", "nothing: this is the protection at work"},
		"repeat_of_reversed_payment":     {"a repeat of an approved payment that has been reversed since; it never gets the approval", "nothing"},
		"cryptogram_wrong":               {"the HSM computed another cryptogram than the card of an on-us issuer sent", "one: a forged or damaged card; all of one issuer: wrong `imk` or `profile`"},
		"chip_data_missing_or_inconsistent": {"field 55 is absent for an on-us card, is not well-formed, lacks a tag, or names another amount or currency than the message",
			"look at the terminal's kernel; a tag list is in docs/dialects"},
		"pin_wrong":                 {"the PIN of an on-us card does not verify; the try is counted durably", "nothing; all cards at once: wrong `pvk`, or keys of the terminal out of step"},
		"pin_tries_exceeded":        {"the card's tries (`payment.pin_tries`) are used up; no PIN of it is tried any more", "nothing; a right PIN before that resets the count. There is no command to reset a blocked card yet"},
		"pin_block_malformed":       {"field 52 deciphers to no format 0 block of this account", "on 99 the terminal signs on again; repeated: its PIN key or PIN pad is wrong"},
		"pin_required":              {"field 22 says that a PIN was entered and field 52 is absent", "look at the terminal"},
		"card_has_no_pin_reference": {"an on-us card's track 2 has no room for PVKI and PVV, so its PIN cannot be verified here", "leave `pvk` out for this issuer, so that PINs go to the acquirer"},
		"hsm_unavailable":           {"the HSM is gone or did not answer within `hsm.timeout_ms`", "see [faults](../operating/faults.md#the-hsm-is-gone)"},
		"hsm_busy":                  {"the queue in front of the HSM is full", "see `tapswitch_hsm_seconds`; more sessions or a faster module"},
		"key_unusable":              {"a key has another usage than the operation needs, is past its validity, fails its binding, or version numbers are used up", "look at the keystore's entry; a changed file or another token's key shows so"},
		"no_route":                  {"no range of `bins` has this card number", "add the range, or nothing"},
		"no_healthy_link":           {"no link of the card's range is signed on", "see [faults](../operating/faults.md#an-acquirer-is-down)"},
		"not_sent":                  {"the link was lost between the choice of the route and the first byte: surely nothing left, nothing is reversed", "as for `no_healthy_link`"},
		"acquirer_no_answer":        {"the request was sent, or may have been, and no answer came in `timeout_ms`; it is being reversed", "see [faults](../operating/faults.md#an-acquirer-is-down); `tapswitch_saf_depth` must come down again"},
		"acquirer_answer_failed_checks": {"the answer does not repeat amount, terminal, numbers or currency of the request, or is no message; the payment is being reversed",
			"show it to the acquirer: an answer of another payment must never come here"},
		"acquirer_answer_mac_wrong":         {"the answer has no MAC or a wrong one; the payment is being reversed", "the zone MAC keys (`zak`) differ: compare check values with the acquirer"},
		"deadline_passed":                   {"the acquirer's yes came after `payment.deadline_ms`; the payment is being reversed", "the acquirer or this machine is slow: `tapswitch_link_seconds`, `tapswitch_hsm_seconds`, `tapswitch_journal_append_seconds`"},
		"reversed_by_terminal":              {"the terminal reversed the payment, here while it was still in flight", "nothing"},
		"answer_not_written":                {"why an approval is being reversed: the connection was gone before its first byte, or it could not be authenticated", "nothing for one; many: the terminals give up earlier than `payment.deadline_ms`"},
		"answer_could_not_be_authenticated": {"the HSM went between the decision and the answer's MAC; an approval is being reversed, and the terminal gets this refusal without a MAC", "as for `hsm_unavailable`"},
		"declined_by_acquirer":              {"the acquirer said no; the code is the acquirer's own", "nothing"},
		"original_not_found":                {"a terminal reversed a payment that the switch does not know; a tombstone refuses it should it still come", "nothing: the terminal takes 25 for done"},
		"reversal_differs_from_original":    {"a reversal names another amount than the payment it reverses", "look at the terminal; partial reversals are not built"},
		"malfunction":                       {"an error that nobody thought about, or an answer that could not be built", "report it with the event and the log around it"},
	}
}
