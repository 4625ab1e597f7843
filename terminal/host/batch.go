// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// The list of a batch is a file of its own, records of one length: sealed, in
// base64, filled with spaces and ended by a line feed. How many of them count says
// the memory, which is replaced whole: a record behind those was never recorded.
const (
	listForm   = "batch-%s.list"
	listRecord = 256
)

// The bounds of a batch.
const (
	batchMax = 999  // payments on one side: what the settlement can say
	listMax  = 4000 // records, those that were taken back included
	lastNum  = 999_999
)

// entry is a record of a batch's list: a payment, or that one is taken back.
type entry struct {
	Trace   uint32           `json:"trace"`
	Amount  money.MinorUnits `json:"amount,omitempty"`
	Credit  bool             `json:"credit,omitempty"`  // the customer got it
	Struck  bool             `json:"struck,omitempty"`  // the payment of this trace number is taken back
	Comes   bool             `json:"comes,omitempty"`   // the payment of this trace number comes to Amount from then on
	Unasked bool             `json:"unasked,omitempty"` // an offline sale: the terminal asked nobody
	pan     secret.PAN       // only while it is written or uploaded
}

// closing is a batch that is being settled, or is to be.
type closing struct {
	Batch string `json:"batch"`
	Told  bool   `json:"told,omitempty"`  // its totals were told and differ: it is uploaded
	Next  int    `json:"next,omitempty"`  // the first record that the switch may not have
	Count int    `json:"count,omitempty"` // items that it has
}

// Totals are what a terminal or its switch counted of a batch, in minor units.
type Totals struct {
	Debits, Credits         int
	DebitMinor, CreditMinor money.MinorUnits
}

// live are the payments of a list that were not taken back, by their place in it.
func live(list []entry) (places []int) {
	struck := map[uint32]bool{}
	for _, e := range list {
		struck[e.Trace] = struck[e.Trace] || e.Struck
	}
	for i, e := range list {
		if !e.Struck && !e.Comes && !struck[e.Trace] {
			places = append(places, i)
		}
	}
	return places
}

// adjusted are what the payments of a list come to that were adjusted, by their trace
// numbers: the latest holds.
func adjusted(list []entry) map[uint32]money.MinorUnits {
	to := map[uint32]money.MinorUnits{}
	for _, e := range list {
		if e.Comes {
			to[e.Trace] = e.Amount
		}
	}
	return to
}

// totals are what a list comes to.
func totals(list []entry) (t Totals) {
	to := adjusted(list)
	for _, i := range live(list) {
		e := list[i]
		if sum, ok := to[e.Trace]; ok {
			e.Amount = sum
		}
		if e.Credit {
			t.Credits++
			t.CreditMinor += e.Amount
		} else {
			t.Debits++
			t.DebitMinor += e.Amount
		}
	}
	return t
}

// full says that a batch must be settled before it takes another payment.
func full(list []entry) bool {
	t := totals(list)
	return t.Debits >= batchMax || t.Credits >= batchMax || len(list) >= listMax
}

// nextBatch is the number behind one; they start again at 1.
func nextBatch(batch string) string {
	n, err := strconv.Atoi(batch)
	if err != nil || n >= lastNum {
		n = 0
	}
	return fmt.Sprintf("%06d", n+1)
}

// with is the state with one more record in a batch's list; the state itself is
// not changed.
func (s state) with(batch string, e entry) state {
	e.pan = secret.PAN{}
	s.lists = maps.Clone(s.lists)
	if s.lists == nil {
		s.lists = map[string][]entry{}
	}
	list := s.lists[batch]
	s.lists[batch] = append(list[:len(list):len(list)], e)
	return s
}

// without is the state without a batch's list.
func (s state) without(batch string) state {
	s.lists = maps.Clone(s.lists)
	delete(s.lists, batch)
	return s
}

// record writes a record behind those of its batch's list. It counts once the
// state that is returned is saved.
func (m *memory) record(ctx context.Context, next state, batch string, e entry) (state, error) {
	at := len(next.lists[batch])
	raw, err := m.sealEntry(ctx, batch, at, e)
	if err == nil {
		err = m.write(batch, at, raw)
	}
	if err != nil {
		return next, fmt.Errorf("%w: list of batch %s: %w", ErrMemoryWrite, batch, err)
	}
	return next.with(batch, e), nil
}

// count is record for a payment that may have been taken in an earlier batch: one
// whose batch is settled is in no list any more.
func (m *memory) count(ctx context.Context, next state, r *reversal) (state, error) {
	if r.Kind.told() {
		return m.adjust(ctx, next, r)
	}
	counted, credit := r.Kind.counts()
	if !counted || r.Batch != next.batch && (next.closing == nil || next.closing.Batch != r.Batch) {
		return next, nil
	}
	return m.record(ctx, next, r.Batch, entry{Trace: r.Trace, Amount: r.Amount, Credit: credit, Unasked: r.unasked(), pan: r.pan})
}

// adjust records what the payment that r names comes to, if its batch's list has it.
func (m *memory) adjust(ctx context.Context, next state, r *reversal) (state, error) {
	list := next.lists[r.Original.Batch]
	for _, i := range live(list) {
		if e := list[i]; e.Trace == r.Original.Trace {
			e.Comes, e.Amount = true, r.Amount
			return m.record(ctx, next, r.Original.Batch, e)
		}
	}
	return next, nil
}

