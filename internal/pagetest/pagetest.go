// SPDX-License-Identifier: Apache-2.0

// Package pagetest holds a page of docs/reference to what the code says.
//
// Promise: a page that differs from what a test makes of the code fails that test,
// which says how to write it anew.
//
// How: Check compares, and writes the page first when it is told to. It is called
// from a package two folders deep, as all are that have a page.
//
// Imported by: tests. Imports: the standard library.
package pagetest

import (
	"os"
	"path/filepath"
	"testing"
)

// Check fails t unless docs/reference/name is page; with rewrite it makes it so.
// Again is the command that does.
func Check(t testing.TB, rewrite bool, name, page, again string) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", "reference", name)
	if rewrite {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("docs/reference/%s is out of date: %s, and read the diff", name, again)
	}
}
