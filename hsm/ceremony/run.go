// SPDX-License-Identifier: Apache-2.0

package ceremony

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
)

// Vault is the module. Components stay in the locked pages they come in.
type Vault interface {
	Random(c *clear.Component) error
	CheckValue(c *clear.Component) ([5]byte, error)
	// Combine computes the check value and the identity of what components give;
	// nothing stays in the module.
	Combine(components []*clear.Component) (check [5]byte, id [8]byte, err error)
	// Finish does what the plan is for, and counts the keys it moved.
	Finish(ctx context.Context, plan Plan, components []*clear.Component) (keys int, err error)
	// Finished tells whether that is done already, after an interruption.
	Finished(plan Plan, id Identity) (done bool, keys int, err error)
}

// Desk is where people sit. who is a custodian, the officer or the witness, who
// may have terminals of their own; "" is the officer's.
type Desk interface {
	Say(who, text string) error
	// Line asks for a line that is not secret.
	Line(ctx context.Context, who, prompt string) (string, error)
	// Type lets who type a component that nobody can see; errors are those of
	// clear.Component.Type.
	Type(ctx context.Context, who, prompt string, c *clear.Component) error
	// Show shows a component to who alone, waits for Enter after the prompt, and
	// clears the screen.
	Show(ctx context.Context, who, prompt string, c *clear.Component) error
}

// Log is the transcript's file. Append returns when the line is durable.
type Log interface {
	Append(line []byte) error
}

// Runner holds one ceremony.
type Runner struct {
	Vault Vault
	Desk  Desk
	Log   Log
	Clock env.Clock
	Lang  Lang

	state State
	n     int
	head  string
	held  map[string]*clear.Component // by custodian
	typed *clear.Component
}

// ErrAborted ends a ceremony that somebody stopped, or that had to stop: what
// was said at the desk tells why.
var ErrAborted = errors.New("ceremony: it was stopped and nothing was formed")

// Begin holds a ceremony from its plan on.
func (r *Runner) Begin(ctx context.Context, plan Plan) (State, error) {
	if err := plan.Check(); err != nil {
		return State{}, err
	}
	return r.run(ctx, Event{Kind: Begun, Plan: &plan})
}

// Resume goes on with one that was interrupted.
func (r *Runner) Resume(ctx context.Context, was Report) (State, error) {
	if was.Ended() {
		return was.State, fmt.Errorf("%w: it has ended and cannot go on", ErrEvent)
	}
	r.state, r.n, r.head = was.State, len(was.Lines), was.Head
	return r.run(ctx, Event{Kind: Resumed})
}

// run steps from event to event until the end. Whatever happens, components are
// wiped when it returns.
func (r *Runner) run(ctx context.Context, e Event) (_ State, err error) {
	r.held = map[string]*clear.Component{}
	if r.typed, err = clear.NewComponent(); err != nil {
		return r.state, err
	}
	defer r.forget("")
	defer func() { _ = r.typed.Close() }() // wiped all the same
	for {
		actions, err := r.apply(e)
		if err != nil {
			return r.state, err
		}
		for _, a := range actions {
			if a.Do == End {
				return r.state, r.end()
			}
			if e, err = r.do(ctx, a); err != nil {
				return r.state, err
			}
		}
	}
}

// apply makes an event durable, and returns what is to be done.
func (r *Runner) apply(e Event) ([]Action, error) {
	next, actions, err := r.state.Step(e)
	if err != nil {
		return nil, err
	}
	line, hash, err := encode(r.n+1, r.head, r.Clock.Now(), next.Plan.Practice, e)
	if err != nil {
		return nil, err
	}
	if err := r.Log.Append(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("ceremony: write the transcript: %w", err)
	}
	r.state, r.n, r.head = next, r.n+1, hash
	return actions, nil
}

func (r *Runner) end() error {
	if err := r.say("", r.Lang.say(SayHead, r.head)); err != nil {
		return err
	}
	if r.state.Phase != Done {
		return ErrAborted
	}
	return nil
}

// say says a text, under the banner of a practice when it is one.
func (r *Runner) say(who, text string) error {
	if r.state.Plan.Practice {
		text = r.Lang.say(SayPractice) + "\n" + text
	}
	return r.Desk.Say(who, text)
}

// prompt is a text that is answered, marked when it is a practice.
func (r *Runner) prompt(t Text, args ...any) string {
	text := r.Lang.say(t, args...)
	if r.state.Plan.Practice {
		text = r.Lang.say(SayPractice) + "\n" + text
	}
	return text
}

