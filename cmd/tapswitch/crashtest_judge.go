// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapswitch/internal/env"
	"tapswitch/simulators/oracle"
	"tapswitch/simulators/world"
	past "tapswitch/switch/history"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// What a crash test asks of a first answer: the switch's own deadline, seen from
// the terminal, whose clock runs on while a busy machine carries the message to the
// switch and the answer back.
const (
	crashDeadline = 1500 * time.Millisecond
	crashTravel   = 500 * time.Millisecond
)

// collected is all that terminals, acquirers and journal say of a run that has
// come to rest. Each side wrote its own.
type collected struct {
	oracle.History
	sales   []sale
	states  map[string]int // of the payments in the journal
	records uint64
	scrapes []*scrape
	lives   []time.Duration // when each life of the switch began
	probed  []string        // findings of the probes
}

// collect reads what the run left behind.
func (c *crash) collect(ctx context.Context) (*collected, error) {
	h := &collected{History: oracle.History{Deadline: crashDeadline + crashTravel}, states: map[string]int{}, scrapes: c.scrapes, lives: c.births, probed: c.found}
	for _, t := range c.tills {
		h.sales = append(h.sales, t.said...)
		for _, a := range t.protocol.asks {
			h.Asks = append(h.Asks, *a)
		}
		h.Terminals = append(h.Terminals, t.account())
	}
	slices.SortStableFunc(h.Asks, func(a, b oracle.Ask) int { return int(a.Arrived - b.Arrived) })
	for _, name := range []string{linkA, linkB} {
		if c.books[name] != "ok" {
			h.Unsound = append(h.Unsound, fmt.Sprintf("the books of %s contradict themselves: %s", name, c.books[name]))
		}
		entries, err := readBooks(c.path(name + ".books.jsonl"))
		if err != nil {
			return nil, err
		}
		h.takeBooks(name, entries)
	}
	if err := c.readJournal(ctx, h); err != nil {
		return nil, err
	}
	return h, c.searchAll(h)
}

// records are those of the journal, wherever it is.
func (c *crash) records() offline {
	if c.database != nil {
		return inDatabase{postgres.Config{URL: c.database.address()}}
	}
	return inFiles{c.path("journal")}
}

// readJournal replays the journal into an index of its own, as a start does, and
// holds the states beside those of the history that the switches wrote, life by
// life, while they ran.
func (c *crash) readJournal(ctx context.Context, h *collected) error {
	index := replay.New(replay.Config{Max: 1 << 24, Window: 1000 * time.Hour}, env.Real(), nil)
	for e, err := range c.records().records() {
		if err != nil {
			return fmt.Errorf("journal after %d good records: %w", h.records, err)
		}
		rec, err := world.Tell(e.Record)
		if err == nil {
			err = index.Apply(e.Record)
		}
		if err != nil {
			return fmt.Errorf("journal record %d: %w", e.number, err)
		}
		if rec.Kind != "" {
			h.Records = append(h.Records, rec)
		}
		h.records++
	}
	written, err := c.written(ctx)
	if err != nil {
		return err
	}
	index.Each(func(p txn.Payment) {
		h.states[p.State.String()]++
		s := oracle.State{Key: oracle.Key{Terminal: p.Key.Terminal.String(), Batch: p.Key.Batch, Trace: uint32(p.Key.Trace)}, Replayed: p.State.String()}
		s.Running = written[s.Key]
		delete(written, s.Key)
		h.States = append(h.States, s)
	})
	for _, k := range slices.SortedFunc(maps.Keys(written), compareKeys) { // what the history alone knows
		h.States = append(h.States, oracle.State{Key: k, Running: written[k]})
	}
	return nil
}

func compareKeys(a, b oracle.Key) int {
	return cmp.Or(cmp.Compare(a.Terminal, b.Terminal), cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.Trace, b.Trace))
}

// past is where the history is.
func (c *crash) past() (past.Place, error) {
	if c.database != nil {
		return past.InDatabase(env.Real(), past.Database{URL: c.database.address()})
	}
	return past.InFile(env.Real().Disk, c.path("history.db")), nil
}

// written are the states in the history.
func (c *crash) written(ctx context.Context) (states map[oracle.Key]string, err error) {
	at, err := c.past()
	if err != nil {
		return nil, err
	}
	book, err := past.Read(at)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	states = map[oracle.Key]string{}
	for q := (past.Query{Limit: past.LimitMax}); ; {
		rows, more, err := book.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range rows { // the newest life of a key comes first
			k := oracle.Key{Terminal: r.Terminal, Batch: r.Batch, Trace: r.Trace}
			if _, ok := states[k]; !ok && r.State != past.Tombstone {
				states[k] = r.State
			}
			q.Before = r.ID
		}
		if !more {
			return states, nil
		}
	}
}

// searchAll looks for card numbers in all that the run wrote.
func (c *crash) searchAll(h *collected) error {
	numbers := c.tills[0].numbers()
	err := h.search(c.Dir, numbers)
	if c.database != nil {
		err = errors.Join(err, c.database.keepLog(c.path("postgres.log")), h.search(c.database.Data(), numbers))
	}
	return err
}

// numbers are the card numbers of the deck as digits and packed two a byte.
func (t *till) numbers() map[string][]byte {
	all := map[string][]byte{}
	for _, name := range []string{"unionpay", "visa"} {
		pan := t.deck[name].PAN
		all["card number of "+name] = []byte(pan)
		if packed, err := hex.DecodeString(pan); err == nil { // an even number of digits
			all["packed card number of "+name] = packed
		}
	}
	return all
}

// search looks for card numbers in every file that switch and terminals wrote.
// The token's files, the deck and the hosts' configurations hold them by nature.
func (h *collected) search(dir string, numbers map[string][]byte) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if d.IsDir() || name == "deck.json" || strings.HasPrefix(name, "token") || strings.HasSuffix(name, ".yaml") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, what := range slices.Sorted(maps.Keys(numbers)) {
			if at := bytes.Index(b, numbers[what]); at >= 0 {
				h.Clear = append(h.Clear, fmt.Sprintf("%s in %s at byte %d", what, name, at))
			}
		}
		return nil
	})
}

// judge holds the promises to what was collected; the findings name the promise by
// its number in docs/PROMISES.md, and the payment.
func (h *collected) judge() []string {
	broken := []string{}
	for _, v := range oracle.Judge(h.History) {
		broken = append(broken, v.String())
	}
	for _, s := range h.scrapes {
		broken = append(broken, s.countsAgree(h.Asks)...)
		broken = append(broken, s.casesAgree(h.states[txn.Disputed.String()])...)
	}
	return append(broken, h.probed...)
}
