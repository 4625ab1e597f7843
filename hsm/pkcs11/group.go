// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// Token is one token by where it is.
type Token struct {
	Module     string // path of the PKCS#11 library
	TokenLabel string
	UserPIN    secret.Key
}

// MaxMembers bounds a group.
const MaxMembers = 8

// openWait is the longest time that the start of a group waits for one token.
const openWait = 5 * time.Second

// Group is a failover group: several tokens with the same local master keys, in
// one PKCS#11 library or in several. Safe for concurrent use.
//
// Each token has a Module of its own, with its own sessions, queue and cache. An
// operation goes to the first one in order that is well: all to one, so that
// those under the same key are still served in one go. When that one cannot do
// it (hsm.ErrUnavailable, hsm.ErrBusy) the next is asked within the same time.
//
// Each token has a goroutine that looks at it, so that a lost one is taken back
// at nobody's cost, and a spare one that is dead is known before it is needed.
type Group struct {
	world   env.Env
	members []*member
	agreed  *agreement

	closed   atomic.Bool
	end      env.Event
	watchers sync.WaitGroup
}

// member is a token of a group.
type member struct {
	*Module
	name   string
	passed atomic.Uint64 // operations that it could not do
}

// OpenGroup takes a group into use: the token of cfg first, then others in the
// order in which they are preferred; cfg's bounds hold for each of them. One
// token that is there is enough, and Members tells which are not. The local master
// keys of the first that is there are the group's: one with others does not serve.
func OpenGroup(world env.Env, cfg Config, others ...Token) (*Group, error) {
	tokens := append([]Token{{cfg.Module, cfg.TokenLabel, cfg.UserPIN}}, others...)
	if len(tokens) > MaxMembers {
		return nil, fmt.Errorf("pkcs11: a failover group of %d tokens, at most %d", len(tokens), MaxMembers)
	}
	g := &Group{world: world, agreed: new(agreement), end: world.Waits.NewEvent()}
	libraries := map[string]*library{}
	for i, t := range tokens {
		if err := g.add(cfg, t, nameOf(tokens, i), libraries); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	var all []error
	there := false
	for _, m := range g.members {
		err := g.first(m)
		if there = there || err == nil; err != nil {
			all = append(all, fmt.Errorf("token %q: %w", m.name, err))
		}
	}
	if !there {
		return nil, errors.Join(append(all, g.Close())...)
	}
	for _, m := range g.members {
		g.watchers.Go(func() { g.watch(m) })
	}
	return g, nil
}

// nameOf is how a token of a group is called: its label, and its library where
// the label alone would not tell.
func nameOf(tokens []Token, at int) string {
	t := tokens[at]
	for i, o := range tokens {
		if i != at && o.TokenLabel == t.TokenLabel {
			return t.TokenLabel + " in " + t.Module
		}
	}
	return t.TokenLabel
}

// add makes a member that is not connected yet.
func (g *Group) add(cfg Config, t Token, name string, libraries map[string]*library) error {
	cfg.Module, cfg.TokenLabel, cfg.UserPIN = t.Module, t.TokenLabel, t.UserPIN
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	for _, o := range g.members {
		if o.cfg.Module == t.Module && o.cfg.TokenLabel == t.TokenLabel {
			return fmt.Errorf("pkcs11: token %q of %s is in the failover group twice", t.TokenLabel, t.Module)
		}
	}
	m, rooms, err := newModule(g.world, cfg)
	if err != nil {
		return err
	}
	if m.lib = libraries[t.Module]; m.lib == nil {
		m.lib = &library{path: t.Module}
		libraries[t.Module] = m.lib
	}
	m.lib.enter(m)
	m.agreed = g.agreed
	m.lost.Store(&loss{why: errNotYet})
	m.startWorkers(rooms)
	g.members = append(g.members, &member{Module: m, name: name})
	return nil
}

// errNotYet is why a token does not serve that was not reached yet.
var errNotYet = errors.New("pkcs11: the token was not reached yet")

// first is the first look at a token. Reaching it may hang, and goes on without
// us when it takes too long.
func (g *Group) first(m *member) error {
	until := g.world.Clock.Mono().Add(openWait)
	patient := hurried{context.Background(), g.world.Clock.Now().Add(openWait)}
	for {
		err := m.health(patient)
		if m.well() {
			return nil
		}
		if l := m.lost.Load(); l != nil && !errors.Is(l.why, errNotYet) {
			return l.why
		}
		now := g.world.Clock.Mono()
		if now >= until {
			return err
		}
		g.end.Wait(now.Add(patience))
	}
}

// watch looks at a token every ProbeEvery for as long as the group is open.
func (g *Group) watch(m *member) {
	for !g.end.Wait(g.world.Clock.Mono().Add(ProbeEvery)) {
		_ = m.Health() // takes it back when it was lost; what it found is in m
	}
}

// Close ends the use of all tokens, as Module.Close does of one.
func (g *Group) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	g.end.Wake()
	g.watchers.Wait()
	var all []error
	for _, m := range g.members {
		if err := m.Close(); err != nil {
			all = append(all, fmt.Errorf("token %q: %w", m.name, err))
		}
	}
	return errors.Join(all...)
}

