// SPDX-License-Identifier: Apache-2.0

// Package pin decides what may be done with a PIN block: verify it in our HSM
// for cards whose issuer keys we hold, or translate it to the zone key of the
// chosen link.
//
// Promise: a wrong PIN is counted durably before the terminal hears of it,
// once per payment; when the tries are used up no PIN of that card is tried any
// more. PIN blocks are of format 0 on both sides, and of the same card.
//
// How: Verify counts in memory at once, so that tries in parallel cannot pass
// the bound, and returns the record that the caller makes durable together
// with the payment's own record. The counters are a projection of the journal.
//
// Imported by: recover, node. Imports: hsm, hsm/pinblock, switch/{txn,record,journal}.
package pin

import (
	"context"
	"errors"
	"sync"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Module is what PINs need of the HSM.
type Module interface {
	hsm.Translator
	hsm.PINVerifier
}

// Checker verifies and translates, and counts wrong PINs.
type Checker struct {
	module Module
	max    uint8

	mu    sync.Mutex
	cards map[[16]byte]*card
}

// card is the count of one card token.
type card struct {
	wrong   uint8 // counted wrong PINs, durable or about to be
	pending uint8 // verifications under way
}

// New makes a checker that allows max wrong PINs in a row.
func New(m Module, max uint8) *Checker {
	return &Checker{module: m, max: max, cards: make(map[[16]byte]*card)}
}

// Apply takes a stored record into the counters; other kinds are passed over.
func (c *Checker) Apply(r journal.Record) error {
	if r.Kind != record.KindTries {
		return nil
	}
	token, t, err := record.ParseTries(r.Key, r.Body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Count == 0 {
		delete(c.cards, token)
		return nil
	}
	c.card(token).wrong = max(c.card(token).wrong, t.Count)
	return nil
}

// Wrong is the number of wrong PINs counted for a card.
func (c *Checker) Wrong(token [16]byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.cards[token]; k != nil {
		return int(k.wrong)
	}
	return 0
}

func (c *Checker) card(token [16]byte) *card {
	k := c.cards[token]
	if k == nil {
		k = &card{}
		c.cards[token] = k
	}
	return k
}

// Attempt is one PIN to verify on-us.
type Attempt struct {
	Key   *hsm.Key // the terminal's PIN key
	PVK   *hsm.Key // the issuer's PIN verification key
	Card  *txn.CardData
	Token [16]byte
	For   txn.Key
}

// Verify checks the PIN. The records must be made durable together with the
// payment's own, whether err is nil or a refusal; failed says that they were not.
func (c *Checker) Verify(ctx context.Context, a Attempt) (records []journal.Record, failed func(), err error) {
	ref, err := reference(a)
	if err != nil {
		return nil, func() {}, err
	}
	if !c.enter(a.Token) {
		return nil, func() {}, txn.DeclinePINTries
	}
	err = c.module.VerifyPVV(ctx, hsm.EncipheredPIN{Block: a.Card.PIN, Format: hsm.ISO0, Key: a.Key, PAN: a.Card.PAN}, ref)
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.card(a.Token)
	k.pending--
	before, after := k.wrong, uint8(0)
	switch {
	case err == nil && before == 0:
		c.drop(a.Token)
		return nil, func() {}, nil
	case err == nil:
		k.wrong = 0
		c.drop(a.Token)
	case errors.Is(err, hsm.ErrPIN):
		k.wrong++
		after = k.wrong
		err = txn.DeclinePIN
		if k.wrong >= c.max {
			err = txn.DeclinePINTries
		}
	default:
		c.drop(a.Token)
		return nil, func() {}, Refusal(err)
	}
	undo := func() { c.restore(a.Token, before, after) }
	return []journal.Record{record.MakeTries(a.Token, record.Tries{Count: after, Payment: a.For})}, undo, err
}

// enter takes one of the tries left.
func (c *Checker) enter(token [16]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.card(token)
	if k.wrong+k.pending >= c.max {
		return false
	}
	k.pending++
	return true
}

// drop forgets a card without count; the lock is held.
func (c *Checker) drop(token [16]byte) {
	if k := c.cards[token]; k != nil && k.wrong == 0 && k.pending == 0 {
		delete(c.cards, token)
	}
}

// restore takes back one count from before to after, and no other that was made
// meanwhile.
func (c *Checker) restore(token [16]byte, before, after uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.card(token)
	if after == 0 {
		k.wrong = min(k.wrong+before, c.max)
	} else if k.wrong > 0 {
		k.wrong--
	}
	c.drop(token)
}

// reference takes PVKI and PVV from track 2: PAN D YYMM service code(3) PVKI(1)
// PVV(4) (ISO/IEC 7813 discretionary data, Visa layout).
func reference(a Attempt) (hsm.PVV, error) {
	track := a.Card.Track2.AppendTo(make([]byte, 0, 40), secret.ForHSM)
	defer clear(track[:cap(track)])
	at := -1
	for i, b := range track {
		if b == 'D' || b == '=' {
			at = i + 1
			break
		}
	}
	const skip = 4 + 3 // expiry and service code
	if at < 0 || len(track) < at+skip+5 {
		return hsm.PVV{}, txn.DeclineNoReference
	}
	ref := hsm.PVV{Key: a.PVK, Index: track[at+skip]}
	copy(ref.Value[:], track[at+skip+1:])
	return ref, nil
}

// Translate moves the block from the terminal's key to a link's zone key.
func (c *Checker) Translate(ctx context.Context, card *txn.CardData, from, to *hsm.Key) (secret.PINBlock, error) {
	in := hsm.EncipheredPIN{Block: card.PIN, Format: hsm.ISO0, Key: from, PAN: card.PAN}
	out, err := c.module.TranslatePIN(ctx, in, hsm.PINTarget{Format: hsm.ISO0, Key: to, PAN: card.PAN})
	if err != nil {
		return secret.PINBlock{}, Refusal(err)
	}
	return out, nil
}

// Refusal names what the HSM said.
func Refusal(err error) error {
	switch {
	case errors.Is(err, hsm.ErrBusy):
		return txn.DeclineHSMBusy.Why(err)
	case errors.Is(err, hsm.ErrPINBlock), errors.Is(err, hsm.ErrPINFormat), errors.Is(err, pinblock.ErrPANLength):
		return txn.DeclinePINBlock.Why(err)
	case errors.Is(err, hsm.ErrCryptogram):
		return txn.DeclineCryptogram.Why(err)
	case errors.Is(err, hsm.ErrMAC):
		return txn.DeclineMAC.Why(err)
	case errors.Is(err, hsm.ErrUsage), errors.Is(err, hsm.ErrBinding):
		return txn.DeclineKey.Why(err)
	case errors.Is(err, hsm.ErrInput):
		return txn.DeclineChipData.Why(err)
	}
	return txn.DeclineHSM.Why(err)
}
