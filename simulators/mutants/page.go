// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// page has the list of mutants between two lines.
const (
	page      = "docs/TESTING.md"
	pageBegin = "<!-- mutants: written by make mutants ARGS=-rewrite -->"
	pageEnd   = "<!-- end of mutants -->"
)

// table is the list as the page has it.
func table(all []mutant, results []found) string {
	var b strings.Builder
	b.WriteString("| mutant | what it breaks | found by | promise, and what was said |\n|---|---|---|---|\n")
	for i, m := range all {
		by := m.finder.String()
		if results[i].seed != "" {
			by = "world, seed " + results[i].seed
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s: %s |\n", m.name, cell(m.what), cell(by), results[i].promise, cell(short(results[i].text)))
	}
	return b.String()
}

// short is the beginning of a long text.
func short(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return text[:strings.LastIndexByte(text[:most], ' ')] + " …"
}

// cell is a text that fits into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// readPage gives the page, and the list in it.
func readPage(root string) (before, list, after string, err error) {
	b, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return "", "", "", err
	}
	before, rest, ok := strings.Cut(string(b), pageBegin+"\n")
	list, after, done := strings.Cut(rest, pageEnd)
	if !ok || !done {
		return "", "", "", fmt.Errorf("%s has no place for the mutants: the lines %q and %q", page, pageBegin, pageEnd)
	}
	return before, list, after, nil
}

// rewritePage puts a new list into the page.
func rewritePage(root, list string) error {
	before, _, after, err := readPage(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, page), []byte(before+pageBegin+"\n"+list+pageEnd+after), 0o644)
}
