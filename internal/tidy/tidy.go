// SPDX-License-Identifier: Apache-2.0

// Package tidy is the house style as tests about the tree: who may import
// whom, how long a function may be, which names are kept to the edges.
//
// Promise: what the style promises and a parser can see is checked at every
// `make test`; an exception has a name and a reason, and one that is no longer
// needed is a finding too.
//
// How: Load parses a tree (an fs.FS, so that the rules themselves are tested on
// small bad trees in memory) and Check runs every rule over it. The import
// table is data in table.go, the named exceptions are data in exceptions.go.
// Only the parser is used, no type checker: a rule that would need types is
// left to vet and staticcheck.
//
// Imported by: nobody, its own test runs it. Imports: the standard library.
package tidy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// module is the name in go.mod; import paths under it are ours.
const module = "tapswitch"

// Finding is one place where the tree breaks a rule.
type Finding struct {
	Rule string // the rule's short name, as exceptions name it
	Path string // slash-separated, relative to the root
	Line int    // 0 when the finding is about the whole file or folder
	Name string // function, import or link the finding is about; may be empty
	Text string // what is wrong and what to do
}

// String is the finding as an editor can jump to it.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Text)
}

// Tree is a parsed source tree.
type Tree struct {
	set    *token.FileSet
	gofile []*goFile         // in path order
	text   map[string]string // every other file that people read: .md, Makefile, scripts
	exists map[string]bool   // every file and folder
}

// goFile is one parsed .go file with what the rules ask of it.
type goFile struct {
	path    string
	dir     string // the package's folder, "." for the root
	source  string
	ast     *ast.File
	imports map[string]string // local name → import path
}

// isTest tells whether the file is compiled into tests only.
func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// serveTests tells whether the whole package exists for tests, as hsmtest does.
func (f *goFile) serveTests() bool {
	return f.isTest() || strings.HasSuffix(f.dir, "test")
}

// Load reads and parses the tree. Folders that begin with a dot, bin and
// testdata hold no source of ours; of testdata only the existence is noted.
func Load(root fs.FS) (*Tree, error) {
	t := &Tree{set: token.NewFileSet(), text: map[string]string{}, exists: map[string]bool{}}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		t.exists[name] = true
		if d.IsDir() {
			return descend(name)
		}
		return t.add(root, name)
	})
	if err != nil {
		return nil, err
	}
	sort.Slice(t.gofile, func(i, j int) bool { return t.gofile[i].path < t.gofile[j].path })
	return t, nil
}

// descend says which folders the walk enters.
func descend(name string) error {
	base := path.Base(name)
	switch {
	case name == ".", base == ".ci", base == ".github":
		return nil
	case strings.HasPrefix(base, "."), name == "bin", base == "testdata":
		return fs.SkipDir
	}
	return nil
}

func (t *Tree) add(root fs.FS, name string) error {
	isGo := path.Ext(name) == ".go"
	if !isGo && !isProse(name) {
		return nil
	}
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	if !isGo {
		t.text[name] = string(b)
		return nil
	}
	parsed, err := parser.ParseFile(t.set, name, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("tidy: %s does not parse: %w", name, err)
	}
	f := &goFile{path: name, dir: path.Dir(name), source: string(b), ast: parsed, imports: map[string]string{}}
	for _, s := range parsed.Imports {
		f.imports[localName(s)] = importPath(s)
	}
	t.gofile = append(t.gofile, f)
	return nil
}

// isProse tells which files besides Go source people read and rules look into.
func isProse(name string) bool {
	return path.Ext(name) == ".md" || name == "Makefile" || path.Base(name) == "go.mod" || path.Dir(name) == ".ci"
}

func importPath(s *ast.ImportSpec) string { return strings.Trim(s.Path.Value, "`\"") }

// localName is the name an import has in its file; without a type checker the
// last element that is not a version stands for the package's name.
func localName(s *ast.ImportSpec) string {
	if s.Name != nil {
		return s.Name.Name
	}
	p := importPath(s)
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return base
}

func (t *Tree) line(p token.Pos) int { return t.set.Position(p).Line }

// packages groups the files by folder, folders in order.
func (t *Tree) packages() (dirs []string, files map[string][]*goFile) {
	files = map[string][]*goFile{}
	for _, f := range t.gofile {
		if files[f.dir] == nil {
			dirs = append(dirs, f.dir)
		}
		files[f.dir] = append(files[f.dir], f)
	}
	return dirs, files
}

// Check runs every rule over the tree and takes out what the exceptions name.
func Check(t *Tree, except []Exception) []Finding {
	var all []Finding
	for _, r := range rules() {
		all = append(all, r.check(t)...)
	}
	all = apply(all, except)
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].Path != all[j].Path {
			return all[i].Path < all[j].Path
		}
		return all[i].Line < all[j].Line
	})
	return all
}

// rule is one check under the name that its findings and exceptions carry.
type rule struct {
	name  string
	check func(*Tree) []Finding
}

// rules lists every rule; one that is not here does not run.
func rules() []rule {
	return []rule{
		// who knows whom
		{"imports", checkImports}, {"third-party", checkThirdParty}, {"moov-name", checkMoovName}, {"dependencies", checkDependencies},
		// shape
		{"licence", checkLicenceLine}, {"package-comment", checkPackageComments}, {"documented", checkExported},
		{"length", checkLengths}, {"tested", checkTestsPresent}, {"switch-folder", checkSwitchFolder},
		// what code may say
		{"words", checkWords}, {"world", checkWorld}, {"panic", checkPanic}, {"init", checkInit}, {"globals", checkGlobals},
		{"money-path", checkMoneyPath}, {"float", checkFloats}, {"skip", checkSkip},
		// what stands beside it
		{"testdata", checkTestdata}, {"links", checkLinks}, {"machine-path", checkMachinePaths},
	}
}
