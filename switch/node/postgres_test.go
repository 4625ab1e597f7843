// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/pgtest"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
	"tapswitch/switch/history"
	"tapswitch/switch/journal"
	"tapswitch/terminal/host"
)

// TestPurchasesOnPostgres: payments over a journal in PostgreSQL, through a crash
// of its server and a restart of the switch; when the server stays away the
// switch stops instead of answering.
func TestPurchasesOnPostgres(t *testing.T) {
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	running := true
	t.Cleanup(func() {
		if !running {
			err = server.Up()
		}
		if err := errors.Join(err, server.Stop()); err != nil {
			t.Error(err)
		}
	})
	url, err := secret.NewURL([]byte(server.URL("postgres")))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *config.Config) {
		c.Journal.Postgres = config.Postgres{URL: url, Timeout: 2 * time.Second, Resolve: 500 * time.Millisecond}
		c.History = config.History{Store: "postgres", URL: url, Timeout: 2 * time.Second}
	})
	till := r.term(0)
	till.want(till.sale("unionpay", 1234, ""), host.Approved, "00")
	till.want(till.sale("visa", 777, ""), host.Approved, "00")
	till.want(till.sale("visa", 150000, "4321"), host.Declined, "55")

	if err := errors.Join(server.Crash(), server.Up()); err != nil {
		t.Fatal(err)
	}
	till.want(till.sale("unionpay", 1000, ""), host.Approved, "00")
	before := r.node.index.Len()
	r.restart()
	r.remembers(2)
	if after := r.node.index.Len(); after != before || after < 4 {
		t.Errorf("%d payments before the restart, %d after it", before, after)
	}
	till = r.term(1)
	till.want(till.sale("visa", 1, ""), host.Approved, "00")
	if a, b := r.a.taken(), r.b.taken(); a != 2234 || b != 778 {
		t.Errorf("taken %d and %d", a, b)
	}
	if got := r.metric("tapswitch_journal_used_bytes"); got == "" || got == "0" {
		t.Errorf("used bytes: %q", got)
	}

	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	running = false
	if res := till.sale("unionpay", 500, ""); res.Outcome == host.Approved {
		t.Errorf("approved without a journal: %+v", res)
	}
	if err := r.wait(); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), "journal") {
		t.Errorf("the switch ended with %v", err)
	}
	if r.a.taken() != 2234 {
		t.Errorf("%d was taken without a journal", r.a.taken()-2234)
	}
}

// remembers: the history comes level with the journal and has the payment of the
// first terminal with that trace number.
func (r *rig) remembers(trace uint32) {
	r.Helper()
	r.soon("the history", func() bool { return r.node.history.Status() == history.Status{Up: true} })
	p, _ := r.find(0, trace)
	if got, err := r.node.history.Original(r.Context(), history.Reference{Receipt: &history.Receipt{RRN: p.Numbers.RRN}}); err != nil || got.Key != p.Key || got.Token != p.Token {
		r.Errorf("original: %+v, %v", got, err)
	}
}

// TestPurgeOnPostgres is TestPurgeWhileRunning with the journal in PostgreSQL.
func TestPurgeOnPostgres(t *testing.T) {
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	in := func(database string) config.Postgres {
		u, err := secret.NewURL([]byte(server.URL(database)))
		if err != nil {
			t.Fatal(err)
		}
		return config.Postgres{URL: u, Timeout: 2 * time.Second, Resolve: 500 * time.Millisecond}
	}
	r := newRig(t, func(c *config.Config) { c.Journal.Postgres, c.Journal.Retention = in("template1"), 1 })
	r.stop()
	r.cfg.Journal.Postgres = in("postgres")
	oldPayments(t, r, 400)
	r.start()
	before, _ := r.node.journal.Used()
	r.node.purge()
	after, _ := r.node.journal.Used()
	if after > before/10 {
		t.Fatalf("%d bytes before the purge, %d after it", before, after)
	}
	r.term(1).want(r.term(1).sale("visa", 1, ""), host.Approved, "00")
	leftOpen(t, r)
}
