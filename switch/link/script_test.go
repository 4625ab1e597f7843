// SPDX-License-Identifier: Apache-2.0

package link

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/iso8583/frame"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the transcripts")

// TestTranscripts plays every conversation of testdata and compares.
//
// A transcript is a comment, then blocks: commands, a line of four dashes, and
// what is seen once everything has come to rest.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want)) })
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s has changed; see what with: go test -run Transcripts -rewrite, git diff\n%s", file, got)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	var out strings.Builder
	var p *stage
	for block := range strings.SplitSeq(strings.TrimSpace(script), "\n\n") {
		commands, _, has := strings.Cut(block, "\n----")
		if !has {
			fmt.Fprintf(&out, "%s\n\n", block) // a comment
			continue
		}
		if p == nil {
			p = newStage(t)
		}
		fmt.Fprintf(&out, "%s\n----\n", commands)
		for line := range strings.SplitSeq(commands, "\n") {
			p.do(line)
			synctest.Wait()
		}
		out.WriteString(p.seen())
		out.WriteString("\n")
	}
	p.end()
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// stage is a link, its host and their world.
type stage struct {
	t     *testing.T
	world *fake.World
	link  *Link
	cfg   Config

	mu     sync.Mutex
	states []string
	got    []string // by the host
	ends   []string // of exchanges
	strays []string
	counts map[string]int
	health string

	listener net.Listener
	conns    []net.Conn // the host's ends, in order of arrival
	auto     bool       // the host answers network messages by itself
	network  string     // the last network message it has not answered
	refuses  bool
}

const hostAddress = "host:9000"

func newStage(t *testing.T) *stage {
	p := &stage{t: t, world: fake.New(1), counts: map[string]int{}, auto: true}
	e := p.world.Env()
	e.Rand = bytes.NewReader(nil) // no jitter: it has a test of its own
	p.cfg = Config{
		Name: "acquirer", Addresses: []string{hostAddress}, Frame: frame.ISO87(), Protocol: &text{}, Env: e,
		Timeout: time.Minute,
		Table:   TableConfig{MaxInFlight: 3, Remember: 16, RememberFor: time.Hour},
		Session: SessionConfig{BackoffMin: 2 * time.Second, BackoffMax: 16 * time.Second, MaxTimeouts: 2},
		OnStray: func(s Stray) { p.note(&p.strays, "stray: %v, key %v", s.Outcome, s.Key) },
		Count:   func(name string) { p.mu.Lock(); p.counts[name]++; p.mu.Unlock() },
		OnState: func(c int, s State, why Kind) {
			line := fmt.Sprintf("connection %d: %v", c, s)
			if s == Backoff || s == Suspect || s == Draining || s == Ended {
				line += fmt.Sprintf(" (%v)", why)
			}
			p.note(&p.states, "%s", line)
		},
		Elsewhere: func(k Key) bool { return strings.HasPrefix(k.String(), "other") },
	}
	p.listen()
	return p
}

func (p *stage) note(to *[]string, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*to = append(*to, fmt.Sprintf(format, args...))
}

func (p *stage) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Error(err)
	}
}

