// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/pgtest"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// server has the histories in PostgreSQL of the tests of this package.
var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(serveAndRun(m)) }

func serveAndRun(m *testing.M) int {
	var err error
	if server, err = pgtest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// schemas counts those that the tests made.
var schemas atomic.Int64

// inSchema is the name of a history in PostgreSQL; other names are files.
const inSchema = "schema:"

// both runs a test with files of SQLite and with schemas of PostgreSQL: fresh
// names a history that does not exist yet.
func both(t *testing.T, test func(t *testing.T, fresh func() string)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func() string { return filepath.Join(t.TempDir(), "history.db") })
	})
	t.Run("postgres", func(t *testing.T) { test(t, freshSchema) })
}

func freshSchema() string { return fmt.Sprintf("%sh \"%d", inSchema, schemas.Add(1)) }

// at is the history with a name.
func at(t testing.TB, name string) Place {
	schema, ok := strings.CutPrefix(name, inSchema)
	if !ok {
		return InFile(env.RealDisk(), name)
	}
	p, err := InDatabase(env.Real(), Database{URL: server.URL("postgres"), Schema: schema, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// statement carries out one statement in the database of the tests.
func statement(t *testing.T, text string, args ...any) {
	t.Helper()
	db, err := sql.Open("pgx", server.URL("postgres"))
	must(t, err)
	_, err = db.ExecContext(t.Context(), text, args...)
	must(t, errors.Join(err, db.Close()))
}

// pages is a journal in memory.
type pages struct {
	mu  sync.Mutex
	all []journal.Record
}

func (p *pages) add(records ...journal.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, records...)
}

func (p *pages) Last() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uint64(len(p.all))
}

func (p *pages) Follow(after uint64, fn func(uint64, journal.Record) error) error {
	for seq := after + 1; seq <= p.Last(); seq++ {
		p.mu.Lock()
		r := p.all[seq-1]
		p.mu.Unlock()
		if err := fn(seq, r); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) Replay(fn func(uint64, journal.Record) error) error { return p.Follow(0, fn) }

// noon is when the payments of the tests begin.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// payment is number i; its card is one of seven.
func payment(i int) *txn.Payment {
	p := &txn.Payment{
		Key: txn.Key{Terminal: txn.TerminalID([]byte(fmt.Sprintf("1000000%d", i%4))), Merchant: txn.MerchantID([]byte("104110059990001")),
			Batch: 1, Trace: txn.STAN(i), Class: txn.Purchase, Type: 22},
		Masked: "622424******0069", Token: [16]byte{0xAA, byte(i % 7)}, SealedPAN: []byte("sealed"), Link: "acq-a",
		Amount:  money.Amount{Minor: money.MinorUnits(100 + i), Currency: money.CNY},
		Numbers: txn.Numbers{STAN: txn.STAN(i), At: noon.Add(time.Duration(i) * time.Minute), RRN: txn.RRN([]byte(fmt.Sprintf("6327%08d", i)))},
	}
	return p
}

// lives makes a journal of n payments whose lives overlap, from a seed.
func lives(seed uint64, n int) *pages {
	chance, out := rand.New(rand.NewPCG(seed, 1)), &pages{}
	var open []*txn.Payment
	next := func(p *txn.Payment, r journal.Record) {
		out.add(r)
		if _, err := record.Fold(p, p.Key, r); err != nil {
			panic(err)
		}
	}
	for i := 1; i <= n || len(open) > 0; {
		if i <= n && (len(open) == 0 || chance.IntN(3) == 0) {
			p := payment(i)
			switch i++; chance.IntN(12) {
			case 0:
				out.add(record.Tombstone(p.Key))
			case 1:
				p.Numbers, p.Link = txn.Numbers{}, ""
				p.Answer = txn.Answer{Code: txn.DeclinePIN.Code, Reason: txn.DeclinePIN.Reason, At: noon.Add(time.Duration(i) * time.Minute)}
				out.add(record.MakeTries(p.Token, record.Tries{Count: 1, Payment: p.Key}), record.Refused(p))
			default:
				out.add(record.Intent(p))
				p.State = txn.Intended
				open = append(open, p)
			}
			continue
		}
		at := chance.IntN(len(open))
		p := open[at]
		switch p.State {
		case txn.Intended:
			events := []txn.Event{txn.SaidYes, txn.SaidYes, txn.SaidNo, txn.NotSent}
			if e := chance.IntN(len(events) + 1); e < len(events) {
				a := txn.Answer{Code: txn.CodeApproved, RRN: p.Numbers.RRN, At: p.Numbers.At.Add(time.Second)}
				if events[e] != txn.SaidYes {
					a.Code, a.Reason = txn.DeclineMalfunction.Code, txn.DeclineMalfunction.Reason
				}
				next(p, record.MakeOutcome(p, record.Outcome{Event: events[e], Answer: a}))
				break
			}
			next(p, record.MakeUndo(p.Key, undo(p, txn.TimedOut)))
		case txn.Approved:
			if chance.IntN(2) == 0 {
				open = append(open[:at], open[at+1:]...)
				continue
			}
			next(p, record.MakeUndo(p.Key, undo(p, txn.UndoAsked)))
		case txn.Disputed:
			if found := txn.FoundUndone + txn.Deed(chance.IntN(4)); found <= txn.FoundStands {
				next(p, record.MakeAct(p, act(found, i)))
				break
			}
			open = append(open[:at], open[at+1:]...)
		case txn.Reversing:
			next(p, afterUndo(p, chance, i))
		default:
			open = append(open[:at], open[at+1:]...)
		}
	}
	return out
}

// afterUndo is what may become of a payment that is being reversed.
func afterUndo(p *txn.Payment, chance *rand.Rand, i int) journal.Record {
	switch chance.IntN(6) {
	case 0:
		return record.MakeAct(p, act(txn.Hold+txn.Deed(chance.IntN(3)), i))
	case 1, 2:
		return record.MakeCase(p, txn.Case{Why: txn.CaseReasons()[chance.IntN(2)], Code: txn.CodeFormat, At: noon.Add(time.Duration(i) * time.Hour)})
	}
	return record.MakeUndone(p, record.Undone{Event: []txn.Event{txn.UndoAcked, txn.UndoUnknown}[chance.IntN(2)], Code: txn.CodeApproved})
}

func act(d txn.Deed, hour int) txn.Act {
	return txn.Act{What: d, By: "ann", Why: "asked the acquirer", At: noon.Add(time.Duration(hour) * time.Hour)}
}

func undo(p *txn.Payment, e txn.Event) record.Undo {
	n := p.Numbers
	n.At = n.At.Add(2 * time.Second)
	return record.Undo{Event: e, Reason: txn.DeclineNoAnswer.Reason, Numbers: n}
}

// answers are the results of many questions, as the commands print them.
func answers(t *testing.T, name string) string {
	t.Helper()
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	ask := func(q Query) (rows []Row) {
		if q.Limit == 0 {
			q.Limit = LimitMax
		}
		rows, more, err := b.Search(t.Context(), q)
		must(t, err)
		must(t, enc.Encode(rows))
		must(t, enc.Encode(more))
		return rows
	}
	for _, r := range ask(Query{}) {
		l, err := b.Life(t.Context(), r.ID)
		must(t, err)
		must(t, enc.Encode(l))
	}
	for i := range 7 {
		ask(Query{Token: &[16]byte{0xAA, byte(i)}})
	}
	for _, s := range States() {
		ask(Query{State: s, Limit: 3})
	}
	ask(Query{Terminal: "10000001", From: noon.Add(5 * time.Minute), To: noon.Add(20 * time.Minute)})
	last, err := b.Last(t.Context())
	must(t, err)
	must(t, enc.Encode(last))
	return out.String()
}

// rebuilt are the answers of a history made anew from a journal.
func rebuilt(t *testing.T, j *pages) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rebuilt.db")
	if _, err := Rebuild(at(t, name), j, false); err != nil {
		t.Fatal(err)
	}
	return answers(t, name)
}

// catchUp lets a writer bring the history at name to the end of j.
func catchUp(t *testing.T, name string, j *pages, batch int) error {
	t.Helper()
	var trouble error
	w := NewWriter(Config{At: at(t, name), Batch: batch, Retry: time.Hour, Trouble: func(err error) { trouble = err }}, env.Real(), j)
	ended := env.Real().Waits.NewEvent()
	ended.Wake()
	w.Run(ended)
	return trouble
}

// find is one search.
func find(t *testing.T, name string, q Query) []Row {
	t.Helper()
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	if q.Limit == 0 {
		q.Limit = 100
	}
	rows, _, err := b.Search(context.Background(), q)
	must(t, err)
	return rows
}
