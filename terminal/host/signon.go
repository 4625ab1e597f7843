// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/iso8583"
)

// Message types of the terminal's side.
const (
	mtiSale          iso8583.MTI = 0x0200
	mtiReversal      iso8583.MTI = 0x0400
	mtiUndone        iso8583.MTI = 0x0410
	mtiSignOn        iso8583.MTI = 0x0800
	mtiSignOnAnswer  iso8583.MTI = 0x0810
	mtiNetwork       iso8583.MTI = 0x0820
	mtiNetworkAnswer iso8583.MTI = 0x0830
)

// Network management codes, field 60.3.
const (
	codeSale    = "000"
	codeSignOff = "002"
	codeSignOn  = "003" // two keys of double length
	codeEcho    = "301"
)

// Refusal is an answer other than "00" to a network message.
type Refusal struct {
	What string // sign-on, echo, sign-off
	Code string // field 39, "" when there was none
}

// Error names what was refused and the code.
func (r *Refusal) Error() string {
	return fmt.Sprintf("host: the switch refused the %s with code %q", r.What, r.Code)
}

// ErrKeys says that the sign-on answer had no keys, or keys whose check values
// are wrong under this terminal's master key.
var ErrKeys = errors.New("host: working keys of the sign-on answer are not usable")

// keysLength is field 62 of the 003 form: two times 16 bytes and a check value of 4.
const keysLength = 40

// SignOn asks for working keys and takes them in. The old ones stay in use when
// it fails.
func (h *Host) SignOn(ctx context.Context) error {
	var v iso8583.View
	err := h.network(ctx, mtiSignOn, codeSignOn, "sign-on", &v)
	defer func() { clear(v.Bytes()) }()
	if err != nil {
		return err
	}
	if err := h.takeKeys(ctx, v.Raw(62)); err != nil {
		return err
	}
	h.signOn = false
	return h.takeBatch(ctx, text(&v, 60))
}

// Echo asks whether the switch is there.
func (h *Host) Echo(ctx context.Context) error {
	var v iso8583.View
	return h.network(ctx, mtiNetwork, codeEcho, "echo", &v)
}

// SignOff says good-bye; the working keys are forgotten.
func (h *Host) SignOff(ctx context.Context) error {
	var v iso8583.View
	err := h.network(ctx, mtiNetwork, codeSignOff, "sign-off", &v)
	if err == nil {
		h.tpk, h.tak, h.signOn = nil, nil, true
	}
	return err
}

// network is one exchange without a MAC.
func (h *Host) network(ctx context.Context, mti iso8583.MTI, code, what string, v *iso8583.View) error {
	if err := h.connect(ctx); err != nil {
		return err
	}
	trace, err := h.useTrace(ctx)
	if err != nil {
		return err
	}
	var b iso8583.Builder
	b.Reset(h.layout, mti)
	b.SetUint(11, uint64(trace))
	b.SetString(41, h.cfg.Terminal)
	b.SetString(42, h.cfg.Merchant)
	b.SetString(60, "00"+h.mem.now.batch+code)
	if mti == mtiSignOn {
		b.SetString(62, "Sequence No123060"+h.cfg.Terminal)
		b.SetString(63, "001")
	}
	request, err := b.Append(nil)
	if err != nil {
		return fmt.Errorf("host: build the %s: %w", what, err)
	}
	if _, err := h.exchange(request, mti.Response(), trace, v); err != nil {
		h.drop() // nothing of value can still come on it
		return fmt.Errorf("host: %s: %w", what, err)
	}
	if got := text(v, 39); got != "00" {
		return &Refusal{what, got}
	}
	return nil
}

// useTrace takes the next trace number, durably.
func (h *Host) useTrace(ctx context.Context) (uint32, error) {
	next := h.mem.now
	next.trace = h.mem.nextTrace()
	err := h.mem.save(ctx, next)
	h.mem.skip(next.trace)
	return next.trace, err
}

// takeKeys loads both working keys and changes to them together.
func (h *Host) takeKeys(ctx context.Context, field62 []byte) error {
	if len(field62) != keysLength {
		return fmt.Errorf("%w: field 62 has %d bytes, the two-key form has %d", ErrKeys, len(field62), keysLength)
	}
	version := h.version + 1
	want := func(name string, usage hsm.Usage) hsm.WorkingKey {
		return hsm.WorkingKey{Spec: hsm.Spec{Name: name, Usage: usage, Algorithm: hsm.TDES2, Owner: h.cfg.Terminal, Version: version}}
	}
	set := []hsm.WorkingKey{want("tpk", hsm.TPK), want("tak", hsm.TAK)}
	in := make([]hsm.Exported, len(set))
	for i := range in {
		from := field62[20*i:]
		in[i] = hsm.Exported{Cryptogram: from[:16], KCV: [4]byte(from[16:20])}
	}
	keys, err := h.keys.Module.LoadSet(ctx, h.keys.TMK, set, in)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	h.tpk, h.tak, h.version = &keys[0], &keys[1], version
	return nil
}

// ErrBatches says that the switch names another batch while two are not settled.
var ErrBatches = errors.New("host: the switch names another batch, and two of this terminal are not settled: settle them first")

// takeBatch follows the switch when it names another batch. One that has payments
// and was not settled is to be, as soon as it can.
func (h *Host) takeBatch(ctx context.Context, field60 string) error {
	if len(field60) < 8 || field60[2:8] == h.mem.now.batch || !digits(field60[2:8], 6) {
		return nil
	}
	next := h.mem.now
	taken := len(next.lists[next.batch]) > 0 || next.refund != nil && next.refund.Batch == next.batch
	if c := next.closing; taken && (c == nil || c.Batch != next.batch) {
		if c != nil {
			return fmt.Errorf("%w: %s and %s", ErrBatches, c.Batch, next.batch)
		}
		next.closing = &closing{Batch: next.batch}
	}
	next.batch = field60[2:8]
	return h.mem.save(ctx, next)
}

// Ready connects, signs on when that is due and sends the reversal that is due.
// The Undo says what became of that one; nil when there was none. A sale is
// possible when the reason is ReasonNone.
func (h *Host) Ready(ctx context.Context) (*Undo, Reason, error) {
	if reason, err := h.online(ctx); err != nil {
		return nil, reason, err
	}
	undo, err := h.Drain(ctx, h.cfg.Tries)
	if undo != nil && !undo.Done {
		return undo, ReasonReversalDue, err
	}
	return undo, ReasonNone, err
}

// online connects and signs on when that is due.
func (h *Host) online(ctx context.Context) (Reason, error) {
	if err := h.connect(ctx); err != nil {
		return ReasonUnreachable, err
	}
	if !h.signOn {
		return ReasonNone, nil
	}
	err := h.SignOn(ctx)
	return ReasonOf(err), err
}

// ReasonOf names why an exchange that is no sale failed.
func ReasonOf(err error) Reason {
	if err == nil {
		return ReasonNone
	}
	if _, ok := errors.AsType[*Refusal](err); ok {
		return ReasonSignOnRefused
	}
	switch {
	case errors.Is(err, ErrMemoryWrite):
		return ReasonMemory
	case errors.Is(err, ErrKeys):
		return ReasonKeys
	case errors.Is(err, ErrBatches):
		return ReasonSettlementDue
	case errors.Is(err, errTimeout):
		return ReasonTimeout
	case errors.Is(err, errLost):
		return ReasonLost
	}
	return ReasonUnreachable
}
