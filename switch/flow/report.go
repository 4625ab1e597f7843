// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// Step is one stage of a message's life and the time it took.
type Step struct {
	Name string
	Took time.Duration
}

// Report is what one message came to; log, metrics and traces derive from it.
type Report struct {
	Key     txn.Key
	Payment *txn.Payment // nil before the claim; never holds sensitive data
	Answer  txn.Answer
	Steps   []Step
	Total   time.Duration
}

// reporter collects a Report.
type reporter struct {
	f       *Flow
	key     txn.Key
	payment *txn.Payment
	steps   []Step
	began   env.Mono
	last    env.Mono
}

func (f *Flow) report(in *txn.Request) *reporter {
	return &reporter{f: f, key: in.Key, began: in.Received, last: f.Clock.Mono(), steps: make([]Step, 0, 8)}
}

func (r *reporter) step(name string) {
	now := r.f.Clock.Mono()
	r.steps = append(r.steps, Step{name, now.Sub(r.last)})
	r.last = now
}

func (r *reporter) end(a txn.Answer) {
	if r.f.Observe != nil {
		r.f.Observe(Report{Key: r.key, Payment: r.payment, Answer: a, Steps: r.steps, Total: r.f.Clock.Mono().Sub(r.began)})
	}
}
