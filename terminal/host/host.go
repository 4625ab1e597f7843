// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/frame"
)

// The values of a configuration that says nothing else.
const (
	DefaultAnswer = 5 * time.Second
	DefaultDial   = 3 * time.Second
	DefaultTries  = 2
	DefaultBatch  = "000001"
)

// Config is one terminal and the way to its switch.
type Config struct {
	Terminal string // 8 characters, field 41
	Merchant string // 15 characters, field 42
	TPDU     frame.TPDU
	Header   frame.Header
	Address  string
	TLS      *tls.Config // nil: a private line
	Answer   time.Duration
	Dial     time.Duration
	Tries    int    // how often a reversal is sent in one go
	Batch    string // of a new terminal, six digits
	Currency money.Currency
	Part     bool // take an approval of a part of the amount, and say so in each sale
	Offline  OfflineLimits
	Dir      string     // where the reversal memory lives
	Note     func(Note) // may be nil; told of what was ignored
}

// Note is something that came and was not what was waited for.
type Note struct {
	Name  string // one of the Note constants
	MTI   string
	Trace uint32
}

// The names of notes.
const (
	NoteUnreadable = "answer_unreadable"
	NoteStale      = "stale_answer_ignored"
)

// Module is what the host needs of the terminal's cipher; hsm/soft is one.
type Module interface {
	hsm.MACer
	hsm.KeyLoader
	hsm.Sealer
}

// Keys are the terminal's own: the master key it shares with the switch, and
// the one that enciphers what it stores.
type Keys struct {
	Module  Module
	TMK     *hsm.Key
	Storage *hsm.Key // usage PANSeal
}

// SoftKeys loads the terminal's two keys into m.
func SoftKeys(ctx context.Context, m *soft.Module, terminal string, tmk, storage secret.Key) (Keys, error) {
	master, err := m.LoadClear(ctx, hsm.Spec{Name: "tmk", Usage: hsm.TMK, Algorithm: hsm.TDES2, Owner: terminal, Version: 1}, tmk)
	if err != nil {
		return Keys{}, fmt.Errorf("host: load the terminal master key: %w", err)
	}
	store, err := m.LoadClear(ctx, hsm.Spec{Name: "storage", Usage: hsm.PANSeal, Algorithm: hsm.AES256, Owner: terminal, Version: 1}, storage)
	if err != nil {
		return Keys{}, fmt.Errorf("host: load the storage key: %w", err)
	}
	return Keys{Module: m, TMK: &master, Storage: &store}, nil
}

// Host is the conversation of one terminal. It is used by one goroutine.
type Host struct {
	cfg    Config
	keys   Keys
	net    env.Network
	clock  env.Clock
	layout *iso8583.Layout
	format frame.Format
	mem    *memory
	line   *line

	tpk, tak *hsm.Key // nil before the first sign-on
	version  uint32   // of the working keys
	signOn   bool     // due before the next transaction
	answered bool     // the refund of the memory has its end, which the cashier is not told yet
	given    bool     // and the customer got the money
}

// Open reads the reversal memory and is ready to talk; it does not connect yet.
func Open(ctx context.Context, world env.Env, keys Keys, cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	mem, err := openMemory(ctx, world.Disk, keys, cfg)
	if err != nil {
		return nil, err
	}
	return &Host{cfg: cfg, keys: keys, net: world.Net, clock: world.Clock, mem: mem, signOn: true,
		layout: unionpaypos.New(), format: frame.UnionPayPOS()}, nil
}

func (c Config) withDefaults() Config {
	if c.Answer == 0 {
		c.Answer = DefaultAnswer
	}
	if c.Dial == 0 {
		c.Dial = DefaultDial
	}
	if c.Tries == 0 {
		c.Tries = DefaultTries
	}
	if c.Batch == "" {
		c.Batch = DefaultBatch
	}
	if c.Currency == 0 {
		c.Currency = money.CNY
	}
	if c.Note == nil {
		c.Note = func(Note) {}
	}
	return c
}

// triesMax bounds how long one sale can wait for an old reversal.
const triesMax = 10

