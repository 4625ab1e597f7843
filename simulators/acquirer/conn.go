// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a connection.
const (
	maxPipelined = 256              // decided messages waiting for the line; then reading stops
	maxLate      = 1024             // answers held back by the mood late; more are lost and counted
	frameTime    = 10 * time.Second // for the rest of a frame after its first byte, and for a write
)

var (
	errFrameShort = errors.New("frame_too_short")
	errFrameLong  = errors.New("frame_too_long")
	errFrameTorn  = errors.New("frame_torn")
)

// conn is one line: a reader that decides messages in order, and a writer that
// waits for the books and answers in order. Late answers go by themselves.
type conn struct {
	host    *Host
	net     net.Conn
	session session // guarded by the host's lock
	replies chan reply
	done    chan struct{} // closed with the connection
	late    atomic.Int32
	lates   sync.WaitGroup

	mu     sync.Mutex // writes, and what follows
	ending sync.Once
	why    atomic.Value // string: who closed it from inside
}

func newConn(h *Host, nc net.Conn) *conn {
	return &conn{host: h, net: nc, replies: make(chan reply, maxPipelined), done: make(chan struct{})}
}

// close ends the connection; the first reason is the one that counts.
func (c *conn) close(reason string) {
	c.ending.Do(func() {
		c.why.Store(reason)
		close(c.done)
		c.net.Close()
	})
}

// run serves the connection and returns why it ended.
func (c *conn) run() string {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	reason := c.read()
	close(c.replies)
	<-written // what was decided before the end is still answered
	c.close(reason)
	c.lates.Wait()
	return c.why.Load().(string)
}

// read decides messages until the line ends and returns the reason.
func (c *conn) read() string {
	r := bufio.NewReaderSize(c.net, maxFrame+2)
	for {
		raw, err := c.frame(r)
		switch {
		case errors.Is(err, io.EOF):
			return "peer_closed"
		case errors.Is(err, errFrameShort), errors.Is(err, errFrameLong), errors.Is(err, errFrameTorn):
			return err.Error()
		case err != nil:
			return "read_failed"
		}
		m, err := c.host.codec.decode(raw)
		if err != nil {
			return err.Error() // one of the named reasons of message.go
		}
		out, err := c.host.decide(m, raw, &c.session)
		if errors.Is(err, errBooksFull) {
			return errBooksFull.Error()
		}
		if err != nil {
			c.host.fail(err)
			return "books_failed"
		}
		c.replies <- out
	}
}

// frame reads one frame: a two-byte length that does not count itself, then
// the message. The length is checked before anything is read for it.
func (c *conn) frame(r *bufio.Reader) ([]byte, error) {
	if err := c.net.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	if err := c.net.SetReadDeadline(time.Now().Add(frameTime)); err != nil {
		return nil, err
	}
	var header [2]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, errFrameTorn
	}
	n := int(binary.BigEndian.Uint16(header[:]))
	if n < minFrame {
		return nil, errFrameShort
	}
	if n > maxFrame {
		return nil, errFrameLong
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, errFrameTorn
	}
	return raw, nil
}

// write answers what was decided, each after its line is on disk.
func (c *conn) write() {
	for r := range c.replies {
		if err := c.host.books.wait(r.ticket); err != nil {
			c.host.fail(err)
			continue // the channel is drained so that the reader ends
		}
		c.host.event(Event{Event: "message", Message: &r.entry})
		if err := c.deliver(r); err != nil {
			c.host.count("answer_not_delivered")
		}
	}
}

// deliver sends the answer as the mood wants it.
func (c *conn) deliver(r reply) error {
	switch r.mood.Kind {
	case MoodSilent, MoodSilentBefore, MoodSilentAll, MoodDown:
		return nil
	case MoodHangup:
		c.close(MoodHangup)
		return nil
	case MoodGarbage:
		return c.send([]byte("\xA5\x5A\xA5\x5A this is no ISO 8583 message \xA5\x5A\xA5\x5A"))
	}
	raw, err := c.host.build(r)
	if err != nil {
		c.host.event(Event{Event: "error", Reason: err.Error()})
		return err
	}
	switch r.mood.Kind {
	case MoodLate:
		return c.later(raw, r.mood.Delay)
	case MoodDuplicate:
		return errors.Join(c.send(raw), c.send(raw))
	}
	return c.send(raw)
}

// build writes the answer's bytes, bent where the mood bends bytes.
func (h *Host) build(r reply) ([]byte, error) {
	fields, mti := h.ledger.answer(r.m, r.entry), answerType(r.m.mti)
	if mti[1] == '8' {
		return h.codec.encode(mti, fields)
	}
	if r.mood.Kind == MoodWrongAmount {
		n, _ := strconv.ParseUint(fields[4], 10, 40) // unreadable counts as zero
		fields[4] = fmt.Sprintf("%012d", (n+1)%1_000_000_000_000)
	}
	raw, err := h.codec.seal(mti, fields, h.ledger.zak)
	if err == nil && r.mood.Kind == MoodBadMAC {
		raw[len(raw)-1] ^= 0xFF
	}
	return raw, err
}

// later sends the answer after a delay, unless the connection ends before.
func (c *conn) later(raw []byte, delay time.Duration) error {
	if c.late.Add(1) > maxLate {
		c.late.Add(-1)
		return errors.New("acquirer: too many late answers")
	}
	c.lates.Add(1)
	go func() {
		defer c.lates.Done()
		defer c.late.Add(-1)
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-c.done:
			c.host.count("answer_not_delivered")
		case <-t.C:
			if c.send(raw) != nil {
				c.host.count("answer_not_delivered")
			}
		}
	}()
	return nil
}

// send writes one frame in one call.
func (c *conn) send(raw []byte) error {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(raw)), uint16(len(raw)))
	out = append(out, raw...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.net.SetWriteDeadline(time.Now().Add(frameTime)); err != nil {
		return err
	}
	_, err := c.net.Write(out)
	if err != nil {
		c.close("write_failed") // a frame may be out by half: nothing sound can follow
	}
	return err
}
