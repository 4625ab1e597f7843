// SPDX-License-Identifier: Apache-2.0

package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tapswitch/iso8583"
	"tapswitch/iso8583/capture"
	"tapswitch/iso8583/capture/capturetest"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/frame"
	"tapswitch/iso8583/recognise"
)

func dialects() (all []recognise.Dialect) {
	for _, e := range dialect.All() {
		all = append(all, recognise.Candidates(e)...)
	}
	return all
}

// exchange is a request and its answer, framed, in a dialect.
func exchange(t testing.TB, name string, trace int) (request, answer []byte) {
	t.Helper()
	e, ok := dialect.Find(name)
	if !ok {
		t.Fatal(name)
	}
	l := e.New()
	for _, mti := range []iso8583.MTI{0x0200, 0x0210} {
		var b iso8583.Builder
		b.Reset(l, mti)
		b.SetString(3, "000000")
		b.SetString(4, "000000001111")
		b.SetString(11, fmt.Sprintf("%06d", trace))
		b.SetString(12, "141554")
		b.SetString(13, "0824")
		b.SetString(41, "10016919")
		b.SetString(49, "156")
		if mti == 0x0210 {
			b.SetString(39, "00")
		}
		body, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := e.Format.Append(nil, frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: []byte("\x60\x31\x00\x31\x01\x00")[:e.Format.Header], Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if mti == 0x0200 {
			request = wire
		} else {
			answer = wire
		}
	}
	return request, answer
}

// talk is a connection of several exchanges, cut into packets at random.
func talk(t testing.TB, name string, rng *rand.Rand, exchanges int) []capturetest.Packet {
	t.Helper()
	c, packets := capturetest.New("10.0.0.1:40000", "10.0.0.2:7100")
	var sent [2][]byte
	for i := range exchanges {
		request, answer := exchange(t, name, i+1)
		sent[0], sent[1] = append(sent[0], request...), append(sent[1], answer...)
	}
	for end := range sent { // pipelined: all requests, then all answers
		c.Wait(20 * time.Millisecond)
		for p := sent[end]; len(p) > 0; {
			n := min(1+rng.IntN(200), len(p))
			packets = append(packets, c.Send(end, p[:n]))
			p = p[n:]
		}
	}
	if c.Err != nil {
		t.Fatal(c.Err)
	}
	return packets
}

func read(t testing.TB, file []byte) *capture.Capture {
	t.Helper()
	c, err := capture.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExchanges: every message of both dialects is found and paired, in both file
// formats, whatever order the packets came in and however often.
func TestExchanges(t *testing.T) {
	const exchanges = 20
	for i, name := range []string{"unionpaypos", "iso87ascii"} {
		rng := rand.New(rand.NewPCG(4, uint64(i)))
		packets := talk(t, name, rng, exchanges)
		shuffled := append([]capturetest.Packet(nil), packets...)
		for k := 4; k+1 < len(shuffled); k += 3 { // neighbours change places, and one comes twice
			shuffled[k], shuffled[k+1] = shuffled[k+1], shuffled[k]
			shuffled[k].At, shuffled[k+1].At = shuffled[k+1].At, shuffled[k].At
		}
		shuffled = append(shuffled, shuffled[5])
		for form, write := range map[string]func([]capturetest.Packet) ([]byte, error){"pcap": capturetest.Pcap, "pcapng": capturetest.PcapNG} {
			for order, list := range map[string][]capturetest.Packet{"in order": packets, "shuffled": shuffled} {
				file, err := write(list)
				if err != nil {
					t.Fatal(err)
				}
				c := read(t, file)
				found, unread := c.Messages(dialects())
				if len(found) != 2*exchanges || unread != 0 || len(c.Conversations) != 1 || c.Broken != nil {
					t.Fatalf("%s %s %s: %d messages, %d bytes unread, %d conversations, %v", name, form, order, len(found), unread, len(c.Conversations), c.Broken)
				}
				for _, m := range found {
					if m.Failure != nil || m.Dialect.Name != name || m.Pair == nil || m.Pair.Pair != m {
						t.Errorf("%s %s %s: %+v", name, form, order, m)
					}
					if !m.Answer() && m.Latency() != 20*time.Millisecond {
						t.Errorf("%s %s %s: latency %v", name, form, order, m.Latency())
					}
				}
			}
		}
	}
}

// TestGap: a lost packet costs the messages it was part of, and no others.
func TestGap(t *testing.T) {
	c, packets := capturetest.New("10.0.0.1:40000", "10.0.0.2:7100")
	for i := range 10 {
		request, answer := exchange(t, "unionpaypos", i+1)
		packets = append(packets, c.Send(0, request), c.Send(1, answer))
	}
	lost := append(packets[:9:9], packets[10:]...) // the answer to the fourth request
	file, err := capturetest.Pcap(lost)
	if err != nil {
		t.Fatal(err)
	}
	found, unread := read(t, file).Messages(dialects())
	alone := 0
	for _, m := range found {
		if m.Pair == nil {
			alone++
		}
	}
	if len(found) != 19 || alone != 1 || unread != 0 {
		t.Errorf("%d messages, %d without a pair, %d bytes unread", len(found), alone, unread)
	}
}

// TestOtherTraffic: connections that speak something else give nothing.
func TestOtherTraffic(t *testing.T) {
	c, packets := capturetest.New("10.0.0.1:40000", "10.0.0.2:80")
	packets = append(packets, c.Send(0, []byte("GET / HTTP/1.1\r\nHost: example\r\n\r\n")), c.Send(1, bytes.Repeat([]byte("0200 and so on "), 400)))
	file, err := capturetest.Pcap(packets)
	if err != nil {
		t.Fatal(err)
	}
	if found, unread := read(t, file).Messages(dialects()); len(found) != 0 || unread != 33+6000 {
		t.Errorf("%d messages, %d bytes unread", len(found), unread)
	}
}

// TestBroken: no capture, a capture cut anywhere.
func TestBroken(t *testing.T) {
	if _, err := capture.Read(bytes.NewReader([]byte("hello"))); !errors.Is(err, capture.ErrNoCapture) {
		t.Error(err)
	}
	file, err := capturetest.Pcap(talk(t, "iso87ascii", rand.New(rand.NewPCG(5, 5)), 3))
	if err != nil {
		t.Fatal(err)
	}
	for size := range file {
		c, err := capture.Read(bytes.NewReader(file[:size]))
		if size < 24 != (err != nil) {
			t.Fatalf("cut at %d: %v", size, err)
		}
		if err == nil {
			c.Messages(dialects()[:1])
		}
	}
}

// FuzzRead: any file gives a capture or an error, within memory.
func FuzzRead(f *testing.F) {
	all := dialects()
	packets := talk(f, "unionpaypos", rand.New(rand.NewPCG(6, 6)), 2)
	for _, write := range []func([]capturetest.Packet) ([]byte, error){capturetest.Pcap, capturetest.PcapNG} {
		file, err := write(packets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c, err := capture.Read(bytes.NewReader(p))
		if err != nil {
			return
		}
		for _, m := range first(c.Messages(all)) {
			if m.Head.To > len(p) || len(m.Body) > len(p) {
				t.Fatalf("a message of %d bytes in a file of %d", len(m.Body), len(p))
			}
		}
	})
}

func first(all []*capture.Message, _ int) []*capture.Message { return all }
