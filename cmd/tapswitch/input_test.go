// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// tape keeps what crosses a line, by message type.
type tape struct {
	mu     sync.Mutex
	frames map[string][]byte
}

func (k *tape) keep(mti string, frame []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frames[mti] = bytes.Clone(frame)
	return frame
}

// last is a copy of the last message of a type.
func (k *tape) last(t *testing.T, mti string) []byte {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.frames[mti] == nil {
		t.Fatalf("no %s has crossed the line", mti)
	}
	return bytes.Clone(k.frames[mti])
}

// Places in a frame of the terminal's side: length, TPDU, header, type, bitmap,
// then fields 2 (16 digits), 3, 4 and 11.
const (
	atType   = 13
	atBitmap = 15
	atFields = 23
	atTrace  = atFields + 9 + 3 + 6
)

// framed puts the length in front.
func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
}

// bent is a copy with one byte changed.
func bent(frame []byte, at int, to byte) []byte {
	frame = bytes.Clone(frame)
	frame[at] = to
	return frame
}

// overheard raises a rig whose terminal is overheard, and lets one tap pass.
func overheard(t *testing.T, edits ...string) (*rig, *tape) {
	t.Helper()
	r := prepare(t, edits...)
	wire, heard := between(t, r.switchAddress()), &tape{frames: map[string][]byte{}}
	wire.hurt(heard.keep)
	r.edit("terminal.yaml", r.switchAddress(), wire.address())
	r.startA()
	r.startB()
	r.startSwitch()
	r.startReader()
	r.startTerminal()
	r.expect("unionpay", 1100, "", "approved", "00")
	return r, heard
}

// garbage is what a stranger may send, and under which reason it is counted.
type garbage struct {
	name   string
	bytes  []byte
	hangUp bool // the sender closes in the middle
	reason string
}

func garbages(signOn, sale []byte) []garbage {
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	foreign := []byte("0800822000000000000004000000000000000123040404000001001")
	sale[atTrace] = 0x98 // what is cut off or added must not make another payment of it
	long := framed(append(bytes.Clone(sale[2:]), 0))
	return []garbage{
		{"noise in a frame", framed(noise), false, "message_malformed"},
		{"length beyond the bound", append([]byte{0xFF, 0xFF}, noise...), false, "frame_too_long"},
		{"length zero", []byte{0, 0}, false, "frame_length_zero"},
		{"frame without a message", framed(noise[:8]), false, "frame_too_short"},
		{"end inside the length", []byte{0}, true, "frame_end_inside_length"},
		{"end inside the message", sale[:len(sale)/2], true, "frame_end_inside_frame"},
		{"half a message, then nothing", sale[:len(sale)/2], false, "message_too_slow"},
		{"a shorter message than its bitmap says", framed(sale[2 : len(sale)-9]), false, "message_malformed"},
		{"a byte after the last field", long, false, "message_malformed"},
		{"field 5, which the dialect does not have", bent(sale, atBitmap, sale[atBitmap]|0x08), false, "message_malformed"},
		{"field 61, with nothing behind it", bent(signOn, atBitmap+7, signOn[atBitmap+7]|0x08), false, "message_malformed"},
		{"letters where digits belong", bent(sale, atFields+1, 0xBB), false, "message_malformed"},
		{"another dialect", framed(foreign), false, "message_malformed"},
		{"another dialect behind TPDU and header", framed(append(bytes.Clone(signOn[2:atType]), foreign...)), false, "message_malformed"},
		{"a browser", []byte("GET / HTTP/1.1\r\nHost: switch\r\n\r\n"), false, "frame_too_long"},
	}
}

