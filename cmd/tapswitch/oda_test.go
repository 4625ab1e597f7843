// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"strings"
	"testing"
)

// TestCardsAuthenticatedOffline: the demonstration's cards sign their payments
// and the terminal says so; a card that is wrong is refused without a message,
// unless it wants its issuer asked. Whoever is asked checks the cryptogram, which
// covers what the terminal reports in field 55: a result of the authentication
// that got into it would end in 59 (our HSM) or 05 (the acquirer).
func TestCardsAuthenticatedOffline(t *testing.T) {
	r := raise(t)
	for _, c := range []struct {
		card                   string
		amount                 int64
		pin                    string
		outcome, code          string
		oda, reason, tvr, mark string
	}{
		{"visa", 1234, "", "approved", "00", "fdda", "", "0000000000", "cvm none oda fdda batch 000001 trace"},
		{"visa", 120000, "1234", "approved", "00", "fdda", "", "0000000000", "cvm pin oda fdda batch 000001 trace"},
		{"unionpay", 1234, "", "approved", "00", "fdda", "", "0000000000", "oda fdda"},
		{"visa-no-oda", 1234, "", "approved", "00", "not_performed", "oda_card_gave_no_data", "8000000000", "oda not_performed"},
		{"visa-oda-online", 1234, "", "approved", "00", "failed", "oda_signature_hash_wrong", "0800000000", "oda failed"},
		{"visa-forged", 1234, "", "declined", "59", "fdda", "", "0000000000", "oda fdda"},
		{"unionpay-forged", 1234, "", "declined", "05", "fdda", "", "0000000000", "oda fdda"},
		{"visa-oda-forged", 1234, "", "declined_offline", "", "failed", "oda_signature_hash_wrong", "0800000000", "oda failed reason oda_signature_hash_wrong"},
		{"visa-oda-interface", 1234, "", "try_another_interface", "", "failed", "oda_signature_hash_wrong", "0800000000", "oda failed"},
		{"visa-oda-expired", 1234, "", "declined_offline", "", "failed", "oda_issuer_certificate_expired", "0800000000", "oda failed"},
		{"visa-oda-other-pan", 1234, "", "declined_offline", "", "failed", "oda_card_certificate_of_other_pan", "0800000000", "oda failed"},
		{"visa-oda-no-remainder", 1234, "", "declined_offline", "", "failed", "oda_card_data_missing", "2800000000", "oda failed"},
		{"unionpay-oda-forged", 1234, "", "declined_offline", "", "failed", "oda_signature_hash_wrong", "0800000000", "oda failed"},
	} {
		e := r.expect(c.card, c.amount, c.pin, c.outcome, c.code)
		if e.text("oda") != c.oda || e.text("oda_reason") != c.reason || e.text("tvr") != c.tvr || !strings.Contains(e.text("receipt"), c.mark) {
			t.Errorf("%s: %v", c.card, e)
		}
		tsi := "8000"
		if c.oda == "not_performed" {
			tsi = "0000"
		}
		if e.text("tsi") != tsi {
			t.Errorf("%s: TSI %s", c.card, e.text("tsi"))
		}
	}
	r.strike()
}
