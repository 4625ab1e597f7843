// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tapswitch/hsm/ceremony"
	"tapswitch/hsm/clear"
)

// desk is the terminals of a ceremony: the console, and those that custodians,
// officer or witness have for themselves.
type desk struct {
	console *tty
	own     map[string]*tty
}

// tty is one terminal. What is read from and written to it goes through no
// buffer: components pass between the terminal and a locked page.
type tty struct {
	in, out *os.File
	name    string
}

// pollMilliseconds is how soon a waiting prompt notices that the program is told
// to stop.
const pollMilliseconds = 100

// clearScreen takes what was shown off the screen and out of its scroll-back.
const clearScreen = "\x1b[3J\x1b[2J\x1b[H"

// newDesk opens the terminals; each of terminals is NAME=DEVICE.
func newDesk(in io.Reader, out io.Writer, terminals []string) (*desk, error) {
	from, ok := in.(*os.File)
	to, ok2 := out.(*os.File)
	if !ok || !ok2 {
		return nil, fmt.Errorf("a ceremony is held at a terminal: standard input and output must be one")
	}
	d := &desk{console: &tty{from, to, "the console"}, own: map[string]*tty{}}
	for _, t := range terminals {
		who, device, ok := strings.Cut(t, "=")
		if !ok || who == "" || device == "" {
			d.Close()
			return nil, usageError{fmt.Errorf("--terminal %q: want NAME=DEVICE, as alice=/dev/tty2", t)}
		}
		f, err := os.OpenFile(device, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("terminal of %s: %w", who, err)
		}
		d.own[who] = &tty{f, f, device}
	}
	return d, nil
}

// seat refuses, before a ceremony begins or goes on, a custodian whose place is
// no terminal, and a terminal of somebody who has no part in it.
func (d *desk) seat(p ceremony.Plan) error {
	for who := range d.own {
		if who != p.Officer && who != p.Witness && !slices.Contains(p.Custodians, who) {
			return usageError{fmt.Errorf("--terminal of %q, who is neither custodian, officer nor witness", who)}
		}
	}
	for _, who := range p.Custodians {
		restore, err := d.of(who).quiet()
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		restore()
	}
	return nil
}

// Close closes the terminals that newDesk opened.
func (d *desk) Close() {
	for _, t := range d.own {
		t.in.Close()
	}
}

func (d *desk) of(who string) *tty {
	if t := d.own[who]; t != nil {
		return t
	}
	return d.console
}

// Say tells one person, or everybody at every terminal.
func (d *desk) Say(who, text string) error {
	if who != "" {
		return d.of(who).write([]byte(text + "\n"))
	}
	err := d.console.write([]byte(text + "\n"))
	for _, t := range d.own {
		if e := t.write([]byte(text + "\n")); err == nil {
			err = e
		}
	}
	return err
}

// Line asks for a line that everybody may see.
func (d *desk) Line(ctx context.Context, who, prompt string) (string, error) {
	t := d.of(who)
	if err := t.write([]byte(prompt + ": ")); err != nil {
		return "", err
	}
	var line []byte
	for {
		var piece [256]byte
		n, err := t.read(ctx, piece[:])
		if err != nil {
			return "", err
		}
		line = append(line, piece[:n]...)
		if strings.ContainsAny(string(line), "\n") || len(line) > 4096 {
			return string(line), nil
		}
	}
}

// Type lets somebody type a component that the terminal does not show.
func (d *desk) Type(ctx context.Context, who, prompt string, c *clear.Component) error {
	t := d.of(who)
	restore, err := t.quiet()
	if err != nil {
		return err
	}
	defer restore()
	if err := t.write([]byte(prompt + ": ")); err != nil {
		return err
	}
	err = c.Type(func(b []byte) (int, error) { return t.read(ctx, b) })
	if e := t.write([]byte("\n")); err == nil {
		err = e
	}
	return err
}

// Show shows a component until its custodian presses Enter.
func (d *desk) Show(ctx context.Context, who, prompt string, c *clear.Component) error {
	t := d.of(who)
	restore, err := t.quiet()
	if err != nil {
		return err
	}
	defer restore()
	defer func() { _ = t.write([]byte(clearScreen)) }() // a terminal that is gone shows nothing
	if err := c.Show(t.write); err != nil {
		return err
	}
	if err := t.write([]byte(prompt + " ")); err != nil {
		return err
	}
	for {
		var piece [64]byte
		n, err := t.read(ctx, piece[:])
		if err != nil || strings.ContainsAny(string(piece[:n]), "\n") {
			return err
		}
	}
}

func (t *tty) isTerminal() bool {
	_, err := unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS)
	return err == nil
}

// quiet stops the terminal from showing what is typed. Something that is no
// terminal is refused: a component in a pipe was somewhere in clear.
func (t *tty) quiet() (restore func(), err error) {
	fd := int(t.in.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s is not a terminal (%w): components are typed and shown at terminals only", t.name, err)
	}
	now := *was
	now.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }, nil // a terminal that is gone needs none
}

// read waits for what is typed, but not after the program was told to stop.
func (t *tty) read(ctx context.Context, b []byte) (int, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("told to stop: %w", err)
		}
		fds := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, pollMilliseconds)
		if err == unix.EINTR || err == nil && n == 0 {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", t.name, err)
		}
		n, err = unix.Read(int(t.in.Fd()), b)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, fmt.Errorf("%s: %w", t.name, err)
		case n == 0:
			return 0, fmt.Errorf("%s: %w", t.name, io.ErrUnexpectedEOF)
		}
		return n, nil
	}
}

// write writes all of b, straight from where it is.
func (t *tty) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(int(t.out.Fd()), b)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		b = b[n:]
	}
	return nil
}
