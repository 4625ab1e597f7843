// SPDX-License-Identifier: Apache-2.0

// Package serial opens a tty or pty as a port with real deadlines.
//
// Promise: a Read or Write ends at its deadline, at Close, or when the device
// is unplugged, each with its own error; no Read gives zero bytes without one.
//
// How: go.bug.st/serial does the tty work, raw mode and exclusive use. Its read
// time-out answers (0, nil), on which io.ReadFull spins, so Port turns it into
// os.ErrDeadlineExceeded; it reads in slices so that a deadline set meanwhile is
// seen, and writes beside a timer because the library has none for writing.
//
// Imported by: terminal/reader. Imports: go.bug.st/serial.
package serial

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	tty "go.bug.st/serial"
)

// ErrPortGone says that the device is not there: unplugged, or never plugged in.
// Reopen tries again.
var ErrPortGone = errors.New("serial: the port is gone")

// ErrClosed says that this side closed the port.
var ErrClosed = errors.New("serial: port is closed")

// readSlice is how soon a Read that has begun sees a new deadline.
const readSlice = 20 * time.Millisecond

// drainGrace is how long a write that ran into its deadline may take to let go
// after the output buffer was thrown away.
const drainGrace = 200 * time.Millisecond

// Port is one serial line, 8 data bits, no parity, one stop bit. One goroutine
// may read while another writes; deadlines and Close may come from any.
type Port struct {
	name string
	baud int

	mu            sync.Mutex
	line          tty.Port // nil when gone or closed
	closed        bool
	readDeadline  time.Time
	writeDeadline time.Time

	reading sync.Mutex // the library's read time-out is a plain field
}

// Open opens the device. A baud of 0 means 115200.
func Open(name string, baud int) (*Port, error) {
	if baud == 0 {
		baud = 115200
	}
	p := &Port{name: name, baud: baud}
	if err := p.Reopen(); err != nil {
		return nil, err
	}
	return p, nil
}

// Reopen closes what is open and opens the device anew, by its name: a USB
// device that came back, or a pty behind the same link.
func (p *Port) Reopen() error {
	p.reading.Lock() // a Read lets go within a slice
	defer p.reading.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.line != nil {
		_ = p.line.Close()
		p.line = nil
	}
	// InitialStatusBits stay nil: ptys have no modem lines.
	line, err := tty.Open(p.name, &tty.Mode{BaudRate: p.baud, DataBits: 8})
	if err != nil {
		return fmt.Errorf("%w: open %s: %w", ErrPortGone, p.name, err)
	}
	p.line, p.readDeadline, p.writeDeadline = line, time.Time{}, time.Time{}
	return nil
}

// Name is the device's name as given to Open.
func (p *Port) Name() string { return p.name }

// SetReadDeadline ends reads from now on, also one that waits, at t; the zero
// time means never.
func (p *Port) SetReadDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readDeadline = t
}

// SetWriteDeadline ends writes that begin from now on at t; the zero time means
// never.
func (p *Port) SetWriteDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeDeadline = t
}

// Read reads what has come, one byte at least. It returns
// os.ErrDeadlineExceeded, ErrClosed or ErrPortGone when nothing came.
func (p *Port) Read(b []byte) (int, error) {
	p.reading.Lock()
	defer p.reading.Unlock()
	for {
		line, left, err := p.nextSlice()
		if err != nil {
			return 0, err
		}
		if err := line.SetReadTimeout(left); err != nil {
			return 0, p.gone(line)
		}
		n, err := line.Read(b)
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, p.gone(line)
		}
	}
}

func (p *Port) nextSlice() (tty.Port, time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, 0, ErrClosed
	case p.line == nil:
		return nil, 0, ErrPortGone
	case p.readDeadline.IsZero():
		return p.line, readSlice, nil
	}
	left := time.Until(p.readDeadline)
	if left <= 0 {
		return nil, 0, os.ErrDeadlineExceeded
	}
	return p.line, min(left, readSlice), nil
}

// Write writes all of b or says why not.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	line, deadline, closed := p.line, p.writeDeadline, p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return 0, ErrClosed
	case line == nil:
		return 0, ErrPortGone
	}
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	b = append([]byte(nil), b...) // the write may outlive the call
	go func() {
		n, err := writeAll(line, b)
		done <- result{n, err}
	}()
	var late <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		late = t.C
	}
	select {
	case r := <-done:
		if r.err != nil {
			return r.n, p.goneWriting(line)
		}
		return r.n, nil
	case <-late:
	}
	// Nobody takes our bytes. Throwing them away lets the writer go.
	_ = line.ResetOutputBuffer()
	select {
	case <-done:
		return 0, os.ErrDeadlineExceeded
	case <-time.After(drainGrace):
		return 0, p.goneWriting(line)
	}
}

func writeAll(line tty.Port, b []byte) (n int, err error) {
	for n < len(b) {
		k, err := line.Write(b[n:])
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// gone closes the line that failed and names the end. The caller holds reading:
// the library must not close a line under a Read, whose number may be reused.
func (p *Port) gone(line tty.Port) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if p.line == line {
		_ = line.Close()
		p.line = nil
	}
	return ErrPortGone
}

func (p *Port) goneWriting(line tty.Port) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	return p.gone(line)
}

// DiscardInput throws away what has come and was not read.
func (p *Port) DiscardInput() error {
	p.mu.Lock()
	line, closed := p.line, p.closed
	p.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case line == nil:
		return ErrPortGone
	}
	if err := line.ResetInputBuffer(); err != nil {
		return p.goneWriting(line)
	}
	return nil
}

// Close closes the port and ends a Read that waits. It may be called twice.
func (p *Port) Close() error {
	p.mu.Lock()
	line := p.line
	p.closed, p.line = true, nil
	p.mu.Unlock()
	if line == nil {
		return nil
	}
	p.reading.Lock() // a Read that waits sees closed within a slice
	defer p.reading.Unlock()
	if err := line.Close(); err != nil {
		return fmt.Errorf("serial: close %s: %w", p.name, err)
	}
	return nil
}
