// SPDX-License-Identifier: Apache-2.0

package money

import "testing"

func TestString(t *testing.T) {
	for _, c := range []struct {
		a    Amount
		want string
	}{
		{Amount{1234, CNY}, "12.34 CNY"},
		{Amount{5, EUR}, "0.05 EUR"},
		{Amount{-105, USD}, "-1.05 USD"},
		{Amount{500, JPY}, "500 JPY"},
		{Amount{1234, KWD}, "1.234 KWD"},
		{Amount{100, 36}, "1.00 036"},
	} {
		if got := c.a.String(); got != c.want {
			t.Errorf("%d/%d prints %q, want %q", c.a.Minor, c.a.Currency, got, c.want)
		}
	}
}

func TestAddRefusesMixAndOverflow(t *testing.T) {
	if _, err := (Amount{1, CNY}).Add(Amount{1, USD}); err != ErrCurrency {
		t.Errorf("mixed currencies: %v", err)
	}
	if _, err := (Amount{Max, CNY}).Add(Amount{1, CNY}); err != ErrRange {
		t.Errorf("overflow: %v", err)
	}
	sum, err := Amount{1, CNY}.Add(Amount{2, CNY})
	if err != nil || sum != (Amount{3, CNY}) {
		t.Errorf("1+2 = %v, %v", sum, err)
	}
}
