// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// said is one line of RunLines' output.
type said struct {
	Event string   `json:"event"` // ready, presented, removed, fault, error, closed
	Link  string   `json:"link,omitempty"`
	Card  string   `json:"card,omitempty"`
	Cards []string `json:"cards,omitempty"`
	Fault string   `json:"fault,omitempty"`
	Error string   `json:"error,omitempty"`
}

// RunLines runs a reader that is steered by lines: "present NAME", "remove",
// "fault NAME", "quit". Each is answered by one line of JSON. It ends at quit,
// at the end of in, or with ctx; then the reader is unplugged.
func RunLines(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	r, err := Start(cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	say := speaker(out)
	if err := say(said{Event: "ready", Link: cfg.Link, Cards: r.Cards()}); err != nil {
		return err
	}
	lines := make(chan string)
	go readLines(ctx, in, lines)
	for {
		select {
		case <-ctx.Done():
			return say(said{Event: "closed"})
		case line, open := <-lines:
			if !open || line == "quit" {
				return say(said{Event: "closed"})
			}
			if err := say(r.steer(line)); err != nil {
				return err
			}
		}
	}
}

func readLines(ctx context.Context, in io.Reader, lines chan<- string) {
	defer close(lines)
	scan := bufio.NewScanner(in)
	for scan.Scan() {
		line := strings.TrimSpace(scan.Text())
		if line == "" {
			continue
		}
		select {
		case lines <- line:
		case <-ctx.Done():
			return
		}
	}
}

func (r *Reader) steer(line string) said {
	word, rest, _ := strings.Cut(line, " ")
	switch rest = strings.TrimSpace(rest); word {
	case "present":
		if err := r.Present(rest); err != nil {
			return said{Event: "error", Error: err.Error()}
		}
		return said{Event: "presented", Card: rest}
	case "remove":
		r.Remove()
		return said{Event: "removed"}
	case "fault":
		f, err := parseFault(rest)
		if err != nil {
			return said{Event: "error", Error: err.Error()}
		}
		r.Break(f)
		return said{Event: "fault", Fault: rest}
	}
	return said{Event: "error", Error: fmt.Sprintf("reader: %q is not known: use present NAME, remove, fault NAME or quit", word)}
}

// speaker writes one JSON object a line.
func speaker(out io.Writer) func(said) error {
	encoder := json.NewEncoder(out)
	return func(s said) error {
		if err := encoder.Encode(s); err != nil {
			return fmt.Errorf("reader: report: %w", err)
		}
		return nil
	}
}
