// SPDX-License-Identifier: Apache-2.0

package main

import "tapswitch/iso8583"

// fieldsOf are the numbers of the fields a dialect has.
func fieldsOf(l *iso8583.Layout) (all []int) {
	for n := 2; n <= iso8583.MaxField; n++ {
		if l.Defines(n) {
			all = append(all, n)
		}
	}
	return all
}
