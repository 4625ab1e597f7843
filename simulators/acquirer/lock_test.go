// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestBooksAreFreeBesideAFork: books that were closed can be opened again, although
// a copy of their file is open still: a child process has one from its fork to its
// exec. So can books that could not be read, once they are mended.
func TestBooksAreFreeBesideAFork(t *testing.T) {
	name := filepath.Join(t.TempDir(), "books.jsonl")
	had, err := openBooks(name)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(had.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if _, err := openBooks(name); err == nil {
		t.Fatal("two hosts on one file")
	}
	if err := had.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("no entry\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the first has let go
		if _, err := openBooks(name); err == nil || err.Error() != "acquirer: books "+name+": line 1 is no entry of this version; move the file away to start anew" {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(name, 0); err != nil {
		t.Fatal(err)
	}
	again, err := openBooks(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}
