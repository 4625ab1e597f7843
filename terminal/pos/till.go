// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"slices"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/pinpad"
)

// Options is what a till is started with.
type Options struct {
	World env.Env
	TLS   *tls.Config // nil: a private line
	Out   io.Writer
	Log   io.Writer
	JSON  bool
	Taps  Tapper // nil: the reader of the configuration
}

// Till is a running POS terminal.
type Till struct {
	cfg    Config
	world  env.Env
	host   *host.Host
	cipher hsm.PINEncipherer
	tapper Tapper
	keys   *keyboard
	say    *printer
}

// New opens the terminal's state and makes its parts. Close it afterwards.
func New(ctx context.Context, cfg Config, o Options) (*Till, error) {
	say := &printer{out: o.Out, log: o.Log, json: o.JSON, currency: cfg.Currency, terminal: cfg.ID, merchant: cfg.Merchant, now: o.World.Clock.Now}
	module, err := soft.New(o.World.Rand, o.World.Clock)
	if err != nil {
		return nil, err
	}
	storage, err := storageKey(cfg, o.World)
	if err != nil {
		return nil, err
	}
	defer storage.Wipe()
	keys, err := host.SoftKeys(ctx, module, cfg.ID, cfg.TMK, storage)
	if err != nil {
		return nil, err
	}
	t := &Till{cfg: cfg, world: o.World, cipher: module, tapper: o.Taps, say: say, keys: newKeyboard()}
	t.host, err = host.Open(ctx, o.World, keys, host.Config{
		Terminal: cfg.ID, Merchant: cfg.Merchant, TPDU: cfg.TPDU, Header: cfg.Header, Address: cfg.Address, TLS: o.TLS,
		Answer: cfg.Answer, Dial: cfg.Connect, Tries: cfg.Tries, Batch: cfg.Batch, Currency: cfg.Currency, Part: cfg.Part, Offline: cfg.Offline, Dir: cfg.StateDir,
		Note: func(n host.Note) { say.emit(Event{Event: EventNote, Name: n.Name, MTI: n.MTI, Trace: n.Trace}) },
	})
	if err != nil {
		return nil, err
	}
	if t.tapper == nil {
		if t.tapper, err = newContactless(cfg, o.World.Rand, o.World.Clock.Now); err != nil {
			return nil, errors.Join(err, t.host.Close())
		}
	}
	return t, nil
}

// Close lets reader, connection and state directory go. What is due stays on disk.
func (t *Till) Close() error {
	return errors.Join(t.tapper.Close(), t.host.Close(), t.say.logErr)
}

// queueMax bounds the commands that wait for the one at work.
const queueMax = 64

// Run signs on, sends the reversal that is due, and serves commands until quit,
// the end of the input or of ctx. Commands that come while one is at work wait
// for it, but for pin and cancel. A sale whose end is not known is never
// abandoned: the end of ctx cancels only what can be cancelled.
func (t *Till) Run(ctx context.Context, in io.Reader) error {
	lines, stop := make(chan command), make(chan struct{})
	defer close(stop)
	go readLines(in, lines, stop)

	cancel, done := t.begin(ctx, t.start)
	ended := ctx.Done() // nil once it was seen
	selling := false
	var queue []command
	for {
		select {
		case <-ended:
			ended, lines, queue = nil, nil, []command{{name: cmdQuit}} // the job's context ended too
		case <-done:
			if selling {
				t.keys.forget()
			}
			cancel, done, selling = func() {}, nil, false
		case c := <-lines:
			if c.name == cmdQuit {
				lines = nil
			}
			queue = t.take(c, queue, cancel, selling)
		}
		if done != nil || len(queue) == 0 {
			continue
		}
		if queue[0].name == cmdQuit {
			return nil
		}
		selling = queue[0].takesCard() && queue[0].err == nil
		cancel, done = t.begin(ctx, t.job(queue[0]))
		queue = queue[1:]
	}
}

