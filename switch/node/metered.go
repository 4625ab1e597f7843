// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/journal"
	"tapswitch/switch/observe"
)

// metered is the HSM with every call counted and timed.
type metered struct {
	Module
	metrics *observe.Metrics
	clock   env.Clock
}

// The operations as metrics name them.
func operations() []string {
	return []string{"mac", "verify_mac", "translate_pin", "verify_pvv", "verify_arqc", "arpc", "generate_set", "seal", "open", "token"}
}

// The ends of a call of the HSM or of the journal as metrics name them.
func results() []string { return []string{"ok", "refused", "busy", "unavailable", "full", "failed"} }

// outcome names how a call of the HSM ended.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, hsm.ErrBusy), errors.Is(err, journal.ErrBusy):
		return "busy"
	case errors.Is(err, hsm.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, journal.ErrFull):
		return "full"
	case errors.Is(err, journal.ErrBroken), errors.Is(err, journal.ErrUnknown):
		return "failed"
	}
	return "refused"
}

// spent is the time that one message has waited for the HSM; it travels with the
// message's context.
type spent struct{ nanos atomic.Int64 }

type spentKey struct{}

func withSpent(ctx context.Context) context.Context {
	return context.WithValue(ctx, spentKey{}, new(spent))
}

func spentIn(ctx context.Context) time.Duration {
	if s, ok := ctx.Value(spentKey{}).(*spent); ok {
		return time.Duration(s.nanos.Load())
	}
	return 0
}

func (m metered) since(ctx context.Context, operation string, began env.Mono, err error) {
	took := m.clock.Mono().Sub(began)
	m.metrics.HSMCall(operation, outcome(err), took)
	if s, ok := ctx.Value(spentKey{}).(*spent); ok {
		s.nanos.Add(int64(took))
	}
}

// MAC implements hsm.MACer.
func (m metered) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	began := m.clock.Mono()
	mac, err := m.Module.MAC(ctx, key, alg, data)
	m.since(ctx, "mac", began, err)
	return mac, err
}

// VerifyMAC implements hsm.MACer.
func (m metered) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, mac []byte) error {
	began := m.clock.Mono()
	err := m.Module.VerifyMAC(ctx, key, alg, data, mac)
	m.since(ctx, "verify_mac", began, err)
	return err
}

// TranslatePIN implements hsm.Translator.
func (m metered) TranslatePIN(ctx context.Context, in hsm.EncipheredPIN, to hsm.PINTarget) (secret.PINBlock, error) {
	began := m.clock.Mono()
	out, err := m.Module.TranslatePIN(ctx, in, to)
	m.since(ctx, "translate_pin", began, err)
	return out, err
}

// VerifyPVV implements hsm.PINVerifier.
func (m metered) VerifyPVV(ctx context.Context, in hsm.EncipheredPIN, ref hsm.PVV) error {
	began := m.clock.Mono()
	err := m.Module.VerifyPVV(ctx, in, ref)
	m.since(ctx, "verify_pvv", began, err)
	return err
}

// VerifyARQC implements hsm.CryptogramVerifier.
func (m metered) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	began := m.clock.Mono()
	err := m.Module.VerifyARQC(ctx, imk, c)
	m.since(ctx, "verify_arqc", began, err)
	return err
}

// ARPC implements hsm.CryptogramVerifier.
func (m metered) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	began := m.clock.Mono()
	out, err := m.Module.ARPC(ctx, imk, c, arc)
	m.since(ctx, "arpc", began, err)
	return out, err
}

// ARPC2 implements hsm.CSUAnswerer.
func (m metered) ARPC2(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, csu hsm.CSU) ([]byte, error) {
	began := m.clock.Mono()
	out, err := m.Module.ARPC2(ctx, imk, c, csu)
	m.since(ctx, "arpc", began, err)
	return out, err
}

// GenerateSet implements hsm.KeyMaker.
func (m metered) GenerateSet(ctx context.Context, under *hsm.Key, set ...hsm.WorkingKey) ([]hsm.Key, []hsm.Exported, error) {
	began := m.clock.Mono()
	keys, out, err := m.Module.GenerateSet(ctx, under, set...)
	m.since(ctx, "generate_set", began, err)
	return keys, out, err
}

// Seal implements hsm.Sealer.
func (m metered) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	began := m.clock.Mono()
	out, err := m.Module.Seal(ctx, key, plain, aad)
	m.since(ctx, "seal", began, err)
	return out, err
}

// Open implements hsm.Sealer.
func (m metered) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	began := m.clock.Mono()
	out, err := m.Module.Open(ctx, key, sealed, aad)
	m.since(ctx, "open", began, err)
	return out, err
}

// Token implements hsm.Tokener.
func (m metered) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) ([16]byte, error) {
	began := m.clock.Mono()
	out, err := m.Module.Token(ctx, key, pan)
	m.since(ctx, "token", began, err)
	return out, err
}

// timedJournal is the journal with every append counted and timed.
type timedJournal struct {
	journal.Journal
	metrics *observe.Metrics
	clock   env.Clock
}

// Append implements journal.Appender.
func (j timedJournal) Append(records ...journal.Record) error {
	began := j.clock.Mono()
	err := j.Journal.Append(records...)
	j.metrics.Appended(outcome(err), time.Duration(j.clock.Mono()-began))
	return err
}
