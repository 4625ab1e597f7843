// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tapswitch/terminal/pn532"
	"tapswitch/terminal/serial"
)

// writeTimeout bounds one frame on the line: 300 bytes take 31 ms at 115200
// baud and 0.4 s at 9600.
const writeTimeout = 2 * time.Second

// command runs one exchange with the chip. The caller holds mu.
func (r *Reader) command(ctx context.Context, command []byte, answer time.Duration) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.port == nil {
		return nil, ErrClosed
	}
	x, err := pn532.NewExchange(command, pn532.Timing{ACK: r.cfg.ACKTimeout, Answer: answer, Retries: r.cfg.Retries})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChip, err)
	}
	// What still waits belongs to an earlier command.
	r.decoder.Reset()
	if err := r.port.DiscardInput(); err != nil {
		return nil, r.failed(ctx, err)
	}
	// A context that ends wakes the Read that waits.
	port := r.port
	stop := context.AfterFunc(ctx, func() { port.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	runner := exchangeRun{r: r, x: x}
	runner.do(x.Start())
	for !runner.finished {
		runner.do(x.Step(runner.event(ctx)))
	}
	if runner.err != nil {
		return nil, r.failed(ctx, runner.err)
	}
	return runner.answer, nil
}

// failed names the end of an exchange. After most the chip's state is unknown:
// the next Poll sets it up anew.
func (r *Reader) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, pn532.ErrCancelled):
		return ctx.Err()
	case errors.Is(err, serial.ErrPortGone), errors.Is(err, serial.ErrClosed):
		r.ready = false
		return fmt.Errorf("%w: %w: check its cable", ErrReaderGone, err)
	}
	r.ready = false
	return fmt.Errorf("%w: %w", ErrChip, err)
}

// exchangeRun feeds one Exchange from the port.
type exchangeRun struct {
	r        *Reader
	x        *pn532.Exchange
	deadline time.Time
	finished bool
	answer   []byte
	err      error
}

func (e *exchangeRun) do(actions []pn532.Action) {
	for _, a := range actions {
		if e.finished {
			return
		}
		switch a.Kind {
		case pn532.Send:
			if err := e.r.write(a.Bytes); err != nil {
				e.finished, e.err = true, err
			}
		case pn532.Wait:
			e.deadline = time.Now().Add(a.For)
		case pn532.Finish:
			e.finished, e.answer = true, a.Bytes
		case pn532.Fail:
			e.finished, e.err = true, a.Err
		}
	}
}

// event waits for the next thing on the line. A port that fails ends the run.
func (e *exchangeRun) event(ctx context.Context) pn532.Event {
	d := &e.r.decoder
	for {
		f, ok, err := d.Next()
		if err != nil {
			return pn532.Event{Kind: pn532.Damaged}
		}
		if ok {
			return pn532.Event{Kind: pn532.Received, Frame: f}
		}
		until, partial := e.deadline, d.Partial()
		if gap := time.Now().Add(e.r.cfg.ByteGap); partial && gap.Before(until) {
			until = gap
		}
		kind, err := e.fill(ctx, until)
		switch {
		case err != nil:
			e.finished, e.err = true, err
			return pn532.Event{Kind: pn532.Cancel}
		case kind == pn532.Expired && partial && time.Now().Before(e.deadline):
			d.Reset() // the rest of the frame was lost on the line
			return pn532.Event{Kind: pn532.Damaged}
		case kind != 0:
			return pn532.Event{Kind: kind}
		}
	}
}

// fill reads bytes into the decoder until the time; kind says why none came.
func (e *exchangeRun) fill(ctx context.Context, until time.Time) (kind pn532.EventKind, err error) {
	var buf [512]byte
	e.r.port.SetReadDeadline(until)
	if ctx.Err() != nil { // after the deadline was set: wake may have come before
		return pn532.Cancel, nil
	}
	n, err := e.r.port.Read(buf[:])
	switch {
	case n > 0:
		e.r.decoder.Feed(buf[:n])
		return 0, nil
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return 0, err
	case ctx.Err() != nil:
		return pn532.Cancel, nil
	case time.Now().Before(until):
		return 0, nil // woken for a context of an earlier command
	}
	return pn532.Expired, nil
}

func (r *Reader) write(b []byte) error {
	r.port.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := r.port.Write(b)
	return err
}
