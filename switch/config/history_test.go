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

// Without a place there is no history; place and store must fit.
func TestHistory(t *testing.T) {
	if _, err := os.Stat("testdata/small.yaml"); err != nil {
		t.Fatal(err)
	}
	const url = "url: \"${env:TAPSWITCH_USER_PIN}\""
	for section, want := range map[string]string{
		"": "", "history: {path: past.db}": "testdata/past.db", "history: {path: past.db, store: sqlite}": "testdata/past.db",
		"history: {path: past.db}\njournal: {postgres: {" + url + "}}": "testdata/past.db", // each has its own store
	} {
		if c, err := with(section); err != nil || c.History.Path != want || c.History.InUse() != (want != "") || c.History.InDatabase() {
			t.Errorf("%q: %v", section, err)
		}
	}
	c, err := with("history: {store: postgres, schema: past, " + url + "}")
	if err != nil || !c.History.InUse() || !c.History.InDatabase() || c.History.Schema != "past" || c.History.Timeout == 0 {
		t.Errorf("%v", err)
	}
	for section, want := range map[string]string{
		"history: {path: past.db, store: postgres, " + url + "}": "history.path with store postgres",
		"history: {store: postgres}":                             "history.store postgres without history.url",
		"history: {" + url + "}":                                 "history.url without store postgres",
		"history: {store: paper}":                                "history.store is none of the words",
	} {
		_, err := with(section)
		var ps Problems
		if !errors.As(err, &ps) || len(ps) != 1 || !strings.Contains(ps[0].String(), want) || ps[0].Line == 0 {
			t.Errorf("%q: %v", section, err)
		}
	}
}
