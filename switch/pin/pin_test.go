// SPDX-License-Identifier: Apache-2.0

package pin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

// module says err to every verification, after hold is closed.
type module struct {
	err  error
	hold chan struct{}
	in   hsm.EncipheredPIN
	to   hsm.PINTarget
	ref  hsm.PVV
	mu   sync.Mutex
	n    int
}

func (m *module) TranslatePIN(_ context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	m.in, m.to = in, to
	return secret.PINBlock{}, m.err
}

func (m *module) VerifyPVV(_ context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	m.mu.Lock()
	m.n++
	m.in, m.ref = in, ref
	m.mu.Unlock()
	if m.hold != nil {
		<-m.hold
	}
	return m.err
}

func attempt(t *testing.T) Attempt {
	t.Helper()
	card := &txn.CardData{}
	var err error
	if card.PAN, err = secret.NewPAN([]byte("6224242300000069")); err != nil {
		t.Fatal(err)
	}
	card.Track2, _ = secret.NewTrack2([]byte("6224242300000069=3012201" + "1" + "2345" + "678"))
	card.PIN, _ = secret.NewPINBlock(make([]byte, 8))
	return Attempt{Card: card, Token: [16]byte{1}, PVK: &hsm.Key{}}
}

func TestReferenceComesFromTrack2(t *testing.T) {
	m := &module{}
	if _, _, err := New(m, 3).Verify(context.Background(), attempt(t)); err != nil {
		t.Fatal(err)
	}
	if m.ref.Index != '1' || string(m.ref.Value[:]) != "2345" || m.in.Format != hsm.ISO0 || !m.in.PAN.Equal(attempt(t).Card.PAN) {
		t.Errorf("index %c value %s format %s of card %s", m.ref.Index, m.ref.Value, m.in.Format, m.in.PAN)
	}
	a := attempt(t)
	a.Card.Track2, _ = secret.NewTrack2([]byte("6224242300000069=3012201"))
	if _, _, err := New(m, 3).Verify(context.Background(), a); !errors.Is(err, txn.DeclineNoReference) {
		t.Errorf("no reference: %v", err)
	}
}

// TestTranslateKeepsFormatAndCard: what leaves for a link is what came, under
// another key.
func TestTranslateKeepsFormatAndCard(t *testing.T) {
	m, from, to := &module{err: hsm.ErrUnavailable}, &hsm.Key{Name: "tpk"}, &hsm.Key{Name: "zpk"}
	card := attempt(t).Card
	if _, err := New(m, 3).Translate(context.Background(), card, from, to); txn.AsDecline(err).Reason != txn.DeclineHSM.Reason {
		t.Errorf("module away: %v", err)
	}
	if m.in.Key != from || m.to.Key != to || m.in.Format != hsm.ISO0 || m.to.Format != hsm.ISO0 || !m.in.PAN.Equal(card.PAN) || !m.to.PAN.Equal(card.PAN) {
		t.Errorf("translated %s under %q to %s under %q", m.in.Format, m.in.Key.Name, m.to.Format, m.to.Key.Name)
	}
}

// Tries in parallel must not pass the bound.
func TestParallelTriesAreBounded(t *testing.T) {
	m := &module{err: hsm.ErrPIN, hold: make(chan struct{})}
	c := New(m, 3)
	var wg sync.WaitGroup
	results := make(chan error, 10)
	for range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, _, err := c.Verify(context.Background(), attempt(t))
			results <- err
		}()
	}
	for range 7 { // the seven beyond the bound answer at once
		if err := <-results; !errors.Is(err, txn.DeclinePINTries) {
			t.Errorf("beyond the bound: %v", err)
		}
	}
	close(m.hold)
	wg.Wait()
	if m.n != 3 || c.Wrong([16]byte{1}) != 3 {
		t.Errorf("%d verifications, %d counted", m.n, c.Wrong([16]byte{1}))
	}
}

func TestFailedAppendTakesTheCountBack(t *testing.T) {
	m := &module{err: hsm.ErrPIN}
	c := New(m, 3)
	records, failed, err := c.Verify(context.Background(), attempt(t))
	if len(records) != 1 || !errors.Is(err, txn.DeclinePIN) {
		t.Fatalf("%d records, %v", len(records), err)
	}
	failed()
	if c.Wrong([16]byte{1}) != 0 {
		t.Error("a count that is not durable stayed")
	}
	if err := c.Apply(records[0]); err != nil || c.Wrong([16]byte{1}) != 1 {
		t.Errorf("replay: %v, %d", err, c.Wrong([16]byte{1}))
	}
}

func TestFaultsAreNotTries(t *testing.T) {
	for _, fault := range []error{hsm.ErrUnavailable, hsm.ErrBusy, hsm.ErrPINBlock, hsm.ErrUsage, fmt.Errorf("odd")} {
		c := New(&module{err: fault}, 3)
		records, _, err := c.Verify(context.Background(), attempt(t))
		if len(records) != 0 || err == nil || c.Wrong([16]byte{1}) != 0 {
			t.Errorf("%v: %d records, %v", fault, len(records), err)
		}
	}
}

func TestRefusalNamesEveryFault(t *testing.T) {
	for fault, want := range map[error]*txn.Decline{
		hsm.ErrBusy: txn.DeclineHSMBusy, hsm.ErrPINBlock: txn.DeclinePINBlock, hsm.ErrPINFormat: txn.DeclinePINBlock,
		fmt.Errorf("%w: %w", hsm.ErrInput, pinblock.ErrPANLength): txn.DeclinePINBlock, hsm.ErrCryptogram: txn.DeclineCryptogram, hsm.ErrMAC: txn.DeclineMAC,
		hsm.ErrUsage: txn.DeclineKey, hsm.ErrBinding: txn.DeclineKey, hsm.ErrInput: txn.DeclineChipData, hsm.ErrUnavailable: txn.DeclineHSM, errors.New("x"): txn.DeclineHSM,
	} {
		if d := txn.AsDecline(Refusal(fault)); d.Reason != want.Reason {
			t.Errorf("%v is %s, want %s", fault, d.Reason, want.Reason)
		}
	}
}

// A count whose record was refused is taken back alone: what others counted
// meanwhile, and made durable, stays.
func TestFailedAppendTakesBackItsOwnCountOnly(t *testing.T) {
	m := &module{err: hsm.ErrPIN}
	c := New(m, 3)
	_, failed, _ := c.Verify(context.Background(), attempt(t))
	if _, _, err := c.Verify(context.Background(), attempt(t)); !errors.Is(err, txn.DeclinePIN) {
		t.Fatal(err)
	}
	failed()
	if got := c.Wrong([16]byte{1}); got != 1 {
		t.Errorf("%d counted, one is durable", got)
	}
	m.err = nil
	_, failed, err := c.Verify(context.Background(), attempt(t))
	if err != nil {
		t.Fatal(err)
	}
	m.err = hsm.ErrPIN
	if _, _, err := c.Verify(context.Background(), attempt(t)); !errors.Is(err, txn.DeclinePIN) {
		t.Fatal(err)
	}
	failed() // the reset, not the try after it
	if got := c.Wrong([16]byte{1}); got != 2 {
		t.Errorf("%d counted after a reset that failed, want 2", got)
	}
}
