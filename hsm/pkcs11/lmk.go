// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// Labels of the two local master keys of the first generation. Those of
// generation n are followed by "-n".
const (
	LMKLabel     = "tapswitch-lmk"         // wraps working keys
	BindingLabel = "tapswitch-lmk-binding" // binds what belongs to a working key
)

// Origin is how a generation of local master keys came to be. It is the keys'
// CKA_ID, and how they are found.
type Origin string

// The origins in service.
const (
	FromComponents Origin = "tapswitch-lmk components" // can be formed again by its custodians
	FromPractice   Origin = "tapswitch-lmk practice"   // throw-away values: protects nothing
	FromModule     Origin = "tapswitch-lmk random"     // made by the module: dies with the token
	FromElsewhere  Origin = ""                         // by the vendor's means, with the labels of generation 1
)

// String is the origin in a word.
func (o Origin) String() string {
	if o == FromElsewhere {
		return "elsewhere"
	}
	return string(o[len("tapswitch-lmk "):])
}

// Generation is one pair of local master keys on a token.
type Generation struct {
	Number   uint32
	Identity [8]byte // what keys wrapped under it carry; zero when half is missing
	Origin   Origin
	Whole    bool // both keys are there
}

// maxGenerations bounds what stands side by side in a token: old, new, and what
// a broken forming left.
const maxGenerations = 16

// generation is a Generation with its objects; 0 for one that is missing.
type generation struct {
	Generation
	lmk, binding p11.ObjectHandle
}

// labelsOf are the labels of a generation's two keys.
func labelsOf(number uint32) (lmk, binding string) {
	if number <= 1 {
		return LMKLabel, BindingLabel
	}
	return fmt.Sprintf("%s-%d", LMKLabel, number), fmt.Sprintf("%s-%d", BindingLabel, number)
}

// parseLabel tells which key of which generation has a label.
func parseLabel(label string) (number uint32, binding, ok bool) {
	rest, binding := strings.CutPrefix(label, BindingLabel)
	if !binding {
		if rest, ok = strings.CutPrefix(label, LMKLabel); !ok {
			return 0, false, false
		}
	}
	if rest == "" {
		return 1, binding, true
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(rest, "-"), 10, 32)
	if err != nil || n < 2 || rest != "-"+strconv.FormatUint(n, 10) {
		return 0, false, false
	}
	return uint32(n), binding, true
}

// scan finds every generation on the token, oldest first.
func scan(ctx *p11.Ctx, fused functions, session p11.SessionHandle) ([]generation, error) {
	found := map[p11.ObjectHandle]Origin{}
	for _, label := range []string{LMKLabel, BindingLabel} {
		objects, err := find(ctx, session, p11.NewAttribute(p11.CKA_LABEL, label))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			found[o] = FromElsewhere
		}
	}
	for _, origin := range []Origin{FromComponents, FromPractice, FromModule} {
		objects, err := find(ctx, session, p11.NewAttribute(p11.CKA_ID, []byte(origin)))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			found[o] = origin
		}
	}
	byNumber := map[uint32]*generation{}
	for object, origin := range found {
		if err := place(ctx, session, byNumber, object, origin); err != nil {
			return nil, err
		}
	}
	var all []generation
	for _, g := range byNumber {
		if g.Whole = g.lmk != 0 && g.binding != 0; g.Whole {
			id, err := identity(fused, session, g.binding)
			if err != nil {
				return nil, err
			}
			g.Identity = id
		}
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b generation) int { return int(a.Number) - int(b.Number) })
	return all, nil
}

// place puts one object into its generation, checked to be what a forming makes.
func place(ctx *p11.Ctx, session p11.SessionHandle, byNumber map[uint32]*generation, object p11.ObjectHandle, origin Origin) error {
	got, err := ctx.GetAttributeValue(session, object, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_LABEL, nil), p11.NewAttribute(p11.CKA_SENSITIVE, nil), p11.NewAttribute(p11.CKA_EXTRACTABLE, nil)})
	if err != nil || len(got) != 3 {
		return fmt.Errorf("pkcs11: read attributes of a local master key: %w", err)
	}
	label := string(got[0].Value)
	number, binding, ok := parseLabel(label)
	if !ok {
		return nil // another's key
	}
	if len(got[1].Value) != 1 || got[1].Value[0] != 1 || len(got[2].Value) != 1 || got[2].Value[0] != 0 {
		return fmt.Errorf("pkcs11: local master key %q is not sensitive and unextractable: it may have been read; form new ones", label)
	}
	g := byNumber[number]
	if g == nil {
		if len(byNumber) == maxGenerations {
			return fmt.Errorf("pkcs11: the token has more than %d generations of local master keys: retire the old ones", maxGenerations)
		}
		g = &generation{Generation: Generation{Number: number, Origin: origin}}
		byNumber[number] = g
	}
	place := &g.lmk
	if binding {
		place = &g.binding
	}
	if *place != 0 {
		return fmt.Errorf("pkcs11: the token has more than one key %q: remove the wrong one by the vendor's means", label)
	}
	*place = object
	return nil
}