// TestFaultGarbage: what is no message is refused and counted under its reason,
// its connection is closed, and the taps of others go on.
func TestFaultGarbage(t *testing.T) {
	t.Parallel()
	r, heard := overheard(t, "private_line: true", "private_line: true, message_ms: 300")
	pid := r.sw.cmd.Process.Pid
	for _, c := range garbages(heard.last(t, "0800"), heard.last(t, "0200")) {
		before := r.metrics()
		conn, err := net.Dial("tcp", r.switchAddress())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(c.bytes); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.hangUp {
			conn.Close()
		} else {
			conn.SetReadDeadline(time.Now().Add(patience()))
			answer, _ := io.ReadAll(conn) // until the switch closes, with or without a reset
			if len(answer) != 0 {
				t.Errorf("%s: answered with %x", c.name, answer)
			}
			conn.Close()
		}
		label := "reason=" + c.reason
		r.eventually(c.name+" is counted as "+c.reason, func() bool {
			return r.metrics().minus(before).sum("tapswitch_listen_refused_total", label) == 1
		})
		if n := r.metrics().minus(before).sum("tapswitch_flow_payments_total"); n != 0 {
			t.Errorf("%s: %v payments were counted", c.name, n)
		}
		r.expect("visa", 1200, "", "approved", "00")
	}
	if pid != r.sw.cmd.Process.Pid || !r.sw.alive() {
		t.Error("the switch was started again")
	}
	r.strike()
}

// exchange sends a frame on a connection of its own and reads one answer.
func (r *rig) exchange(frame []byte) []byte {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.switchAddress())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience()))
	if _, err := conn.Write(frame); err != nil {
		r.t.Fatal(err)
	}
	answer, err := readFrame(conn)
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	return answer
}

// TestFaultReplayed: a recorded sale sent again gets the recorded answer and
// moves no money; changed in one byte, or without its MAC, it is refused.
func TestFaultReplayed(t *testing.T) {
	t.Parallel()
	r, heard := overheard(t)
	sale, answer := heard.last(t, "0200"), heard.last(t, "0210")
	before := r.metrics()
	for range 3 {
		if again := r.exchange(sale); !bytes.Equal(again, answer) {
			t.Errorf("answered %x, the first time %x", again, answer)
		}
	}
	if n := r.metrics().minus(before).sum("tapswitch_flow_repeats_total"); n != 3 {
		t.Errorf("%v repeats counted", n)
	}
	naked := bytes.Clone(sale[2 : len(sale)-8])
	naked[atBitmap-2+7] &^= 1
	naked = framed(naked)
	naked[atTrace] = 0x97
	for name, c := range map[string]struct {
		frame []byte
		code  string
	}{
		"amount":      {bent(sale, atTrace-1, sale[atTrace-1]^1), "A0"},
		"trace":       {bent(sale, atTrace, 0x98), "A0"},
		"without MAC": {naked, "A0"},
		"type":        {bent(sale, atType, 0x99), "40"},
	} {
		got := r.exchange(c.frame)
		if mti := hex.EncodeToString(got[atType:atBitmap]); mti[1:] != "210" && mti != "9910" || !bytes.Contains(got, []byte(c.code)) || got[atBitmap+7]&1 != 0 {
			t.Errorf("%s: answered %s %x", name, mti, got)
		}
	}
	added := r.metrics().minus(before)
	if wrong, missing := added.sum("tapswitch_flow_payments_total", "reason=mac_wrong"), added.sum("tapswitch_flow_payments_total", "reason=mac_missing"); wrong != 2 || missing != 1 {
		t.Errorf("counted %v wrong and %v missing MACs", wrong, missing)
	}
	r.expect("unionpay", 1300, "", "approved", "00")
	r.stopAll()
	if held, debits, _, _ := gather(t, r.dir).net(heard.rrn(t)); held != 1300 || debits != 1 {
		t.Errorf("the books hold %d in %d debits", held, debits)
	}
}

// rrn is field 37 of the last answer, by its form: the only twelve digits in a row.
func (k *tape) rrn(t *testing.T) string {
	t.Helper()
	answer, run := k.last(t, "0210"), 0
	for i, b := range answer {
		if run++; b < '0' || b > '9' {
			run = 0
		}
		if run == 12 {
			return string(answer[i-11 : i+1])
		}
	}
	t.Fatal("no reference number in the answer")
	return ""
}
