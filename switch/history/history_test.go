// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// copyFiles takes a picture of a history, as SIGKILL leaves it; a suffix in
// without is left out.
func copyFiles(t *testing.T, from, to string, without ...string) {
	t.Helper()
	for _, ending := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(from + ending)
		if errors.Is(err, os.ErrNotExist) || len(without) > 0 && without[0] == ending {
			continue
		}
		must(t, err)
		must(t, os.WriteFile(to+ending, b, 0o600))
	}
}

// TestCrashPoints kills the writer after every record, in the middle of a batch
// and between two, with and without what SQLite keeps in memory, and with the log
// torn: the history goes on from there to the same answers as one made anew.
func TestCrashPoints(t *testing.T) {
	j := lives(1, 16)
	want := rebuilt(t, j)
	points := 0
	for _, batch := range []int{1, 3, 1000} {
		dir := t.TempDir()
		name := filepath.Join(dir, "history.db")
		w := NewWriter(Config{At: at(t, name), Batch: batch}, env.Real(), j)
		p, closers, err := w.open()
		must(t, err)
		must(t, j.Follow(0, func(seq uint64, r journal.Record) error {
			must(t, p.take(seq, r))
			for i, without := range []string{"", "-shm", "torn"} {
				points++
				image := filepath.Join(dir, fmt.Sprintf("%d-%d.db", seq, i))
				copyFiles(t, name, image, map[string]string{"-shm": "-shm", "torn": "-shm"}[without])
				if without == "torn" {
					info, err := os.Stat(image + "-wal")
					if err == nil {
						must(t, os.Truncate(image+"-wal", info.Size()*int64(seq%7)/7))
					}
				}
				must(t, catchUp(t, image, j, 5))
				if got := answers(t, image); got != want {
					t.Fatalf("batches of %d, crash after record %d (%q): other answers than a rebuild\n%s\n%s", batch, seq, without, got, want)
				}
			}
			return nil
		}))
		must(t, p.abandon())
		for _, c := range closers {
			must(t, c.Close())
		}
	}
	t.Logf("%d crash points of %d records", points, j.Last())
}

// A history says at every moment what the journal said up to some record, and
// never something else.
func TestBehindAndNeverWrong(t *testing.T) { both(t, behindAndNeverWrong) }

func behindAndNeverWrong(t *testing.T, fresh func() string) {
	j := lives(2, 12)
	name := fresh()
	part := &pages{}
	must(t, j.Replay(func(_ uint64, r journal.Record) error {
		part.add(r)
		must(t, catchUp(t, name, part, 2))
		if got, want := answers(t, name), rebuilt(t, part); got != want {
			t.Fatalf("after %d records\n%s\n%s", part.Last(), got, want)
		}
		return nil
	}))
}

// A writer follows a journal that grows, and a reader beside it is not in its way.
func TestFollowsWhileRunning(t *testing.T) { both(t, followsWhileRunning) }

func followsWhileRunning(t *testing.T, fresh func() string) {
	j, all := &pages{}, lives(3, 200)
	name := fresh()
	world := env.Real()
	w := NewWriter(Config{At: at(t, name), Batch: 7, Pause: time.Millisecond, Trouble: func(err error) { t.Error(err) }}, world, j)
	ended, done := world.Waits.NewEvent(), make(chan struct{})
	go func() { defer close(done); w.Run(ended) }()
	for at := 0; at < len(all.all); at += 10 {
		j.add(all.all[at:min(at+10, len(all.all))]...)
		if w.Status().Up {
			find(t, name, Query{State: "approved"})
		}
	}
	for end := time.Now().Add(10 * time.Second); w.Status() != (Status{Up: true}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not catch up: %+v", w.Status())
		}
	}
	ended.Wake()
	<-done
	if w.Status().Up {
		t.Error("up after its end")
	}
	if answers(t, name) != rebuilt(t, all) {
		t.Error("other answers than a rebuild")
	}
}

// What does not belong together is refused before a word is written.
func TestRefusals(t *testing.T) { both(t, refuses) }

func refuses(t *testing.T, fresh func() string) {
	j := lives(4, 20)
	name := fresh()
	must(t, catchUp(t, name, j, 100))
	before := answers(t, name)
	short := &pages{all: j.all[:j.Last()/2]}
	for what, c := range map[string]struct {
		source *pages
		want   error
	}{
		"another journal":              {lives(5, 40), ErrOther},
		"a journal that is behind":     {short, ErrOther},
		"a journal that begins anew":   {&pages{}, ErrOther},
		"another journal, as long":     {&pages{all: append(append([]journal.Record{}, j.all[:j.Last()-1]...), record.Tombstone(payment(999).Key))}, ErrOther},
		"a record of another version":  {&pages{all: append(append([]journal.Record{}, j.all...), journal.Record{Kind: 200, Key: []byte("k")})}, nil},
		"an outcome without an intent": {&pages{all: append(append([]journal.Record{}, j.all...), record.MakeUndo(payment(998).Key, record.Undo{Event: txn.UndoAsked}))}, record.ErrNoIntent},
	} {
		err := catchUp(t, name, c.source, 100)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if answers(t, name) != before {
			t.Errorf("%s: something was written", what)
		}
	}
	if _, err := Read(at(t, fresh())); !errors.Is(err, ErrNone) {
		t.Errorf("none yet: %v", err)
	}
	l, err := at(t, name).lock()
	must(t, err)
	defer l.Close()
	if err := catchUp(t, name, j, 100); !errors.Is(err, env.ErrLocked) {
		t.Errorf("two writers: %v", err)
	}
	if _, err := Rebuild(at(t, name), j, true); !errors.Is(err, env.ErrLocked) {
		t.Errorf("a rebuild beside a writer: %v", err)
	}
}

