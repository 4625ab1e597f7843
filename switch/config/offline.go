// SPDX-License-Identifier: Apache-2.0

package config

import "fmt"

// Offline bounds the offline sales of a terminal. Amounts are minor units.
type Offline struct {
	Amount int64 `key:"max_amount_minor" min:"0" max:"999999999999" help:"of one sale; 0: no bound"`
	Count  int   `key:"max_count" min:"0" max:"999" help:"sales of one batch; 0: no bound"`
	Sum    int64 `key:"max_sum_minor" min:"0" max:"999999999999" help:"of one batch; 0: no bound"`
}

// offline refuses bounds that contradict each other.
func (d *decoder) offline(c *Config) {
	for i, t := range c.Terminals {
		at := fmt.Sprintf("terminals[%d].offline", i)
		sum, amount := at+".max_sum_minor", at+".max_amount_minor"
		if d.sound(sum, amount) && t.Offline.Sum > 0 && t.Offline.Amount > t.Offline.Sum {
			d.contradiction(amount, fmt.Sprintf("terminal %q: max_amount_minor (%d) is more than max_sum_minor (%d)", t.ID, t.Offline.Amount, t.Offline.Sum),
				"one sale alone would break the sum of its batch", "lower the one or raise the other")
		}
	}
}