// Health is nil when an operation would be tried now on one of the tokens.
func (g *Group) Health() error {
	return g.try(context.Background(), func(ctx context.Context, m *Module) error { return m.health(ctx) })
}

// Members tells of each token, in order of preference, whether it serves; the
// module is not asked.
func (g *Group) Members() []hsm.Member {
	out := make([]hsm.Member, 0, len(g.members))
	for _, m := range g.members {
		out = append(out, hsm.Member{Name: m.name, Err: m.unwell(), Passed: m.passed.Load()})
	}
	return out
}

// LMK is the identity of the local master keys that new keys of the group carry.
func (g *Group) LMK() [8]byte {
	g.agreed.mu.Lock()
	defer g.agreed.mu.Unlock()
	return g.agreed.id
}

// Origin is how those local master keys came to be, as the first token says that
// was ever there.
func (g *Group) Origin() Origin {
	for _, m := range g.members {
		if m.id.Load() != nil {
			return m.Origin()
		}
	}
	return FromElsewhere
}

// over has an operation done by the first token of the group that can.
//
// To ask a second token is harmless, even while the first one may still be at
// work on the same: no function of a Module leaves anything on a token. What they
// make are session objects, removed at the operation's end, and answers, of which
// the caller sees one; a random key of which nobody heard is no key. Each try is
// a whole call of the function, with copies of its own of what it reads and
// writes, so that a try that was left behind shares nothing with the next.
func over[T any](ctx context.Context, g *Group, call func(ctx context.Context, m *Module) (T, error)) (out T, err error) {
	var failed failures
	end := g.members[0].until(ctx, g.world.Clock.Mono())
	for tried := uint(0); ; {
		m, at, left := g.pick(tried)
		if m == nil {
			break
		}
		mine := ctx
		if tried != 0 || left > 0 { // else its own time-out is enough
			rest := end.Sub(g.world.Clock.Mono())
			if rest <= 0 {
				break
			}
			mine = hurried{ctx, g.world.Clock.Now().Add(rest / time.Duration(left+1))}
		}
		tried |= 1 << at
		if out, err = call(mine, m.Module); err == nil || !another(err) {
			return out, err
		}
		m.passed.Add(1)
		failed.add(m.name, err)
		if ctx.Err() != nil {
			break
		}
	}
	if failed.err == nil {
		failed.err = fmt.Errorf("%w: the caller's time was over", hsm.ErrUnavailable)
	}
	var none T
	return none, failed.err
}

// try is over for functions that only say yes or no.
func (g *Group) try(ctx context.Context, call func(ctx context.Context, m *Module) error) error {
	_, err := over(ctx, g, func(ctx context.Context, m *Module) (struct{}, error) { return struct{}{}, call(ctx, m) })
	return err
}

// pick is the token to ask next, and how many could be asked after it: those
// that are well in their order, and only when there is none the others. A token
// in which calls hang is left out so, until they have returned.
func (g *Group) pick(tried uint) (next *member, at, left int) {
	for _, want := range [2]bool{true, false} {
		for i, m := range g.members {
			switch {
			case tried&(1<<i) != 0 || m.well() != want:
			case next == nil:
				next, at = m, i
			default:
				left++
			}
		}
		if next != nil {
			return next, at, left
		}
	}
	return nil, 0, 0
}

// another reports whether another token may do what this one did not.
func another(err error) bool {
	return errors.Is(err, hsm.ErrUnavailable) || errors.Is(err, hsm.ErrBusy) || errors.Is(err, errOtherLMK)
}

// hurried is a context with an earlier deadline and no timer: a Module looks at
// the clock itself.
type hurried struct {
	context.Context
	end time.Time
}

func (h hurried) Deadline() (time.Time, bool) { return h.end, true }

// failures become one error: of the kind that tells the caller most about trying
// again (hsm.ErrBusy before hsm.ErrUnavailable before others), with what every
// token said.
type failures struct {
	err  error
	rank int
}

func (f *failures) add(name string, err error) {
	rank := 1
	switch {
	case errors.Is(err, hsm.ErrBusy):
		rank = 3
	case errors.Is(err, hsm.ErrUnavailable):
		rank = 2
	}
	switch {
	case f.err == nil:
		f.err = fmt.Errorf("token %q: %w", name, err)
	case rank > f.rank:
		f.err = fmt.Errorf("token %q: %w; %v", name, err, f.err)
	default:
		f.err = fmt.Errorf("%w; token %q: %v", f.err, name, err)
	}
	f.rank = max(f.rank, rank)
}
