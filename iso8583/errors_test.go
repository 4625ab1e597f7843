// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every reason there is stands in the table of docs/dialects/README.md, and no
// other.
func TestReasonsPage(t *testing.T) {
	code, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/dialects/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| reason | meaning | what to do |")
	table, _, _ = strings.Cut(table, "\n\n")
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason\w+ += "(\w+)"`).FindAllStringSubmatch(string(code), -1) {
		known[m[1]] = true
		if !strings.Contains(table, "`"+m[1]+"`") {
			t.Errorf("%s is not in the table", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(table, -1) {
		if !known[m[1]] {
			t.Errorf("%s is in the table and no reason", m[1])
		}
	}
	if len(known) < 25 {
		t.Errorf("%d reasons found", len(known))
	}
}
