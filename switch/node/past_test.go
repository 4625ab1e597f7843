// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/config"
	"tapswitch/switch/history"
	"tapswitch/switch/journal/segment"
	"tapswitch/terminal/host"
)

// remembering gives the rig a history.
func remembering(c *config.Config) {
	c.History.Path = filepath.Join(filepath.Dir(c.Journal.Dir), "history.db")
}

// search asks the rig's history for everything.
func (r *rig) search() []history.Row {
	r.Helper()
	b, err := history.Read(history.InFile(env.RealDisk(), r.cfg.History.Path))
	if err != nil {
		r.Fatal(err)
	}
	defer b.Close()
	rows, _, err := b.Search(r.Context(), history.Query{Limit: 100})
	if err != nil {
		r.Fatal(err)
	}
	return rows
}

// What the switch did is in its history: while it runs, after a stop at once, and
// after the history was away. No clear card number is.
func TestHistoryOfASwitch(t *testing.T) {
	r := newRig(t, remembering)
	till := r.term(0)
	till.want(till.sale("unionpay", 1234, ""), host.Approved, "00")
	till.want(till.sale("visa", 150000, "4321"), host.Declined, "55")
	r.soon("two payments in the history", func() bool { // the file is made behind the start
		return r.node.history.Status() == history.Status{Up: true} && len(r.search()) == 2
	})
	p, _ := r.find(0, 2)
	got, err := r.node.history.Original(t.Context(), history.Reference{Receipt: &history.Receipt{RRN: p.Numbers.RRN}})
	if err != nil || got.Key != p.Key || got.Token != p.Token || !bytes.Equal(got.SealedPAN, p.SealedPAN) {
		t.Errorf("original: %+v, %v", got, err)
	}
	till.want(till.sale("visa", 777, ""), host.Approved, "00")
	r.stop()
	rows := r.search()
	if len(rows) != 3 || rows[0].Amount != 777 || rows[0].State != "approved" || rows[1].Code != "55" || rows[2].Card != "622424******0069" {
		t.Errorf("%+v", rows)
	}
	raw, err := os.ReadFile(r.cfg.History.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, pan := range []string{panA, panB} {
		if bytes.Contains(raw, []byte(pan)) {
			t.Error("a card number is readable in the history")
		}
	}
	if err := os.Remove(r.cfg.History.Path); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.soon("the history again", func() bool { return r.node.history.Status() == history.Status{Up: true} })
	if got := r.search(); len(got) != 3 || got[0] != rows[0] || got[2] != rows[2] {
		t.Errorf("got %+v, before %+v", got, rows)
	}
	r.node.gauges()
	if r.metric("tapswitch_history_up") != "1" || r.metric("tapswitch_history_lag_records") != "0" {
		t.Error("metrics say that the history is away")
	}
}

// A history that cannot be written never stops a payment, and says so.
func TestHistoryBroken(t *testing.T) {
	r := newRig(t, remembering)
	r.stop()
	if err := os.WriteFile(r.cfg.History.Path, bytes.Repeat([]byte("rubbish "), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	till := r.term(0)
	till.want(till.sale("unionpay", 1234, ""), host.Approved, "00")
	r.soon("the log says so", func() bool { return len(r.log.events("the history is not written; payments go on")) > 0 })
	r.node.gauges()
	if r.metric("tapswitch_history_up") != "0" {
		t.Error("the history is up")
	}
}

var _ history.Source = (*segment.Tail)(nil)
