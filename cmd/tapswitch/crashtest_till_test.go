// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapswitch/terminal/host"
)

// aloneTill is a terminal of the crash test whose switch is away.
func aloneTill(t *testing.T) *till {
	t.Helper()
	shop, err := newShop(stage{Dir: t.TempDir(), Switch: "127.0.0.1:1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	till, err := newTill(t.Context(), shop, 0, crashStream(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := till.close(); err != nil {
			t.Error(err)
		}
	})
	return till
}

// TestCrashTillWithoutSwitch: a terminal starts while its switch is away, as often
// as its power is cut; nothing is sent and nothing is found.
func TestCrashTillWithoutSwitch(t *testing.T) {
	till := aloneTill(t)
	for range 100 {
		if till.pay(t.Context()) || till.fallen() != nil {
			t.Fatalf("sent %d, found %v", till.sent.Load(), till.fallen())
		}
		if err := till.power(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrashTillSellsOffline: a terminal whose switch is away sells offline until its
// memory is full, which is no finding.
func TestCrashTillSellsOffline(t *testing.T) {
	till := aloneTill(t)
	for range 30 {
		if err := till.offline(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(till.kept) != till.host.Kept() || len(till.kept) < 2 || len(till.kept) >= 30 {
		t.Errorf("%d sales are kept, the terminal has %d", len(till.kept), till.host.Kept())
	}
}

// TestCrashTillWithBadMemory: a terminal that does not start on its memory is a
// finding that ends its payments and the run, also when its memory is well again.
func TestCrashTillWithBadMemory(t *testing.T) {
	alone := aloneTill(t)
	memory := filepath.Join(alone.dir, "memory.json")
	if err := os.WriteFile(memory, []byte(`{"version":1,"term`), 0o600); err != nil {
		t.Fatal(err)
	}
	never := make(chan struct{})
	alone.run(t.Context(), never) // until it loses power
	if err := os.Remove(memory); err != nil {
		t.Fatal(err)
	}
	alone.run(t.Context(), never)
	c := &crash{tills: []*till{alone}}
	for what, err := range map[string]error{"the run": c.fallen(), "its end": alone.drain(t.Context())} {
		if !errors.Is(err, host.ErrMemory) || !strings.Contains(err.Error(), "terminal "+alone.id+" does not go on") {
			t.Errorf("%s says %v", what, err)
		}
	}
}