// do does one action. Those that ask return the event that came of it.
func (r *Runner) do(ctx context.Context, a Action) (Event, error) {
	switch a.Do {
	case Tell:
		return Event{}, r.say(a.Who, r.Lang.telling(r.state, a))
	case Forget:
		r.forget(a.Who)
		return Event{}, nil
	case MakeComponent:
		return r.make(ctx, a.Who)
	case AskComponent, AskReadBack:
		return r.ask(ctx, a)
	case Combine:
		check, id, err := r.Vault.Combine(r.components())
		return Event{Kind: Combined, Check: check, Identity: id}, err
	case AskYes:
		return r.yes(ctx, a.Who)
	case Form:
		keys, err := r.Vault.Finish(ctx, r.state.Plan, r.components())
		return Event{Kind: Formed, Identity: r.state.Identity, Keys: keys}, err
	case Look:
		done, keys, err := r.Vault.Finished(r.state.Plan, r.state.Identity)
		if !done {
			return Event{Kind: NotFormed}, err
		}
		return Event{Kind: Formed, Identity: r.state.Identity, Keys: keys}, err
	}
	return Event{}, fmt.Errorf("%w: action %d", ErrEvent, a.Do)
}

// components are those that are held, in the order of the plan.
func (r *Runner) components() (all []*clear.Component) {
	for _, who := range r.state.Plan.Custodians {
		if c := r.held[who]; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// forget wipes who's component, all when empty.
func (r *Runner) forget(who string) {
	for name, c := range r.held {
		if who == "" || who == name {
			_ = c.Close() // wiped all the same
			delete(r.held, name)
		}
	}
}

// make shows a fresh component to its custodian.
func (r *Runner) make(ctx context.Context, who string) (Event, error) {
	c, err := clear.NewComponent()
	if err != nil {
		return Event{}, err
	}
	r.forget(who)
	r.held[who] = c
	if err := r.Vault.Random(c); err != nil {
		return Event{}, err
	}
	check, err := r.Vault.CheckValue(c)
	if err != nil {
		return Event{}, err
	}
	if err := r.say(who, r.Lang.say(SayMake, who)); err != nil {
		return Event{}, err
	}
	prompt := r.Lang.say(SayCheck, Check(check)) + "\n" + r.Lang.say(SayWritten)
	return Event{Kind: Generated, Who: who, Check: check}, r.Desk.Show(ctx, who, prompt, c)
}

// ask lets a custodian type a component, for the first time or once more.
func (r *Runner) ask(ctx context.Context, a Action) (Event, error) {
	e, prompt := Event{Kind: Entered, Who: a.Who}, r.prompt(SayAsk, a.Who)
	if a.Do == AskReadBack {
		e.Kind, prompt = ReadBack, r.prompt(SayReadBack, a.Who)
	} else if a.Known != (Check{}) {
		prompt = r.prompt(SayAskKnown, a.Who, a.Known)
	}
	defer r.typed.Wipe()
	err := r.Desk.Type(ctx, a.Who, prompt, r.typed)
	var m *clear.Mistyped
	switch {
	case errors.Is(err, clear.ErrStopped):
		return Event{Kind: Aborted, Who: a.Who}, nil
	case errors.As(err, &m):
		return Event{Kind: Mistyped, Who: a.Who, Group: m.Group, Digits: m.Digits}, nil
	case err != nil:
		return Event{}, err
	}
	check, err := r.Vault.CheckValue(r.typed)
	if err != nil {
		return Event{}, err
	}
	e.Check = check
	if a.Do == AskReadBack {
		e.Differs = !r.typed.Equal(r.held[a.Who])
		return e, nil
	}
	c, err := clear.NewComponent()
	if err != nil {
		return Event{}, err
	}
	c.Copy(r.typed)
	r.forget(a.Who)
	r.held[a.Who] = c
	return e, nil
}

// yes lets the officer or the witness compare and confirm.
func (r *Runner) yes(ctx context.Context, who string) (Event, error) {
	for {
		line, err := r.Desk.Line(ctx, who, r.prompt(SayYes, who))
		if err != nil {
			return Event{}, err
		}
		switch line = strings.TrimSpace(line); {
		case strings.EqualFold(line, abortWord):
			return Event{Kind: Aborted, Who: who}, nil
		case strings.EqualFold(line, r.state.Check.String()):
			return Event{Kind: Confirmed, Who: who}, nil
		}
		if err := r.say(who, r.Lang.say(SayNo, who)); err != nil {
			return Event{}, err
		}
	}
}