// identity is what keys wrapped beside this binding key carry.
func identity(fused functions, session p11.SessionHandle, binding p11.ObjectHandle) (id [8]byte, err error) {
	var sum [16]byte
	if err := fused.cmac(session, binding, []byte(hsm.LMKIdentityInput), &sum); err != nil {
		return id, fmt.Errorf("pkcs11: compute the identity of the local master key: %w", err)
	}
	copy(id[:], sum[:])
	return id, nil
}

// find returns the secret keys on the token that have an attribute.
func find(ctx *p11.Ctx, session p11.SessionHandle, attribute *p11.Attribute) ([]p11.ObjectHandle, error) {
	template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_TOKEN, true), attribute}
	if err := ctx.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("pkcs11: look for local master keys: %w", err)
	}
	found, _, err := ctx.FindObjects(session, 2*maxGenerations+1)
	if end := ctx.FindObjectsFinal(session); err == nil {
		err = end
	}
	if err != nil {
		return nil, fmt.Errorf("pkcs11: look for local master keys: %w", err)
	}
	return found, nil
}

// newest is the last whole generation, under which new keys are wrapped.
func newest(all []generation) (generation, error) {
	for _, g := range slices.Backward(all) {
		if g.Whole {
			return g, nil
		}
	}
	missing := LMKLabel
	if len(all) > 0 && all[0].lmk != 0 {
		_, missing = labelsOf(all[0].Number)
	}
	return generation{}, fmt.Errorf("pkcs11: the token has no local master key %q: form the local master keys on it once (tapswitch hsm ceremony), before the first start", missing)
}

// under finds the generation that a key is wrapped under. One that is not known
// may have been formed since: the token is looked at again, but for the same
// identity not more often than it is probed.
func (w *worker) under(k *hsm.Key) (generation, error) {
	m := w.m
	if g, ok := m.generation(k.LMK); ok {
		return g, nil
	}
	last, now := m.sought.Load(), m.world.Clock.Mono()
	if last == nil || last.id != k.LMK || now.Sub(last.at) >= ProbeEvery {
		all, err := scan(m.ctx, m.fused, w.session)
		if err != nil {
			var code p11.Error
			if errors.As(err, &code) {
				return generation{}, w.fault("look for local master keys", err)
			}
			return generation{}, err
		}
		m.generations.Store(&all)
		if g, ok := m.generation(k.LMK); ok {
			return g, nil
		}
		m.sought.Store(&sought{id: k.LMK, at: now})
	}
	return generation{}, fmt.Errorf("%w: %s %q version %d is under another local master key than the token's", errOtherLMK, k.Usage, k.Name, k.Version)
}

// sought is a generation that was looked for in vain, and when.
type sought struct {
	id [8]byte
	at env.Mono
}

// generation looks among those that are known.
func (m *Module) generation(id [8]byte) (generation, bool) {
	if all := m.generations.Load(); all != nil {
		for _, g := range *all {
			if g.Whole && g.Identity == id {
				return g, true
			}
		}
	}
	return generation{}, false
}

// Origin is how the local master keys came to be under which new keys are wrapped.
func (m *Module) Origin() Origin {
	g, _ := m.generation(m.LMK()) // connect has put it there
	return g.Origin
}

// learn takes over what the token has now. The gate is held for writing. A
// token that has none of the generations known before is not the one whose keys
// are stored.
func (m *Module) learn(all []generation) error {
	if old := m.generations.Load(); old != nil {
		same := func(g generation) bool {
			return g.Whole && slices.ContainsFunc(*old, func(o generation) bool { return o.Whole && o.Identity == g.Identity })
		}
		if !slices.ContainsFunc(all, same) {
			return fmt.Errorf("pkcs11: token %q came back with other local master keys: stored keys do not open under them; bring the right token back", m.cfg.TokenLabel)
		}
	}
	m.generations.Store(&all)
	m.sought.Store(nil)
	return nil
}
