// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"crypto/subtle"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
)

// Migration moves keys from one generation of local master keys to the newest.
//
// What the old wrapping key on the token unwraps can never be wrapped again, by
// its template. So the custodians of the old generation enter their components
// once more, and a second key of the same value is made in this session alone:
// it may unwrap and nothing else, and what it unwraps is sensitive and
// extractable, so that the module wraps it under the new one at once. No key is
// ever outside the module, and the session's end takes that second key away.
type Migration struct {
	a        *Admin
	from, to generation
	moving   p11.ObjectHandle
}

// Migrate begins to move keys to the newest generation on the token; components
// are those of the old one, which is found by its identity. Errors: ErrLMK when
// they give no generation of this token, or the newest itself.
func (a *Admin) Migrate(components []*clear.Component) (*Migration, error) {
	_, id, err := a.Combine(components)
	if err != nil {
		return nil, err
	}
	a.gate.Lock()
	defer a.gate.Unlock()
	there, err := a.scan()
	if err != nil {
		return nil, err
	}
	g := &Migration{a: a}
	if g.to, err = newest(there); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(there, func(g generation) bool { return g.Whole && g.Identity == id })
	switch {
	case at < 0:
		return nil, fmt.Errorf("%w: token %q has no generation of identity %X, which these components give", ErrLMK, a.w.m.cfg.TokenLabel, id)
	case there[at].Number == g.to.Number:
		return nil, fmt.Errorf("%w: these components are those of the newest generation, %d: there is nothing to move to; form the next one first", ErrLMK, g.to.Number)
	}
	g.from = there[at]
	sum, done, err := sumOf(components)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := a.belongs(sum, g.from.lmk); err != nil {
		return nil, err
	}
	g.moving, err = a.derived(sum, roleMigrating, false, "", "")
	return g, err
}

// From is the generation that keys leave, To the one they come under.
func (g *Migration) From() Generation { return g.from.Generation }

// To is the generation that keys come under.
func (g *Migration) To() Generation { return g.to.Generation }

// Close takes the second key away.
func (g *Migration) Close() error {
	g.a.gate.Lock()
	defer g.a.gate.Unlock()
	return g.a.w.m.ctx.DestroyObject(g.a.w.session, g.moving)
}

// Rewrap returns the same key wrapped and bound under the newest generation. A
// key that is there already comes back as it is; one under a third is refused
// with hsm.ErrBinding, as is one whose binding or check value is not right. The
// new form is opened once before it is returned.
func (g *Migration) Rewrap(k hsm.Key) (hsm.Key, error) {
	g.a.gate.Lock()
	defer g.a.gate.Unlock()
	w := g.a.w
	switch k.LMK {
	case g.to.Identity:
		return k, nil
	case g.from.Identity:
	default:
		return hsm.Key{}, fmt.Errorf("%w: %s %q version %d is under a local master key that is neither the old nor the new one", hsm.ErrBinding, k.Usage, k.Name, k.Version)
	}
	w.id = k.AppendBound(w.id[:0])
	bound, err := w.bindUnder(g.from.binding, w.id)
	if err != nil {
		return hsm.Key{}, err
	}
	blobs, ok := blobsOf(&k)
	if subtle.ConstantTimeCompare(bound[:], k.Binding[:]) != 1 || !ok {
		return hsm.Key{}, fmt.Errorf("%w: %s %q version %d", hsm.ErrBinding, k.Usage, k.Name, k.Version)
	}
	next := k
	next.LMK, next.Wrapped = g.to.Identity, nil
	for i, blob := range blobs {
		moved, err := g.move(&k, blob, i == 0)
		if err != nil {
			return hsm.Key{}, err
		}
		next.Wrapped = append(next.Wrapped, moved...)
	}
	next.Wrapped = append(next.Wrapped, carriedOf(&k)...) // under its carrier, which has moved
	w.id = next.AppendBound(w.id[:0])
	next.Binding, err = w.bindUnder(g.to.binding, w.id)
	return next, err
}

// move takes one wrapped key from the old local master key to the new, inside
// the module. The first of a key has the check value that is bound.
func (g *Migration) move(k *hsm.Key, blob []byte, first bool) ([]byte, error) {
	w := g.a.w
	kind, err := keyType(k.Algorithm)
	if err != nil {
		return nil, err
	}
	object, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), g.moving, blob, checkable(k.Algorithm, kind, true))
	if err != nil {
		return nil, w.fault("unwrap a key", err)
	}
	defer w.destroy(object)
	if err := g.checked(k, object, first); err != nil {
		return nil, err
	}
	moved, err := w.m.ctx.WrapKey(w.session, keyWrap(), g.to.lmk, object)
	if err != nil {
		return nil, w.fault("wrap a key", err)
	}
	opened, err := w.unwrapUnder(g.to.lmk, k, moved, false)
	w.destroy(opened)
	return moved, err
}

// checked compares the check value of a key with what is bound.
func (g *Migration) checked(k *hsm.Key, object p11.ObjectHandle, first bool) error {
	if !first {
		return nil
	}
	check, err := g.a.w.checkValue(k.Algorithm, object)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(check[:len(k.KCV)], k.KCV[:]) != 1 {
		return fmt.Errorf("%w: %s %q version %d: its check value is not the one that is bound", hsm.ErrBinding, k.Usage, k.Name, k.Version)
	}
	return nil
}
