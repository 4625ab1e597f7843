// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// mutants loads all that there are.
func mutants(t *testing.T) []mutant {
	t.Helper()
	all, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// There are as many as the checker is to be checked with, none in a test or a
// simulator: those are the checker.
func TestMutantsAreOfProductCode(t *testing.T) {
	const least = 20
	all := mutants(t)
	if len(all) < least {
		t.Errorf("%d mutants, want %d or more", len(all), least)
	}
	for _, m := range all {
		for _, f := range m.files {
			if !strings.HasPrefix(f.path, "switch/") || strings.HasSuffix(f.path, "_test.go") {
				t.Errorf("%s changes %s: a mutant changes the switch and nothing else", m.name, f.path)
			}
		}
	}
}

// Every patch applies to the code as it is, and what it makes compiles. Whether
// it is found, make mutants tells.
func TestMutantsApplyAndBuild(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	fit := mutants(t)
	fit = slices.DeleteFunc(fit, func(m mutant) bool {
		_, err := overlay(abs, t.TempDir(), m)
		if err != nil {
			t.Error(err)
		}
		return err != nil
	})
	for _, share := range together(fit) {
		if builds(t, abs, share...) == nil {
			continue
		}
		for _, m := range share { // which one is it?
			if err := builds(t, abs, m); err != nil {
				t.Error(err)
			}
		}
	}
}

func builds(t *testing.T, root string, some ...mutant) error {
	t.Helper()
	over, err := overlay(root, t.TempDir(), some...)
	if err != nil {
		t.Fatal(err)
	}
	return goBuild(context.Background(), root, some[0].name, append([]string{"-overlay", over}, packages(some)...)...)
}

// The page lists the mutants that there are, each with who found it.
func TestMutantsAreOnThePage(t *testing.T) {
	_, list, _, err := readPage(root)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(list), "\n")
	all := mutants(t)
	if len(rows) != len(all)+2 {
		t.Fatalf("%s has %d mutants, the folder %d: make mutants ARGS=-rewrite", page, len(rows)-2, len(all))
	}
	for i, m := range all {
		cells := strings.Split(rows[i+2], " | ")
		if want := []string{fmt.Sprintf("| `%s`", m.name), cell(m.what)}; len(cells) < 4 || !slices.Equal(cells[:2], want) || cells[2] == "" {
			t.Errorf("%s says %q, want %q and who found it: make mutants ARGS=-rewrite", page, rows[i+2], want)
		}
	}
}

const small = `Drops the second line.

--- a/switch/x/x.go
+++ b/switch/x/x.go
@@ -2,3 +2,2 @@ func x
 one

-two
`

// A patch finds its lines wherever they are, and says so when they are not, or
// are there twice.
func TestPatchApplies(t *testing.T) {
	m, err := parseMutant("small", small)
	if err != nil || m.what != "Drops the second line." || len(m.files) != 1 || m.files[0].path != "switch/x/x.go" || m.finder.String() != world().String() {
		t.Fatalf("%+v %v", m, err)
	}
	for _, c := range []struct{ text, want, err string }{
		{"zero\none\n\ntwo\nthree\n", "zero\none\n\nthree\n", ""},
		{"more\nlines\nabove\nzero\none\n\ntwo\n", "more\nlines\nabove\nzero\none\n\n", ""},
		{"zero\none\n\n2\n", "", "not in the file any more"},
		{"one\n\ntwo\none\n\ntwo\n", "", "2 times"},
	} {
		got, err := m.files[0].apply(c.text)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q %v", c.text, got, err)
		}
	}
}

// What is no mutant is refused by its name.
func TestPatchIsRefused(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "no text before the diff"},
		{"text\n", "no diff"},
		{"text\n--- a/x\n+++ b/y\n", "of the same file"},
		{"text\n--- /dev/null\n+++ b/y\n", "of the same file"},
		{"text\n--- a/x\n+++ b/x\n", "no hunk"},
		{"text\n--- a/x\n+++ b/x\n@@ x @@\n", "no head"},
		{"text\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n", "ends too early"},
		{"text\n--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n a\n?b\n", "no line of a hunk"},
		{"text\nFinder: luck\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "not built"},
	} {
		if _, err := parseMutant("odd", c.text); err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%q: %v, want %q", c.text, err, c.err)
		}
	}
}

// A finder's word is believed when it names a broken promise, and exits with 1.
func TestVerdict(t *testing.T) {
	const said = "seed 4: ab: 30 payments\n\nseed 4 breaks a promise:\n  promise 2: 2 effective debits [terminal 1 batch 1 trace 2]\n\nterminal 1\n"
	for _, c := range []struct {
		name, script string
		want         found
		lives        bool
	}{
		{"kept", "exit 0", found{}, true},
		{"broken", "printf '" + said + "'; exit 1", found{promise: "2", text: "2 effective debits", seed: "4"}, false},
		{"a finding", "printf 'seed 4 breaks a promise:\n  not drained\n'; exit 1", found{promise: "-", text: "not drained", seed: "4"}, false},
		{"crash test", "echo 'broken: promise 4: nothing'; exit 1", found{promise: "4", text: "nothing"}, false},
		{"another fault", "echo promises, promises; exit 1", found{}, true},
		{"another code", "printf '" + said + "'; exit 2", found{}, true},
	} {
		program := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		got, err := world().hunt(context.Background(), program)
		got.took = 0
		if got != c.want || (err != nil) != c.lives {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
	}
}

// Mutants of one file are never in one build.
func TestSharesTouchDifferentFiles(t *testing.T) {
	of := func(name string, paths ...string) mutant {
		m := mutant{name: name}
		for _, p := range paths {
			m.files = append(m.files, filePatch{path: p})
		}
		return m
	}
	var got []string
	for _, share := range together([]mutant{of("a", "x"), of("b", "x", "y"), of("c", "y"), of("d", "z")}) {
		names := ""
		for _, m := range share {
			names += m.name
		}
		got = append(got, names)
	}
	if want := []string{"acd", "b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
