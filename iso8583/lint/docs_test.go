// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"tapswitch/iso8583/lint"
)

var rewrite = flag.Bool("rewrite", false, "write docs/reference/iso-tools.md anew")

// TestPage: docs/reference/iso-tools.md lists the rules as they are.
func TestPage(t *testing.T) {
	const page = "../../docs/reference/iso-tools.md"
	var b strings.Builder
	b.WriteString(`# ISO 8583 tools: the rules of lint

What ` + "`tapswitch iso lint`" + ` checks, made by ` + "`go test ./iso8583/lint -run TestPage -rewrite`" + `. The commands themselves are in
[cli.md](cli.md), the dialects in [docs/dialects](../dialects/README.md).

An error is refused by the hosts we know of, a warning by some. A rule asks for a field only where the dialect has it.

| rule | severity | what holds | what to do |
|---|---|---|---|
`)
	for _, r := range lint.Rules() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Code, r.Severity, r.Title, strings.ReplaceAll(r.Fix, "|", "\\|"))
	}
	if *rewrite {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Error("docs/reference/iso-tools.md is out of date: go test ./iso8583/lint -run TestPage -rewrite")
	}
}
