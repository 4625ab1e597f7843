// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"tapswitch/internal/money"
)

// The states of a check in an Entry.
const (
	StateNone      = "none"      // nothing to check, or not the issuer
	StateOK        = "ok"        //
	StateBad       = "bad"       // MAC or cryptogram
	StateWrong     = "wrong"     // PIN: a try was counted
	StateMalformed = "malformed" // PIN block of another key, account or format: no try counted
	StateExceeded  = "exceeded"  // PIN not looked at: tries used up
)

// The effects of an Entry on its account.
const (
	EffectNone   = "none"
	EffectDebit  = "debit"
	EffectCredit = "credit"
)

// mtiOpening marks the line that opens an account in the books.
const mtiOpening = "open"

// Entry is one line of the books: a message received and what was answered.
// The card number is masked; nothing of track, PIN block or key is kept.
type Entry struct {
	Time         time.Time        `json:"time"`
	Seq          uint64           `json:"seq"`
	MTI          string           `json:"mti"`                 // "open" for an opening balance
	Procedure    string           `json:"procedure,omitempty"` // field 3
	Condition    string           `json:"condition,omitempty"` // field 25 of a 01xx or 02xx, unless 00
	STAN         string           `json:"stan,omitempty"`
	RRN          string           `json:"rrn,omitempty"`
	F7           string           `json:"f7,omitempty"`
	Institution  string           `json:"institution,omitempty"`
	Network      string           `json:"network,omitempty"` // field 70
	Terminal     string           `json:"terminal,omitempty"`
	Merchant     string           `json:"merchant,omitempty"`
	Account      string           `json:"account,omitempty"`
	PAN          string           `json:"pan,omitempty"`
	AmountMinor  money.MinorUnits `json:"amount_minor"`
	CashMinor    money.MinorUnits `json:"cash_minor,omitempty"`  // of AmountMinor, what a purchase brought in cash
	WasMinor     money.MinorUnits `json:"was_minor,omitempty"`   // of an adjustment: what its original came to before
	AskedMinor   money.MinorUnits `json:"asked_minor,omitempty"` // field 4, where AmountMinor is the part of it that was approved
	Currency     string           `json:"currency,omitempty"`
	Original     string           `json:"original,omitempty"` // key of the message a reversal names
	Script       string           `json:"script,omitempty"`   // hex: of an approval the identifier of the script it had; of a 0620 the results
	Settled      string           `json:"settled,omitempty"`  // MMDD, field 15 of a reversal
	Response     string           `json:"response,omitempty"` // field 39; empty when dropped
	AuthCode     string           `json:"auth_code,omitempty"`
	Reason       string           `json:"reason"`
	MAC          string           `json:"mac"`
	PIN          string           `json:"pin"`
	ARQC         string           `json:"arqc"`
	Mood         string           `json:"mood,omitempty"`     // the mood that bent this message
	Decision     bool             `json:"decision,omitempty"` // settles its key: repeats get this answer
	Effect       string           `json:"effect"`
	BalanceMinor money.MinorUnits `json:"balance_minor"`        // of Account, afterwards
	HeldMinor    money.MinorUnits `json:"held_minor,omitempty"` // of that, what is held

	CompletableMinor money.MinorUnits `json:"completable_minor,omitempty"` // of a hold: the most that its completion may take
}

// Key names the message for duplicate detection: STAN, F7 and institution.
func (e Entry) Key() string { return messageKey(e.STAN, e.F7, e.Institution) }

// Bounds of the books.
const (
	maxEntries = 1 << 20
	maxLine    = 4096
)

var errBooksFull = errors.New("books_full")

// books is the file and its copy in memory. Writers queue under the host's
// lock; whoever finds the file idle writes and syncs for all who wait.
type books struct {
	mu      sync.Mutex
	idle    *sync.Cond
	file    *os.File
	entries []Entry
	pending []byte
	queued  uint64 // entries handed in, in all
	synced  uint64 // of them on disk
	loaded  int    // entries that were in the file at start
	busy    bool
	err     error // first failure of the file; final
}

// openBooks opens or creates the file, reads it, and cuts a torn last line,
// which nobody was answered for.
func openBooks(path string) (*books, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("acquirer: books: %w", err)
	}
	b := &books{file: f}
	b.idle = sync.NewCond(&b.mu)
	if err := b.open(path); err != nil {
		return nil, errors.Join(err, b.release())
	}
	return b, nil
}

func (b *books) open(path string) error {
	if err := syscall.Flock(int(b.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("acquirer: books %s: in use by another host; give each host its own file", path)
	}
	good, err := b.read()
	if err != nil {
		return fmt.Errorf("acquirer: books %s: %w", path, err)
	}
	if err := b.file.Truncate(good); err != nil {
		return fmt.Errorf("acquirer: books: %w", err)
	}
	if _, err := b.file.Seek(good, io.SeekStart); err != nil {
		return fmt.Errorf("acquirer: books: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path)) // the file's name must survive a crash too
	if err != nil {
		return fmt.Errorf("acquirer: books: %w", err)
	}
	defer dir.Close()
	return errors.Join(b.file.Sync(), dir.Sync())
}

// read returns the length of the file up to its last whole line.
func (b *books) read() (good int64, err error) {
	r := bufio.NewReaderSize(b.file, maxLine)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			b.loaded = len(b.entries)
			return good, nil // what stands here is torn
		}
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		var e Entry
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if d.Decode(&e) != nil {
			return 0, fmt.Errorf("line %d is no entry of this version; move the file away to start anew", n)
		}
		if len(b.entries) == maxEntries {
			return 0, fmt.Errorf("more than %d lines; move the file away to start anew", maxEntries)
		}
		b.entries = append(b.entries, e)
		good += int64(len(line))
	}
}

// room reports whether one more entry fits.
func (b *books) room() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	if len(b.entries) >= maxEntries {
		return errBooksFull
	}
	return nil
}

// enqueue hands an entry in and returns the ticket to wait for.
func (b *books) enqueue(e Entry) (uint64, error) {
	line, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("acquirer: books: entry %d: %w", e.Seq, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	b.pending = append(append(b.pending, line...), '\n')
	b.queued++
	return b.queued, nil
}

// wait returns when the ticket's entry is on disk.
func (b *books) wait(ticket uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.synced < ticket && b.err == nil {
		if b.busy {
			b.idle.Wait()
			continue
		}
		b.busy = true
		lines, upto := b.pending, b.queued
		b.pending = nil
		b.mu.Unlock()
		_, err := b.file.Write(lines)
		if err == nil {
			err = b.file.Sync()
		}
		b.mu.Lock()
		b.busy = false
		if err != nil {
			b.err = fmt.Errorf("acquirer: books: %w; the host stops, its answers would not be on record", err)
		} else {
			b.synced = upto
		}
		b.idle.Broadcast()
	}
	if b.synced >= ticket {
		return nil
	}
	return b.err
}

// copy returns what is on disk.
func (b *books) copy() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Entry(nil), b.entries[:b.loaded+int(b.synced)]...)
}

func (b *books) close() error {
	b.mu.Lock()
	last := b.queued
	b.mu.Unlock()
	return errors.Join(b.wait(last), b.release())
}

// release lets go of the lock and closes the file. A child process has a copy of
// the open file between its fork and its exec: closing ours alone would leave the
// lock there for that moment.
func (b *books) release() error {
	return errors.Join(syscall.Flock(int(b.file.Fd()), syscall.LOCK_UN), b.file.Close())
}
