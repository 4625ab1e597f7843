// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// vault is what card numbers need of the HSM.
type vault interface {
	hsm.Sealer
	hsm.Tokener
}

// cards seals card numbers and makes tokens and fingerprints.
type cards struct {
	module      vault
	seal, token *hsm.Key
	keys        map[txn.KeyRef]*hsm.Key // all that a card number may be sealed under
}

// cards takes the configured keys, and those that were configured before and are
// still in the keystore.
func (n *Node) cards() (*cards, error) {
	seal, err := n.key(n.cfg.PAN.Seal, hsm.PANSeal)
	if err != nil {
		return nil, err
	}
	token, err := n.key(n.cfg.PAN.Token, hsm.PANToken)
	if err != nil {
		return nil, err
	}
	c := &cards{n.module, seal, token, map[txn.KeyRef]*hsm.Key{}}
	for _, k := range n.keys.List() {
		if k.Usage == hsm.PANSeal {
			c.keys[refOf(&k)] = &k
		}
	}
	return c, nil
}

func refOf(k *hsm.Key) txn.KeyRef { return txn.KeyRef{Name: k.Name, Version: k.Version} }

// sealOf is the key under which the card number of p is sealed, nil when the
// keystore does not have it. Earlier versions did not store which: theirs is the
// configured one.
func (c *cards) sealOf(p *txn.Payment) *hsm.Key {
	if p.SealedBy == (txn.KeyRef{}) {
		return c.seal
	}
	return c.keys[p.SealedBy]
}

// openable looks whether the card numbers that are needed again can be opened. What
// waits for an acquirer could never be delivered without its key, so that a start
// without it is refused; of payments that may yet be reversed it is told.
func (n *Node) openable(c *cards) error {
	waiting, others := map[txn.KeyRef]int{}, map[txn.KeyRef]int{}
	n.index.Each(func(p txn.Payment) {
		switch {
		case c.sealOf(&p) != nil:
		case p.State.Owes():
			waiting[p.SealedBy]++
		case p.State == txn.Completed, p.State == txn.Declined, p.State == txn.Unmatched: // a late yes reopens the last two
			others[p.SealedBy]++
		}
	})
	for _, k := range sortedRefs(others) {
		n.observer.Log().Warn("payments are sealed under a key that the keystore does not have: a reversal of one could not be delivered; put the key back",
			"key", k.Name, "version", k.Version, "payments", others[k])
	}
	var missing []error
	for _, k := range sortedRefs(waiting) {
		missing = append(missing, fmt.Errorf("keystore %s has no key %q version %d, under which the card numbers of %d waiting reversals and advices are sealed: "+
			"put it back from a copy of the keystore until they are delivered", n.cfg.HSM.Keystore, k.Name, k.Version, waiting[k]))
	}
	return errors.Join(missing...)
}

func sortedRefs(m map[txn.KeyRef]int) []txn.KeyRef {
	return slices.SortedFunc(maps.Keys(m), func(a, b txn.KeyRef) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
}

// Protect fills what p keeps of the card.
func (c *cards) Protect(ctx context.Context, in *txn.Request, p *txn.Payment) error {
	var err error
	if p.Token, err = c.Token(ctx, in.Card.PAN); err != nil {
		return err
	}
	p.SealedPAN, err = c.module.Seal(ctx, c.seal, in.Card.PAN.Reveal(secret.ForStore), record.AppendKey(nil, p.Key))
	if err != nil {
		return pin.Refusal(err)
	}
	p.SealedBy = refOf(c.seal)
	p.Fingerprint = fingerprint(in, p.Token)
	return nil
}

// Token is the keyed token of a card number.
func (c *cards) Token(ctx context.Context, pan secret.PAN) ([16]byte, error) {
	token, err := c.module.Token(ctx, c.token, pan)
	if err != nil {
		return token, pin.Refusal(err)
	}
	return token, nil
}

// fingerprint is a hash over token, amount, cash in it, original, what a script's result says, and cryptogram. The token is keyed,
// so the hash gives nothing about the card number away.
func fingerprint(in *txn.Request, token [16]byte) (f txn.Fingerprint) {
	b := append(make([]byte, 0, 64), token[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(in.Amount.Minor))
	b = binary.BigEndian.AppendUint16(b, uint16(in.Amount.Currency))
	b = append(b, in.OfRRN.String()...) // what a void or a refund gives back
	if in.Cash > 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(in.Cash))
	}
	if in.OfAuth != ([6]byte{}) { // what a cancel or a completion is about
		b = append(b, in.OfAuth[:]...)
		date := in.OfDate
		if in.Key.Class == txn.CompletionVoid { // as earlier versions, which did not read it: a repeat over an upgrade is still one
			date = [4]byte{}
		}
		b = append(b, date[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(in.Original.Batch)<<32|uint64(in.Original.Trace))
	}
	b = append(b, in.Script...)
	icc := in.Card.ICC.AppendTo(make([]byte, 0, 512), secret.ForReplay)
	defer clear(icc[:cap(icc)])
	if ac, ok := bertlv.Find(icc, 0x9F26); ok {
		b = append(b, ac...)
	}
	sum := sha256.Sum256(b)
	copy(f[:], sum[:])
	return f
}

// open gives the card number of p back, for its reversal.
func (c *cards) open(ctx context.Context, p *txn.Payment) (secret.PAN, error) {
	key := c.sealOf(p)
	if key == nil {
		return secret.PAN{}, fmt.Errorf("the card number is sealed under key %q version %d, which the keystore does not have: put it back and start again", p.SealedBy.Name, p.SealedBy.Version)
	}
	digits, err := c.module.Open(ctx, key, p.SealedPAN, record.AppendKey(nil, p.Key))
	if err != nil {
		return secret.PAN{}, err
	}
	defer clear(digits)
	return secret.NewPAN(digits)
}
