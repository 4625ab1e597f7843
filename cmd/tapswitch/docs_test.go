// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"tapswitch/internal/pagetest"
)

var rewriteDocs = flag.Bool("rewrite-docs", false, "rewrite docs/reference/cli.md")

// TestCommandPage generates docs/reference/cli.md from every command's help.
func TestCommandPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Commands

What ` + "`tapswitch COMMAND --help`" + ` says, made by ` + "`go test ./cmd/tapswitch -run CommandPage -rewrite-docs`" + `. Exit code 0: what was asked was done; 1: it was not, and
the error says why; 2: the command line or a terminal's configuration could not be understood. Standard output has what was asked for, standard
error the log and errors.
`)
	helpOf(t, &b, nil)
	pagetest.Check(t, *rewriteDocs, "cli.md", b.String(), "go test ./cmd/tapswitch -run CommandPage -rewrite-docs")
}

// helpOf writes the help of one command and of those below it. What every cobra
// program has (help, completion) is left to its own help.
func helpOf(t *testing.T, b *strings.Builder, command []string) {
	var out, errs bytes.Buffer
	if err := run(t.Context(), append(command[:len(command):len(command)], "--help"), strings.NewReader(""), &out, &errs); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "\n## %s\n\n```\n%s```\n", strings.Join(append([]string{"tapswitch"}, command...), " "), out.String())
	_, list, ok := strings.Cut(out.String(), "Available Commands:\n")
	if !ok {
		return
	}
	list, _, _ = strings.Cut(list, "\n\n")
	for _, m := range regexp.MustCompile(`(?m)^  (\S+)`).FindAllStringSubmatch(list, -1) {
		if m[1] != "help" && m[1] != "completion" {
			helpOf(t, b, append(command[:len(command):len(command)], m[1]))
		}
	}
}
