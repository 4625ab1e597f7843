// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"testing"
	"time"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// A reversal on the next day names the original by the original's time and has its
// settlement date, in every dialect: over the turn of the year and the end of February,
// with the year that each belongs to where years are written.
func TestReversalOverADayChange(t *testing.T) {
	for _, c := range []struct{ sent, undone, settled, own, original, settle string }{
		{"2026-12-31T23:59:58", "2027-01-01T00:00:07", "1231", "0101000007", "261231235958", "261231"},
		{"2026-12-31T23:59:58", "2027-01-01T00:00:07", "0101", "0101000007", "261231235958", "270101"},
		{"2028-02-28T23:59:59", "2028-02-29T00:00:01", "0229", "0229000001", "280228235959", "280229"},
		{"2028-02-29T23:59:59", "2028-03-01T00:00:01", "0229", "0301000001", "280229235959", "280229"},
		{"2028-12-31T23:59:59", "2029-01-01T00:00:01", "0229", "0101000001", "281231235959", "280229"}, // 2029 has none
	} {
		eachAcquirer(t, func(t *testing.T, a *Acquirer) {
			p, card := payment(t)
			p.Numbers.At, p.Undo.At = moment(t, c.sent), moment(t, c.undone)
			raw, err := a.Request(nil, p, card, secret.PINBlock{})
			if err != nil {
				t.Fatal(err)
			}
			reply := replyTo(t, a, parsed(t, a.Layout(), raw), "00", func(b *iso8583.Builder) {
				if a.t.edition == 0 {
					b.SetString(15, c.settled)
				} else {
					b.SetString(15, c.settle)
				}
			})
			r, err := a.Reply(reply, p, p.Numbers)
			if err != nil {
				t.Fatal(err)
			}
			p.Answer = r.Answer
			if raw, err = a.Reversal(nil, p, card.PAN, false); err != nil {
				t.Fatal(err)
			}
			v := parsed(t, a.Layout(), raw)
			says, _ := itemsOf(a.t, v)
			own, original := says[itemSent], says[itemOriginalSent]
			if a.t.edition != 0 {
				own, original = says[itemLocalDate]+says[itemLocalTime], says[itemOriginalLocal]
				if got := text15(v); got != c.settle {
					t.Errorf("field 15 is %s, want %s", got, c.settle)
				}
			} else {
				original = c.original[:2] + original // 1987 writes no year
			}
			if own != c.own || original != c.original || says[itemSettleDate] != c.settled {
				t.Errorf("sent %s of %s settled %s, want %s of %s settled %s", own, original, says[itemSettleDate], c.own, c.original, c.settled)
			}
		})
	}
}

func text15(v *iso8583.View) string { return string(v.AppendText(nil, 15)) }

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A payment that was not answered has no settlement date, and what is no date never
// keeps a reversal from leaving.
func TestReversalWithoutASettlementDate(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		for _, settled := range []string{"\x00\x00\x00\x00", "1.31", "0000", "9999"} {
			p, card := payment(t)
			p.Answer = txn.Answer{SettleMD: [4]byte([]byte(settled))}
			raw, err := a.Reversal(nil, p, card.PAN, false)
			if err != nil {
				t.Fatalf("%q: %v", settled, err)
			}
			if v := parsed(t, a.Layout(), raw); v.Has(15) != allDigits([]byte(settled)) {
				t.Errorf("%q: field 15 is %q", settled, text15(v))
			}
		}
	})
}
