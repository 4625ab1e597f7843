// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// The memory's files. The new one is written beside the old one and takes its
// name when it is whole: a crash leaves either, never a mixture.
const (
	memoryFile = "memory.json"
	memoryNew  = "memory.json.new"
	memoryLock = "lock"

	memoryVersion = 1
	memoryKinds   = 2        // of a file that has another kind than sales: an earlier program would reverse it as one
	memoryMax     = 64 << 10 // far above offlineMax, scriptsMax and three sealed records; more is not ours
)

// TraceMax is the last trace number before they start again at 1.
const TraceMax = 999_999

// Errors of the memory.
var (
	ErrMemory      = errors.New("host: reversal memory is damaged")
	ErrMemoryWrite = errors.New("host: reversal memory cannot be written")
	ErrLocked      = errors.New("host: another terminal program uses this state directory")
)

// reversal is all that a 0400 needs. It is sealed before it is stored.
type reversal struct {
	Kind     Kind     `json:"kind,omitempty"`
	Of       Kind     `json:"of,omitempty"` // of KindScript: what the script came with
	Original Original `json:"original,omitzero"`

	Trace   uint32           `json:"trace"`
	Batch   string           `json:"batch"`
	Why     string           `json:"why"` // field 39: 98 no answer, A0 MAC, 06 other
	Amount  money.MinorUnits `json:"amount"`
	Cash    money.MinorUnits `json:"cash,omitempty"` // of Amount
	Part    money.MinorUnits `json:"part,omitempty"` // of an approved sale: what was approved, when it is a part
	Expiry  string           `json:"expiry"`
	PSN     string           `json:"psn"`
	Entry   string           `json:"entry"` // field 22 as it was sent
	Auth    string           `json:"auth"`
	ICC     []byte           `json:"icc"`               // the short list
	RRN     string           `json:"rrn,omitempty"`     // of an approved sale: field 37 of its answer
	Changed bool             `json:"changed,omitempty"` // of an approved sale: it was adjusted since, so it is not reversed
	Refused string           `json:"refused,omitempty"` // field 39 of the switch that will not have an offline sale, or did not judge a refund
	At      time.Time        `json:"at,omitzero"`       // of a refund: when it was sent first
	pan     secret.PAN
}

// state is what survives a restart.
type state struct {
	trace   uint32 // the last one used
	batch   string
	pending *reversal          // due: sent until acknowledged
	last    *reversal          // of the last approved sale, for the operator's reversal
	offline []*reversal        // sales that the switch does not have yet, the oldest first
	refund  *reversal          // has no answer yet: the same message is sent again
	lists   map[string][]entry // payments of the batches that are not settled; see batch.go
	closing *closing           // a batch that is being settled
}

// memory is the state and the disk it lives on.
type memory struct {
	disk     env.Disk
	dir      string
	terminal string
	sealer   hsm.Sealer
	key      *hsm.Key
	lock     io.Closer
	now      state
}

// onDisk is the file: sealed records and the counters beside them.
type onDisk struct {
	Version  int            `json:"version"`
	Terminal string         `json:"terminal"`
	Trace    uint32         `json:"trace"`
	Batch    string         `json:"batch"`
	Pending  []byte         `json:"pending,omitempty"`
	Last     []byte         `json:"last,omitempty"`
	Offline  [][]byte       `json:"offline,omitempty"`
	Refund   []byte         `json:"refund,omitempty"`
	Lists    map[string]int `json:"lists,omitempty"` // records in the list of each batch
	Closing  *closing       `json:"closing,omitempty"`
}

// openMemory locks the directory and reads what is there; a terminal without a
// file is new and starts with batch.
func openMemory(ctx context.Context, disk env.Disk, keys Keys, cfg Config) (*memory, error) {
	m := &memory{disk: disk, dir: cfg.Dir, terminal: cfg.Terminal, sealer: keys.Module, key: keys.Storage}
	// The directory itself must survive a power cut: what is synced inside a
	// directory that is gone is gone too.
	if err := errors.Join(disk.MkdirAll(cfg.Dir), disk.SyncDir(path.Dir(path.Clean(cfg.Dir)))); err != nil {
		return nil, fmt.Errorf("host: make state directory: %w", err)
	}
	if locker, ok := disk.(env.Locker); ok {
		lock, err := locker.Lock(path.Join(cfg.Dir, memoryLock))
		if errors.Is(err, env.ErrLocked) {
			return nil, fmt.Errorf("%w: %s: stop the other one, or give this one its own", ErrLocked, cfg.Dir)
		}
		if err != nil {
			return nil, fmt.Errorf("host: lock state directory: %w", err)
		}
		m.lock = lock
	}
	m.now = state{batch: cfg.Batch}
	if err := m.load(ctx); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *memory) close() error {
	if m.lock == nil {
		return nil
	}
	err := m.lock.Close()
	m.lock = nil
	return err
}

