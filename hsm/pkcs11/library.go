// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// library is a PKCS#11 library in this process. C_Initialize and C_Finalize are
// for every token behind it, so the members of a group whose tokens are in one
// library have this value in common.
type library struct {
	path string

	turn  sync.Mutex // held by the member that connects; nobody waits for it, since connecting may hang
	ctx   *p11.Ctx   // nil until it is loaded
	fused functions
	begun bool // between C_Initialize and C_Finalize

	mu    sync.Mutex
	users []*Module
}

// begin loads the library and initialises it, each when it is not done yet. Any
// of them may be missing at the start of a group, and come later. The turn is held.
func (l *library) begin() (now bool, err error) {
	switch {
	case l.begun:
		return false, nil
	case l.ctx == nil:
		l.ctx, l.fused, err = start(l.path)
	default:
		err = initialize(l.ctx)
	}
	l.begun = err == nil
	return l.begun, err
}

// finish is C_Finalize. Nobody may be in the library. The turn is held.
func (l *library) finish() error {
	if !l.begun {
		return nil
	}
	if err := l.ctx.Finalize(); err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return err
	}
	l.begun = false
	return nil
}

// enter and leave count the library's users; the last one ends its use.
func (l *library) enter(m *Module) {
	l.mu.Lock()
	l.users = append(l.users, m)
	l.mu.Unlock()
}

func (l *library) leave(m *Module) {
	l.mu.Lock()
	l.users = slices.DeleteFunc(l.users, func(u *Module) bool { return u == m })
	last := len(l.users) == 0
	l.mu.Unlock()
	if last && l.ctx != nil {
		stop(l.ctx)
	}
}

// others are the members besides m whose tokens are in this library.
func (l *library) others(m *Module) (out []*Module) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.users {
		if u != m {
			out = append(out, u)
		}
	}
	return out
}

// connectAnew is connect after a loss, or for the first time in a group. m's
// gate is held for writing.
//
// A library that is m's alone is initialised anew: that is the one remedy that
// helps with every library. In one that others use, C_Finalize would end their
// running calls and their sessions. So m first closes its own sessions and logs
// in again, which is enough when only they or the log-in were lost; only when that does not help, and no
// other member there is well, all are kept out while the library is initialised
// anew.
func (m *Module) connectAnew() error {
	l := m.lib
	if !l.turn.TryLock() {
		return errors.New("pkcs11: another token of the same library is being taken into use")
	}
	defer l.turn.Unlock()
	others := l.others(m)
	if len(others) == 0 {
		if err := l.finish(); err != nil {
			return err
		}
	}
	now, err := l.begin()
	if err != nil {
		return err
	}
	m.ctx, m.fused = l.ctx, l.fused
	if !now && m.link.generation > 0 {
		_ = m.ctx.CloseAllSessions(m.link.slot) // ends the log-in too; of a token that is gone there are none
	}
	err = m.connect()
	if err == nil || now || errors.Is(err, errPIN) || errors.Is(err, errPINLocked) || errors.Is(err, errForeign) {
		return err
	}
	return m.initialiseAnew(others, err)
}

// initialiseAnew is the second remedy for a library with several members. why is
// why the first did not help. The turn is held.
func (m *Module) initialiseAnew(others []*Module, why error) error {
	for _, o := range others {
		if o.well() {
			return fmt.Errorf("%w; token %q of the same library serves, so the library is not initialised anew", why, o.cfg.TokenLabel)
		}
	}
	for i, o := range others {
		if !o.gate.TryLock() {
			unlock(others[:i])
			return fmt.Errorf("%w; token %q of the same library is in a call, so the library is not initialised anew", why, o.cfg.TokenLabel)
		}
	}
	defer unlock(others)
	if err := m.lib.finish(); err != nil {
		return err
	}
	for _, o := range others {
		o.lose(errors.New("pkcs11: the library was initialised anew for another token")) // if it is not lost already
	}
	if _, err := m.lib.begin(); err != nil {
		return err
	}
	return m.connect()
}

func unlock(all []*Module) {
	for _, m := range all {
		m.gate.Unlock()
	}
}

// well tells whether an operation is likely to be served at once: the token is
// there as far as is known, and no call hangs.
func (m *Module) well() bool {
	return m.lost.Load() == nil && m.pool.hanging() == 0 && !m.closed.Load()
}

// unwell is why well is false, nil when it is true.
func (m *Module) unwell() error {
	if l := m.lost.Load(); l != nil {
		return l.why
	}
	if n := m.pool.hanging(); n > 0 {
		return fmt.Errorf("%d calls hang in the module", n)
	}
	if m.closed.Load() {
		return errors.New("closed")
	}
	return nil
}

// agreement is what the tokens of a group must have in common: the local master
// keys that new keys are wrapped under. The first token that is there sets it.
type agreement struct {
	mu    sync.Mutex
	set   bool
	id    [8]byte
	token string // that set it
}

// errForeign marks a token with other local master keys than its group's.
var errForeign = errors.New("pkcs11: other local master keys than the failover group's")

// choose is the generation that a token wraps new keys under: of a module alone
// the newest, in a group the group's. A newer one beside it is no fault: it is
// formed on one token after the other.
func (a *agreement) choose(token string, there []generation) (generation, error) {
	g, err := newest(there)
	if a == nil || err != nil {
		return g, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.set {
		return g, nil
	}
	if at := slices.IndexFunc(there, func(g generation) bool { return g.Whole && g.Identity == a.id }); at >= 0 {
		return there[at], nil
	}
	return generation{}, fmt.Errorf("%w: token %q has %X, token %q of the group has %X; it does not serve until the same are formed on it (tapswitch hsm restore)",
		errForeign, token, g.Identity, a.token, a.id)
}

// settle makes a token's choice the group's when it is the first.
func (a *agreement) settle(token string, id [8]byte) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.set && a.id != id { // another token was first, just now
		return fmt.Errorf("%w: token %q has %X, token %q of the group has %X", errForeign, token, id, a.token, a.id)
	}
	if !a.set {
		a.set, a.id, a.token = true, id, token
	}
	return nil
}

// errOtherLMK is hsm.ErrBinding for a key under local master keys that this token
// does not have; another token of the group may have them.
var errOtherLMK = fmt.Errorf("%w", hsm.ErrBinding)
