// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// with loads the least configuration and one more section.
func with(section string) (*Config, error) {
	from := machine()
	read := from.ReadFile
	from.ReadFile = func(name string) ([]byte, error) {
		b, err := read(name)
		if strings.HasSuffix(name, "small.yaml") {
			b = append(b, section+"\n"...)
		}
		return b, err
	}
	return Load("testdata/small.yaml", from)
}

// Without a path there is no history; PostgreSQL is refused by name.
func TestHistory(t *testing.T) {
	if _, err := os.Stat("testdata/small.yaml"); err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]string{"": "", "history: {path: past.db}": "testdata/past.db", "history: {path: past.db, store: sqlite}": "testdata/past.db"} {
		if c, err := with(section); err != nil || c.History.Path != want {
			t.Errorf("%q: %v", section, err)
		}
	}
	_, err := with("history: {path: past.db, store: postgres}")
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 1 || !strings.Contains(ps[0].String(), "a history on PostgreSQL is not built in this version") || ps[0].Line == 0 {
		t.Errorf("%v", err)
	}
}

// The history is read from segment files: beside a journal in PostgreSQL it is
// refused by name.
func TestHistoryBesidePostgres(t *testing.T) {
	_, err := with("history: {path: past.db}\njournal: {postgres: {url: \"${env:TAPSWITCH_USER_PIN}\"}}")
	if err == nil || !strings.Contains(err.Error(), "history.path with journal.postgres") {
		t.Errorf("%v", err)
	}
}
