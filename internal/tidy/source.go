// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
)

// checkWords: an open end belongs to an issue, not to a comment.
func checkWords(t *Tree) (all []Finding) {
	word := regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	for _, f := range t.gofile {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if w := word.FindString(c.Text); w != "" {
					all = append(all, t.at("words", f, c.Pos(), w, w+": finish it, or refuse the case by name"))
				}
			}
		}
	}
	return all
}

// world is what only the edges may touch: names by import path, "*" for all.
func world() map[string][]string {
	return map[string][]string{
		"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
		"math/rand":    {"*"},
		"math/rand/v2": {"*"},
		"crypto/rand":  {"*"},
		"os": {"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Create", "CreateTemp", "ReadFile", "WriteFile", "ReadDir", "DirFS",
			"Remove", "RemoveAll", "Rename", "Mkdir", "MkdirAll", "MkdirTemp", "Stat", "Lstat", "Truncate",
			"Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "Stdin", "Stdout", "Stderr", "Args", "Exit"},
		"os/exec": {"*"},
		"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer",
			"Listen", "ListenTCP", "ListenUDP", "ListenUnix", "ListenPacket", "ListenConfig", "LookupHost", "LookupIP", "DefaultResolver"},
		"net/http": {"ListenAndServe", "ListenAndServeTLS", "Get", "Post", "PostForm", "Head", "Handle", "HandleFunc",
			"DefaultServeMux", "DefaultClient", "DefaultTransport"},
		"log": {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Print", "Printf", "Println", "SetOutput"},
	}
}

// checkWorld: outside the edges, time, randomness, files and connections come
// by internal/env, so that a simulator can give other ones.
func checkWorld(t *Tree) (all []Finding) {
	edges := []string{"internal/env/...", "cmd/...", "terminal/...", "simulators/..."}
	banned := world()
	for _, f := range t.gofile {
		if matchesAny(edges, f.dir) || f.serveTests() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			x, name, ok := selector(n)
			if !ok {
				return true
			}
			names := banned[f.imports[x.Name]]
			if slices.Contains(names, name) || slices.Contains(names, "*") {
				what := x.Name + "." + name
				all = append(all, t.at("world", f, n.Pos(), what, what+" belongs to the edges: take it from internal/env or as an argument"))
			}
			return true
		})
	}
	return all
}

// selector takes apart x.Name where x is a plain identifier.
func selector(n ast.Node) (x *ast.Ident, name string, ok bool) {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return nil, "", false
	}
	x, ok = s.X.(*ast.Ident)
	return x, s.Sel.Name, ok
}

// checkPanic: a broken invariant goes through internal/assert, anything else is an error.
func checkPanic(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		if f.dir == "internal/assert" || f.isTest() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				all = append(all, t.at("panic", f, n.Pos(), "panic", "return an error, or assert.Fail when our own reasoning was wrong"))
			}
			return true
		})
	}
	return all
}

// checkInit: what runs before main cannot be given another world.
func checkInit(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				all = append(all, t.at("init", f, fn.Pos(), "init", "no init(): two switches run in one process; build the value where it is used"))
			}
		}
	}
	return all
}

// checkGlobals: package variables are set once, where they are declared.
func checkGlobals(t *Tree) (all []Finding) {
	dirs, files := t.packages()
	for _, dir := range dirs {
		vars := packageVars(files[dir])
		for _, f := range files[dir] {
			if f.isTest() {
				continue
			}
			for _, d := range f.ast.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					all = append(all, t.globalsChanged(f, fn, vars)...)
				}
			}
		}
	}
	return all
}

func packageVars(files []*goFile) map[string]bool {
	vars := map[string]bool{}
	for _, f := range files {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || f.isTest() {
				continue
			}
			for _, s := range g.Specs {
				for _, n := range s.(*ast.ValueSpec).Names {
					vars[n.Name] = n.Name != "_"
				}
			}
		}
	}
	return vars
}

// globalsChanged reports assignments to package variables. A name that the
// function declares anywhere is taken as local: without types that is the side
// to err on.
func (t *Tree) globalsChanged(f *goFile, fn *ast.FuncDecl, vars map[string]bool) (all []Finding) {
	local := declared(fn)
	report := func(e ast.Expr) {
		id := rootIdent(e)
		if id != nil && vars[id.Name] && !local[id.Name] {
			all = append(all, t.at("globals", f, id.Pos(), id.Name, "package variable "+id.Name+" is changed: make it a field of what owns it"))
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					report(e)
				}
			}
		case *ast.IncDecStmt:
			report(n.X)
		}
		return true
	})
	return all
}

// declared lists every name that a function declares in any of its scopes.
func declared(fn *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					markIdent(names, e)
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				markIdent(names, n.Key)
				markIdent(names, n.Value)
			}
		}
		return true
	})
	return names
}

func markIdent(names map[string]bool, e ast.Expr) {
	if id, ok := e.(*ast.Ident); ok {
		names[id.Name] = true
	}
}

// rootIdent is v of v, v.f, v[i] and *v.
func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// moneyPath are the packages that the simulated world runs step by step.
func moneyPath() []string {
	return []string{"switch/txn", "switch/flow", "switch/saf", "switch/replay", "switch/settle", "switch/number", "switch/recover",
		"switch/journal/segment", "switch/link"}
}

// checkMoneyPath: the money path waits by env.Wait and env.Wake alone. The
// goroutines of a link live in its run.go.
func checkMoneyPath(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		if !matchesAny(moneyPath(), f.dir) || f.isTest() || f.path == "switch/link/run.go" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if what := concurrency(n); what != "" {
				all = append(all, t.at("money-path", f, n.Pos(), what, what+" in the money path: wait by env.Wait and env.Wake, start goroutines in node or link/run.go"))
			}
			return true
		})
	}
	return all
}

func concurrency(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement"
	case *ast.SelectStmt:
		return "select"
	case *ast.ChanType:
		return "channel type"
	case *ast.SendStmt:
		return "channel send"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "channel receive"
		}
	}
	return ""
}

// checkFloats: money is counted in minor units.
func checkFloats(t *Tree) (all []Finding) {
	exact := []string{"internal/money", "switch/txn", "switch/flow", "switch/record", "switch/ledger", "switch/settle"}
	for _, f := range t.gofile {
		if !matchesAny(exact, f.dir) || f.isTest() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "float32" || n.Name == "float64" {
					what = n.Name
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					what = n.Value
				}
			}
			if what != "" {
				all = append(all, t.at("float", f, n.Pos(), what, "no floating point where money is counted"))
			}
			return true
		})
	}
	return all
}

// checkSkip: what a test needs is provided by make test; it is never skipped.
func checkSkip(t *Tree) (all []Finding) {
	for _, f := range t.gofile {
		if !f.serveTests() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			x, name, ok := selector(n)
			if ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name) {
				all = append(all, t.at("skip", f, n.Pos(), name, "a test is never skipped: let .ci/setup provide what it needs"))
			}
			return true
		})
	}
	return all
}
