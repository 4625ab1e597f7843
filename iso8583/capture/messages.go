// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"sort"
	"time"

	"tapswitch/iso8583"
	"tapswitch/iso8583/recognise"
)

// Message is one message of a capture.
type Message struct {
	recognise.Guess
	Conversation int // index in Capture.Conversations
	From, To     string
	At           time.Time // when its last byte could be read
	Packet       int       // that brought it, from 1 as Wireshark counts
	Pair         *Message  // the answer to a request, the request of an answer
	side         int
}

// Latency is how long the answer to a request took, 0 when there is none.
func (m *Message) Latency() time.Duration {
	if m.Pair == nil || m.Answer() {
		return 0
	}
	return m.Pair.At.Sub(m.At)
}

// Answer says whether the message answers another one.
func (m *Message) Answer() bool { return m.mti()>>4&1 == 1 }

func (m *Message) mti() iso8583.MTI {
	var v iso8583.View
	_ = m.Dialect.Layout.Parse(m.Body, &v) // of a broken message the type was read
	return v.MTI()
}

// most a message with its framing can be long, window what is looked at to find
// the first one.
const (
	most   = iso8583.MaxMessage + 64
	window = 8 << 10
)

// patience is how many packets without a message are looked at in one direction
// of a connection that speaks something else.
const patience = 32

// Messages finds the messages, in the order of time. unread is how many bytes of
// the streams are in none.
func (c *Capture) Messages(dialects []recognise.Dialect) (all []*Message, unread int) {
	for i, v := range c.Conversations {
		for side := range v.streams {
			f := finder{dialects: dialects, from: v.Ends[side], to: v.Ends[1-side], conversation: i, side: side}
			for _, s := range v.streams[side] {
				f.run(s)
			}
			all, unread = append(all, f.found...), unread+f.unread
		}
	}
	sort.SliceStable(all, func(i, k int) bool { return all[i].At.Before(all[k].At) })
	pair(all)
	return all, unread
}

// finder takes messages out of what one end sent.
type finder struct {
	dialects     []recognise.Dialect
	from, to     string
	conversation int
	side         int
	last         *recognise.Guess // how the one before was written
	misses       int
	found        []*Message
	unread       int
}

func (f *finder) run(s stream) {
	for at := 0; at < len(s.data); {
		n := f.next(s, at)
		if n == 0 { // nothing here: go on with the next packet
			n = s.end(at) - at
			f.unread += n
			f.misses++
		}
		at += n
	}
}

// next finds the message at an offset, and says how many bytes it took.
func (f *finder) next(s stream, at int) int {
	rest := s.data[at:]
	if f.last != nil {
		if g, ok := f.last.Again(rest[:min(len(rest), most)]); ok {
			return f.add(s, at, g)
		}
	}
	if f.misses >= patience {
		return 0
	}
	for _, g := range recognise.Framed(f.dialects, rest[:min(len(rest), window)]) {
		if g.Known() && g.Failure == nil && g.Head.Length != recognise.LengthNone {
			f.last = &g
			return f.add(s, at, g)
		}
	}
	// Without a length a message is what one packet holds.
	for _, g := range recognise.Framed(f.dialects, s.data[at:s.end(at)]) {
		if g.Known() && g.Failure == nil && g.After == 0 {
			return f.add(s, at, g)
		}
	}
	return 0
}

func (f *finder) add(s stream, at int, g recognise.Guess) int {
	size := g.Head.To
	if g.Head.Length == recognise.LengthSTX {
		size += 2 // ETX and LRC come after it
	}
	m := s.markOf(at + g.Head.To - 1)
	f.found = append(f.found, &Message{Guess: g, Conversation: f.conversation, From: f.from, To: f.to, At: m.at, Packet: m.packet, side: f.side})
	f.misses = 0
	return size
}

// markOf is the mark that covers an offset.
func (s stream) markOf(offset int) mark {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].offset > offset })
	return s.marks[max(i-1, 0)]
}

// end is where the packet that covers an offset ends.
func (s stream) end(offset int) int {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].offset > offset })
	if i == len(s.marks) {
		return len(s.data)
	}
	return s.marks[i].offset
}

// numbers are those by which an answer is known.
type numbers struct {
	conversation, side int
	class              iso8583.MTI
	trace              string
}

// mostWaiting is how many requests of one number an answer is held against: a
// peer that never counts its messages must not make this take the square of them.
const mostWaiting = 64

// pair finds the request of each answer: the oldest of its connection with the
// same class and trace number that contradicts it in no other number.
func pair(all []*Message) {
	waiting := map[numbers][]*Message{}
	var v, w iso8583.View
	for _, m := range all {
		if m.Dialect.Layout.Parse(m.Body, &v) != nil {
			continue
		}
		k := numbers{m.Conversation, m.side, v.MTI() & 0x0F00, text(&v, 11)}
		if !m.Answer() {
			if waiting[k] = append(waiting[k], m); len(waiting[k]) > mostWaiting {
				waiting[k] = waiting[k][1:]
			}
			continue
		}
		k.side = 1 - k.side
		for i, request := range waiting[k] {
			if request.Dialect.Layout.Parse(request.Body, &w) != nil || !agree(&v, &w) {
				continue
			}
			m.Pair, request.Pair = request, m
			waiting[k] = append(waiting[k][:i:i], waiting[k][i+1:]...)
			break
		}
	}
}

// agree: the numbers that answers repeat are the same where both have them.
func agree(v, w *iso8583.View) bool {
	if v.MTI() != w.MTI().Response() {
		return false
	}
	for _, n := range []int{7, 32, 41, 42, 70} {
		if v.Has(n) && w.Has(n) && text(v, n) != text(w, n) {
			return false
		}
	}
	return true
}

func text(v *iso8583.View, n int) string { return string(v.AppendText(nil, n)) }
