// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tapswitch/terminal/pn532"
	"tapswitch/terminal/serial"
)

// Card is one card in the field.
type Card interface {
	// Transceive sends one command and returns data and status word. It ends
	// with ErrCardGone, ErrReaderGone, ErrChip, or the context's error; after any
	// of them the card is not usable any more.
	Transceive(ctx context.Context, apdu []byte) ([]byte, error)
}

// Ends of a tap. Each is wrapped with what was being done.
var (
	ErrReaderGone = errors.New("reader: the reader is gone")
	ErrCardGone   = errors.New("reader: the card left the field")
	ErrCollision  = errors.New("reader: more than one card in the field")
	ErrNotPayment = errors.New("reader: the card takes no APDUs")
	ErrChip       = errors.New("reader: the reader's chip does not work as it should")
	ErrNoTarget   = errors.New("reader: this card was replaced by a later poll")
	ErrClosed     = errors.New("reader: closed")
)

// Config describes the reader. Zero values take the defaults.
type Config struct {
	Port string // device or link to it
	Baud int    // 115200

	ACKTimeout    time.Duration // 150ms; some USB adapters need 1.5s
	AnswerTimeout time.Duration // 1s, for commands to the chip itself
	CardTimeout   time.Duration // 3s, for one APDU: cards may ask for more time
	PollPause     time.Duration // 50ms between two looks for a card
	FieldOff      time.Duration // 10ms; EMV wants 5.1 ms at least
	ByteGap       time.Duration // 200ms of silence inside a frame make it damaged
	Retries       int           // 2: commands without ACK, damaged answers
	ChunkBytes    int           // 262: data bytes of one command to a card
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		v    *time.Duration
		want time.Duration
	}{
		{&c.ACKTimeout, 150 * time.Millisecond},
		{&c.AnswerTimeout, time.Second},
		{&c.CardTimeout, 3 * time.Second},
		{&c.PollPause, 50 * time.Millisecond},
		{&c.FieldOff, 10 * time.Millisecond},
		{&c.ByteGap, 200 * time.Millisecond},
	} {
		if *d.v == 0 {
			*d.v = d.want
		}
	}
	if c.Retries == 0 {
		c.Retries = 2
	}
	return c
}

// activationRetries is how often the chip itself looks for a card per poll.
const activationRetries = 2

// Target tells what kind of card was found. ID is no card number: phones make
// a new one for each tap.
type Target = pn532.Target

// Reader is one PN532 on a serial line. Its methods may be called from any
// goroutine; one works at a time.
type Reader struct {
	cfg Config

	mu       sync.Mutex
	port     *serial.Port
	ready    bool // the chip is set up since the port was opened
	firmware pn532.Firmware
	decoder  pn532.Decoder
	tap      uint64 // number of the last Poll that found a card
}

// Open opens the port and sets the chip up.
func Open(ctx context.Context, cfg Config) (*Reader, error) {
	r := New(cfg)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.setUp(ctx); err != nil {
		r.closePort()
		return nil, err
	}
	return r, nil
}

// New makes a reader that is opened by its first Poll, so that a terminal can
// start before its reader is plugged in.
func New(cfg Config) *Reader { return &Reader{cfg: cfg.withDefaults()} }

// Firmware is what the chip said of itself when it was set up.
func (r *Reader) Firmware() pn532.Firmware {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.firmware
}

// Close closes the port.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = false
	return r.closePort()
}

func (r *Reader) closePort() error {
	if r.port == nil {
		return nil
	}
	err := r.port.Close()
	r.port = nil
	return err
}

// setUp brings port and chip to where polling can begin.
func (r *Reader) setUp(ctx context.Context) error {
	if r.ready {
		return nil
	}
	if err := r.openPort(); err != nil {
		return fmt.Errorf("%w: %w: check cable and port name", ErrReaderGone, err)
	}
	r.decoder.Reset()
	if err := r.write(pn532.AppendWakeUp(nil)); err != nil {
		return r.failed(ctx, err)
	}
	answer, err := r.command(ctx, pn532.GetFirmwareVersion(), r.cfg.AnswerTimeout)
	if err != nil {
		return fmt.Errorf("ask for the firmware: %w", err)
	}
	if r.firmware, err = pn532.ParseFirmware(answer); err != nil {
		return fmt.Errorf("%w: %w", ErrChip, err)
	}
	for _, c := range [][]byte{pn532.SAMConfiguration(), pn532.MaxRetries(activationRetries), pn532.Field(false)} {
		if _, err := r.command(ctx, c, r.cfg.AnswerTimeout); err != nil {
			return fmt.Errorf("set the chip up: %w", err)
		}
	}
	r.ready = true
	return nil
}

