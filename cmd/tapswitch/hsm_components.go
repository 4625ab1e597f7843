// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/secret"
)

// How many people share a key.
const (
	minPeople = 2
	maxPeople = 9
)

// typing is people who type the components of a key, one after the other.
type typing struct {
	in          io.Reader
	out         io.Writer
	m           *pkcs11.Module
	want        hsm.WorkingKey
	sum         [4]byte // check value of the key as its sender says it, zero when not said
	test        bool    // a pipe is allowed
	environment string

	tty  *tty
	pipe bool
}

// errStopped says that a person wants no more.
var errStopped = errors.New("stopped by who typed")

// run takes in the components of people and makes the key of their sum.
func (t *typing) run(ctx context.Context, people int) (key hsm.Key, err error) {
	if err := t.seat(); err != nil {
		return key, err
	}
	components := make([]*clear.Component, 0, people)
	for range people {
		c, err := clear.NewKeyComponent(t.size())
		if err != nil {
			return key, err
		}
		defer func() { _ = c.Close() }() // wiped all the same
		if err := t.person(ctx, len(components)+1, people, c, components); err != nil {
			return key, err
		}
		components = append(components, c)
	}
	values := make([]secret.Key, 0, people)
	for _, c := range components {
		v, err := c.Key()
		if err != nil {
			return key, err
		}
		defer v.Wipe()
		values = append(values, v)
	}
	if key, err = t.m.LoadComponents(ctx, t.want, values...); err != nil {
		return key, err
	}
	return key, t.compare(ctx, key)
}

// size is how many bytes a component has.
func (t *typing) size() int {
	if t.want.Single {
		return 8
	}
	return t.want.Algorithm.Size()
}

// seat finds the terminal. A pipe was somewhere in clear, so it serves tests alone.
func (t *typing) seat() error {
	from, ok := t.in.(*os.File)
	to, ok2 := t.out.(*os.File)
	if !ok || !ok2 {
		return errors.New("components are typed at a terminal: standard input and output must be one")
	}
	t.tty = &tty{from, to, "standard input"}
	restore, err := t.tty.quiet()
	if err == nil {
		restore()
		if screen := (&tty{in: to}); screen.isTerminal() { // standard output may be a file
			return nil
		}
		t.tty.out = os.Stderr
		return nil
	}
	switch {
	case !t.test:
		return err
	case t.environment != "test":
		return fmt.Errorf("--test: the configuration says environment: %s; there components are typed at a terminal alone", t.environment)
	}
	t.pipe, t.tty.out = true, os.Stderr
	return nil
}

// person lets one person type until the component is one and is accepted.
func (t *typing) person(ctx context.Context, n, people int, c *clear.Component, before []*clear.Component) error {
	for {
		err := t.typed(ctx, fmt.Sprintf("component %d of %d (%d hex digits; nothing is shown; abort stops): ", n, people, 2*t.size()), c)
		if err == nil {
			err = own(c, before)
		}
		if err == nil {
			var again bool
			if again, err = t.accept(ctx, n, c); err == nil && !again {
				return nil
			}
		}
		var m *clear.Mistyped
		switch {
		case errors.Is(err, clear.ErrStopped):
			return errStopped
		case err != nil && (t.pipe || !errors.As(err, &m) && !errors.Is(err, errNoComponent)):
			return fmt.Errorf("component %d: %w", n, err)
		case err != nil:
			if err := t.say("REFUSED %v; type it again\n", err); err != nil {
				return err
			}
		}
	}
}

// typed reads one component that the terminal does not show.
func (t *typing) typed(ctx context.Context, prompt string, c *clear.Component) error {
	read := func(b []byte) (int, error) { return t.tty.read(ctx, b) }
	if t.pipe { // the next line is the next person's
		read = func(b []byte) (int, error) { return t.tty.read(ctx, b[:1]) }
	} else {
		restore, err := t.tty.quiet()
		if err != nil {
			return err
		}
		defer restore()
	}
	if err := t.say("%s", prompt); err != nil {
		return err
	}
	err := c.Type(read)
	if e := t.say("\n"); err == nil {
		err = e
	}
	return err
}

// errNoComponent is a component that would share nothing.
var errNoComponent = errors.New("that is no component of its own")

// own refuses zeros, which hide nothing, and what another has typed, which cancels out.
func own(c *clear.Component, before []*clear.Component) error {
	if c.IsZero() {
		return fmt.Errorf("%w: it is all zeros", errNoComponent)
	}
	for i, other := range before {
		if c.Equal(other) {
			return fmt.Errorf("%w: it is the same as component %d", errNoComponent, i+1)
		}
	}
	return nil
}

// accept shows the component's check value for comparison with its form.
func (t *typing) accept(ctx context.Context, n int, c *clear.Component) (again bool, err error) {
	value, err := c.Key()
	if err != nil {
		return false, err
	}
	defer value.Wipe()
	// A component may be any value, also one that a key must not have.
	probe, err := t.m.LoadClear(ctx, t.want.Spec, value)
	if err != nil {
		return false, err
	}
	if err := t.say("check value of component %d: %X\n", n, probe.KCV[:]); err != nil || t.pipe {
		return false, err
	}
	for {
		said, err := t.ask(ctx, "is it the one on the form? yes, again or abort")
		if err != nil {
			return false, err
		}
		switch said {
		case "yes":
			return false, nil
		case "again":
			return true, nil
		case "abort":
			return false, clear.ErrStopped
		}
	}
}

// compare holds the key's check value against what its sender says, or asks.
func (t *typing) compare(ctx context.Context, key hsm.Key) error {
	if err := t.say("check value of the key: %X\n", key.KCV[:]); err != nil {
		return err
	}
	if t.want.Check != 0 {
		if [3]byte(t.sum[:3]) != key.KCV {
			return fmt.Errorf("the check value of the sum is %X, not %X as --kcv says: a component belongs to another key, or was typed wrong", key.KCV[:], t.sum[:3])
		}
		return nil
	}
	for !t.pipe {
		said, err := t.ask(ctx, "is it the one that the key's sender says? yes or abort")
		switch {
		case err != nil:
			return err
		case said == "yes":
			return nil
		case said == "abort":
			return errStopped
		}
	}
	return nil
}

func (t *typing) ask(ctx context.Context, prompt string) (string, error) {
	d := desk{console: t.tty}
	said, err := d.Line(ctx, "", prompt)
	return strings.ToLower(strings.TrimSpace(said)), err
}

func (t *typing) say(format string, args ...any) error {
	return t.tty.write(fmt.Appendf(nil, format, args...))
}