// strike takes the payment of a trace number back in its batch's list, if it is
// there.
func (m *memory) strike(ctx context.Context, next state, batch string, trace uint32) (state, error) {
	list := next.lists[batch]
	for _, i := range live(list) {
		if list[i].Trace == trace {
			e := list[i]
			e.Struck = true
			return m.record(ctx, next, batch, e)
		}
	}
	return next, nil
}

func (m *memory) listName(batch string) string { return path.Join(m.dir, fmt.Sprintf(listForm, batch)) }

// write puts a record into its place; the file of the first one is made new.
func (m *memory) write(batch string, at int, raw []byte) error {
	f, err := m.openList(batch, at == 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(raw, int64(at)*listRecord)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && at == 0 {
		err = m.disk.SyncDir(m.dir)
	}
	return err
}

func (m *memory) openList(batch string, fresh bool) (env.File, error) {
	if !fresh {
		return m.disk.Open(m.listName(batch))
	}
	if err := m.dropList(batch); err != nil {
		return nil, err
	}
	return m.disk.Create(m.listName(batch))
}

// dropList removes the file of a batch that is settled.
func (m *memory) dropList(batch string) error {
	if err := m.disk.Remove(m.listName(batch)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// loadList reads the records of a batch's list that count.
func (m *memory) loadList(ctx context.Context, batch string, count int) (list []entry, err error) {
	for at := range count {
		e, err := m.readEntry(ctx, batch, at)
		if err != nil {
			return nil, err
		}
		e.pan.Wipe()
		e.pan = secret.PAN{}
		list = append(list, e)
	}
	return list, nil
}

// readEntry reads one record with its card number.
func (m *memory) readEntry(ctx context.Context, batch string, at int) (entry, error) {
	damaged := func(why string) error {
		return m.damaged(fmt.Sprintf("record %d of the list of batch %s %s", at, batch, why))
	}
	f, err := m.disk.Open(m.listName(batch))
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, damaged("is not there")
	}
	if err != nil {
		return entry{}, fmt.Errorf("host: open the list of batch %s: %w", batch, err)
	}
	defer f.Close()
	var raw [listRecord]byte
	if n, err := f.ReadAt(raw[:], int64(at)*listRecord); n < listRecord {
		if err != nil && !errors.Is(err, io.EOF) {
			return entry{}, fmt.Errorf("host: read the list of batch %s: %w", batch, err)
		}
		return entry{}, damaged("is not there")
	}
	sealed, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimRight(raw[:], " \n"))
	if err != nil {
		return entry{}, damaged("is not what this program writes")
	}
	plain, err := m.unseal(ctx, entryPlace(batch, at), sealed)
	defer clear(plain)
	if err != nil {
		return entry{}, err
	}
	var s storedEntry
	if err := json.Unmarshal(plain, &s); err != nil {
		return entry{}, damaged("is not of this version")
	}
	defer clear(s.PAN)
	if s.Struck || s.Comes {
		return s.entry, nil
	}
	if s.entry.pan, err = secret.NewPAN(s.PAN); err != nil {
		return entry{}, damaged("has no card number")
	}
	return s.entry, nil
}

// storedEntry is an entry with its card number, in clear only inside the seal.
type storedEntry struct {
	entry
	PAN []byte `json:"pan,omitempty"` // none when it takes one back
}

// entryPlace ties a record to its batch and its place in the list.
func entryPlace(batch string, at int) string { return fmt.Sprintf("batch %s record %d", batch, at) }

func (m *memory) sealEntry(ctx context.Context, batch string, at int, e entry) ([]byte, error) {
	plain, err := json.Marshal(storedEntry{e, e.pan.Reveal(secret.ForStore)})
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("encode a record: %w", err)
	}
	sealed, err := m.sealer.Seal(context.WithoutCancel(ctx), m.key, plain, m.bound(entryPlace(batch, at)))
	if err != nil {
		return nil, fmt.Errorf("seal a record: %w", err)
	}
	raw := base64.StdEncoding.AppendEncode(nil, sealed)
	if len(raw) >= listRecord {
		return nil, fmt.Errorf("a record of %d bytes, %d are allowed", len(raw), listRecord-1)
	}
	raw = append(raw, bytes.Repeat([]byte{' '}, listRecord-1-len(raw))...)
	return append(raw, '\n'), nil
}

// counts is how many records of each list count, as the memory keeps it.
func (s state) counts() map[string]int {
	counts := map[string]int{}
	for batch, list := range s.lists {
		counts[batch] = len(list)
	}
	return counts
}

// loadLists reads all lists; damage in one is told with its name.
func (m *memory) loadLists(ctx context.Context, counts map[string]int) (map[string][]entry, error) {
	lists := map[string][]entry{}
	for _, batch := range slices.Sorted(maps.Keys(counts)) {
		if count := counts[batch]; !digits(batch, 6) || count < 1 || count > listMax {
			return nil, m.damaged("its list of batches is out of range")
		}
		list, err := m.loadList(ctx, batch, counts[batch])
		if err != nil {
			return nil, err
		}
		lists[batch] = list
	}
	return lists, nil
}
