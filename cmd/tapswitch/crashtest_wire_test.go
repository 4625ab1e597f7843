// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"testing"
	"time"

	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
)

// framed is a message of terminal 10000001 as it travels.
func framed(t *testing.T, p *protocol, mti iso8583.MTI, trace uint64, terminal, procedure, code string) []byte {
	t.Helper()
	var b iso8583.Builder
	b.Reset(p.layout, mti)
	b.SetString(3, procedure)
	b.SetUint(4, 700)
	b.SetUint(11, trace)
	if code != "" {
		b.SetString(39, code)
	}
	b.SetString(41, terminal)
	b.SetString(60, "22000007000")
	body, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.format.Append(nil, frame.Frame{TPDU: crashTPDU, Header: crashHeader[:], Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCrashEar: what a terminal's line carries is what the protocol has, in
// whatever pieces it comes; an answer belongs to the message with its trace number,
// and one that has none's is held against the last.
func TestCrashEar(t *testing.T) {
	p := newProtocol("10000001", time.Now())
	ours, theirs := net.Pipe()
	defer theirs.Close()
	e := &ear{Conn: ours, to: p}
	sent := make(chan []byte, 1)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			sent <- bytes.Clone(buf[:n])
		}
	}()
	for _, m := range []struct {
		mti       iso8583.MTI
		trace     uint64
		procedure string
	}{{0x0200, 1, "000000"}, {0x0200, 2, procedureVoid}, {0x0200, 3, procedureBalance}, {0x0400, 1, "000000"}} {
		raw := framed(t, p, m.mti, m.trace, "10000001", m.procedure, "")
		if _, err := e.Write(raw); err != nil || !bytes.Equal(<-sent, raw) {
			t.Fatalf("trace %d: not sent as it was written: %v", m.trace, err)
		}
	}
	go func() {
		all := bytes.Join([][]byte{framed(t, p, 0x0210, 2, "10000001", procedureVoid, "00"), framed(t, p, 0x0410, 1, "10000001", "000000", "25"),
			framed(t, p, 0x0210, 9, "10000002", "000000", "00")}, nil)
		for i := range all {
			_, _ = theirs.Write(all[i : i+1])
		}
		_ = theirs.Close()
	}()
	for buf := make([]byte, 7); ; {
		if _, err := e.Read(buf); err != nil {
			break
		}
	}
	type told struct {
		kind     oracle.Kind
		of       uint32
		code, at string
	}
	want := []told{{oracle.Purchase, 0, "", ""}, {oracle.Void, 2, "00", "10000001"}, {oracle.Inquiry, 9, "00", "10000002"}, {oracle.Reversal, 1, "25", "10000001"}}
	for i, a := range p.asks {
		if got := (told{a.Kind, a.OfTrace, a.Code, a.Named}); got != want[i] || a.Key.Batch != 7 || a.Amount != 700 || (a.Answered == oracle.Never) != (a.Code == "") {
			t.Errorf("%d: %+v, want %+v", i, *a, want[i])
		}
	}
	if len(p.asks) != len(want) || p.body(1) == nil {
		t.Errorf("%d messages", len(p.asks))
	}
	p.believed(oracle.Purchase, p.asks[0].Key)
	p.believed(oracle.Void, p.asks[1].Key)
	if p.asks[0].Received != oracle.Never || p.asks[1].Received == oracle.Never {
		t.Error("believed what was not answered, or not what was")
	}
}

// TestCrashPINs: no card gets a second wrong PIN before its right one was taken.
func TestCrashPINs(t *testing.T) {
	p := &pins{wrong: map[string]bool{}}
	for i, want := range []bool{true, false, false} {
		if p.spoil("visa") != want {
			t.Errorf("wrong PIN %d", i)
		}
	}
	if p.right("visa"); !p.spoil("visa") || !p.spoil("unionpay") {
		t.Error("a wrong PIN after the right one, or of another card")
	}
}
