// SPDX-License-Identifier: Apache-2.0

package unionpaypos_test

import (
	"errors"
	"strings"
	"testing"

	"tapswitch/iso8583/dialect/unionpaypos"
)

func TestTotals(t *testing.T) {
	text := "000000001234" + "007" + "000000000050" + "001" + "0" + "000000000999" + "002" + "000000000000" + "000" + "2"
	domestic, foreign, err := unionpaypos.ParseTotals([]byte(text))
	if err != nil || domestic != (unionpaypos.Totals{DebitMinor: 1234, Debits: 7, CreditMinor: 50, Credits: 1, Result: '0'}) ||
		foreign != (unionpaypos.Totals{DebitMinor: 999, Debits: 2, Result: unionpaypos.ResultDiffers}) {
		t.Errorf("%+v %+v %v", domestic, foreign, err)
	}
	if got := string(unionpaypos.AppendTotals([]byte("x"), domestic, foreign)); got != "x"+text {
		t.Errorf("built %s", got)
	}
	for _, bad := range []string{"", text[:61], text + "0", strings.Replace(text, "7", "A", 1)} {
		if _, _, err := unionpaypos.ParseTotals([]byte(bad)); !errors.Is(err, unionpaypos.ErrTotals) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	most := unionpaypos.Totals{DebitMinor: 1 << 60, Debits: 1000, Result: unionpaypos.ResultError}
	if got := string(unionpaypos.AppendTotals(nil, most, unionpaypos.Totals{})); got != "999999999999"+"999"+"000000000000"+"000"+"3"+strings.Repeat("0", 31) {
		t.Errorf("beyond the bounds: %s", got)
	}
}

func FuzzTotals(f *testing.F) {
	f.Add([]byte(strings.Repeat("1", 62)))
	f.Add([]byte("000000001234007000000000050001000000000099900200000000000000002"))
	f.Fuzz(func(t *testing.T, text []byte) {
		domestic, foreign, err := unionpaypos.ParseTotals(text)
		if err == nil && string(unionpaypos.AppendTotals(nil, domestic, foreign)) != string(text) {
			t.Errorf("%q does not come again", text)
		}
	})
}
