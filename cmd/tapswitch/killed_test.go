// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestCrashtest: three kills of a switch under load leave every promise kept,
// and the last line says so. `make crashtest` does it more often.
func TestCrashtest(t *testing.T) {
	t.Parallel()
	e := call(t, "crashtest", "--kills", "3", "--seed", "3", "--json", "--dir", t.TempDir())
	lines := strings.Split(strings.TrimSpace(e.stdout), "\n")
	var v struct {
		Verdict  string         `json:"verdict"`
		Broken   []string       `json:"broken"`
		Kills    int            `json:"kills"`
		Payments int            `json:"payments"`
		Outcomes map[string]int `json:"outcomes"`
		Recovery struct {
			Most int64 `json:"most"`
		} `json:"recovery_ms"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		t.Fatalf("%v: %+v", err, e)
	}
	if e.code != 0 || v.Verdict != "kept" || v.Broken == nil || len(v.Broken) != 0 || v.Kills != 3 || len(lines) != 4 {
		t.Errorf("%+v", e)
	}
	if v.Outcomes["approved"] == 0 || v.Payments < v.Outcomes["approved"] || v.Recovery.Most == 0 {
		t.Errorf("nothing was at stake: %+v", v)
	}
}

func TestCrashtestUsage(t *testing.T) {
	t.Parallel()
	for _, kills := range []string{"0", "-1", "10001"} {
		if e := call(t, "crashtest", "--kills", kills); e.code != 2 || !strings.Contains(e.stderr, "give a number from 1 to 10000") {
			t.Errorf("%s: %+v", kills, e)
		}
	}
}
