// SPDX-License-Identifier: Apache-2.0

package tidy_test

import (
	"os"
	"path/filepath"
	"testing"

	"tapswitch/internal/tidy"
)

// TestTheTree runs every rule over this repository.
func TestTheTree(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the root of the tree is not where this test expects it: %v", err)
	}
	tree, err := tidy.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tidy.Check(tree, tidy.Exceptions()) {
		t.Error(f)
	}
}
