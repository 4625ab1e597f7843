// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"net"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
)

// wire is one connection from dial to close.
type wire struct {
	conn       *conn
	generation uint32
	net        net.Conn
	inFlight   int // guarded by the link's lock
	queue      *batch.Queue[*outgoing]

	// These belong to who leads the queue.
	broken bool // a write failed: nothing is written any more
	buf    []byte
	batch  []*outgoing
}

// outgoing is one frame on its way. sent and err are set by the queue's leader.
type outgoing struct {
	frame    []byte
	deadline env.Mono
	sent     int // bytes that may have left
	err      error
}

// networkRoom is how many network messages may queue beside the requests in
// flight: ours and the answer to the host's.
const networkRoom = 4

func newWire(c *conn, generation uint32, connection net.Conn) *wire {
	w := &wire{conn: c, generation: generation, net: connection}
	cfg := &c.link.cfg
	w.queue = batch.New(cfg.Env.Waits, cfg.Table.MaxInFlight+networkRoom, w.serve)
	return w
}

// write puts one whole frame on the connection and returns how many bytes of it
// may have left; an error with none means that surely not one did. Frames of
// those who write at the same time leave in one write.
func (w *wire) write(frame []byte, deadline env.Mono) (int, error) {
	o := &outgoing{frame: frame, deadline: deadline}
	if err := w.queue.Do(o); err != nil {
		return 0, err // the queue is full
	}
	return o.sent, o.err
}

// serve writes a batch. What happened to each frame is told in the frame.
func (w *wire) serve(items []*outgoing) error {
	now := w.conn.link.cfg.Env.Clock.Mono()
	w.batch, w.buf = w.batch[:0], w.buf[:0]
	for _, o := range items {
		switch {
		case w.broken:
			o.err = ErrDown
		case now >= o.deadline: // others wrote for too long
			o.err = ErrDeadline
		default:
			w.batch = append(w.batch, o)
		}
	}
	if len(w.batch) == 0 {
		return nil
	}
	out := w.batch[0].frame // alone, it needs no copy
	if len(w.batch) > 1 {
		for _, o := range w.batch {
			w.buf = append(w.buf, o.frame...)
		}
		out = w.buf
	}
	w.settle(w.put(out))
	clear(w.buf) // card data
	clear(w.batch)
	return nil
}

// put is one write with a deadline. After a failure the stream is out of step,
// so it is closed; its reader notices and tells the session.
func (w *wire) put(out []byte) (n int, err error) {
	cfg := &w.conn.link.cfg
	if err = w.net.SetWriteDeadline(cfg.Env.Clock.Now().Add(cfg.WriteTimeout)); err == nil {
		n, err = w.net.Write(out)
	}
	if err == nil && n < len(out) {
		err = fmt.Errorf("link: connection took %d of %d bytes without an error", n, len(out))
	}
	if err != nil {
		w.broken = true
		_ = w.net.Close() // the write's own error says more
	}
	return n, err
}

// settle shares the bytes taken among the frames, in order. A frame that was
// taken whole is sent, whatever happened behind it.
func (w *wire) settle(n int, err error) {
	for _, o := range w.batch {
		o.sent = min(n, len(o.frame))
		n -= o.sent
		switch {
		case o.sent == len(o.frame):
		case o.sent == 0:
			o.err = fmt.Errorf("%w: %w", ErrWriteFailed, err)
		default:
			o.err = err
		}
	}
}
