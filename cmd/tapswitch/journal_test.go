// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// writeJournal puts payments into a journal at dir, one an hour from the given
// time on: of three one is declined, one approved, one left open.
func writeJournal(t *testing.T, dir string, n int, from time.Time) {
	t.Helper()
	j, err := segment.Open(env.Real(), segment.Config{Dir: dir, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	fillJournal(t, j, n, from)
}

// fillJournal is writeJournal for a journal that is open; it closes it.
func fillJournal(t *testing.T, j journal.Journal, n int, from time.Time) {
	t.Helper()
	for i := range n {
		at := from.Add(time.Duration(i) * time.Hour)
		p := &txn.Payment{
			Key:    txn.Key{Terminal: txn.TerminalID(fmt.Appendf(nil, "1000000%d", i%2)), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 7, Trace: txn.STAN(i + 1), Class: txn.Purchase, Type: 22},
			Masked: "622424******0069", Amount: money.Amount{Minor: 100, Currency: money.CNY}, Link: "acq-a",
			Numbers: txn.Numbers{STAN: txn.STAN(i + 1), At: at, RRN: txn.RRN([]byte("606012345678"))},
		}
		records := []journal.Record{record.Intent(p)}
		p.Reserved, p.State = records[0].Reserve, txn.Intended
		if event := []txn.Event{txn.SaidNo, txn.SaidYes, 0}[i%3]; event != 0 {
			records = append(records, record.MakeOutcome(p, record.Outcome{Event: event, Answer: txn.Answer{Code: txn.CodeApproved, At: at}}))
		}
		if err := j.Append(records...); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestJournalVerify: what is good is counted, what is not is named with file and
// offset, and exit code 1.
func TestJournalVerify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeJournal(t, dir, 600, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if e := call(t, "journal", "verify", dir); e.code != 0 || !strings.HasPrefix(e.stdout, "1000 records in 3 segments") || !strings.Contains(e.stdout, "\nhead ") {
		t.Errorf("%+v", e)
	}
	var v struct {
		Good                        bool
		Records, Segments           int
		Head, File, Error           string
		Offset                      int64
		ReservedBytes, SpareSegment int
	}
	e := call(t, "journal", "verify", "-o", "json", dir)
	if err := json.Unmarshal([]byte(e.stdout), &v); err != nil || e.code != 0 || !v.Good || v.Records != 1000 || len(v.Head) != 32 {
		t.Errorf("%+v, %v", e, err)
	}
	name := filepath.Join(dir, "000000000002.seg")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[10_000] ^= 4
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	v.Head = ""
	e = call(t, "journal", "verify", "-o", "json", dir)
	if err := json.Unmarshal([]byte(e.stdout), &v); err != nil || e.code != 1 || v.Good || v.File != name || v.Offset < 9_000 || v.Offset > 10_000 || v.Error == "" || v.Head != "" {
		t.Errorf("%+v, %v", e, err)
	}
	if e := call(t, "journal", "verify", dir); e.code != 1 || !strings.Contains(e.stderr, "good records: ") || !strings.Contains(e.stderr, fmt.Sprintf("%s: byte %d", name, v.Offset)) {
		t.Errorf("%+v", e)
	}
}

// TestJournalDump: the filters choose by kind, terminal and time.
func TestJournalDump(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeJournal(t, dir, 30, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	for args, want := range map[string]int{
		"":                                          50,
		"--kind intent":                             30,
		"--kind outcome":                            20,
		"--kind intent,outcome":                     50,
		"--kind undo":                               0,
		"--terminal 10000001":                       25,
		"--terminal 10000001 --kind outcome":        10,
		"--since 2026-03-01T10:00:00Z":              33,
		"--until 2026-03-01T10:00:00Z":              17,
		"--until 2026-03-01T18:00:00+08:00":         17,
		"--since 2026-03-02T06:00:00Z":              0,
		"--kind numbers --terminal 10000001":        0,
		"--since 2026-03-01T10:00:00Z --kind tries": 0,
	} {
		e := call(t, append(append([]string{"journal", "dump", "-o", "json"}, strings.Fields(args)...), dir)...)
		if n := strings.Count(e.stdout, "\n"); e.code != 0 || n != want {
			t.Errorf("%s: %d records, want %d, code %d: %s", args, n, want, e.code, e.stderr)
		}
	}
	for args, want := range map[string]string{
		"--kind money":      "there are intent, refused, outcome",
		"--since yesterday": "2026-11-29T08:00:00Z",
	} {
		if e := call(t, append(append([]string{"journal", "dump"}, strings.Fields(args)...), dir)...); e.code != 2 || !strings.Contains(e.stderr, want) {
			t.Errorf("%s: %+v", args, e)
		}
	}
}

// TestJournalPurge: old payments that are over go, those left open stay, and a
// switch at work is left alone.
func TestJournalPurge(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	purge := func(args ...string) ended {
		return call(t, append([]string{"journal", "purge", "--config", r.path("switch.yaml")}, args...)...)
	}
	if e := purge(); e.code != 1 || !strings.Contains(e.stderr, "retention_days") {
		t.Errorf("without a period: %+v", e)
	}
	if e := purge("--older-than", "1h"); e.code != 1 || !strings.Contains(e.stderr, "replay_window_ms") {
		t.Errorf("too short: %+v", e)
	}
	if e := purge("--older-than", "1h", "-o", "xml"); e.code != 2 {
		t.Errorf("output: %+v", e)
	}
	writeJournal(t, r.path("journal"), 600, time.Now().Add(-700*time.Hour))
	e := purge("--older-than", "240h", "-o", "json")
	var p struct {
		Segments       int
		RecordsDropped int `json:"records_dropped"`
		RecordsKept    int `json:"records_kept"`
	}
	if err := json.Unmarshal([]byte(e.stdout), &p); err != nil || e.code != 0 || p.Segments == 0 || p.RecordsDropped < 300 || p.RecordsKept < 70 {
		t.Fatalf("%+v, %v", e, err)
	}
	if e := call(t, "journal", "verify", r.path("journal")); e.code != 0 || !strings.Contains(e.stdout, "a checkpoint stands for") {
		t.Errorf("%+v", e)
	}
	if e := call(t, "journal", "dump", r.path("journal")); strings.Count(e.stdout, "intent") < 300 || strings.Count(e.stdout, "intent") > 450 {
		t.Errorf("%d intents are left", strings.Count(e.stdout, "intent"))
	}
	if e := purge("--older-than", "240h"); e.code != 0 || !strings.Contains(e.stdout, "nothing to do") {
		t.Errorf("again: %+v", e)
	}
	r.startAll()
	if e := purge("--older-than", "240h"); e.code != 1 || !strings.Contains(e.stderr, "in use by another process") {
		t.Errorf("beside a switch: %+v", e)
	}
}

// TestTxnCases: a payment whose reversal was refused, or is too old, is listed
// with what the acquirer must be asked; others are not, and nothing is changed.
func TestTxnCases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeJournal(t, dir, 6, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if e := call(t, "txn", "cases", "--journal", dir); e.code != 0 || e.stdout != "no case is open\n" {
		t.Errorf("%+v", e)
	}
	j, err := segment.Open(env.Real(), segment.Config{Dir: dir, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trace txn.STAN
		txn.Case
	}{{6, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat}}, {3, txn.Case{Why: txn.CaseExpired}}, {2, txn.Case{}}} {
		at := time.Date(2026, 3, 4, int(c.trace), 0, 0, 0, time.UTC)
		p := &txn.Payment{Key: txn.Key{Terminal: txn.TerminalID(fmt.Appendf(nil, "1000000%d", (c.trace-1)%2)), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 7, Trace: c.trace, Class: txn.Purchase, Type: 22}}
		records := []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineNoAnswer.Reason, Numbers: txn.Numbers{STAN: 500 + c.trace, At: at}})}
		if c.Why == "" {
			records = append(records, record.MakeUndone(p, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}))
		} else {
			c.At = at.Add(time.Hour)
			records = append(records, record.MakeCase(p, c.Case))
		}
		if err := j.Append(records...); err != nil {
			t.Fatal(err)
		}
	}
	advice := &txn.Payment{Key: txn.Key{Terminal: txn.TerminalID([]byte("10000000")), Batch: 7, Trace: 9, Class: txn.OfflineSale, Type: 30}, Masked: "622424******0069",
		Amount: money.Amount{Minor: 100, Currency: money.CNY}, Link: "acq-a", Numbers: txn.Numbers{STAN: 9, At: time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC), RRN: txn.RRN([]byte("606012345679"))}}
	if err := j.Append(record.Advice(advice), record.MakeCase(advice, txn.Case{Why: txn.CaseAdviceRefused, Code: txn.CodeBadPAN, At: advice.Numbers.At})); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "000000000001.seg"))
	want := `OPENED                WHY               CODE  TERMINAL  BATCH   TRACE   CLASS         CARD              AMOUNT  CURRENCY  LINK   STAN    RRN
2026-03-04T07:00:00Z  reversal_refused  30    10000001  000007  000006  purchase      622424******0069  100     156       acq-a  000006  606012345678
2026-03-04T04:00:00Z  reversal_expired        10000000  000007  000003  purchase      622424******0069  100     156       acq-a  000003  606012345678
2026-03-04T08:00:00Z  advice_refused    14    10000000  000007  000009  offline_sale  622424******0069  100     156       acq-a  000009  606012345679
`
	if e := call(t, "txn", "cases", "--journal", dir); e.code != 0 || e.stdout != want {
		t.Errorf("%+v, want\n%s", e, want)
	}
	e := call(t, "txn", "cases", "-o", "json", "--journal", dir)
	first, _, _ := strings.Cut(e.stdout, "\n")
	if wanted := `{"seq":12,"opened":"2026-03-04T07:00:00Z","why":"reversal_refused","code":"30","terminal":"10000001","merchant":"123456789012345","batch":7,"trace":6,"class":"purchase",` +
		`"card":"622424******0069","amount_minor":100,"currency":156,"link":"acq-a","sent":"2026-03-01T05:00:00Z","stan":6,"rrn":"606012345678",` +
		`"reversal_stan":506,"reversed_since":"2026-03-04T06:00:00Z","reversed_because":"acquirer_no_answer"}`; e.code != 0 || first != wanted || strings.Count(e.stdout, "\n") != 3 || strings.Count(e.stdout, "reversed_since") != 2 {
		t.Errorf("%+v, want\n%s", e, wanted)
	}
	if e := call(t, "journal", "dump", "--kind", "case", dir); e.code != 0 || strings.Count(e.stdout, "case_opened") != 3 || !strings.Contains(e.stdout, "reversal_expired") {
		t.Errorf("%+v", e)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "000000000001.seg")); string(after) != string(before) {
		t.Error("the journal was changed")
	}
}
