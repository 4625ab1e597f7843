// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// event is one JSON line that a part said.
type event map[string]any

func (e event) text(key string) string { s, _ := e[key].(string); return s }

func (e event) number(key string) int64 { f, _ := e[key].(float64); return int64(f) }

// message is the books line inside an acquirer's event.
func (e event) message() event { m, _ := e["message"].(map[string]any); return m }

// process is one part, started by its own command.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed at its end

	mu     sync.Mutex
	events []event
	said   bytes.Buffer  // all of stdout and stderr
	more   chan struct{} // closed and renewed with each line
}

// launch starts a part. It ends with the test at the latest, and with this
// process however that ends.
func launch(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(program, args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, sink, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = sink, sink
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sink.Close()
	go p.read(out)
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.output(), "DATA RACE") {
			t.Errorf("%s: data race\n%s", name, p.output())
		}
		if t.Failed() {
			t.Logf("%s said, at its end:\n%s", name, tail(p.output(), 3000))
		}
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (p *process) read(out io.ReadCloser) {
	in := bufio.NewScanner(out)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e event
		fits := json.Unmarshal(in.Bytes(), &e) == nil
		p.mu.Lock()
		p.said.Write(append(in.Bytes(), '\n'))
		if fits {
			p.events = append(p.events, e)
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	out.Close()
	p.cmd.Wait()
	close(p.done)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// mark is where the events to come begin.
func (p *process) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.events)
}

// await returns the first event from mark on that is wanted.
func (p *process) await(from int, what string, want func(event) bool) event {
	p.t.Helper()
	e := p.maybe(from, patience(), want)
	if e == nil {
		p.t.Fatalf("%s: no %s\n%s", p.name, what, tail(p.output(), 2000))
	}
	return e
}

// maybe is await that may come back with nil: after the time, or when the part
// has ended without.
func (p *process) maybe(from int, limit time.Duration, want func(event) bool) event {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for last := false; ; {
		p.mu.Lock()
		for ; from < len(p.events); from++ {
			if want(p.events[from]) {
				defer p.mu.Unlock()
				return p.events[from]
			}
		}
		more := p.more
		p.mu.Unlock()
		if last {
			return nil
		}
		select {
		case <-more:
		case <-p.done:
			last = true
		case <-timer.C:
			last = true
		}
	}
}

// named wants an event by its name.
func named(names ...string) func(event) bool {
	return func(e event) bool {
		for _, n := range names {
			if e.text("event") == n {
				return true
			}
		}
		return false
	}
}

func (p *process) say(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// kill is SIGKILL: no part may need time to end well.
func (p *process) kill() {
	p.cmd.Process.Kill() // fails only when it has ended
	<-p.done
}

// stop is SIGTERM; the exit code tells whether it ended well.
func (p *process) stop() (code int) {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience()):
		p.t.Errorf("%s does not stop", p.name)
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// rig is all parts of one stage, started separately.
type rig struct {
	t   *testing.T
	dir string

	a, b, sw, reader, terminal *process
	all                        []*process // also those of the past
}

// prepare makes a stage. edits are pairs of old and new text in switch.yaml.
func prepare(t *testing.T, edits ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "stage")}
	if e := call(t, "demo", "--prepare", "--dir", r.dir); e.code != 0 {
		t.Fatalf("prepare: %+v", e)
	}
	r.edit("switch.yaml", edits...)
	return r
}

