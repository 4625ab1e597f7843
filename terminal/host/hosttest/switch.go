// SPDX-License-Identifier: Apache-2.0

// Package hosttest is a small switch for tests of the terminal: it signs
// terminals on, checks MACs and PIN blocks, keeps books, and answers as a
// script of moods says.
//
// Promise: it shares no code with the terminal but the dialect's specification:
// messages go through moov's codec, ciphers are the standard library's.
//
// How: one goroutine a connection, frames by hand. A mood serves one 0200, 0220, 0620 or
// 0400 and is taken from the queue of its type; without one the answer is yes.
//
// Imported by: tests of terminal/host and terminal/pos. Imports: the
// unionpaypos specification and moov-io/iso8583.
package hosttest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583/dialect/unionpaypos"
)

// Mood is how one request is answered.
type Mood struct {
	Code      string        // field 39; "" is 00
	Silent    bool          // no answer
	Late      time.Duration // answer after this time
	Close     bool          // close the connection instead of answering
	BadMAC    bool
	NoMAC     bool
	Amount    string // other amount in field 4
	Terminal  string // other terminal in field 41
	Garbage   bool   // an unreadable message in front of the answer
	StaleMTI  bool   // an answer of another trace number in front of the answer
	BadFrames bool   // a frame of impossible length instead of the answer
	Differs   bool   // of a settlement: totals that are not the terminal's
	ICC       string // field 55 of the answer, in hex
}

// Request is what the books keep of a message.
type Request struct {
	MTI, Trace, Batch, Amount, Why, Auth, Entry, PAN string
	Kind, Original, RRN                              string // fields 3, 25 and 60.1; 61; 37

	MACRight, PIN, Track, Part bool   // Part: takes an approval of a part (60.6)
	Chip                       string // field 55 in hex
	Amounts                    string // field 54
	Network, Additional        string // field 60.3; field 48
}

// The published-nowhere test keys of the switch under test.
const (
	TMK = "0123456789ABCDEFFEDCBA9876543210"
	tpk = "1C2A3B4C5D6E7F800F1E2D3C4B5A6978"
	tak = "89ABCDEF01234567C1D2E3F4A5B69788"
)

// Switch is the fake.
type Switch struct {
	t    testing.TB
	ln   net.Listener
	spec *moov.MessageSpec

	mu         sync.Mutex
	conns      []net.Conn
	sale, undo []Mood
	settle     []Mood
	advice     []Mood
	books      []Request
	signOns    int
	signOnCode string
	badKCV     bool
	batch      string
	wg         sync.WaitGroup
}

// Start listens on a free port and stops when the test ends.
func Start(t testing.TB) *Switch {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln)
}

// serve answers on ln until the test ends.
func serve(t testing.TB, ln net.Listener) *Switch {
	s := &Switch{t: t, ln: ln, spec: unionpaypos.Spec()}
	s.wg.Go(s.accept)
	t.Cleanup(s.Stop)
	return s
}

// Stop ends all connections and goroutines.
func (s *Switch) Stop() {
	s.ln.Close()
	s.Hang()
	s.wg.Wait()
}

// Hang closes every connection; new ones are taken.
func (s *Switch) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// Address is where it listens.
func (s *Switch) Address() string { return s.ln.Addr().String() }

// Sales queues moods for 0200.
func (s *Switch) Sales(m ...Mood) { s.mu.Lock(); defer s.mu.Unlock(); s.sale = append(s.sale, m...) }

// Undos queues moods for 0400.
func (s *Switch) Undos(m ...Mood) { s.mu.Lock(); defer s.mu.Unlock(); s.undo = append(s.undo, m...) }

// Advices queues moods for 0220 and 0620.
func (s *Switch) Advices(m ...Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advice = append(s.advice, m...)
}

// SignOnCode makes sign-ons answer code; "" is 00.
func (s *Switch) SignOnCode(code string) { s.mu.Lock(); defer s.mu.Unlock(); s.signOnCode = code }

