// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/pagetest"
	"tapswitch/switch/txn"
)

var rewrite = flag.Bool("rewrite", false, "write docs/reference/response-codes.md anew")

// codeOf is the response code of a no in a dialect's answer to a request.
func codeOf(dialect string, c txn.Code) (string, bool) {
	t := tableOf(dialect)
	if t.codes == nil { // its codes are those of 1987
		return c.String(), true
	}
	return t.codeHere(c[:], 0x0210)
}

// TestResponseCodesPage generates the page from the reasons and the tables.
func TestResponseCodesPage(t *testing.T) {
	heads := map[string][]string{} // dialects by how they write the codes of all reasons
	var order []string
	for _, d := range Dialects() {
		var all []string
		for _, r := range txn.Reasons() {
			code, known := codeOf(d, r.Code)
			if !known {
				t.Errorf("%s: reason %s has code %s, which has no line in the dialect's table", d, r.Reason, r.Code)
			}
			all = append(all, code)
		}
		key := strings.Join(all, " ")
		if heads[key] == nil {
			order = append(order, key)
		}
		heads[key] = append(heads[key], d)
	}
	var b strings.Builder
	b.WriteString(`# Response codes of the reasons

What a message of each dialect has in field 39 for a [reason](reasons.md) of the switch. A no that an acquirer gave is translated by the
same tables ([translation](../dialects/translation.md)). Made from ` + "`txn.Reasons()`" + ` and the tables of ` + "`switch/translate`" + ` by
` + "`go test ./switch/translate -run Page -rewrite`" + `.

| reason |`)
	for _, key := range order {
		fmt.Fprintf(&b, " %s |", strings.Join(heads[key], ", "))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(order)) + "\n")
	for i, r := range txn.Reasons() {
		fmt.Fprintf(&b, "| `%s` |", r.Reason)
		for _, key := range order {
			fmt.Fprintf(&b, " %s |", strings.Fields(key)[i])
		}
		b.WriteString("\n")
	}
	pagetest.Check(t, *rewrite, "response-codes.md", b.String(), "go test ./switch/translate -run Page -rewrite")
}
