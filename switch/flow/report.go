// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/chip"
	"tapswitch/switch/txn"
)

// Step is one stage of a message's life and the time it took.
type Step struct {
	Name string
	Took time.Duration
}

// The names of the steps.
const (
	StepClaimed  = "claimed"
	StepChip     = "chip"
	StepPIN      = "pin"
	StepIntended = "intended" // the intent is durable
	StepAnswered = "answered" // the acquirer's answer, or that there is none
	StepDecided  = "decided"  // the outcome is durable
	StepUndo     = "undo"     // the terminal's reversal is durable
	StepClosed   = "closed"   // how the batch stands is durable, or was before
	StepAdvised  = "advised"  // what has happened is durable
)

// Report is what one message came to; log, metrics and traces derive from it.
type Report struct {
	Key     txn.Key
	Card    string // masked
	Amount  money.Amount
	Payment *txn.Payment // nil before the claim; never holds sensitive data
	Issuer  string       // whose card it is, when on-us
	Answer  txn.Answer
	Steps   []Step
	Total   time.Duration
}

// reporter collects a Report.
type reporter struct {
	f       *Flow
	ctx     context.Context // of the message: only handed on to Observe
	key     txn.Key
	card    string
	amount  money.Amount
	payment *txn.Payment
	issuer  string
	steps   []Step
	began   env.Mono
	last    env.Mono
}

func (f *Flow) report(ctx context.Context, in *txn.Request) *reporter {
	r := &reporter{f: f, ctx: ctx, key: in.Key, amount: in.Amount, began: in.Received, last: f.Clock.Mono(), steps: make([]Step, 0, 8)}
	if !in.Card.PAN.IsZero() {
		r.card = in.Card.PAN.String()
	}
	return r
}

func (r *reporter) step(name string) {
	now := r.f.Clock.Mono()
	r.steps = append(r.steps, Step{name, now.Sub(r.last)})
	r.last = now
}

func (r *reporter) whose(is *chip.Issuer) {
	if is != nil {
		r.issuer = is.Name
	}
}

func (r *reporter) end(a txn.Answer) {
	if r.f.Observe != nil {
		r.f.Observe(r.ctx, Report{Key: r.key, Card: r.card, Amount: r.amount, Payment: r.payment, Issuer: r.issuer, Answer: a, Steps: r.steps, Total: r.f.Clock.Mono().Sub(r.began)})
	}
}
