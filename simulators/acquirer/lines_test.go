// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// child is a host behind pipes, as a parent process sees it.
type child struct {
	*testing.T
	commands io.Writer
	events   *bufio.Scanner
	ended    chan error
}

func startChild(t *testing.T, cfg Config) *child {
	in, commands := io.Pipe()
	events, out := io.Pipe()
	c := &child{t, commands, bufio.NewScanner(events), make(chan error, 1)}
	go func() {
		c.ended <- RunLines(context.Background(), cfg, in, out)
		out.Close()
	}()
	return c
}

func (c *child) say(s string) { fmt.Fprintln(c.commands, s) }

// next skips to the next event of a name.
func (c *child) next(want string) Event {
	c.Helper()
	for c.events.Scan() {
		var e Event
		if err := json.Unmarshal(c.events.Bytes(), &e); err != nil {
			c.Fatal(err)
		}
		if e.Event == want {
			return e
		}
	}
	c.Fatalf("no event %s", want)
	return Event{}
}

// TestRunLines steers a host as a parent process does.
func TestRunLines(t *testing.T) {
	cfg := testConfig(t)
	p := startChild(t, cfg)
	say, next := p.say, p.next
	ready := next("ready")
	if ready.Name != "bank-a" || ready.Address == "" {
		t.Errorf("ready: %+v", ready)
	}
	r := &rig{T: t, addr: ready.Address, cfg: cfg}
	c := r.signedOn()
	next("message")
	say("mood silent once")
	if e := next("mood"); e.Mood != "silent once" {
		t.Errorf("mood: %+v", e)
	}
	c.send(c.pack("0200", sale(1)))
	if e := next("message"); e.Message.Reason != "approved" || e.Message.PAN != "622424******0069" {
		t.Errorf("message: %+v", e.Message)
	}
	say("mood furious")
	next("error")
	say("sing")
	next("error")
	say("books")
	if e := next("books"); e.Books.DebitsMinor != 1234 || e.Books.Check != StateOK || len(e.Books.Accounts) != 5 {
		t.Errorf("books: %+v", e.Books)
	}
	say("mood down")
	c.hungUp()
	say("mood normal")
	if again := next("ready"); again.Address != ready.Address {
		t.Errorf("up again at %s, was at %s", again.Address, ready.Address)
	}
	r.signedOn()
	say("quit")
	for p.events.Scan() { // what was under way
	}
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
}

// TestRunLinesEnds: with the input, with the context, or at once when the
// address or the books cannot be had.
func TestRunLinesEnds(t *testing.T) {
	run := func(ctx context.Context, cfg Config, in io.Reader) (string, error) {
		t.Helper()
		var out bytes.Buffer
		done := make(chan error, 1)
		go func() { done <- RunLines(ctx, cfg, in, &out) }()
		select {
		case err := <-done:
			return out.String(), err
		case <-time.After(patience):
			t.Fatal("does not end")
		}
		return "", nil
	}
	if _, err := run(context.Background(), testConfig(t), strings.NewReader("books\n")); err != nil {
		t.Errorf("end of input: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), quiet)
	defer cancel()
	open, _ := io.Pipe()
	cfg := testConfig(t)
	cfg.Mood = MoodDown
	if _, err := run(ctx, cfg, open); err != nil {
		t.Errorf("end of context: %v", err)
	}
	cfg = testConfig(t)
	cfg.Listen = "127.0.0.1:99999"
	if out, err := run(context.Background(), cfg, open); err == nil || !strings.Contains(out, `"event":"error"`) {
		t.Errorf("address not to be had: %v, printed %s", err, out)
	}
	cfg = testConfig(t)
	cfg.Books = "/nowhere/at/all"
	if out, err := run(context.Background(), cfg, open); err == nil || !strings.Contains(out, `"event":"error"`) {
		t.Errorf("books not to be had: %v, printed %s", err, out)
	}
}
