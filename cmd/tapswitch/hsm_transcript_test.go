// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTranscriptIsFreeBesideAFork: a ceremony that was interrupted can be gone on
// with, although a copy of its transcript's file is open still: a child process has
// one from its fork to its exec. A ceremony that is being held keeps others out.
func TestTranscriptIsFreeBesideAFork(t *testing.T) {
	name := filepath.Join(t.TempDir(), "transcript")
	had, err := newTranscript(name)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Dup(int(had.f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	const held = "a ceremony is being held with it"
	if _, _, err := openTranscript(name); err == nil || !strings.Contains(err.Error(), held) {
		t.Fatalf("beside a ceremony: %v", err)
	}
	if err := had.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // an empty one begins nothing; the second time the first has let go
		if _, _, err := openTranscript(name); err == nil || strings.Contains(err.Error(), held) {
			t.Fatalf("after it: %v", err)
		}
	}
}
