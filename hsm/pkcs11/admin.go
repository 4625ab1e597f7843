// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
)

// ErrLMK is a refusal to form, migrate or retire local master keys; nothing was
// changed.
var ErrLMK = errors.New("pkcs11: local master keys")

// CheckLen is the length of a component's check value: the first five bytes of
// the AES-CMAC of a zero block (ANSI X9.24-1, check values of AES keys).
const CheckLen = 5

// Admin looks after the local master keys of one token: check values of
// components, forming, migrating, retiring. Components are clear in the locked
// pages they come in and inside the module, nowhere else. It serves one caller
// at a time.
type Admin struct {
	w    *worker
	gate sync.Locker // held during a call when a driver serves beside
	own  bool        // the module is ours to stop
}

// OpenAdmin opens a token that need not have local master keys yet. Of cfg it
// uses module, label and user PIN. The module must not be open in this process.
func OpenAdmin(world env.Env, cfg Config) (*Admin, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, fused, err := start(cfg.Module)
	if err != nil {
		return nil, err
	}
	session, err := openToken(ctx, cfg.TokenLabel, cfg.UserPIN)
	if err != nil {
		stop(ctx)
		return nil, err
	}
	m := &Module{cfg: cfg, world: world, fused: fused, ctx: ctx, cache: newCache(cfg.Cache)}
	return &Admin{w: &worker{m: m, session: session, scratch: new(scratch)}, gate: new(sync.Mutex), own: true}, nil
}

// Admin opens a session of its own beside those that serve. After a loss of the
// token it is of no use any more.
func (m *Module) Admin() (*Admin, error) {
	m.gate.RLock()
	defer m.gate.RUnlock()
	session, err := m.ctx.OpenSession(m.link.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		return nil, fmt.Errorf("pkcs11: open a session on token %q: %w", m.cfg.TokenLabel, err)
	}
	return &Admin{w: &worker{m: m, session: session, scratch: new(scratch)}, gate: m.gate.RLocker()}, nil
}

// Close ends the session, and the use of the module when OpenAdmin began it.
func (a *Admin) Close() error {
	a.gate.Lock()
	defer a.gate.Unlock()
	err := a.w.m.ctx.CloseSession(a.w.session)
	if a.own {
		stop(a.w.m.ctx)
	}
	return err
}

// Generations lists what is on the token, oldest first.
func (a *Admin) Generations() (all []Generation, err error) {
	a.gate.Lock()
	defer a.gate.Unlock()
	there, err := a.scan()
	for _, g := range there {
		all = append(all, g.Generation)
	}
	return all, err
}

func (a *Admin) scan() ([]generation, error) { return scan(a.w.m.ctx, a.w.m.fused, a.w.session) }

// Random fills a component from the module's generator.
func (a *Admin) Random(c *clear.Component) error {
	a.gate.Lock()
	defer a.gate.Unlock()
	if err := a.w.m.fused.random(a.w.session, c.Value()); err != nil {
		return fmt.Errorf("pkcs11: make a random component: %w", err)
	}
	return nil
}

// CheckValue is the payment check value of a component, computed in the module.
func (a *Admin) CheckValue(c *clear.Component) (check [CheckLen]byte, err error) {
	a.gate.Lock()
	defer a.gate.Unlock()
	return a.checkValue(c)
}

func (a *Admin) checkValue(c *clear.Component) (check [CheckLen]byte, err error) {
	key, err := a.w.m.fused.component(a.w.session, c.Value())
	if err != nil {
		return check, fmt.Errorf("pkcs11: bring in a component: %w", err)
	}
	defer a.w.destroy(key)
	full, err := a.w.checkValue(hsm.AES256, key)
	copy(check[:], full[:])
	return check, err
}

// Combine computes what the components give together: the check value of their
// xor, and the identity of the local master keys derived from it. Nothing stays.
func (a *Admin) Combine(components []*clear.Component) (check [CheckLen]byte, id [8]byte, err error) {
	a.gate.Lock()
	defer a.gate.Unlock()
	sum, done, err := sumOf(components)
	if err != nil {
		return check, id, err
	}
	defer done()
	if check, err = a.checkValue(sum); err != nil {
		return check, id, err
	}
	binding, err := a.derived(sum, roleBinding, false, BindingLabel, "")
	if err != nil {
		return check, id, err
	}
	defer a.w.destroy(binding)
	id, err = identity(a.w.m.fused, a.w.session, binding)
	return check, id, err
}

// sumOf is the xor of components on a page of its own, wiped by done.
func sumOf(components []*clear.Component) (sum *clear.Component, done func(), err error) {
	if len(components) < 2 {
		return nil, nil, fmt.Errorf("%w: they are formed from two components or more", ErrLMK)
	}
	if sum, err = clear.NewComponent(); err != nil {
		return nil, nil, err
	}
	sum.Sum(components)
	return sum, func() { _ = sum.Close() }, nil // wiped all the same
}