// SpoilKCV makes the check value of the TAK wrong.
func (s *Switch) SpoilKCV(on bool) { s.mu.Lock(); defer s.mu.Unlock(); s.badKCV = on }

// NewBatch makes sign-ons name another batch.
func (s *Switch) NewBatch(b string) { s.mu.Lock(); defer s.mu.Unlock(); s.batch = b }

// SignOns is how many sign-ons were granted.
func (s *Switch) SignOns() int { s.mu.Lock(); defer s.mu.Unlock(); return s.signOns }

// Books are the 0200, 0220 and 0400 that came, as "0200 000002" each with what matters.
func (s *Switch) Books() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.books...)
}

// Lines are the books in short: "0200 000002 | 0400 000002 98".
func (s *Switch) Lines() string {
	var out []string
	for _, r := range s.Books() {
		out = append(out, strings.TrimSpace(r.MTI+" "+r.Trace+" "+r.Why))
	}
	return strings.Join(out, " | ")
}

func (s *Switch) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Switch) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		if !s.handle(c, frame) {
			return
		}
	}
}

// handle answers one frame; false closes the connection.
func (s *Switch) handle(c net.Conn, frame []byte) bool {
	head, body := frame[:11], frame[11:]
	in := moov.NewMessage(s.spec)
	if err := in.Unpack(body); err != nil {
		s.t.Errorf("the terminal's message does not parse with moov: field error %T", err)
		return false
	}
	mti, _ := in.GetMTI()
	answer := [11]byte{head[0], head[3], head[4], head[1], head[2]}
	copy(answer[5:], head[5:])
	switch mti {
	case "0800":
		return s.reply(c, answer[:], s.signOn(in), Mood{NoMAC: true})
	case "0820":
		return s.reply(c, answer[:], s.echoed(in, "0830", "00", 11, 41, 42, 60), Mood{NoMAC: true})
	case "0100", "0200", "0220", "0400", "0620":
		m := s.enter(in, body, mti)
		if m.Silent {
			return true
		}
		if m.Close {
			return false
		}
		return s.money(c, answer[:], in, mti, m)
	case "0500", "0320":
		m := s.enter(in, body, mti)
		if m.Silent {
			return true
		}
		return !m.Close && s.settled(c, answer[:], in, mti, m)
	}
	s.t.Errorf("unexpected message type %s", mti)
	return false
}

func (s *Switch) money(c net.Conn, head []byte, in *moov.Message, mti string, m Mood) bool {
	time.Sleep(m.Late)
	code := m.Code
	if code == "" {
		code = "00"
	}
	answer := mti[:2] + string(mti[2]+1) + "0"
	out := s.echoed(in, answer, code, 2, 3, 4, 11, 14, 25, 41, 42, 49, 54, 60)
	s.set(out, map[int]string{12: "120000", 13: "0203", 15: "0203", 32: "00010000", 37: "000000" + get(in, 11)})
	if (code == "00" || code == "10") && mti != "0400" {
		s.set(out, map[int]string{38: "A" + get(in, 11)[1:]})
	}
	if m.ICC != "" {
		if err := out.BinaryField(55, unhex(m.ICC)); err != nil {
			s.t.Errorf("field 55: %v", err)
		}
	}
	if m.Amount != "" {
		s.set(out, map[int]string{4: m.Amount})
	}
	if m.Terminal != "" {
		s.set(out, map[int]string{41: m.Terminal})
	}
	if m.Garbage {
		write(c, head, []byte{2, 16, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1})
	}
	if m.StaleMTI {
		stale := s.echoed(in, answer, "00", 3, 4, 41, 42)
		s.set(stale, map[int]string{11: "999998"})
		s.reply(c, head, stale, Mood{})
	}
	if m.BadFrames {
		c.Write([]byte{0, 1, 0})
		return true
	}
	return s.reply(c, head, out, m)
}

