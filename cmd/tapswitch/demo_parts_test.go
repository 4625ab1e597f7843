// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"time"
)

// TestAwaitInAnyOrder: the switch may say that a reversal is acknowledged before
// it says how the payment ended, since two goroutines write these events.
func TestAwaitInAnyOrder(t *testing.T) {
	p := &part{name: "switch", events: make(chan event, maxEvents), done: make(chan struct{})}
	for _, name := range []string{"reversal", "payment"} {
		p.events <- event{"event": name}
	}
	for _, name := range []string{"payment", "reversal"} {
		if e, err := p.await(context.Background(), time.Second, name, named(name)); err != nil || e.text("event") != name {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	if e, err := p.await(context.Background(), time.Millisecond, "payment", named("payment")); err == nil {
		t.Errorf("found a second time: %v", e)
	}

	p.events <- event{"event": "of an earlier tap"}
	p.events <- event{"event": "reversal"}
	if _, err := p.await(context.Background(), time.Second, "reversal", named("reversal")); err != nil {
		t.Error(err)
	}
	p.forget()
	if e, err := p.await(context.Background(), time.Millisecond, "earlier", named("of an earlier tap")); err == nil {
		t.Errorf("found after forget: %v", e)
	}
}
