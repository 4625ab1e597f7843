// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
)

// The lengths a reader can hold. In a test, lines inside composite literals
// (the table of cases) do not count as lines of the function.
const (
	maxFunctionLines = 60
	maxFileLines     = 500
	maxTestFileLines = 800
)

const licenceLine = "// SPDX-License-Identifier: Apache-2.0"

func checkLicenceLine(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		if first, _, _ := strings.Cut(f.source, "\n"); first != licenceLine {
			all = append(all, Finding{Rule: "licence", Path: f.path, Line: 1, Text: "the first line must be " + licenceLine})
		}
	}
	return all
}

// checkPackageComments asks every package for its four paragraphs.
func checkPackageComments(t *Tree) (all []Finding) {
	dirs, files := t.packages()
	for _, dir := range dirs {
		doc, at, name := "", dir, ""
		for _, f := range files[dir] {
			if f.isTest() {
				continue
			}
			name = f.ast.Name.Name // a test may be in the package besides, NAME_test
			if f.ast.Doc != nil {
				doc, at = doc+f.ast.Doc.Text(), f.path
			}
		}
		if name == "" {
			continue
		}
		for _, missing := range missingParagraphs(doc, name) {
			all = append(all, Finding{Rule: "package-comment", Path: at, Line: 1, Name: missing,
				Text: "the package comment lacks its paragraph " + missing})
		}
	}
	return all
}

func missingParagraphs(doc, name string) (missing []string) {
	starts := map[string]bool{}
	for _, p := range strings.Split(doc, "\n\n") {
		p = strings.TrimSpace(p)
		for _, want := range []string{"Package ", "Command ", "Promise:", "How:", "Imported by:", "Imports:"} {
			if strings.HasPrefix(p, want) {
				starts[want] = true
			}
		}
	}
	if !starts["Package "] && !(name == "main" && starts["Command "]) {
		missing = append(missing, "what it is (\"Package …\")")
	}
	if !starts["Promise:"] {
		missing = append(missing, "\"Promise:\"")
	}
	if !starts["How:"] {
		missing = append(missing, "\"How:\"")
	}
	if !starts["Imported by:"] && !starts["Imports:"] {
		missing = append(missing, "\"Imported by:\"")
	}
	return missing
}

// checkExported asks for a comment on every exported name.
func checkExported(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		if f.isTest() {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, id := range undocumented(d) {
				all = append(all, Finding{Rule: "documented", Path: f.path, Line: t.line(id.Pos()), Name: id.Name,
					Text: "exported " + id.Name + " has no comment"})
			}
		}
	}
	return all
}

func undocumented(d ast.Decl) (ids []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			ids = append(ids, undocumentedSpec(d, s)...)
		}
	}
	return ids
}

// undocumentedSpec: a group's comment covers its constants and variables, and
// those of its types that it names.
func undocumentedSpec(d *ast.GenDecl, s ast.Spec) (ids []*ast.Ident) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (d.Doc == nil || d.Lparen.IsValid() && !strings.Contains(d.Doc.Text(), s.Name.Name)) {
			ids = append(ids, s.Name)
		}
	case *ast.ValueSpec:
		if d.Doc != nil || s.Doc != nil || s.Comment != nil {
			return nil
		}
		for _, n := range s.Names {
			if n.IsExported() {
				ids = append(ids, n)
			}
		}
	}
	return ids
}

// receiver is the name of a method's type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// checkLengths measures functions and files.
func checkLengths(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		limit := maxFileLines
		if f.isTest() {
			limit = maxTestFileLines
		}
		if n := strings.Count(f.source, "\n"); n > limit {
			all = append(all, Finding{Rule: "length", Path: f.path, Line: limit, Text: fmt.Sprintf("%d lines, at most %d: split it where a reader would pause", n, limit)})
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if n := t.functionLines(f, fn); n > maxFunctionLines {
				all = append(all, Finding{Rule: "length", Path: f.path, Line: t.line(fn.Pos()), Name: fn.Name.Name,
					Text: fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, n, maxFunctionLines)})
			}
		}
	}
	return all
}

func (t *Tree) functionLines(f *goFile, fn *ast.FuncDecl) int {
	n := t.span(fn)
	if !f.isTest() {
		return n
	}
	ast.Inspect(fn.Body, func(node ast.Node) bool {
		switch node.(type) {
		case *ast.CompositeLit, *ast.BasicLit: // a table of cases, a text of several lines
			n -= t.span(node) - 1
			return false
		}
		return true
	})
	return n
}

func (t *Tree) span(n ast.Node) int { return t.line(n.End()-1) - t.line(n.Pos()) + 1 }

// checkTestsPresent: a package with code has a test. A package of declarations
// alone (a contract) is tested where it is implemented.
func checkTestsPresent(t *Tree) (all []Finding) {
	tested := []string{"switch/...", "hsm/...", "iso8583/...", "terminal/...", "simulators/..."}
	dirs, files := t.packages()
	for _, dir := range dirs {
		if !matchesAny(tested, dir) || strings.HasSuffix(dir, "test") {
			continue
		}
		code := slices.ContainsFunc(files[dir], func(f *goFile) bool { return !f.isTest() && hasBody(f) })
		tests := slices.ContainsFunc(files[dir], (*goFile).isTest)
		if code && !tests {
			all = append(all, Finding{Rule: "tested", Path: dir, Text: "the package has code and no _test.go"})
		}
	}
	return all
}

func hasBody(f *goFile) bool {
	return slices.ContainsFunc(f.ast.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Body != nil
	})
}

// checkSwitchFolder: switch is a keyword, so its folder is a map and nothing else.
func checkSwitchFolder(t *Tree) (all []Finding) {
	if !t.exists["switch"] {
		return nil
	}
	if !t.exists["switch/README.md"] {
		all = append(all, Finding{Rule: "switch-folder", Path: "switch", Text: "README.md, the map of the rooms, is missing"})
	}
	for _, f := range t.gofile {
		if f.dir == "switch" {
			all = append(all, Finding{Rule: "switch-folder", Path: f.path, Text: "switch is a keyword: the folder has no Go file of its own"})
		}
	}
	for _, dir := range roomsOf(t) {
		if !strings.Contains(t.text["switch/README.md"], "`"+path.Base(dir)+"`") {
			all = append(all, Finding{Rule: "switch-folder", Path: "switch/README.md", Name: dir, Text: "the map does not name the room `" + path.Base(dir) + "`"})
		}
	}
	return all
}

func roomsOf(t *Tree) (dirs []string) {
	all, _ := t.packages()
	for _, dir := range all {
		if path.Dir(dir) == "switch" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// at shortens the making of a finding about a place in a file.
func (t *Tree) at(rule string, f *goFile, p token.Pos, name, text string) Finding {
	return Finding{Rule: rule, Path: f.path, Line: t.line(p), Name: name, Text: text}
}
