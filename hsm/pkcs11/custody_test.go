// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCustodyPage: the page for people shows the list of the program.
func TestCustodyPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/hsm-functions.md")
	if err != nil {
		t.Fatal(err)
	}
	word := map[bool]string{true: "yes", false: "no"}
	for _, c := range Custodies() {
		row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", c.Function, c.Mechanisms, word[c.KeyLeaves], word[c.PINLeaves], c.Remark)
		if strings.Count(string(page), row) != 1 {
			t.Errorf("the page has not this row once: %s", row)
		}
	}
}
