// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
)

// dumped is what Dump gives, as row/number/body, and its error.
func dumped(place string) (all []string, err error) {
	for e, err := range postgres.Dump(env.Real(), postgres.Config{URL: url(place)}) {
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%d/%d/%s", e.Row, e.Number, e.Body))
	}
	return all, nil
}

// TestVerifyAndDump: both read beside the writer, count what is there and give it
// in order, and take nothing over.
func TestVerifyAndDump(t *testing.T) {
	cfg := postgres.Config{URL: url("reads")}
	if _, err := postgres.Verify(env.Real(), cfg); !errors.Is(err, postgres.ErrNoJournal) {
		t.Errorf("no journal: %v", err)
	}
	j, err := open(t, "reads")
	must(t, err)
	empty, err := postgres.Verify(env.Real(), cfg)
	must(t, err)
	if empty.Records != 0 || empty.Rows != 0 || len(empty.Head) != 64 {
		t.Errorf("an empty one: %+v", empty)
	}
	must(t, j.Append(journal.Record{Kind: 1, Key: []byte("k"), Body: []byte("a"), Reserve: 300}, journal.Record{Kind: 2, Body: []byte("b")}))
	must(t, j.Append(journal.Record{Kind: 1, Body: []byte("c"), Reserve: -100}))
	r, err := postgres.Verify(env.Real(), cfg)
	must(t, err)
	if s := j.Stats(); r.Records != 3 || r.Rows != 2 || r.Reserved != 200 || r.Bytes != s.Bytes || r.Epoch != 1 || r.Head == empty.Head {
		t.Errorf("%+v, the writer has %+v", r, s)
	}
	all, err := dumped("reads")
	if got := strings.Join(all, " "); err != nil || got != "1/1/a 1/2/b 3/3/c" {
		t.Errorf("dumped %s, %v", got, err)
	}
	for e := range postgres.Dump(env.Real(), cfg) { // who has seen enough may go
		if e.Number != 1 {
			t.Errorf("record %d", e.Number)
		}
		break
	}
	must(t, j.Append(journal.Record{Kind: 1, Body: []byte("still the writer")}))
	must(t, j.Close())
}

// TestVerifyNamesTheFault: whatever is changed behind the journal's back is named
// with its row, the good records before it are counted, and nothing is changed.
func TestVerifyNamesTheFault(t *testing.T) {
	j, err := open(t, "faulty")
	must(t, err)
	for i := range 5 {
		must(t, j.Append(journal.Record{Kind: 1, Body: fmt.Appendf(nil, "record %d", i)}))
	}
	must(t, j.Close())
	const table = "faulty.tapswitch_journal"
	query(t, `CREATE TABLE faulty.copy AS SELECT * FROM `+table)
	query(t, `CREATE TABLE faulty.state AS SELECT * FROM `+table+`_state`)
	for _, c := range []struct {
		spoil string
		good  uint64
		want  string
	}{
		{`UPDATE ` + table + ` SET body = set_byte(body, 14, 100) WHERE first = 3`, 2, "row 3: the row is not as it was written"},
		{`DELETE FROM ` + table + ` WHERE first = 2`, 1, "row 2: this row is missing"},
		{`DELETE FROM ` + table + ` WHERE first = 5`, 4, "row 5: this row is missing"},
		{`INSERT INTO ` + table + ` SELECT 6, 6, reserved, chain, body FROM ` + table + ` WHERE first = 5`, 5, "row 6: the journal ends at record 5"},
		{`UPDATE ` + table + ` SET reserved = 7 WHERE first = 4`, 3, "row 4"},
		{`UPDATE ` + table + `_state SET chain = identity`, 0, "does not have its length"},
		{`UPDATE ` + table + `_state SET chain = sha256('')`, 5, "the chain does not lead to the end"},
		{`DELETE FROM ` + table + `_state`, 0, "the row of state is missing"},
	} {
		query(t, c.spoil)
		r, err := postgres.Verify(env.Real(), postgres.Config{URL: url("faulty")})
		var fault *postgres.Fault
		if !errors.As(err, &fault) || !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), c.want) || r.Records != c.good {
			t.Errorf("%s: %d good, %v", c.spoil, r.Records, err)
		}
		if all, err := dumped("faulty"); !errors.As(err, &fault) || uint64(len(all)) != c.good {
			t.Errorf("%s: dumped %d, %v", c.spoil, len(all), err)
		}
		query(t, `TRUNCATE `+table+`, `+table+`_state; INSERT INTO `+table+` SELECT * FROM faulty.copy; INSERT INTO `+table+`_state SELECT * FROM faulty.state`)
	}
	r, err := postgres.Verify(env.Real(), postgres.Config{URL: url("faulty")})
	if err != nil || r.Records != 5 {
		t.Errorf("put back: %+v, %v", r, err)
	}
	query(t, `INSERT INTO faulty.tapswitch_journal_version (version_id, is_applied) VALUES (3, true)`)
	if _, err := postgres.Verify(env.Real(), postgres.Config{URL: url("faulty")}); err == nil || !strings.Contains(err.Error(), "the tables are of version 3") {
		t.Errorf("newer tables: %v", err)
	}
}