// take gives a command its place: at once, to the PIN pad, or in the queue.
func (t *Till) take(c command, queue []command, cancel func(), selling bool) []command {
	switch {
	case c.name == cmdCancel:
		cancel()
	case c.name == cmdPIN:
		t.typed(c, selling || slices.ContainsFunc(queue, command.takesCard))
	case len(queue) >= queueMax && c.name != cmdQuit:
		t.fail("too_many_commands", nil)
	default:
		return append(queue, c)
	}
	return queue
}

// begin runs job beside the reading of commands: cancel interrupts what can be
// interrupted, done tells the end.
func (t *Till) begin(ctx context.Context, job func(context.Context)) (cancel context.CancelFunc, done <-chan struct{}) {
	ctx, cancel = context.WithCancel(ctx)
	end := make(chan struct{})
	go func() {
		defer close(end)
		defer cancel()
		job(ctx)
	}()
	return cancel, end
}

// start is what the terminal does before its first command.
func (t *Till) start(ctx context.Context) {
	if reason, err := t.ready(ctx); reason != host.ReasonNone {
		t.fail(string(reason), err)
	}
	t.say.emit(Event{Event: EventReady, Terminal: t.cfg.ID, Batch: t.host.Batch()})
	t.last()
	t.repeat(ctx)
	t.upload(ctx, false)
}

func (t *Till) job(c command) func(context.Context) {
	switch {
	case c.err != nil:
		return func(context.Context) { t.fail("command_malformed", c.err) }
	case c.takesCard():
		return func(ctx context.Context) { t.sale(ctx, c) }
	case c.name == cmdRefund:
		return func(ctx context.Context) { t.refund(ctx, c) }
	case c.name == cmdRepeat:
		return t.repeat
	case c.name == cmdReverse:
		return t.reverse
	case c.name == cmdLast:
		return func(context.Context) { t.again() }
	case c.name == cmdAdjust, c.name == cmdTip:
		return func(ctx context.Context) { t.adjust(ctx, c) }
	case c.name == cmdSettle:
		return t.settle
	case c.name == cmdOffline, c.name == cmdCompletionAdvice:
		return func(ctx context.Context) { t.offline(ctx, c) }
	case c.name == cmdUpload:
		return func(ctx context.Context) { t.upload(ctx, true) }
	case c.name == cmdDiscard:
		return func(ctx context.Context) { t.discard(ctx, c.trace) }
	case c.name == cmdSignOn:
		return func(ctx context.Context) { t.network(ctx, EventSignedOn, t.host.SignOn) }
	case c.name == cmdSignOff:
		return func(ctx context.Context) { t.network(ctx, EventSignedOff, t.host.SignOff) }
	}
	return func(ctx context.Context) { t.network(ctx, EventEcho, t.host.Echo) }
}

// typed hands digits to the PIN pad; without a sale there is nobody to take them.
func (t *Till) typed(c command, sale bool) {
	if c.err == nil && sale && t.keys.put(c.pin) {
		return
	}
	c.pin.Wipe()
	t.fail("no_pin_wanted", nil)
}

// keyboard is the PIN entry of line mode: digits come by a command, at most one
// set ahead of being asked.
type keyboard struct{ typed chan secret.Key }

func newKeyboard() *keyboard { return &keyboard{make(chan secret.Key, 1)} }

var _ pinpad.Entry = (*keyboard)(nil)

// EnterPIN waits for the digits.
func (k *keyboard) EnterPIN(ctx context.Context) (secret.Key, error) {
	select {
	case digits := <-k.typed:
		return digits, nil
	case <-ctx.Done():
		return secret.Key{}, ctx.Err()
	}
}

// put gives digits; false when some wait already.
func (k *keyboard) put(digits secret.Key) bool {
	select {
	case k.typed <- digits:
		return true
	default:
		return false
	}
}

// forget wipes digits that nobody asked for.
func (k *keyboard) forget() {
	select {
	case digits := <-k.typed:
		digits.Wipe()
	default:
	}
}