func (c Config) check() error {
	var all []error
	if len(c.Terminal) != 8 {
		all = append(all, errors.New("host: a terminal number has 8 characters"))
	}
	if len(c.Merchant) != 15 {
		all = append(all, errors.New("host: a merchant number has 15 characters"))
	}
	if !digits(c.Batch, 6) {
		all = append(all, errors.New("host: a batch number has 6 digits"))
	}
	if c.Dir == "" {
		all = append(all, errors.New("host: no state directory: without one a reversal cannot be kept"))
	}
	if c.Answer < 0 || c.Dial < 0 || c.Tries < 0 || c.Tries > triesMax {
		all = append(all, fmt.Errorf("host: time-outs are positive, reversal tries are 1 to %d", triesMax))
	}
	return errors.Join(all...)
}

// PINKey is the key a PIN must be enciphered under for the next sale; nil
// before the first sign-on. Ask after Ready.
func (h *Host) PINKey() *hsm.Key { return h.tpk }

// Pending is the trace number of the sale whose reversal is due.
func (h *Host) Pending() (trace uint32, due bool) {
	if h.mem.now.pending == nil {
		return 0, false
	}
	return h.mem.now.pending.Trace, true
}

// NextTrace is the trace number that the next message takes.
func (h *Host) NextTrace() uint32 { return h.mem.nextTrace() }

// SignOns counts the sign-ons of this Host that brought keys.
func (h *Host) SignOns() int { return int(h.version) }

// Batch is the current batch number.
func (h *Host) Batch() string { return h.mem.now.batch }

// Close drops the connection and lets go of the memory. A reversal that is due
// stays on disk.
func (h *Host) Close() error {
	h.drop()
	return h.mem.close()
}

func (h *Host) drop() {
	if h.line != nil {
		h.line.close()
		h.line = nil
	}
}

// connect makes sure that there is a connection, and that nothing old waits on it.
func (h *Host) connect(ctx context.Context) error {
	for h.line != nil {
		body, err := h.line.pending()
		if errors.Is(err, io.EOF) {
			h.drop()
			break
		}
		if body == nil {
			return nil
		}
		h.ignore(body)
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Dial)
	defer cancel()
	l, err := dial(ctx, h.net, h.cfg.Address, h.cfg.TLS, h.format)
	if err != nil {
		return err
	}
	h.line = l
	return nil
}

// ignore gives what came and was not waited for its name.
func (h *Host) ignore(body []byte) {
	var v iso8583.View
	note := Note{Name: NoteUnreadable}
	if h.layout.Parse(body, &v) == nil {
		note = Note{Name: NoteStale, MTI: v.MTI().String(), Trace: traceOf(&v)}
	}
	clear(body)
	h.cfg.Note(note)
}

func traceOf(v *iso8583.View) uint32 {
	u, err := v.Uint(11)
	if err != nil || u > TraceMax {
		return 0
	}
	return uint32(u)
}

// exchange sends request and waits for the answer of its type and trace number.
// left is false when surely nothing of it left. What the View holds is good
// until the caller clears the body it points into (View.Bytes).
func (h *Host) exchange(request []byte, mti iso8583.MTI, trace uint32, v *iso8583.View) (left bool, err error) {
	raw, err := h.format.Append(nil, frame.Frame{TPDU: h.cfg.TPDU, Header: h.cfg.Header[:], Body: request})
	if err != nil {
		return false, err
	}
	defer clear(raw)
	left, err = h.line.send(raw, h.cfg.Answer)
	if err != nil {
		h.drop()
		return left, err
	}
	timer := time.NewTimer(h.cfg.Answer)
	defer timer.Stop()
	for {
		body, err := h.line.next(timer.C)
		if err != nil {
			if errors.Is(err, errLost) {
				h.drop()
			}
			return true, err
		}
		if h.layout.Parse(body, v) == nil && v.MTI() == mti && traceOf(v) == trace {
			return true, nil
		}
		h.ignore(body)
	}
}

// text is the value of a field as a string.
func text(v *iso8583.View, n int) string { return string(v.AppendText(nil, n)) }
