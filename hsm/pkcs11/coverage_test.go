// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tapswitch/hsm/hsmtest"
)

var (
	quoted  = regexp.MustCompile("`([^`]+)`")
	testsOf = regexp.MustCompile(`\[(hsm/\w+)\]\(\.\./\.\./(hsm/\w+)\): (Test\w+(?:, Test\w+)*)`)
	method  = regexp.MustCompile(`^[A-Z]\w+$`)
)

// rows are the rows of a section's table, without its head and its titles.
func rows(t *testing.T, page, section string, cells int) (out [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(page, "\n## "+section+"\n")
	if !ok {
		t.Fatalf("no section %s", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| **") {
			continue
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(row) != cells {
			t.Fatalf("%d cells, want %d: %s", len(row), cells, line)
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		out = append(out, row)
	}
	if len(out) < 20 {
		t.Fatalf("only %d rows in %s", len(out), section)
	}
	return out[1:] // the head
}

// shown counts the tests that a cell names, each of which must be there, and
// notes those of the suite in seen.
func shown(t *testing.T, cell string, seen map[string]bool) (n int) {
	t.Helper()
	suite := hsmtest.Names()
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		if !slices.Contains(suite, m[1]) {
			t.Errorf("the suite has no test %q", m[1])
		}
		seen[m[1]] = true
		n++
	}
	for _, m := range testsOf.FindAllStringSubmatch(cell, -1) {
		files, err := filepath.Glob("../../" + m[1] + "/*_test.go")
		if err != nil || m[1] != m[2] {
			t.Errorf("%s: %v", m[0], err)
		}
		var source bytes.Buffer
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
		for _, name := range strings.Split(m[3], ", ") {
			if !strings.Contains(source.String(), "\nfunc "+name+"(t *testing.T) {") {
				t.Errorf("%s has no %s", m[1], name)
			}
			n++
		}
	}
	return n
}

// leaves says what the list of custody has outside the module for a function, by
// its name or by the words of the list.
func leaves(name string) (key, pin bool) {
	for _, c := range Custodies() {
		words := regexp.MustCompile(`\w+`).FindAllString(c.Function, -1)
		if slices.Contains(words, name) || slices.Contains(words, strings.TrimPrefix(name, "Verify")) || strings.Contains(name, " ") && strings.Contains(c.Function, name) {
			key, pin = key || c.KeyLeaves, pin || c.PINLeaves
		}
	}
	return key, pin
}

// TestCoveragePage: the page says of every function what there is, where keys and
// PINs are, and what shows it, and of every trap which test holds it.
func TestCoveragePage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/reference/hsm-coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	page, module := string(raw), reflect.TypeFor[hsmtest.Module]()
	named, seen := make(map[string]bool), make(map[string]bool)
	for _, row := range rows(t, page, "Functions", 4) {
		var key, pin, any bool
		for _, m := range quoted.FindAllStringSubmatch(row[1], -1) {
			if !method.MatchString(m[1]) {
				continue // a package
			}
			if _, ok := module.MethodByName(m[1]); !ok {
				t.Errorf("%s: no driver has %s", row[0], m[1])
			}
			named[m[1]], any = true, true
			k, p := leaves(m[1])
			key, pin = key || k, pin || p
		}
		if strings.Contains(row[1], "block under DUKPT") {
			k, p := leaves("functions, block under DUKPT")
			key, pin, any = key || k, pin || p, true
		}
		if any && (strings.Contains(row[2], "key") != key || strings.Contains(row[2], "PIN") != pin || (row[2] == "none") != (!key && !pin)) {
			t.Errorf("%s: outside is %q; by the list of custody key %v, PIN %v", row[0], row[2], key, pin)
		}
		if n := shown(t, row[3], seen); n == 0 && !strings.Contains(row[1], "not yet: ") && !strings.HasPrefix(row[1], "see ") {
			t.Errorf("%s: nothing shows it, and no reason why it is not yet there", row[0])
		}
	}
	for i := range module.NumMethod() {
		if name := module.Method(i).Name; !named[name] {
			t.Errorf("the page does not name %s", name)
		}
	}
	clear(seen)
	for _, row := range rows(t, page, "Traps", 2) {
		if shown(t, row[1], seen) == 0 {
			t.Errorf("no test holds %q", row[0])
		}
	}
	for _, name := range hsmtest.Names() {
		if strings.HasPrefix(name, "trap/") && !seen[name] {
			t.Errorf("the page does not name the trap %q", name)
		}
	}
}
