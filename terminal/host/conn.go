// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// inboxMax bounds the answers that wait to be looked at; more wait in the socket.
const inboxMax = 4

// Errors of the way to the switch.
var (
	errLost    = errors.New("host: connection lost")
	errTimeout = errors.New("host: no answer within the time")
)

// line is one connection. Its reader notices at once when the other side is
// gone, so that a sale is not sent into a dead connection.
type line struct {
	conn  net.Conn
	wire  *counted
	inbox chan []byte // bodies; closed when the connection ended
	stop  chan struct{}
	once  sync.Once
}

// counted is the socket below TLS: it knows whether a byte was taken.
type counted struct {
	net.Conn
	sent atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// dial opens a connection, through TLS when security is not nil.
func dial(ctx context.Context, network env.Network, address string, security *tls.Config, format frame.Format) (*line, error) {
	raw, err := network.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("host: connect to switch %s: %w", address, err)
	}
	wire := &counted{Conn: raw}
	l := &line{conn: wire, wire: wire, inbox: make(chan []byte, inboxMax), stop: make(chan struct{})}
	if security != nil {
		secured := tls.Client(wire, security)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("host: TLS with switch %s: %w", address, err), raw.Close())
		}
		l.conn = secured
	}
	go l.read(format)
	return l, nil
}

// read takes frames until the connection ends.
func (l *line) read(format frame.Format) {
	defer close(l.inbox)
	var buf []byte
	for {
		var fr frame.Frame
		var err error
		if fr, buf, err = format.Read(l.conn, buf); err != nil {
			return // the end, or a stream that cannot be trusted any more
		}
		body := append([]byte(nil), fr.Body...)
		clear(buf)
		select {
		case l.inbox <- body:
		case <-l.stop:
			return
		}
	}
}

func (l *line) close() {
	l.once.Do(func() {
		close(l.stop)
		_ = l.conn.Close() // nothing more is wanted of it
	})
}

// send writes raw. left says whether a byte of it may have reached the other
// side: it is false only when the socket took nothing.
func (l *line) send(raw []byte, timeout time.Duration) (left bool, err error) {
	before := l.wire.sent.Load()
	if err := l.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return false, fmt.Errorf("%w: %w", errLost, err)
	}
	_, err = l.conn.Write(raw)
	if err != nil {
		err = fmt.Errorf("%w while sending: %w", errLost, err)
	}
	return l.wire.sent.Load() != before, err
}

// pending takes an answer that is already here. io.EOF: the connection ended.
func (l *line) pending() ([]byte, error) {
	select {
	case body, ok := <-l.inbox:
		if !ok {
			return nil, io.EOF
		}
		return body, nil
	default:
		return nil, nil
	}
}

// next waits for an answer until the timer fires.
func (l *line) next(timer <-chan time.Time) ([]byte, error) {
	select {
	case body, ok := <-l.inbox:
		if !ok {
			return nil, errLost
		}
		return body, nil
	case <-timer:
		return nil, errTimeout
	}
}
