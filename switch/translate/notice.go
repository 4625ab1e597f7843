// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"strings"

	"tapswitch/switch/txn"
)

// Field 63 of an answer (UnionPay POS): card organization 3, then three texts of 20
// characters for the receipt, of the issuer, the centre and the acquirer.
const (
	noticeOrganization = 3
	noticeText         = 20
)

// StandInNotice is what the receipt of a payment says that the switch approved in
// the place of its issuer.
const StandInNotice = "STAND-IN"

// notice is field 63 of an answer, empty when there is nothing to say.
func notice(a txn.Answer) string {
	if a.Reason != txn.StandInYes {
		return ""
	}
	centre := StandInNotice + strings.Repeat(" ", noticeText-len(StandInNotice))
	return strings.Repeat(" ", noticeOrganization+noticeText) + centre + strings.Repeat(" ", noticeText)
}
