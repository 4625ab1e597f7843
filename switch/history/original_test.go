// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// sentAt and its like are how messages give a moment.
func sentAt(s string) [10]byte          { return [10]byte([]byte(s)) }
func rrn(s string) txn.RRN              { return txn.RRN([]byte(s)) }
func till(s string) (id txn.TerminalID) { copy(id[:], s); return id }

// originals is a history of a few payments that are easy to confuse.
func originals(t *testing.T, fresh func() string) *Book {
	t.Helper()
	j := &pages{}
	add := func(i int, edit func(p *txn.Payment)) {
		p := payment(i)
		edit(p)
		j.add(record.Intent(p))
		p.State = txn.Intended
		j.add(record.MakeOutcome(p, record.Outcome{Event: txn.SaidNo, Answer: txn.Answer{Code: txn.DeclineMalfunction.Code, At: noon}}))
	}
	add(1, func(*txn.Payment) {})
	add(2, func(p *txn.Payment) { p.Numbers.RRN = rrn("632700000001") }) // the same number in another year
	add(3, func(p *txn.Payment) { p.Numbers.At = time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC) })
	add(4, func(p *txn.Payment) { p.Numbers.At = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC) })
	add(5, func(p *txn.Payment) { p.Numbers.STAN, p.Link = 1, "acq-b" })
	add(6, func(p *txn.Payment) { p.Numbers.STAN, p.Numbers.At = 1, payment(1).Numbers.At.AddDate(1, 0, 0) })
	add(7, func(p *txn.Payment) { p.Key = payment(3).Key; p.Amount.Minor = 7 })       // the key again, years later
	add(8, func(p *txn.Payment) { p.Key = payment(4).Key; p.Key.Merchant[14] = '2' }) // another merchant's
	add(10, func(p *txn.Payment) { p.Numbers.RRN = rrn("632700000010") })
	advice := payment(10) // of stand-in: the numbers of its payment
	advice.Key, advice.Original = txn.StandInKey(advice.Key), advice.Key
	advice.Numbers.RRN = rrn("632700000010")
	j.add(record.Advice(advice))
	j.add(record.Tombstone(payment(9).Key))
	name := fresh()
	must(t, catchUp(t, name, j, 3))
	b, err := Read(at(t, name))
	must(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

// Every way to name an original finds the one that is meant, or says why not.
func TestOriginal(t *testing.T) { both(t, findsOriginals) }

func findsOriginals(t *testing.T, fresh func() string) {
	b := originals(t, fresh)
	receipt := func(n, date string) Reference {
		r := &Receipt{RRN: rrn(n)}
		copy(r.Date[:], date)
		return Reference{Receipt: r}
	}
	trace := func(terminal string, n txn.STAN) Reference {
		return Reference{Batch: &Batch{Terminal: till(terminal), Batch: 1, Trace: n}}
	}
	sent := func(link string, stan txn.STAN, at string) Reference {
		return Reference{Sent: &Sent{Link: link, STAN: stan, At: sentAt(at)}}
	}
	for what, c := range map[string]struct {
		by   Reference
		want int64 // amount
		err  error
	}{
		"number of two payments":             {receipt("632700000001", "1123"), 0, ErrAmbiguous},
		"number alone":                       {receipt("632700000004", ""), 104, nil},
		"number and date":                    {receipt("632700000003", "1231"), 103, nil},
		"the terminal's date is a day later": {receipt("632700000003", "0101"), 103, nil},
		"the date is a day earlier":          {receipt("632700000003", "1230"), 103, nil},
		"two days off":                       {receipt("632700000003", "0102"), 0, ErrNotFound},
		"29 February":                        {receipt("632700000004", "0229"), 104, nil},
		"1 March after 29 February":          {receipt("632700000004", "0301"), 104, nil},
		"no date at all":                     {receipt("632700000003", "9x99"), 0, ErrNotFound},
		"unknown number":                     {receipt("999999999999", "1123"), 0, ErrNotFound},
		"batch and trace":                    {trace("10000001", 1), 101, nil},
		"the newest of two lives":            {trace("10000003", 3), 7, nil},
		"a trace of two merchants":           {trace("10000000", 4), 0, ErrAmbiguous},
		"stood in, by number":                {receipt("632700000010", ""), 110, nil},
		"stood in, by trace":                 {trace(payment(10).Key.Terminal.String(), 10), 110, nil},
		"another terminal":                   {trace("10000002", 1), 0, ErrNotFound},
		"a tombstone is no payment":          {trace("10000001", 9), 0, ErrNotFound},
		"DE 90, the newest of two years":     {sent("acq-a", 1, "1123120100"), 106, nil},
		"DE 90, another link":                {sent("acq-b", 1, "1123120500"), 105, nil},
		"DE 90, another second":              {sent("acq-a", 1, "1123120101"), 0, ErrNotFound},
		"nothing":                            {Reference{}, 0, ErrReference},
		"two ways":                           {Reference{Receipt: &Receipt{}, Batch: &Batch{}}, 0, ErrReference},
	} {
		p, err := b.Original(t.Context(), c.by)
		if !errors.Is(err, c.err) || int64(p.Amount.Minor) != c.want {
			t.Errorf("%s: amount %d, %v; want %d, %v", what, p.Amount.Minor, err, c.want, c.err)
		}
	}
}

// The payment that Original gives is the one that the index makes of the same
// journal, in every field.
func TestOriginalIsWhatRecoveryHas(t *testing.T) { both(t, originalIsWhatRecoveryHas) }

func originalIsWhatRecoveryHas(t *testing.T, fresh func() string) {
	j := lives(7, 60)
	name := fresh()
	must(t, catchUp(t, name, j, 10))
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	x := replay.New(replay.Config{Max: 1000, Window: time.Hour}, env.Real(), nil)
	must(t, j.Replay(func(_ uint64, r journal.Record) error { return x.Apply(r) }))
	n := 0
	x.Each(func(p txn.Payment) {
		n++
		got, err := b.Original(t.Context(), Reference{Batch: &Batch{Terminal: p.Key.Terminal, Batch: p.Key.Batch, Trace: p.Key.Trace}})
		got.Reserved, p.Reserved = 0, 0 // room in the journal is the running switch's alone
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("trace %d: %v\n got %+v\nwant %+v", p.Key.Trace, err, got, p)
		}
	})
	if n < 40 {
		t.Errorf("only %d payments", n)
	}
}

// Before it has caught up, a history does not say that a payment does not exist.
func TestOriginalBehind(t *testing.T) { both(t, originalBehind) }

func originalBehind(t *testing.T, fresh func() string) {
	j := lives(8, 10)
	w := NewWriter(Config{At: at(t, fresh())}, env.Real(), j)
	by := Reference{Receipt: &Receipt{RRN: rrn("999999999999")}}
	if _, err := w.Original(t.Context(), by); !errors.Is(err, ErrBehind) {
		t.Errorf("not open: %v", err)
	}
	p, closers, err := w.open()
	must(t, err)
	if _, err := w.Original(t.Context(), by); !errors.Is(err, ErrBehind) {
		t.Errorf("not caught up: %v", err)
	}
	must(t, w.round(p, env.Real().Waits.NewEvent(), true))
	if _, err := w.Original(t.Context(), by); !errors.Is(err, ErrNotFound) {
		t.Errorf("caught up: %v", err)
	}
	if s := w.Status(); s != (Status{Up: true}) {
		t.Errorf("%+v", s)
	}
	for _, c := range closers {
		must(t, c.Close())
	}
}
