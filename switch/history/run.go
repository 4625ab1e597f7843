// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// Source is the journal as a writer needs it.
type Source interface {
	// Follow gives every durable record behind number after, in order.
	Follow(after uint64, fn func(seq uint64, r journal.Record) error) error
	// Last is the number of the newest durable record.
	Last() uint64
}

// Config says where the history is and how it is written.
type Config struct {
	At      Place
	Batch   int           // records in one transaction
	Pause   time.Duration // between two looks at the journal
	Retry   time.Duration // after a fault
	Drain   time.Duration // how long a stop may write on
	Trouble func(error)   // told of every fault; the writer goes on
}

// The defaults of a Config.
const (
	DefaultBatch = 512
	DefaultPause = 100 * time.Millisecond
	DefaultRetry = 10 * time.Second
	DefaultDrain = 2 * time.Second
)

// Defaults fills in what is zero.
func (c Config) Defaults() Config {
	if c.Batch == 0 {
		c.Batch = DefaultBatch
	}
	if c.Pause == 0 {
		c.Pause = DefaultPause
	}
	if c.Retry == 0 {
		c.Retry = DefaultRetry
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	if c.Trouble == nil {
		c.Trouble = func(error) {}
	}
	return c
}

// Writer keeps a history behind its journal while a switch runs.
type Writer struct {
	cfg    Config
	world  env.Env
	source Source
	until  env.Mono // of a stop; Never while running; only Run's goroutine has it

	mu    sync.Mutex
	book  *Book // nil while there is no history to read
	seq   uint64
	level env.Mono // when it was last seen level with the journal
	ever  bool     // it was level since the start
	away  bool     // a session ended: nothing is written for a while
	waits []await  // for records to be written
}

// NewWriter makes a writer; Run does the work.
func NewWriter(cfg Config, world env.Env, source Source) *Writer {
	return &Writer{cfg: cfg.Defaults(), world: world, source: source, until: env.Never, level: world.Clock.Mono()}
}

// Status is how far a history is.
type Status struct {
	Up      bool          // it can be read and is being written
	Records uint64        // not yet written
	Behind  time.Duration // since it was level with the journal
}

// Status tells how far the history is.
func (w *Writer) Status() Status {
	last := w.source.Last()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Up: w.book != nil}
	if last > w.seq || !w.ever {
		s.Records = last - min(last, w.seq)
		s.Behind = w.world.Clock.Mono().Sub(w.level)
	}
	return s
}

// Original implements Originals for the running switch.
func (w *Writer) Original(ctx context.Context, by Reference) (txn.Payment, error) {
	w.mu.Lock()
	book, ever := w.book, w.ever
	w.mu.Unlock()
	if book == nil {
		return txn.Payment{}, ErrBehind
	}
	p, err := book.Original(ctx, by)
	if errors.Is(err, ErrNotFound) && !ever {
		err = ErrBehind
	}
	return p, err
}

// Run writes until ended is woken, then for a moment more what is left. A fault
// is told and tried again after a while; it never ends the writer.
func (w *Writer) Run(ended env.Event) {
	for {
		err := w.session(ended)
		if err == nil {
			return
		}
		w.cfg.Trouble(err)
		if ended.Wait(w.world.Clock.Mono().Add(w.cfg.Retry)) {
			return
		}
	}
}

// session opens the history, writes until the end, and closes it.
func (w *Writer) session(ended env.Event) (err error) {
	p, closers, err := w.open()
	defer func() {
		w.show(nil)
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
	}()
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		stopping := ended.Wait(w.world.Clock.Mono()) // now: has it been woken?
		if !stopping && !first {
			stopping = ended.Wait(w.world.Clock.Mono().Add(w.cfg.Pause))
		}
		if stopping {
			w.until = w.world.Clock.Mono().Add(w.cfg.Drain)
		}
		if err := w.round(p, ended, first); err != nil || stopping {
			return errors.Join(err, p.abandon())
		}
	}
}

// open takes the lock and opens the file for writing and for reading, making it
// when there is none.
func (w *Writer) open() (p *projection, closers []io.Closer, err error) {
	l, err := w.cfg.At.lock()
	if err != nil {
		return nil, nil, err
	}
	closers = append(closers, l)
	db, err := w.cfg.At.writing()
	if errors.Is(err, ErrNone) {
		if err := w.cfg.At.create(); err != nil {
			return nil, closers, err
		}
		db, err = w.cfg.At.writing()
	}
	if err != nil {
		return nil, closers, err
	}
	closers = append([]io.Closer{db}, closers...)
	db.SetMaxOpenConns(1)
	if p, err = newProjection(db, w.cfg.Batch, w.cfg.At.bound()); err != nil {
		return nil, closers, fmt.Errorf("history %s: %w", w.cfg.At, err)
	}
	book, err := Read(w.cfg.At)
	if err != nil {
		return nil, closers, err
	}
	w.show(book)
	return p, append([]io.Closer{book}, closers...), nil
}

func (w *Writer) show(b *Book) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.book, w.away = b, b == nil
	if w.away {
		for _, a := range w.waits {
			a.written.Wake()
		}
		w.waits = nil
	}
}

// errLater ends a round that may not take longer.
var errLater = errors.New("later")

// round writes what the journal has more. The first one of a session begins with
// the last record written before, to see that it is the same journal.
func (w *Writer) round(p *projection, ended env.Event, first bool) error {
	last := w.source.Last()
	if last < p.seq {
		return fmt.Errorf("history %s has record %d, the journal's last is %d: %w", w.cfg.At, p.seq, last, ErrOther)
	}
	after := p.seq
	if first && after > 0 {
		after--
	}
	var err error
	if last > after {
		err = w.source.Follow(after, func(seq uint64, r journal.Record) error { return w.take(p, seq, r, ended) })
	}
	if errors.Is(err, errLater) {
		err = nil
	}
	if err == nil {
		err = p.commit()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("history %s: %w", w.cfg.At, err), p.abandon())
	}
	w.wrote(p.seq, p.seq >= last)
	return nil
}

// take takes one record, and stops in time when the switch is to stop.
func (w *Writer) take(p *projection, seq uint64, r journal.Record, ended env.Event) error {
	if err := p.take(seq, r); err != nil || p.pending > 0 {
		return err
	}
	w.wrote(p.seq, false) // a batch was committed
	now := w.world.Clock.Mono()
	if w.until == env.Never && ended.Wait(now) {
		w.until = now.Add(w.cfg.Drain)
	}
	if now >= w.until {
		return errLater
	}
	return nil
}

// wrote notes how far it is, and whether that is level with the journal.
func (w *Writer) wrote(seq uint64, level bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq = seq
	if level {
		w.ever, w.level = true, w.world.Clock.Mono()
	}
	w.waits = slices.DeleteFunc(w.waits, func(a await) bool {
		if a.seq <= seq {
			a.written.Wake()
		}
		return a.seq <= seq
	})
}