// edit changes a configuration; a text that is not there is a mistake of the test.
func (r *rig) edit(name string, edits ...string) {
	r.t.Helper()
	text := r.file(name)
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			r.t.Fatalf("%s has no %q", name, edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	r.write(name, text)
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) file(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// raise prepares a stage and starts every part.
func raise(t *testing.T, edits ...string) *rig {
	t.Helper()
	r := prepare(t, edits...)
	r.startAll()
	return r
}

// startAll starts the parts of a stage that was prepared.
func (r *rig) startAll() {
	r.t.Helper()
	r.startA()
	r.startB()
	r.startSwitch()
	r.startReader()
	r.startTerminal()
}

func (r *rig) launch(name string, args ...string) *process {
	r.t.Helper()
	p := launch(r.t, r.dir, name, args...)
	r.all = append(r.all, p)
	return p
}

func (r *rig) startA() { r.t.Helper(); r.a = r.acquirer("acq-a") }
func (r *rig) startB() { r.t.Helper(); r.b = r.acquirer("acq-b") }

func (r *rig) acquirer(name string) *process {
	r.t.Helper()
	p := r.launch(name, "simulate", "acquirer", "--config", name+".yaml")
	p.await(0, "ready", named("ready"))
	return p
}

func (r *rig) startSwitch() {
	r.t.Helper()
	r.sw = r.launch("switch", "serve", "--config", "switch.yaml")
	r.awaitReady()
}

func (r *rig) startReader() {
	r.t.Helper()
	r.reader = r.launch("reader", "simulate", "reader", "--link", "nfc", "--deck", "deck.json")
	r.reader.await(0, "ready", named("ready"))
}

func (r *rig) startTerminal() {
	r.t.Helper()
	r.terminal = r.launch("terminal", "terminal", "--config", "terminal.yaml", "--json")
	r.terminal.await(0, "sign-on", named("signed_on"))
	r.terminal.await(0, "ready", named("ready"))
}

// address is a value of switch.yaml or of a host's file: what follows key.
func (r *rig) address(file, key string) string {
	r.t.Helper()
	_, rest, ok := strings.Cut(r.file(file), key)
	if !ok {
		r.t.Fatalf("%s has no %q", file, key)
	}
	end := strings.IndexAny(rest, "\",}\n")
	return strings.TrimSpace(rest[:end])
}

func (r *rig) switchAddress() string {
	return r.address("switch.yaml", `- {name: pos, address: "`)
}

// get asks the switch's own HTTP side; 0 when it does not answer.
func (r *rig) get(path string) (status int, body string) {
	c := http.Client{Timeout: 5 * time.Second}
	resp, err := c.Get("http://" + r.address("switch.yaml", `observe: {address: "`) + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// eventually waits for a condition that has no event.
func (r *rig) eventually(what string, is func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience()); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not within %s: %s", patience(), what)
		}
	}
}

func (r *rig) awaitReady() {
	r.t.Helper()
	r.eventually("the switch is ready", func() bool {
		if !r.sw.alive() {
			r.t.Fatalf("the switch has ended:\n%s", r.sw.output())
		}
		status, _ := r.get("/readyz")
		return status == http.StatusOK
	})
}

func (r *rig) metrics() metrics {
	r.t.Helper()
	status, body := r.get("/metrics")
	if status != http.StatusOK {
		r.t.Fatalf("/metrics: %d %s", status, body)
	}
	return readMetrics(r.t, body)
}

// tap is one sale to its end; an empty pin means that none may be asked for.
func (r *rig) tap(card string, amount int64, pin string) event {
	r.t.Helper()
	from := r.begin(card, amount)
	defer r.reader.say("remove")
	if pin != "" {
		r.terminal.await(from, "request for a PIN", named("enter_pin"))
		r.terminal.say("pin %s", pin)
	}
	e := r.terminal.await(from, "result", named("result", "enter_pin"))
	if e.text("event") == "enter_pin" && pin == "" {
		r.t.Fatalf("%s %d: a PIN was asked for", card, amount)
	}
	return r.terminal.await(from, "result", named("result"))
}

// begin presents a card and asks for a sale.
func (r *rig) begin(card string, amount int64) (from int) {
	r.t.Helper()
	at := r.reader.mark()
	r.reader.say("present %s", card)
	r.reader.await(at, "card", named("presented"))
	from = r.terminal.mark()
	r.terminal.say("sale %d", amount)
	return from
}

// expect taps and compares outcome and code.
func (r *rig) expect(card string, amount int64, pin, outcome, code string) event {
	r.t.Helper()
	e := r.tap(card, amount, pin)
	if e.text("outcome") != outcome || e.text("code") != code {
		r.t.Fatalf("%s %d: %s %q, want %s %q: %v", card, amount, e.text("outcome"), e.text("code"), outcome, code, e)
	}
	return e
}

// payment is the switch's event of a tap.
func (r *rig) payment(tap event) event {
	r.t.Helper()
	return r.sw.await(0, "payment event", func(e event) bool {
		return e.text("msg") == "payment" && e.text("class") == "purchase" && e.number("trace") == tap.number("trace")
	})
}

// mood puts an acquirer into a mood.
func mood(p *process, m string) {
	p.t.Helper()
	from := p.mark()
	p.say("mood %s", m)
	p.await(from, "mood", named("mood"))
}

// strike stops every part well and then holds all evidence together.
func (r *rig) strike() {
	r.t.Helper()
	r.stopAll()
	for _, finding := range gather(r.t, r.dir).check() {
		r.t.Error(finding)
	}
}

// stopAll stops every part, keeps the switch's log, and looks for secrets.
func (r *rig) stopAll() {
	r.t.Helper()
	for _, p := range []*process{r.terminal, r.reader, r.sw, r.a, r.b} {
		if p == nil || !p.alive() {
			continue
		}
		if code := p.stop(); code != 0 {
			r.t.Errorf("%s ended with %d:\n%s", p.name, code, tail(p.output(), 2000))
		}
	}
	var log strings.Builder
	for _, p := range r.all {
		if p.name == "switch" {
			log.WriteString(p.output())
		}
	}
	r.write("switch.log", log.String())
	for _, finding := range r.secrets() {
		r.t.Error(finding)
	}
}
