// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/txn"
)

// scripts are what the host sends along in a mood.
var scripts = map[string][]byte{"script": {0x72, 0x0B, 0x86, 0x09, 0x84, 0x1E, 0, 0, 4, 1, 2, 3, 4}}

// tell sends what became of the script of the sale of trace 1.
func (n *node) tell(clock *fake.Clock, trace txn.STAN, rrn txn.RRN) txn.Answer {
	in := step{trace: trace, class: txn.ScriptResult}.request(clock)
	in.OfRRN, in.Script = rrn, []byte("done")
	in.Original.Trace, in.Original.Class, in.Original.Type = 1, 0, 0
	return n.flow.AdviseScript(context.Background(), in)
}

// scriptTold takes what became of a script in, under one number; with the mood
// "silent" nobody is told.
func (h *host) scriptTold(p txn.Payment) (txn.Code, error) {
	if string(p.Script) != "done" || h.debits[p.Of.STAN] == 0 {
		h.clash = fmt.Sprintf("trace %d tells %q of STAN %06d", p.Key.Trace, p.Script, p.Of.STAN)
	}
	h.use(p.Of.STAN+1_000_000, fmt.Sprintf("the approval whose script is told of by STAN %06d", p.Numbers.STAN))
	h.scripts = p.Numbers.STAN
	if h.mood == "silent" {
		return txn.Code{}, errors.New("no answer")
	}
	return txn.CodeApproved, nil
}

// TestCrashWhileScriptIsTold restarts the switch from every disk operation of a sale
// with a script and of telling what became of it, with a host that answers and one that
// takes it in silence: what the terminal was told yes is told on; told again, under the
// same number and another one, it gets a yes, and the host has heard it once.
func TestCrashWhileScriptIsTold(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "silent"} {
			clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
			n, err := boot(clock, disk, h)
			if err != nil {
				t.Fatal(err)
			}
			sale := n.run(clock, h, step{trace: 1, class: txn.Purchase, mood: "script"})
			var all []moment
			told := txn.Answer{}
			disk.OnOp(func(o fake.Op) {
				m := moment{op: fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name), disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{1: sale}}
				if told.Approved() {
					m.received[2] = told
				}
				all = append(all, m)
			})
			told = n.tell(clock, 2, sale.RRN)
			h.mood = mood
			n.drain()
			disk.OnOp(nil)
			if !sale.Approved() || !told.Approved() || len(all) < 2 || mood == "" && len(all) < 4 {
				t.Fatalf("sale %s, told %s, %d moments", sale.Code, told.Code, len(all))
			}
			for _, m := range all {
				afterScript(t, fmt.Sprintf("keep %s, %q, %s", keep, mood, m.op), m)
			}
		}
	}
}

func afterScript(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute)
	if n == nil {
		return
	}
	if _, ok := n.index.Find(step{trace: 2, class: txn.ScriptResult}.request(clock).Key); !ok && m.received[2].Approved() {
		t.Errorf("%s: the terminal was told yes and it is lost", name)
	}
	m.host.mood = ""
	for _, trace := range []txn.STAN{2, 3, 2} {
		if a := n.tell(clock, trace, m.received[1].RRN); !a.Approved() {
			t.Errorf("%s: trace %d is told %s %s", name, trace, a.Code, a.Reason)
		}
		n.drain()
	}
	if m.host.scripts == 0 || m.host.held() != amount || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: STAN %06d told of it, %d held; %s; stopped: %v", name, m.host.scripts, m.host.held(), m.host.clash, n.stopped)
	}
}