func (r *Reader) openPort() error {
	if r.port != nil {
		return r.port.Reopen()
	}
	port, err := serial.Open(r.cfg.Port, r.cfg.Baud)
	if err != nil {
		return err
	}
	r.port = port
	return nil
}

// Poll resets the field and waits until one card is in it, or the context ends.
// Two cards at once, or one that takes no APDUs, are errors: show them, and poll
// again. After ErrReaderGone and ErrChip too the next Poll begins from the start.
func (r *Reader) Poll(ctx context.Context) (Target, Card, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target, err := r.poll(ctx)
	if err != nil {
		return Target{}, nil, fmt.Errorf("poll for a card: %w", err)
	}
	r.tap++
	return target, &card{r: r, target: target.Number, tap: r.tap}, nil
}

func (r *Reader) poll(ctx context.Context) (Target, error) {
	if err := r.setUp(ctx); err != nil {
		return Target{}, err
	}
	if err := r.resetField(ctx); err != nil {
		return Target{}, err
	}
	for {
		for _, m := range []pn532.Modulation{pn532.TypeA, pn532.TypeB} {
			target, found, err := r.look(ctx, m)
			if err != nil || found {
				return target, err
			}
		}
		if err := sleep(ctx, r.cfg.PollPause); err != nil {
			return Target{}, err
		}
	}
}

func (r *Reader) look(ctx context.Context, m pn532.Modulation) (Target, bool, error) {
	answer, err := r.command(ctx, pn532.InListPassiveTarget(m), r.cfg.AnswerTimeout)
	if err != nil {
		return Target{}, false, err
	}
	targets, err := pn532.ParseTargets(answer, m)
	switch {
	case err != nil:
		r.ready = false
		return Target{}, false, fmt.Errorf("%w: %w", ErrChip, err)
	case len(targets) == 0:
		return Target{}, false, nil
	case len(targets) > 1:
		return Target{}, false, ErrCollision
	case !targets[0].ISODEP:
		return Target{}, false, ErrNotPayment
	}
	return targets[0], true, nil
}

// Release switches the field off after a transaction; the card is reset and the
// customer may take it away.
func (r *Reader) Release(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tap++
	if !r.ready {
		return nil
	}
	_, err := r.command(ctx, pn532.Field(false), r.cfg.AnswerTimeout)
	return err
}

func (r *Reader) resetField(ctx context.Context) error {
	if _, err := r.command(ctx, pn532.Field(false), r.cfg.AnswerTimeout); err != nil {
		return fmt.Errorf("field off: %w", err)
	}
	if err := sleep(ctx, r.cfg.FieldOff); err != nil {
		return err
	}
	if _, err := r.command(ctx, pn532.Field(true), r.cfg.AnswerTimeout); err != nil {
		return fmt.Errorf("field on: %w", err)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// card is the card of one tap.
type card struct {
	r      *Reader
	target byte
	tap    uint64
	dead   error
}

// Transceive implements Card.
func (c *card) Transceive(ctx context.Context, apdu []byte) ([]byte, error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	switch {
	case c.dead != nil:
		return nil, c.dead
	case c.tap != c.r.tap:
		return nil, ErrNoTarget
	}
	transfer := pn532.NewTransfer(c.target, apdu, c.r.cfg.ChunkBytes)
	for {
		answer, err := c.r.command(ctx, transfer.Command(), c.r.cfg.CardTimeout)
		if err != nil {
			c.dead = err
			return nil, err
		}
		done, err := transfer.Take(answer)
		if err != nil {
			c.dead = named(err)
			return nil, c.dead
		}
		if done {
			return transfer.Answer(), nil
		}
	}
}

// named puts the chip's status into the words of this package.
func named(err error) error {
	if s, ok := errors.AsType[pn532.Status](err); ok && s.Gone() {
		return fmt.Errorf("%w: %w", ErrCardGone, err)
	}
	return fmt.Errorf("%w: %w", ErrChip, err)
}