// enter writes a request into the books and takes its mood.
func (s *Switch) enter(in *moov.Message, body []byte, mti string) (m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := &s.sale
	switch mti {
	case "0400":
		queue = &s.undo
	case "0500", "0320":
		queue = &s.settle
	case "0220", "0620":
		queue = &s.advice
	}
	if len(*queue) > 0 {
		m, *queue = (*queue)[0], (*queue)[1:]
	}
	r := Request{MTI: mti, Trace: get(in, 11), Amount: get(in, 4), Why: get(in, 39), Auth: get(in, 38), Entry: get(in, 22), PAN: get(in, 2),
		Kind: get(in, 3) + " " + get(in, 25) + " " + get(in, 60)[:2], Original: get(in, 61), RRN: get(in, 37),
		Batch: get(in, 60)[2:8], PIN: get(in, 52) != "", Track: get(in, 35) != ""}
	r.Part = len(get(in, 60)) > 13 && get(in, 60)[13] == '1'
	r.Amounts = get(in, 54)
	if queue == &s.settle || mti == "0620" {
		r.Network, r.Additional = get(in, 60)[8:11], get(in, 48)
	}
	chip, _ := in.GetBytes(55)
	r.Chip = hex.EncodeToString(chip)
	want := mac(unhex(tak), body[:len(body)-8])
	r.MACRight = string(want[:]) == string(body[len(body)-8:])
	s.books = append(s.books, r)
	return m
}

func (s *Switch) signOn(in *moov.Message) *moov.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := s.signOnCode
	if code == "" {
		code, s.signOns = "00", s.signOns+1
	}
	out := s.echoed(in, "0810", code, 11, 41, 42, 60)
	s.set(out, map[int]string{12: "120000", 13: "0203", 32: "00010000", 37: "000000" + get(in, 11)})
	if s.batch != "" {
		s.set(out, map[int]string{60: "00" + s.batch + "003"})
	}
	if code == "00" {
		keys := append(wrapped(tpk), wrapped(tak)...)
		if s.badKCV {
			keys[39] ^= 1
		}
		if err := out.BinaryField(62, keys); err != nil {
			s.t.Error(err)
		}
	}
	return out
}

// echoed makes an answer with fields of the request.
func (s *Switch) echoed(in *moov.Message, mti, code string, fields ...int) *moov.Message {
	out := moov.NewMessage(s.spec)
	out.MTI(mti)
	s.set(out, map[int]string{39: code})
	for _, n := range fields {
		if v := get(in, n); v != "" {
			s.set(out, map[int]string{n: v})
		}
	}
	return out
}

func (s *Switch) set(m *moov.Message, fields map[int]string) {
	for n, v := range fields {
		if err := m.Field(n, v); err != nil {
			s.t.Errorf("answer field %d: %T", n, err)
		}
	}
}

func (s *Switch) reply(c net.Conn, head []byte, out *moov.Message, m Mood) bool {
	if !m.NoMAC {
		if err := out.BinaryField(64, make([]byte, 8)); err != nil {
			s.t.Error(err)
		}
	}
	body, err := out.Pack()
	if err != nil {
		s.t.Errorf("pack an answer: %v", err)
		return false
	}
	if !m.NoMAC {
		code := mac(unhex(tak), body[:len(body)-8])
		copy(body[len(body)-8:], code[:])
		if m.BadMAC {
			body[len(body)-1] ^= 1
		}
	}
	return write(c, head, body)
}

func write(c net.Conn, head, body []byte) bool {
	raw := binary.BigEndian.AppendUint16(nil, uint16(len(head)+len(body)))
	raw = append(append(raw, head...), body...)
	_, err := c.Write(raw)
	return err == nil
}

func get(m *moov.Message, n int) string {
	v, err := m.GetString(n)
	if err != nil {
		return fmt.Sprintf("(%T)", err)
	}
	return v
}
