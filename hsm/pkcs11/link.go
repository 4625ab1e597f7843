// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// link is one connection to the token. It is replaced whole, under the gate.
type link struct {
	generation uint64
	slot       uint
	holder     p11.SessionHandle // logged in; closed last; never used by a job
	lmk        p11.ObjectHandle  // of the newest generation: new keys are wrapped under it
	binding    p11.ObjectHandle
	id         [8]byte // its identity
}

// loss says since when and why the token is not there.
type loss struct {
	why   error
	retry env.Mono // not before
	final bool     // trying again would do harm
}

// lockedEvery is the time between two looks at a token whose user PIN is locked,
// or that has other local master keys than its group.
const lockedEvery = time.Second

// connect logs in and finds the local master keys. The gate is held for
// writing, or nobody else is there yet.
func (m *Module) connect() (err error) {
	session, err := openToken(m.ctx, m.cfg.TokenLabel, m.cfg.UserPIN)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = m.ctx.CloseSession(session) // it is of no use; each try would leave one
		}
	}()
	next := link{generation: m.link.generation + 1, holder: session}
	if next.slot, err = findToken(m.ctx, m.cfg.TokenLabel); err != nil {
		return err
	}
	there, err := scan(m.ctx, m.fused, session)
	if err != nil {
		return err
	}
	current, err := m.agreed.choose(m.cfg.TokenLabel, there)
	if err != nil {
		return err
	}
	if err := m.learn(there); err != nil {
		return err
	}
	next.lmk, next.binding, next.id = current.lmk, current.binding, current.Identity
	m.link = next
	m.id.Store(&next.id)
	if err := m.selfTest(session); err != nil {
		return err
	}
	if err := m.agreed.settle(m.cfg.TokenLabel, next.id); err != nil {
		return err
	}
	m.cache.reset()
	m.suspect.Store(false)
	now := int64(m.world.Clock.Mono())
	m.probed.Store(now)
	m.linked.Store(now)
	m.lost.Store(nil)
	return nil
}

// lose marks the link as lost; the first of many keeps its reason. The next
// caller tries to get it back, at once unless it came back just before.
func (m *Module) lose(why error) {
	if m.lost.Load() == nil {
		m.lost.CompareAndSwap(nil, &loss{why: why, retry: env.Mono(m.linked.Load()).Add(m.pause)})
	}
}

// refuseWhileLost answers at once while the token is away, but for one caller
// each ProbeEvery, whose job tries to get it back.
func (m *Module) refuseWhileLost() error {
	l := m.lost.Load()
	if l == nil {
		return nil
	}
	now := m.world.Clock.Mono()
	if !l.final && now >= l.retry {
		next := &loss{why: l.why, retry: now.Add(m.pause)}
		if m.lost.CompareAndSwap(l, next) {
			return nil
		}
	}
	return unavailable(l.why)
}

func unavailable(why error) error { return fmt.Errorf("%w: %w", hsm.ErrUnavailable, why) }

// revive makes the link anew when it is lost. It needs every worker out of the
// module: C_Finalize under a running call is undefined.
func (w *worker) revive() error {
	m := w.m
	l := m.lost.Load()
	if l == nil {
		return nil
	}
	if l.final {
		return unavailable(l.why)
	}
	if !m.gate.TryLock() {
		if n := m.pool.hanging(); n > 0 {
			return fmt.Errorf("%w: %w; %d calls hang in the module and must return before it is taken into use again, else restart the process", hsm.ErrUnavailable, l.why, n)
		}
		return unavailable(l.why)
	}
	defer m.gate.Unlock()
	if m.lost.Load() == nil {
		return nil // another worker was first
	}
	err := m.connectAnew()
	if err != nil {
		pause := m.pause
		if errors.Is(err, errPINLocked) || errors.Is(err, errForeign) {
			pause = lockedEvery
		}
		m.lost.Store(&loss{why: err, retry: m.world.Clock.Mono().Add(pause), final: errors.Is(err, errPIN)})
		return unavailable(err)
	}
	return nil
}

// isReady reports that ready has nothing to do. The gate is held for reading.
func (w *worker) isReady() bool {
	m := w.m
	return m.lost.Load() == nil && !m.suspect.Load() && w.began.Sub(env.Mono(m.probed.Load())) < ProbeEvery &&
		w.generation == m.link.generation && len(w.orphans) == 0
}

// ready gives the worker a session of the present link and probes the token
// when it is time. The gate is held for reading.
func (w *worker) ready() error {
	m := w.m
	if l := m.lost.Load(); l != nil {
		return unavailable(l.why)
	}
	last, now := m.probed.Load(), w.began
	if m.suspect.Load() || now.Sub(env.Mono(last)) >= ProbeEvery {
		// one worker probes, the others go on
		if m.probed.CompareAndSwap(last, int64(now)) {
			if err := w.probe(); err != nil {
				m.lose(err)
				return unavailable(err)
			}
			m.suspect.Store(false)
		}
	}
	if w.generation != m.link.generation {
		session, err := m.ctx.OpenSession(m.link.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
		if err != nil {
			return w.fault("open a session", err)
		}
		w.session, w.generation = session, m.link.generation
		w.orphans = w.orphans[:0] // they died with the old sessions
	}
	w.bury()
	return nil
}

// probe looks at the token itself: session objects of SoftHSM work on after
// the token's directory is gone. It computes with a token object, because
// objects that are still listed may be unusable.
func (w *worker) probe() error {
	m := w.m
	if _, err := m.ctx.GetTokenInfo(m.link.slot); err != nil {
		return fmt.Errorf("token %q does not answer: %w", m.cfg.TokenLabel, err)
	}
	if w.generation != m.link.generation {
		return nil // no session yet: opening one is a probe too
	}
	if err := m.fused.cmac(w.session, m.link.binding, []byte(hsm.LMKIdentityInput), &w.scratch.sum); err != nil {
		return fmt.Errorf("the local master keys of token %q are gone: %w", m.cfg.TokenLabel, err)
	}
	return nil
}