// A file that is none of ours is not written; nor is an empty one taken for one.
func TestForeignFile(t *testing.T) {
	j, dir := lives(4, 20), t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	must(t, os.WriteFile(foreign, bytes.Repeat([]byte("no database "), 1000), 0o600))
	if err := catchUp(t, foreign, j, 100); err == nil {
		t.Error("a file of somebody else was written")
	}
	empty := filepath.Join(dir, "empty.db")
	must(t, os.WriteFile(empty, nil, 0o600))
	if err := catchUp(t, empty, j, 100); !errors.Is(err, ErrForeign) {
		t.Errorf("an empty file: %v", err)
	}
	odd := filepath.Join(dir, "a folder with ? and %41", "history.db")
	must(t, catchUp(t, odd, j, 100))
	if answers(t, odd) != rebuilt(t, j) {
		t.Error("other answers under an odd name")
	}
}

// A rebuild mends what is damaged, and loses nothing unasked.
func TestRebuild(t *testing.T) { both(t, rebuilds) }

func rebuilds(t *testing.T, fresh func() string) {
	j := lives(6, 20)
	name := fresh()
	must(t, catchUp(t, name, j, 100))
	before := answers(t, name)
	young := &pages{all: j.all[j.Last()/2:]}
	for young.all[0].Kind != record.KindIntent || lifeBreaks(young) {
		young.all = young.all[1:]
		if len(young.all) == 0 {
			young.all = []journal.Record{record.Intent(payment(500))}
		}
	}
	if _, err := Rebuild(at(t, name), young, false); !errors.Is(err, ErrWouldLose) {
		t.Errorf("a journal without the old payments: %v", err)
	}
	if answers(t, name) != before {
		t.Error("a refused rebuild changed the history")
	}
	done, err := Rebuild(at(t, name), j, false)
	if err != nil || answers(t, name) != before || done.Records != j.Last() || done.Last != j.Last() {
		t.Errorf("%+v, %v", done, err)
	}
	if done, err = Rebuild(at(t, name), young, true); err != nil || len(find(t, name, Query{})) != int(done.Payments) || done.Payments == 0 {
		t.Errorf("%+v, %v", done, err)
	}
}

// A file that is damaged is made anew, nobody else may read it, and nothing is left
// over beside it.
func TestRebuildFile(t *testing.T) {
	j, dir := lives(6, 20), t.TempDir()
	name := filepath.Join(dir, "history.db")
	must(t, catchUp(t, name, j, 100))
	before := answers(t, name)
	must(t, os.WriteFile(name, []byte("damaged"), 0o600))
	if _, err := Rebuild(at(t, name), j, false); err != nil || answers(t, name) != before {
		t.Errorf("of a damaged file: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	if len(files) != 2 { // and the lock
		t.Errorf("left over: %v", files)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info.Mode(), err)
		}
	}
}

// lifeBreaks says whether a piece of a journal has a record without its intent.
func lifeBreaks(p *pages) bool {
	known := map[string]bool{}
	for _, r := range p.all {
		switch r.Kind {
		case record.KindIntent, record.KindRefused:
			known[string(r.Key)] = true
		case record.KindOutcome, record.KindUndo, record.KindUndone, record.KindCase, record.KindAct:
			if !known[string(r.Key)] {
				return true
			}
		}
	}
	return false
}

// Each question finds what it asks for and nothing else; the newest come first.
func TestSearch(t *testing.T) { both(t, searches) }

