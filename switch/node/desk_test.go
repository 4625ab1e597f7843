// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/admin"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// ask asks the running switch over its socket.
func (r *rig) ask(q admin.Request) (admin.Reply, error) {
	return admin.Ask(context.Background(), r.world, r.cfg.Admin.Socket, q)
}

// does acts on a payment, and must succeed.
func (r *rig) does(what txn.Deed, rrn string) admin.Item {
	r.Helper()
	reply, err := r.ask(admin.Request{Do: what.String(), RRN: rrn, By: "ann", Why: "told by the acquirer"})
	if err != nil {
		r.Fatalf("%s: %v", what, err)
	}
	return *reply.Item
}

// refused acts on a payment, and must be refused with a word.
func (r *rig) refused(what txn.Deed, rrn, word string) {
	r.Helper()
	_, err := r.ask(admin.Request{Do: what.String(), RRN: rrn, By: "ann", Why: "told by the acquirer"})
	var no *admin.Refusal
	if !errors.As(err, &no) || no.Word != word {
		r.Errorf("%s: %v, want %s", what, err, word)
	}
}

func (r *rig) list() []admin.Item {
	r.Helper()
	reply, err := r.ask(admin.Request{Do: admin.List})
	if err != nil {
		r.Fatal(err)
	}
	return reply.Items
}

// stuck makes a sale whose answer and whose reversal's answer do not come.
func (r *rig) stuck(till *term, amount int64) (rrn string) {
	r.Helper()
	r.a.mood("silent-all")
	till.want(till.sale("unionpay", amount, ""), host.Declined, "98")
	r.soon("an attempt", func() bool { return len(r.list()) == 1 && r.list()[0].Tries > 0 })
	return r.list()[0].RRN
}

func withDesk(c *config.Config) { c.Admin.Socket = filepath.Join(filepath.Dir(c.Journal.Dir), "sock") }

// An operator holds a reversal that hurts the acquirer, over a restart, and lets it
// go; gives another up, asks, and closes its case.
func TestOperator(t *testing.T) {
	r := newRig(t, withDesk)
	till := r.term(0)
	if r.list() != nil {
		t.Error("something waits before anything happened")
	}
	rrn := r.stuck(till, 500)
	if it := r.list()[0]; it.Kind != "reversal" || it.Link != "acq-a" || it.Err == "" || it.Card != "622424******0069" || it.Amount != 500 || it.State != "reversing" || it.Since.IsZero() {
		t.Errorf("%+v", it)
	}
	if it := r.does(txn.Hold, rrn); it.Place != "held" || it.HeldBy != "ann" || it.HeldWhy != "told by the acquirer" {
		t.Errorf("%+v", it)
	}
	sent := r.a.count("0400") + r.a.count("0401")
	r.a.mood("normal")
	r.soon("the gauges", func() bool {
		return r.metric(`tapswitch_saf_link_held{link="acq-a"}`) == "1" && r.metric(`tapswitch_saf_link_depth{link="acq-a"}`) == "1" &&
			r.metric(`tapswitch_saf_link_depth{link="acq-b"}`) == "0" && r.metric(`tapswitch_saf_link_oldest_seconds{link="acq-a"}`) != "0"
	})
	r.restart()
	if items := r.list(); len(items) != 1 || items[0].Place != "held" || items[0].HeldBy != "ann" || !items[0].LinkUp {
		t.Errorf("after a restart: %+v", items)
	}
	till.reopen()
	till.want(till.sale("unionpay", 300, ""), host.Approved, "00") // others go on
	if n := r.a.count("0400") + r.a.count("0401"); n != sent {
		t.Errorf("%d attempts while it was held", n-sent)
	}
	r.does(txn.Retry, rrn)
	r.settled()
	r.refused(txn.Hold, rrn, admin.NothingDue)
	r.refused(txn.FoundUndone, rrn, admin.NoCase)
	r.refused(txn.Hold, "000000000000", admin.UnknownRRN)
	if taken := r.a.taken(); taken != 300 {
		t.Errorf("taken %d", taken)
	}

	rrn = r.stuck(till, 700)
	if it := r.does(txn.Drop, rrn); it.Place != "" || it.State != "disputed" {
		t.Errorf("%+v", it)
	}
	r.a.mood("normal")
	r.soon("the case is counted", func() bool {
		return r.metric("tapswitch_saf_cases_open") == "1" && r.metric(`tapswitch_saf_cases_total{link="acq-a",reason="dropped"}`) == "1" && r.metric("tapswitch_saf_depth") == "0"
	})
	r.restart()
	if it := r.does(txn.FoundStands, rrn); it.State != "upheld" {
		t.Errorf("%+v", it)
	}
	r.refused(txn.FoundUndone, rrn, admin.NoCase)
	r.soon("the case is closed", func() bool { return r.metric("tapswitch_saf_cases_open") == "0" })
	if lines := r.log.events("operator"); len(lines) != 1 || lines[0]["act"] != "found_stands" || lines[0]["by"] != "ann" || lines[0]["rrn"] != rrn {
		t.Errorf("the log has %v", lines)
	}
	r.restart()
	if p, _ := r.node.index.FindRRN(txn.RRN([]byte(rrn))); r.node.index.Cases() != 0 {
		q, _ := r.node.Payment(p)
		t.Errorf("%s, %d cases", q.State, r.node.index.Cases())
	}
}

// The socket is there while the switch runs, for its user alone, and a second
// switch does not take it.
func TestOperatorsSocket(t *testing.T) {
	r := newRig(t, withDesk)
	info, err := os.Lstat(r.cfg.Admin.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	other := *r.cfg
	other.Journal.Dir = t.TempDir()
	other.HSM.Keystore = r.cfg.HSM.Keystore
	second := &Node{cfg: &other, world: r.world, observer: r.node.observer}
	if err := second.openDesk(); !errors.Is(err, env.ErrServed) || !strings.Contains(err.Error(), "admin.socket") {
		t.Errorf("%v", err)
	}
	if _, err := r.ask(admin.Request{Do: admin.List, Link: "acq-z"}); err == nil || !strings.Contains(err.Error(), `no link "acq-z"`) {
		t.Errorf("%v", err)
	}
	r.stop()
	if _, err := r.ask(admin.Request{Do: admin.List}); !errors.Is(err, env.ErrUnserved) {
		t.Errorf("after the stop: %v", err)
	}
	if _, err := os.Lstat(r.cfg.Admin.Socket); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	r.start()
}
