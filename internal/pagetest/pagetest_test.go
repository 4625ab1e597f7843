// SPDX-License-Identifier: Apache-2.0

package pagetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spoken notes what a check says in place of failing.
type spoken struct {
	testing.TB
	said []string
}

func (s *spoken) Helper()                      {}
func (s *spoken) Errorf(f string, args ...any) { s.said = append(s.said, strings.TrimSpace(f)) }

func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"docs/reference", "a/b"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join("docs", "reference", "x.md"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("a", "b"))
	for _, c := range []struct {
		page    string
		rewrite bool
		says    int
	}{{"old", false, 0}, {"new", false, 1}, {"new", true, 0}, {"new", false, 0}, {"old", false, 1}} {
		s := &spoken{TB: t}
		Check(s, c.rewrite, "x.md", c.page, "go test -rewrite")
		if len(s.said) != c.says {
			t.Errorf("page %q, rewrite %v: said %q", c.page, c.rewrite, s.said)
		}
	}
}
