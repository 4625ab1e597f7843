// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// matches tells whether a pattern of the table covers a package folder.
func matches(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == base || strings.HasPrefix(dir, base+"/")
	}
	return dir == pattern
}

func matchesAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, dir) })
}

func rowOf(dir string) (Row, bool) {
	for _, r := range Table() {
		if matches(r.Packages, dir) {
			return r, true
		}
	}
	return Row{}, false
}

// ours returns the folder of an import of this module.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// foreign tells whether an import is neither ours nor the standard library's,
// whose paths have no dot in their first element.
func foreign(importPath string) bool {
	if _, mine := ours(importPath); mine {
		return false
	}
	first, _, _ := strings.Cut(importPath, "/")
	return importPath == "C" || strings.Contains(first, ".")
}

// checkImports holds every import of this module against the table.
func checkImports(t *Tree) (all []Finding) {
	dirs, files := t.packages()
	for _, dir := range dirs {
		row, ok := rowOf(dir)
		if !ok {
			all = append(all, Finding{Rule: "imports", Path: dir, Text: "no row in the import table: give the package its place in internal/tidy/table.go"})
			continue
		}
		for _, f := range files[dir] {
			all = append(all, t.importsAgainst(f, row)...)
		}
	}
	return all
}

func (t *Tree) importsAgainst(f *goFile, row Row) (all []Finding) {
	may := row.May
	if f.serveTests() {
		may = slices.Concat(may, row.Tests)
	}
	for _, s := range f.ast.Imports {
		dir, mine := ours(importPath(s))
		if !mine || dir == f.dir || matchesAny(may, dir) {
			continue
		}
		all = append(all, Finding{Rule: "imports", Path: f.path, Line: t.line(s.Pos()), Name: dir,
			Text: fmt.Sprintf("%s may not import %s (row %q of internal/tidy/table.go): declare the interface you need on this side", f.dir, dir, row.Packages)})
	}
	return all
}

// checkThirdParty holds every import of others' modules against ForeignTable.
func checkThirdParty(t *Tree) (all []Finding) {
	table := ForeignTable()
	for _, f := range t.gofile {
		for _, s := range f.ast.Imports {
			p := importPath(s)
			if !foreign(p) {
				continue
			}
			i := slices.IndexFunc(table, func(r Foreign) bool { return matches(r.Module+"/...", p) })
			at := Finding{Rule: "third-party", Path: f.path, Line: t.line(s.Pos()), Name: p}
			switch {
			case i < 0:
				at.Text = p + " is not in the table of others' modules (internal/tidy/table.go)"
			case matchesAny(table[i].By, f.dir), f.serveTests() && matchesAny(table[i].Tests, f.dir):
				continue
			default:
				at.Text = fmt.Sprintf("%s may not import %s: only %v do", f.dir, p, table[i].By)
			}
			all = append(all, at)
		}
	}
	return all
}

// checkMoovName keeps the name iso8583 for our own package.
func checkMoovName(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		for _, s := range f.ast.Imports {
			if importPath(s) == "github.com/moov-io/iso8583" && localName(s) != "moov" {
				all = append(all, Finding{Rule: "moov-name", Path: f.path, Line: t.line(s.Pos()), Text: "import this package as moov: iso8583 is our own"})
			}
		}
	}
	return all
}