func searches(t *testing.T, fresh func() string) {
	j := &pages{}
	for i := 1; i <= 40; i++ {
		j.add(record.Intent(payment(i)))
	}
	p := payment(5)
	p.State = txn.Intended
	j.add(record.MakeOutcome(p, record.Outcome{Event: txn.SaidYes, Answer: txn.Answer{Code: txn.CodeApproved, At: noon}}), record.Tombstone(payment(77).Key))
	name := fresh()
	must(t, catchUp(t, name, j, 100))
	one, eleven, low, high := uint32(1), uint32(11), int64(138), int64(139)
	for what, c := range map[string]struct {
		q    Query
		want string
	}{
		"token":               {Query{Token: &[16]byte{0xAA, 3}}, "38 31 24 17 10 3"},
		"token nobody has":    {Query{Token: &[16]byte{0xAA, 9}}, ""},
		"token and mask":      {Query{Token: &[16]byte{0xAA, 3}, Card: "476173******0119"}, ""},
		"terminal":            {Query{Terminal: "10000003", To: noon.Add(10 * time.Minute)}, "7 3"},
		"merchant":            {Query{Merchant: "104110059990001", Limit: 2}, "42 40"},
		"another's merchant":  {Query{Merchant: "104110059990002"}, ""},
		"batch and trace":     {Query{Batch: &one, Trace: &eleven}, "11"},
		"RRN":                 {Query{RRN: "632700000012"}, "12"},
		"STAN":                {Query{STAN: 13}, "13"},
		"amount":              {Query{Min: &low, Max: &high}, "39 38"},
		"from":                {Query{From: noon.Add(39 * time.Minute)}, "40 39"},
		"time":                {Query{From: noon.Add(3 * time.Minute), To: noon.Add(5 * time.Minute)}, "4 3"},
		"state":               {Query{State: "approved"}, "5"},
		"tombstone":           {Query{State: Tombstone}, "42"},
		"the next page":       {Query{Token: &[16]byte{0xAA, 3}, Before: 24, Limit: 2}, "17 10"},
		"nothing in common":   {Query{STAN: 13, RRN: "632700000012"}, ""},
		"an attempt at SQL":   {Query{RRN: "' OR 1=1 --"}, ""},
		"a card number in it": {Query{Terminal: "6224242300000069"}, ""},
	} {
		var ids []string
		for _, r := range find(t, name, c.q) {
			ids = append(ids, fmt.Sprint(r.ID))
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	if _, _, err := b.Search(t.Context(), Query{}); err == nil {
		t.Error("a search without a limit")
	}
	if rows, more, err := b.Search(t.Context(), Query{Limit: 40}); err != nil || !more || len(rows) != 40 {
		t.Errorf("%d rows, more %v, %v", len(rows), more, err)
	}
	if rows, more, err := b.Search(t.Context(), Query{Limit: 41}); err != nil || more || len(rows) != 41 {
		t.Errorf("%d rows, more %v, %v", len(rows), more, err)
	}
}

// A text that is none, as a message may bring it, is written and found again.
func TestOddText(t *testing.T) { both(t, takesOddText) }

func takesOddText(t *testing.T, fresh func() string) {
	p := payment(1)
	p.Key.Merchant = txn.MerchantID([]byte("odd\x00\xff\xfe104110059"))
	j := &pages{all: []journal.Record{record.Intent(p)}}
	name := fresh()
	must(t, catchUp(t, name, j, 2))
	if rows := find(t, name, Query{Merchant: p.Key.Merchant.String()}); len(rows) != 1 || rows[0].ID != 1 {
		t.Errorf("%+v", rows)
	}
}

// The life of a payment tells every record of it; nothing of a card but its mask
// and its token.
func TestLife(t *testing.T) { both(t, tellsLives) }

func tellsLives(t *testing.T, fresh func() string) {
	p := payment(1)
	j := &pages{}
	j.add(record.Intent(p))
	j.add(record.MakeRerouted(p.Key, "acq-b"))
	p.State = txn.Intended
	yes := txn.Answer{Code: txn.CodeApproved, At: noon.Add(time.Hour), RRN: p.Numbers.RRN}
	j.add(record.MakeOutcome(p, record.Outcome{Event: txn.SaidYes, Answer: yes}))
	j.add(record.MakeUndo(p.Key, undo(p, txn.UndoAsked)), record.MakeUndone(p, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}))
	again := payment(1) // the same key beyond the replay window
	again.Amount.Minor = 7
	j.add(record.Intent(again))
	name := fresh()
	must(t, catchUp(t, name, j, 2))
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	l, err := b.Life(t.Context(), 1)
	must(t, err)
	text, err := json.Marshal(l)
	must(t, err)
	want := `{"id":1,"at":"2026-11-23T12:01:00.000Z","terminal":"10000001","merchant":"104110059990001","batch":1,"trace":1,"class":"purchase",` +
		`"card":"622424******0069","token":"aa010000000000000000000000000000","amount_minor":101,"currency":156,"link":"acq-b","stan":1,"rrn":"632700000001",` +
		`"state":"reversed","code":"00","reason":"` + string(txn.DeclineNoAnswer.Reason) + `","steps":[` +
		`{"seq":1,"kind":"intent","at":"2026-11-23T12:01:00.000Z","stan":1},` +
		`{"seq":2,"kind":"rerouted","event":"rerouted","link":"acq-b"},` +
		`{"seq":3,"kind":"outcome","event":"said_yes","at":"2026-11-23T13:00:00.000Z","code":"00"},` +
		`{"seq":4,"kind":"undo","event":"undo_asked","at":"2026-11-23T12:01:02.000Z","stan":1,"reason":"` + string(txn.DeclineNoAnswer.Reason) + `"},` +
		`{"seq":5,"kind":"undone","event":"undo_acked","code":"00"}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if l, err := b.Life(t.Context(), 6); err != nil || l.Amount != 7 || l.State != "intended" || len(l.Steps) != 1 {
		t.Errorf("the second life: %+v, %v", l, err)
	}
	if _, err := b.Life(t.Context(), 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}
