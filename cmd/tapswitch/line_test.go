// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"sync"
	"testing"
)

// line stands between terminals and the switch and can hurt what crosses it.
type line struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	hurts func(mti string, frame []byte) []byte
}

// between listens for terminals and connects each to the switch.
func between(t *testing.T, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{ln: ln, to: to}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go l.carry(near, far)
			go l.carry(far, near)
		}
	}()
	return l
}

func (l *line) address() string { return l.ln.Addr().String() }

// hurt sets what is done to a message: what comes back goes on, nil is lost.
func (l *line) hurt(how func(mti string, frame []byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hurts = how
}

// carry copies whole messages one way.
func (l *line) carry(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		l.mu.Lock()
		if l.hurts != nil && len(frame) > 15 {
			frame = l.hurts(hex.EncodeToString(frame[13:15]), frame) // after length, TPDU and header
		}
		l.mu.Unlock()
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// readFrame reads one message with its length in front.
func readFrame(from io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, err
	}
	frame := append(size[:], make([]byte, binary.BigEndian.Uint16(size[:]))...)
	_, err := io.ReadFull(from, frame[2:])
	return frame, err
}

func unless(lost bool, frame []byte) []byte {
	if lost {
		return nil
	}
	return frame
}

// bendIf changes the last byte, which is in the MAC.
func bendIf(bend bool, frame []byte) []byte {
	if !bend {
		return frame
	}
	bent := bytes.Clone(frame)
	if bent[len(bent)-1]++; bent[len(bent)-1] == 'G' || bent[len(bent)-1] == ':' {
		bent[len(bent)-1] = '0'
	}
	return bent
}
