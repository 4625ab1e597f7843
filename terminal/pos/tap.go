// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
	"tapswitch/terminal/reader"
)

// Outcomes of a sale that ended at the card; those of the host are in terminal/host.
const (
	OutcomeCancelled   = "cancelled"
	OutcomeNoCard      = "no_card"
	OutcomeReaderGone  = "reader_gone"
	OutcomeReaderError = "reader_error"
	OutcomeCollision   = "collision"
	OutcomeUnsupported = "unsupported_card"
	OutcomeRemoved     = "card_removed"
	OutcomeCardError   = "card_error"
	OutcomeOffline     = "declined_offline"
	OutcomeInterface   = "try_another_interface"
	OutcomePINTimeout  = "pin_timeout"
	OutcomePINError    = "pin_error"
)

// Tapper waits for a card and takes it to the point where the switch decides.
type Tapper interface {
	// Tap ends with card data and an empty Outcome, or with a named outcome and
	// none. seePhone is called when the holder must confirm and tap again.
	Tap(ctx context.Context, want Want, seePhone func()) Tap
	// Update waits for the card of a tap once more and has it carry out the scripts in
	// field 55 of the answer; what came of each is told in any case.
	Update(ctx context.Context, t Tap, answer secret.ICC) ([]host.ScriptResult, error)
	Close() error
}

// Want is the payment a card is asked for.
type Want struct {
	Amount  money.Amount
	Cash    money.MinorUnits // of Amount (9F03)
	Counter uint32           // 9F41
}

// Tap is what came of it.
type Tap struct {
	Outcome string // "" when the sale goes online
	Reason  string
	Card    host.Card
	PIN     bool   // the card wants an online PIN
	CVM     string // pin, cdcvm, signature, none
	Kernel  int
	AID     string
	Label   string
	Update  bool // the card can be taken again for its issuer's scripts
	Offline Offline
	Took    time.Duration // with the card in the field
	Err     error         // for the operator
}

// Offline is what came of offline data authentication.
type Offline struct {
	Result   string // fdda, failed, not_performed; empty when the terminal does not ask
	Reason   string // why it failed or was not performed
	TVR, TSI string // hex: the terminal's own record
}

// wipe overwrites the card data.
func (t *Tap) wipe() {
	t.Card.PAN.Wipe()
	t.Card.Track2.Wipe()
	t.Card.ICC.Wipe()
}

// secondTaps bounds how often a holder is sent to the phone in one sale.
const secondTaps = 3

// contactless is the Tapper of a reader and the EMV kernels.
type contactless struct {
	reader *reader.Reader
	kernel kernel.Config
	wait   time.Duration
	random io.Reader
	now    func() time.Time
}

// newContactless makes the Tapper of cfg. The reader is opened by the first
// sale: a till starts without one.
func newContactless(cfg Config, random io.Reader, now func() time.Time) (*contactless, error) {
	k := kernel.DefaultConfig()
	k.Country = cfg.Country
	copy(k.Serial[:], cfg.ID)
	for i := range k.Applications {
		k.Applications[i].MaxMinor = cfg.ContactlessLimit
		k.Applications[i].CVMMinor = cfg.CVMLimit
		k.Applications[i].TTQ[2] |= kernel.UpdateTTQ
	}
	k.AuthenticateOffline(cfg.CAKeys, cfg.Revoked)
	if err := k.Validate(); err != nil {
		return nil, err
	}
	return &contactless{
		reader: reader.New(reader.Config{Port: cfg.Port, Baud: cfg.Baud}),
		kernel: k, wait: cfg.CardWait, random: random, now: now,
	}, nil
}

// Close lets the reader go.
func (c *contactless) Close() error { return c.reader.Close() }

// Tap implements Tapper.
func (c *contactless) Tap(ctx context.Context, want Want, seePhone func()) Tap {
	for range secondTaps {
		tap, again := c.once(ctx, want)
		if !again {
			return tap
		}
		seePhone()
	}
	return Tap{Outcome: OutcomeCardError, Reason: string(kernel.ConfirmOnPhone)}
}