// derived makes one of the keys that the sum of the components gives: NIST SP
// 800-108 in counter mode with AES-CMAC, the label of generation 1 as label, no
// context. Counter and length take four bytes each.
func (a *Admin) derived(sum *clear.Component, r role, token bool, label, id string) (p11.ObjectHandle, error) {
	fused, session := a.w.m.fused, a.w.session
	base, err := fused.component(session, sum.Value())
	if err != nil {
		return 0, fmt.Errorf("pkcs11: bring in the sum of the components: %w", err)
	}
	defer a.w.destroy(base)
	page, err := clear.NewComponent()
	if err != nil {
		return 0, err
	}
	defer func() { _ = page.Close() }() // wiped all the same
	purpose := BindingLabel
	if r != roleBinding {
		purpose = LMKLabel
	}
	for i := range uint32(2) {
		in := binary.BigEndian.AppendUint32(nil, i+1)
		in = append(append(in, purpose...), 0)
		in = binary.BigEndian.AppendUint32(in, 256)
		if err := fused.cmacInto(session, base, in, page.Value()[16*i:]); err != nil {
			return 0, fmt.Errorf("pkcs11: derive a local master key: %w", err)
		}
	}
	key, err := fused.form(session, r, token, label, id, page.Value())
	if err != nil {
		return 0, fmt.Errorf("pkcs11: make local master key %q: %w", label, err)
	}
	return key, nil
}

// Form makes the local master keys of a generation on the token out of its
// components: the same components give the same keys, and so the same identity,
// on any token. What a broken forming left of the same number is removed first.
// Errors: ErrLMK when the number or these keys are there already.
func (a *Admin) Form(components []*clear.Component, number uint32, origin Origin) (id [8]byte, err error) {
	_, id, err = a.Combine(components)
	if err != nil {
		return id, err
	}
	a.gate.Lock()
	defer a.gate.Unlock()
	there, err := a.scan()
	if err != nil {
		return id, err
	}
	for _, g := range there {
		switch {
		case g.Whole && g.Number == number:
			return id, fmt.Errorf("%w: generation %d is on token %q already; every key under it depends on it, so it is not replaced", ErrLMK, number, a.w.m.cfg.TokenLabel)
		case g.Whole && g.Identity == id:
			return id, fmt.Errorf("%w: these components are on token %q already, as generation %d", ErrLMK, a.w.m.cfg.TokenLabel, g.Number)
		case g.Number == number:
			if err := a.remove(g); err != nil {
				return id, err
			}
		}
	}
	sum, done, err := sumOf(components)
	if err != nil {
		return id, err
	}
	defer done()
	return id, a.create(sum, number, origin)
}

// create makes both keys, the wrapping one last: without it a generation is not
// whole and nobody uses it.
func (a *Admin) create(sum *clear.Component, number uint32, origin Origin) error {
	wrapping, binding := labelsOf(number)
	first, err := a.derived(sum, roleBinding, true, binding, string(origin))
	if err != nil {
		return err
	}
	second, err := a.derived(sum, roleWrapping, true, wrapping, string(origin))
	if err == nil {
		if err = a.belongs(sum, second); err == nil {
			return nil
		}
	}
	return errors.Join(err, a.remove(generation{Generation: Generation{Number: number}, lmk: second, binding: first}))
}

// belongs refuses a wrapping key on the token that is not what the sum gives: a
// fresh key that it wrapped must come out of the derived one.
func (a *Admin) belongs(sum *clear.Component, wrapping p11.ObjectHandle) error {
	derived, err := a.derived(sum, roleMigrating, false, "", "")
	if err != nil {
		return err
	}
	defer a.w.destroy(derived)
	fresh, err := a.w.generate(hsm.Spec{Name: "check", Owner: "check", Usage: hsm.PANToken, Algorithm: hsm.AES256})
	if err != nil {
		return err
	}
	defer a.w.destroy(fresh.whole)
	blob, err := a.w.m.ctx.WrapKey(a.w.session, keyWrap(), wrapping, fresh.whole)
	if err != nil {
		return fmt.Errorf("pkcs11: wrap under the new local master key: %w", err)
	}
	out, err := a.w.m.ctx.UnwrapKey(a.w.session, keyWrap(), derived, blob, checkable(hsm.AES256, p11.CKK_AES, true))
	if err != nil {
		return fmt.Errorf("%w: the components do not give the key on the token: %w", ErrLMK, err)
	}
	a.w.destroy(out)
	return nil
}

// remove takes what there is of a generation off the token.
func (a *Admin) remove(g generation) error {
	var all error
	for _, object := range []p11.ObjectHandle{g.lmk, g.binding} {
		if object != 0 {
			if err := a.w.m.ctx.DestroyObject(a.w.session, object); err != nil {
				all = errors.Join(all, fmt.Errorf("pkcs11: remove a local master key of generation %d: %w", g.Number, err))
			}
		}
	}
	return all
}

// Retire takes a generation off the token for good; only its custodians can
// bring it back. Errors: ErrLMK when it is not there, has another identity, or is
// the newest. The caller has made sure that no stored key is under it.
func (a *Admin) Retire(number uint32, id [8]byte) error {
	a.gate.Lock()
	defer a.gate.Unlock()
	there, err := a.scan()
	if err != nil {
		return err
	}
	current, err := newest(there)
	if err != nil {
		return err
	}
	for _, g := range there {
		switch {
		case g.Number != number:
		case g.Number == current.Number:
			return fmt.Errorf("%w: generation %d is the newest on token %q: new keys are wrapped under it", ErrLMK, number, a.w.m.cfg.TokenLabel)
		case g.Whole && g.Identity != id:
			return fmt.Errorf("%w: generation %d of token %q has identity %X, not the one given", ErrLMK, number, a.w.m.cfg.TokenLabel, g.Identity)
		default:
			return a.remove(g)
		}
	}
	return fmt.Errorf("%w: token %q has no generation %d", ErrLMK, a.w.m.cfg.TokenLabel, number)
}