// seen is what happened since the last time, and the link's health if it changed.
func (p *stage) seen() string {
	p.mu.Lock()
	slices.Sort(p.ends) // exchanges end, and connections work, in no particular order
	slices.SortStableFunc(p.got, func(a, b string) int {
		return strings.Compare(a[:len("host connection 0")], b[:len("host connection 0")])
	})
	slices.SortStableFunc(p.states, func(a, b string) int {
		return strings.Compare(a[:len("connection 0")], b[:len("connection 0")])
	})
	lines := slices.Concat(p.states, p.got, p.ends, p.strays)
	p.states, p.got, p.ends, p.strays = nil, nil, nil, nil
	p.mu.Unlock()
	if p.link != nil {
		health := "up"
		if h := p.link.Health(); !h.Up {
			health = "out of service, " + h.Reason
		}
		if health != p.health {
			lines = append(lines, "health: "+health)
			p.health = health
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func (p *stage) end() {
	if p.link != nil {
		p.link.Close(0)
	}
	if p.listener != nil {
		p.must(p.listener.Close())
	}
	for _, c := range p.conns {
		_ = c.Close() // mostly closed already
	}
}

// do carries out one command.
func (p *stage) do(line string) {
	f := strings.Fields(line)
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	switch arg(0) {
	case "start":
		p.start(f[1:])
	case "exchange":
		p.exchange(arg(1), arg(2))
	case "advance":
		d, err := time.ParseDuration(arg(1))
		p.must(err)
		p.advance(d)
	case "close":
		d, err := time.ParseDuration(arg(1))
		p.must(err)
		until := p.world.Clock.Mono().Add(d)
		go func() { p.link.Close(until); p.note(&p.ends, "closed") }()
	case "counts":
		p.mu.Lock()
		for name, n := range p.counts {
			p.ends = append(p.ends, fmt.Sprintf("%s %d", name, n))
		}
		p.mu.Unlock()
	case "host":
		p.host(f[1:])
	default:
		p.t.Errorf("command %q is not known", line)
	}
}

func (p *stage) start(options []string) {
	for _, o := range options {
		if n, ok := strings.CutPrefix(o, "connections="); ok {
			v, err := strconv.Atoi(n)
			p.must(err)
			p.cfg.Connections = v
		}
	}
	l, err := New(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.link = l
	for _, c := range l.conns { // as Start does, but one after the other, so that their order is known
		c.start()
		synctest.Wait()
	}
}

// advance moves the time in steps of half a second, so that what follows from a
// time-out happens at its own time.
func (p *stage) advance(d time.Duration) {
	for d > 0 {
		step := min(d, 500*time.Millisecond)
		p.world.Clock.Advance(step)
		synctest.Wait()
		d -= step
	}
}

func (p *stage) exchange(name, timeout string) {
	d, err := time.ParseDuration(timeout)
	p.must(err)
	k, _ := KeyOf([]byte(name))
	deadline := p.world.Clock.Mono().Add(d)
	go func() {
		reply, err := p.link.Exchange(Request{Key: k, Body: []byte("request " + name), Deadline: deadline})
		switch {
		case errors.Is(err, ErrNotSent) == errors.Is(err, ErrNoAnswer) && err != nil:
			p.note(&p.ends, "%s: neither or both of the two ends: %v", name, err)
		case err != nil:
			p.note(&p.ends, "%s: %v", name, err)
		default:
			p.note(&p.ends, "%s: answered: %s", name, reply)
		}
	}()
}

// host plays the acquirer.
func (p *stage) host(f []string) {
	last := func() net.Conn { return p.conns[len(p.conns)-1] }
	switch f[0] {
	case "answers": // KEY...: on the newest connection
		for _, k := range f[1:] {
			p.send(last(), "response "+k)
		}
	case "answers-on": // CONNECTION KEY
		n, err := strconv.Atoi(f[1])
		p.must(err)
		p.send(p.conns[n], "response "+f[2])
	case "says":
		p.send(last(), strings.Join(f[1:], " "))
	case "sends-bytes": // hex, without a frame around it
		var raw []byte
		_, err := fmt.Sscanf(f[1], "%x", &raw)
		p.must(err)
		_, err = last().Write(raw)
		p.must(err)
	case "breaks":
		p.world.Net.Break(hostAddress)
	case "takes-only": // BYTES of what the link writes next
		n, err := strconv.Atoi(f[1])
		p.must(err)
		conns := p.world.Net.Conns(hostAddress)
		conns[len(conns)-1].BreakAfter(n)
	case "leaves-network": // sign-on and echo are not answered any more
		p.auto = false
	case "answers-network":
		p.auto = true
	case "refuses-network":
		p.refuses = true
	case "answers-last-network":
		p.send(last(), "netresp yes "+p.network)
	case "goes-down":
		p.must(p.listener.Close())
		p.listener = nil
		p.world.Net.Break(hostAddress)
	case "comes-up":
		p.listen()
	default:
		p.t.Errorf("the host does not know %q", f)
	}
}

func (p *stage) send(c net.Conn, body string) {
	out, err := frame.ISO87().Append(nil, frame.Frame{Body: []byte(body)})
	p.must(err)
	if _, err = c.Write(out); !errors.Is(err, syscall.EPIPE) { // the line broke meanwhile: nobody hears it
		p.must(err)
	}
}

func (p *stage) listen() {
	l, err := p.world.Net.Listen(hostAddress)
	if err != nil {
		p.t.Fatal(err)
	}
	p.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			n := len(p.conns)
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			go p.read(n, c)
		}
	}()
}

// read notes what the host gets on one connection.
func (p *stage) read(n int, c net.Conn) {
	for {
		fr, _, err := frame.ISO87().Read(c, nil)
		if err != nil {
			p.note(&p.got, "host connection %d: ends (%s)", n, ending(err))
			return
		}
		body := string(fr.Body)
		p.note(&p.got, "host connection %d: %s", n, shown(body))
		if id, ok := strings.CutPrefix(body, "netreq "); ok {
			p.mu.Lock()
			p.network = id
			p.mu.Unlock()
			if p.auto && p.refuses {
				p.send(c, "netresp no "+id)
			} else if p.auto {
				p.send(c, "netresp yes "+id)
			}
		}
	}
}

// shown leaves out the number of a network message: connections take them in no
// particular order.
func shown(body string) string {
	if strings.HasPrefix(body, "netreq ") {
		return strings.TrimRight(body, " 0123456789")
	}
	return body
}

func ending(err error) string {
	if fe, ok := errors.AsType[*frame.Error](err); ok {
		return fe.Reason
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}

// text is a dialect for tests: a word for the kind, then the key.
type text struct {
	mu sync.Mutex
	n  int
}

func (*text) Key(body []byte) (Key, MessageKind, error) {
	word, rest, _ := strings.Cut(string(body), " ")
	k, _ := KeyOf([]byte(rest))
	switch word {
	case "netreq":
		return Key{}, NetworkRequest, nil
	case "netresp":
		_, id, _ := strings.Cut(rest, " ")
		k, _ = KeyOf([]byte(id))
		return k, NetworkResponse, nil
	case "response":
		return k, Response, nil
	case "request":
		return k, Unserved, nil
	}
	return Key{}, 0, errors.New("no such word")
}

func (x *text) network(what string) ([]byte, Key, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.n++
	id := fmt.Sprintf("%s %d", what, x.n)
	k, _ := KeyOf([]byte(id))
	return []byte("netreq " + id), k, nil
}

func (x *text) SignOn() ([]byte, Key, error)  { return x.network("sign-on") }
func (x *text) Echo() ([]byte, Key, error)    { return x.network("echo") }
func (x *text) SignOff() ([]byte, Key, error) { return x.network("sign-off") }
func (*text) Accepted(body []byte) bool       { return strings.HasPrefix(string(body), "netresp yes") }
func (*text) Answer(body []byte) ([]byte, error) {
	return []byte("netresp yes " + strings.TrimPrefix(string(body), "netreq ")), nil
}

var _ Protocol = (*text)(nil)
var _ env.Waits = (*fake.Clock)(nil)