// typeCashback is tag 9C of goods and cash in one.
const typeCashback = 0x09

// once is one card in the field; again when it must come back.
func (c *contactless) once(ctx context.Context, want Want) (tap Tap, again bool) {
	txn, err := kernel.NewPurchase(c.random, want.Amount, c.now(), want.Counter)
	if err != nil {
		return failed(err), false
	}
	if txn.Other = want.Cash; want.Cash > 0 {
		txn.Type = typeCashback
	}
	waiting, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	_, card, err := c.reader.Poll(waiting)
	if err != nil {
		return failed(err), false
	}
	began := c.now()
	working, cancelWork := context.WithTimeout(ctx, c.wait)
	defer cancelWork()
	out, err := kernel.Run(working, card, c.kernel, txn)
	took := c.now().Sub(began)
	// The card may go now; that the field could not be switched off is found by
	// the next poll, which begins with it.
	_ = c.reader.Release(context.WithoutCancel(ctx))
	if err != nil {
		tap = failed(err)
	} else {
		tap = translate(out)
	}
	tap.Took = took
	return tap, err == nil && out.Kind == kernel.SeePhone
}

// failed gives the end of a poll or of a conversation with the card its name.
func failed(err error) Tap {
	for _, c := range []struct {
		is      error
		outcome string
	}{
		{reader.ErrReaderGone, OutcomeReaderGone},
		{reader.ErrCollision, OutcomeCollision},
		{reader.ErrNotPayment, OutcomeUnsupported},
		{reader.ErrCardGone, OutcomeRemoved},
		{reader.ErrChip, OutcomeReaderError},
		{context.Canceled, OutcomeCancelled},
		{context.DeadlineExceeded, OutcomeNoCard},
	} {
		if errors.Is(err, c.is) {
			return Tap{Outcome: c.outcome, Err: err}
		}
	}
	return Tap{Outcome: OutcomeReaderError, Err: err}
}

// translate puts the kernel's outcome into the till's words.
func translate(out kernel.Outcome) Tap {
	tap := Tap{Reason: string(out.Reason), Kernel: int(out.Kernel), AID: fmt.Sprintf("%X", out.AID), Label: out.Label, Offline: offline(out.Authentication)}
	switch out.Kind {
	case kernel.OnlineRequest:
		tap.Card = host.Card{PAN: out.PAN, PSN: out.PSN, Expiry: out.Expiry, Track2: out.Track2, ICC: out.ICC, Entry: host.Contactless}
		tap.Update = out.Update
		tap.PIN, tap.CVM = out.CVM == kernel.OnlinePIN, cvmName(out.CVM)
	case kernel.Declined:
		tap.Outcome = OutcomeOffline
	case kernel.TryAnother:
		tap.Outcome = OutcomeInterface
	case kernel.TryAgain:
		tap.Outcome = OutcomeCardError
		if out.Reason == kernel.CardRemoved {
			tap.Outcome = OutcomeRemoved
		}
	default:
		tap.Outcome = OutcomeCardError
		switch out.Reason {
		case kernel.NoDirectory, kernel.NoCommonApplication, kernel.KernelNotBuilt:
			tap.Outcome = OutcomeUnsupported
		}
	}
	return tap
}

func offline(a kernel.Authentication) Offline {
	if a.Result == 0 || a.Reason == kernel.ODANotAsked {
		return Offline{}
	}
	o := Offline{Reason: string(a.Reason), TVR: fmt.Sprintf("%X", a.TVR), TSI: fmt.Sprintf("%X", a.TSI)}
	switch a.Result {
	case kernel.ODASucceeded:
		o.Result = "fdda"
	case kernel.ODAFailed:
		o.Result = "failed"
	default:
		o.Result = "not_performed"
	}
	return o
}

func cvmName(c kernel.CVM) string {
	switch c {
	case kernel.OnlinePIN:
		return "pin"
	case kernel.DeviceCVM:
		return "cdcvm"
	case kernel.Signature:
		return "signature"
	}
	return "none"
}

// masked is the card number as it may be shown.
func masked(p secret.PAN) string {
	if p.IsZero() {
		return ""
	}
	return p.String()
}
