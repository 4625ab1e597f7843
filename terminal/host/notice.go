// SPDX-License-Identifier: Apache-2.0

package host

import (
	"strings"

	"tapswitch/iso8583"
)

// notice is what an answer wants printed on the receipt: the three texts of field
// 63 (UnionPay POS: card organization 3, issuer 20, centre 20, acquirer 20). Texts
// that are no printable ASCII are left out, since nobody says which character set
// they are of.
func notice(v *iso8583.View) string {
	const organization, size, most = 3, 20, 3
	texts := v.Raw(63)
	if len(texts) < organization {
		return ""
	}
	texts = texts[organization:]
	var all []string
	for i := 0; i < most && len(texts) > 0; i++ {
		n := min(size, len(texts))
		if t := strings.TrimSpace(string(texts[:n])); t != "" && printable(t) {
			all = append(all, t)
		}
		texts = texts[n:]
	}
	return strings.Join(all, " ")
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
