// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// part is one process of the demonstration. It is steered by lines on its
// standard input and speaks JSON lines.
type part struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan event
	passed []event       // read by await and not yet what it waited for
	done   chan struct{} // closed when the process has ended
	err    error         // how it ended
	tail   bytes.Buffer  // its last words on stderr
}

// event is one JSON line of a part: an object with whatever fields it has.
type event map[string]any

// text is a text field; the switch's log writes "none" for nothing.
func (e event) text(key string) string {
	s, _ := e[key].(string)
	if s == "none" {
		return ""
	}
	return s
}

// int is a number, or the number that a text of digits says; 0 when neither.
func (e event) int(key string) int64 {
	if s, ok := e[key].(string); ok {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	f, _ := e[key].(float64)
	return int64(f)
}

func (e event) is(key string) bool { b, _ := e[key].(bool); return b }

// message is the books line inside an acquirer's event.
func (e event) message() event { m, _ := e["message"].(map[string]any); return m }

// maxEvents is how many events of a part may wait to be read; more are
// dropped, oldest first, since a demonstration that runs for days reads only
// what it waits for.
const maxEvents = 4096

// start runs a part as a process of this same binary. Its events come from
// stdout, or, when a file is named that keeps them, from stderr (serve's log).
func start(dir, name, keep string, args ...string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &part{name: name, cmd: exec.Command(self, args...), events: make(chan event, maxEvents), done: make(chan struct{})}
	p.cmd.Dir = dir
	// A group of its own, so that Ctrl-C reaches it in our order; and it ends
	// with us, however we end.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	lines, err := p.pipe(keep != "")
	if err != nil {
		return nil, err
	}
	log := io.WriteCloser(nothing{})
	if keep != "" {
		if log, err = os.OpenFile(filepath.Join(dir, keep), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return nil, err
		}
	}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	go p.read(io.TeeReader(lines, log), log)
	return p, nil
}

// nothing keeps nothing.
type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }

func (p *part) pipe(fromStderr bool) (io.Reader, error) {
	if fromStderr {
		return p.cmd.StderrPipe()
	}
	p.cmd.Stderr = &p.tail
	return p.cmd.StdoutPipe()
}

// read takes the part's lines until it ends.
func (p *part) read(lines io.Reader, log io.Closer) {
	defer log.Close()
	in := bufio.NewScanner(lines)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			p.tail.Write(append(in.Bytes(), '\n'))
			continue
		}
		select {
		case p.events <- e:
		default:
			<-p.events
			p.events <- e
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// say writes a line to the part.
func (p *part) say(line string) error {
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// errPartEnded says that a part ended while something was expected of it.
var errPartEnded = errors.New("ended by itself")

// await returns the first event that want accepts, whatever the order in which
// the part said things: what it passes over stays for the next await, until
// forget.
func (p *part) await(ctx context.Context, limit time.Duration, what string, want func(event) bool) (event, error) {
	if i := slices.IndexFunc(p.passed, want); i >= 0 {
		e := p.passed[i]
		p.passed = slices.Delete(p.passed, i, i+1)
		return e, nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case e := <-p.events:
			if want(e) {
				return e, nil
			}
			if len(p.passed) == maxEvents {
				p.passed = slices.Delete(p.passed, 0, 1)
			}
			p.passed = append(p.passed, e)
		case <-p.done:
			return nil, fmt.Errorf("%s %w (%v): %s", p.name, errPartEnded, p.err, bytes.TrimSpace(p.tail.Bytes()))
		case <-timer.C:
			return nil, fmt.Errorf("%s: no %s within %s", p.name, what, limit)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// forget drops what await passed over.
func (p *part) forget() { p.passed = nil }

// stop ends the part: politely, then not.
func (p *part) stop(limit time.Duration) {
	if p == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(limit):
	}
	p.cmd.Process.Kill()
	<-p.done
}

// named makes a condition on the field "event".
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
