// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// killed is the last line of a crash test.
type killed struct {
	Verdict  string         `json:"verdict"`
	Broken   []string       `json:"broken"`
	Kills    int            `json:"kills"`
	Payments int            `json:"payments"`
	Outcomes map[string]int `json:"outcomes"`
	Share    float64        `json:"approved_share"`
	Told     map[string]map[string]int
	Flows    map[string]struct{ Played, Approved int } `json:"flows"`
	Records  int                                       `json:"records"`
	Journal  string                                    `json:"journal"`
	Database map[string]int                            `json:"database_kills"`
	Recovery struct {
		Most int64 `json:"most"`
	} `json:"recovery_ms"`
}

// kill runs a crash test of three kills and wants every promise kept, and
// something at stake.
func kill(t *testing.T, args ...string) killed {
	t.Helper()
	e := call(t, append([]string{"crashtest", "--kills", "3", "--json"}, args...)...)
	lines := strings.Split(strings.TrimSpace(e.stdout), "\n")
	var v killed
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		t.Fatalf("%v: %+v", err, e)
	}
	if e.code != 0 || v.Verdict != "kept" || v.Broken == nil || len(v.Broken) != 0 || v.Kills != 3 || len(lines) != 4 {
		t.Errorf("%+v", e)
	}
	if v.Outcomes["approved"] == 0 || v.Payments < v.Outcomes["approved"] || v.Recovery.Most == 0 || v.Records < v.Payments {
		t.Errorf("nothing was at stake: %+v", v)
	}
	paid := v.Told["purchase"]["00"] + v.Told["purchase"]["10"] + v.Told["cashback"]["00"]
	beside := v.Flows["void"].Played + v.Flows["refund"].Played + v.Flows["pre_authorization"].Played // each alone may be missing by chance
	if v.Share < 0.5 || paid < v.Outcomes["approved"] || v.Told["repeat"]["00"] == 0 || v.Told["altered"]["00"] != 0 || beside == 0 {
		t.Errorf("the traffic is thin: %+v", v)
	}
	return v
}

// TestCrashtest: three kills of a switch under load leave every promise kept,
// and the last line says so. `make crashtest` does it more often.
func TestCrashtest(t *testing.T) {
	t.Parallel()
	if v := kill(t, "--seed", "3", "--dir", t.TempDir()); v.Journal != "segment" || v.Database != nil {
		t.Errorf("%+v", v)
	}
}

// TestCrashtestPostgres: the same with the journal in a PostgreSQL that is killed too.
func TestCrashtestPostgres(t *testing.T) {
	t.Parallel()
	if v := kill(t, "--seed", "16", "--journal", "postgres"); v.Journal != "postgres" || len(v.Database) == 0 {
		t.Errorf("%+v", v)
	}
}

func TestCrashtestUsage(t *testing.T) {
	t.Parallel()
	for _, kills := range []string{"0", "-1", "10001"} {
		if e := call(t, "crashtest", "--kills", kills); e.code != 2 || !strings.Contains(e.stderr, "give a number from 1 to 10000") {
			t.Errorf("%s: %+v", kills, e)
		}
	}
	if e := call(t, "crashtest", "--journal", "paper"); e.code != 2 || !strings.Contains(e.stderr, "give segment or postgres") {
		t.Errorf("%+v", e)
	}
}
