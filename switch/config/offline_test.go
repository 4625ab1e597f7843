// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

// loadWith loads good.yaml with more said of its terminal.
func loadWith(more string) (*Config, error) {
	from := machine()
	read := from.ReadFile
	from.ReadFile = func(name string) ([]byte, error) {
		b, err := read(name)
		return []byte(strings.Replace(string(b), "{ id: \"10000001\",", "{ id: \"10000001\", "+more+",", 1)), err
	}
	return Load("testdata/good.yaml", from)
}

func TestOffline(t *testing.T) {
	for more, want := range map[string]Offline{
		"offline: {max_amount_minor: 100000, max_count: 5, max_sum_minor: 300000}": {100000, 5, 300000},
		"offline: {max_count: 5}": {Count: 5},
	} {
		c, err := loadWith(more)
		if err != nil {
			t.Fatal(err)
		}
		if c.Terminals[0].Offline != want {
			t.Errorf("%s: %+v", more, c.Terminals[0].Offline)
		}
	}
	for more, want := range map[string]string{
		"offline: {max_amount_minor: 300001, max_sum_minor: 300000}": "max_amount_minor (300001) is more than max_sum_minor (300000)",
		"offline: {max_count: 1000}":                                 "offline.max_count",
		"offline: {floor: 1}":                                        "floor",
	} {
		if _, err := loadWith(more); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", more, err)
		}
	}
}