func (m *memory) load(ctx context.Context) error {
	raw, err := m.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("host: read reversal memory: %w", err)
	}
	var d onDisk
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&d); err != nil {
		return m.damaged("it is not the JSON that this program writes")
	}
	switch {
	case d.Version != memoryVersion && d.Version != memoryKinds:
		return m.damaged(fmt.Sprintf("version %d, this program knows %d and %d", d.Version, memoryVersion, memoryKinds))
	case d.Terminal != m.terminal:
		return m.damaged(fmt.Sprintf("it belongs to terminal %q, not to %q", d.Terminal, m.terminal))
	case d.Trace > TraceMax || !digits(d.Batch, 6):
		return m.damaged("trace or batch is out of range")
	}
	next := state{trace: d.Trace, batch: d.Batch}
	if next.pending, err = m.open(ctx, "pending", d.Pending); err != nil {
		return err
	}
	if next.last, err = m.open(ctx, "last", d.Last); err != nil {
		return err
	}
	if next.lists, err = m.loadLists(ctx, d.Lists); err != nil {
		return err
	}
	if next.closing = d.Closing; next.closing != nil && (!digits(next.closing.Batch, 6) || next.closing.Next < 0 || next.closing.Next > d.Lists[next.closing.Batch]) {
		return m.damaged("the batch that is being settled is out of range")
	}
	if next.refund, err = m.open(ctx, "refund", d.Refund); err != nil {
		return err
	}
	for i, sealed := range d.Offline {
		kept, err := m.open(ctx, offlinePlace(i), sealed)
		switch {
		case err != nil:
			return err
		case kept == nil:
			return m.damaged("an offline sale is empty")
		}
		next.offline = append(next.offline, kept)
	}
	m.now = next
	return nil
}

// offlinePlace is where an offline sale is in the file.
func offlinePlace(i int) string { return fmt.Sprintf("offline %d", i) }

// damaged says what to do: a reversal may be in there, so nothing starts by itself.
func (m *memory) damaged(why string) error {
	return fmt.Errorf("%w: %s: %s; a reversal may be due: look into the switch's journal, then move the file away",
		ErrMemory, path.Join(m.dir, memoryFile), why)
}

func (m *memory) read() ([]byte, error) {
	f, err := m.disk.Open(path.Join(m.dir, memoryFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > memoryMax {
		return nil, m.damaged(fmt.Sprintf("%d bytes, at most %d are ours", size, memoryMax))
	}
	raw := make([]byte, size)
	if _, err := f.ReadAt(raw, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return raw, nil
}

// save makes next durable and then current. After an error the disk may hold
// either; the memory of the process is unchanged.
func (m *memory) save(ctx context.Context, next state) error {
	ctx = context.WithoutCancel(ctx)
	d := onDisk{Version: memoryVersion, Terminal: m.terminal, Trace: next.trace, Batch: next.batch, Lists: next.counts(), Closing: next.closing}
	for _, r := range append([]*reversal{next.pending, next.last, next.refund}, next.offline...) {
		if r != nil && r.Kind != KindSale {
			d.Version = memoryKinds
		}
	}
	var err error
	if d.Pending, err = m.seal(ctx, "pending", next.pending); err != nil {
		return err
	}
	if d.Last, err = m.seal(ctx, "last", next.last); err != nil {
		return err
	}
	if d.Refund, err = m.seal(ctx, "refund", next.refund); err != nil {
		return err
	}
	for i, kept := range next.offline {
		sealed, err := m.seal(ctx, offlinePlace(i), kept)
		if err != nil {
			return err
		}
		d.Offline = append(d.Offline, sealed)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("host: encode reversal memory: %w", err)
	}
	if err := m.replace(append(raw, '\n')); err != nil {
		return fmt.Errorf("%w: %w; nothing is sold until it can", ErrMemoryWrite, err)
	}
	m.now = next
	return nil
}

func (m *memory) replace(raw []byte) error {
	fresh := path.Join(m.dir, memoryNew)
	if err := m.disk.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := m.disk.Create(fresh)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(raw, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := m.disk.Rename(fresh, path.Join(m.dir, memoryFile)); err != nil {
		return err
	}
	return m.disk.SyncDir(m.dir)
}

// stored is a reversal with its card number, in clear only inside the seal.
type stored struct {
	reversal
	PAN []byte `json:"pan"`
}

// bound ties a sealed record to its terminal and its place in the file.
func (m *memory) bound(place string) []byte {
	return fmt.Appendf(nil, "tapswitch terminal memory %d %s %s", memoryVersion, m.terminal, place)
}

func (m *memory) seal(ctx context.Context, place string, r *reversal) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	plain, err := json.Marshal(stored{*r, r.pan.Reveal(secret.ForStore)})
	defer clear(plain)
	if err != nil {
		return nil, fmt.Errorf("host: encode reversal: %w", err)
	}
	sealed, err := m.sealer.Seal(ctx, m.key, plain, m.bound(place))
	if err != nil {
		return nil, fmt.Errorf("host: seal reversal: %w", err)
	}
	return sealed, nil
}

func (m *memory) open(ctx context.Context, place string, sealed []byte) (*reversal, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := m.unseal(ctx, place, sealed)
	defer clear(plain)
	if err != nil {
		return nil, err
	}
	var s stored
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, m.damaged("the " + place + " record is not of this version")
	}
	defer clear(s.PAN)
	if _, known := s.form(); !known {
		return nil, m.damaged("the " + place + " record is of a kind that this program does not know")
	}
	if s.reversal.pan, err = secret.NewPAN(s.PAN); err != nil {
		return nil, m.damaged("the " + place + " record has no card number")
	}
	return &s.reversal, nil
}

// unseal opens a record of a place.
func (m *memory) unseal(ctx context.Context, place string, sealed []byte) ([]byte, error) {
	plain, err := m.sealer.Open(ctx, m.key, sealed, m.bound(place))
	if errors.Is(err, hsm.ErrUnavailable) { // says nothing of the record
		return nil, fmt.Errorf("host: open the %s record of the reversal memory: %w", place, err)
	}
	if err != nil {
		return nil, m.damaged("the " + place + " record does not open with this storage key")
	}
	return plain, nil
}

// nextTrace is the number after the last one used; it takes nothing.
func (m *memory) nextTrace() uint32 {
	if m.now.trace >= TraceMax {
		return 1
	}
	return m.now.trace + 1
}

// skip makes sure that this process does not use a number again, also when the
// disk did not take it.
func (m *memory) skip(trace uint32) { m.now.trace = trace }

func digits(s string, n int) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == n
}
