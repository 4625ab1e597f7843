// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// maxEvents bounds events waiting for a slow reader of the output; message
// events beyond are dropped (the books have them), the others wait.
const maxEvents = 4096

// RunLines runs a host as a child process: it serves the configured address,
// takes commands as lines from in ("mood …", "books", "quit") and prints events
// as JSON lines to out. It returns after quit, the end of in, the end of ctx, or
// a failure. A reader of in that never returns is left behind.
func RunLines(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	p := startPrinter(out)
	defer p.close()
	cfg.OnEvent = p.event
	h, err := New(cfg)
	if err != nil {
		p.event(Event{Event: "error", Name: cfg.Name, Reason: err.Error()})
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- h.ListenAndServe(ctx) }()
	lines := readLines(ctx, in)
	for {
		select {
		case line, ok := <-lines:
			if ok && h.command(line) {
				continue
			}
			err := h.Close()
			if failed := <-served; failed != nil {
				err = failed
			}
			return err
		case err := <-served:
			if err != nil {
				p.event(Event{Event: "error", Name: cfg.Name, Reason: err.Error()})
			}
			if closing := h.Close(); err == nil {
				err = closing
			}
			return err
		}
	}
}

// command does one line; false means quit.
func (h *Host) command(line string) bool {
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch word {
	case "":
	case "quit":
		return false
	case "books":
		s := h.Summary()
		h.event(Event{Event: "books", Books: &s})
	case "mood":
		m, err := ParseMood(rest)
		if err == nil {
			err = h.SetMood(m)
		}
		if err != nil {
			h.event(Event{Event: "error", Reason: err.Error()})
		}
	default:
		h.event(Event{Event: "error", Reason: "acquirer: command: want mood …, books or quit"})
	}
	return true
}

func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(in)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// printer writes events in order from one goroutine.
type printer struct {
	events chan Event
	ended  chan struct{}
}

func startPrinter(out io.Writer) *printer {
	p := &printer{make(chan Event, maxEvents), make(chan struct{})}
	go func() {
		defer close(p.ended)
		w := bufio.NewWriter(out)
		for e := range p.events {
			line, err := json.Marshal(e)
			if err != nil {
				line = fmt.Appendf(nil, `{"event":"error","reason":"acquirer: event %s has no JSON form"}`, e.Event)
			}
			_, _ = w.Write(append(line, '\n')) // a reader that is gone must not stop the host
			if len(p.events) == 0 {
				_ = w.Flush()
			}
		}
		_ = w.Flush()
	}()
	return p
}

func (p *printer) event(e Event) {
	if e.Event != "message" {
		p.events <- e
		return
	}
	select {
	case p.events <- e:
	default: // the books have it
	}
}

func (p *printer) close() {
	close(p.events)
	<-p.ended
}
