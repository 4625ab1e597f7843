// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/pagetest"
	"tapswitch/iso8583/lint"
)

var rewrite = flag.Bool("rewrite", false, "write docs/reference/iso-tools.md anew")

// TestPage: docs/reference/iso-tools.md lists the rules as they are.
func TestPage(t *testing.T) {
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
	pagetest.Check(t, *rewrite, "iso-tools.md", b.String(), "go test ./iso8583/lint -run TestPage -rewrite")
}
