// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/replay"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"
)

// stories are what operators and the acquirer do to payments that are to be
// reversed: how each stands from one durable moment to the next.
func stories() map[txn.STAN][]string {
	return map[txn.STAN][]string{
		1: {"reversing", "reversing held", "reversing", "reversed"},
		2: {"reversing", "reversing held", "disputed", "upheld"},
		3: {"reversing", "disputed", "reversed", "disputed", "upheld"},
		4: {"reversing", "reversed"},
	}
}

// deedsOfTheNight is the order in which they happen; 0 is what the acquirer says.
func deedsOfTheNight() []struct {
	trace txn.STAN
	what  txn.Deed
} {
	return []struct {
		trace txn.STAN
		what  txn.Deed
	}{
		{1, txn.Hold}, {2, txn.Hold}, {3, txn.Drop}, {4, 0}, {1, txn.Retry}, {1, 0}, {2, txn.Drop}, {3, txn.FoundUndone}, {2, txn.FoundStands},
		{3, lateYes}, {3, txn.FoundStands},
	}
}

// lateYes is no deed: the acquirer's yes comes, to what was found undone.
const lateYes = txn.Deed(100)

func keyOf(trace txn.STAN) txn.Key {
	return step{trace: trace, class: txn.Purchase}.request(fake.NewClock()).Key
}

// does carries one of them out.
func (n *node) does(trace txn.STAN, what txn.Deed) error {
	a := txn.Act{What: what, By: "ann", Why: "told by the acquirer", At: n.world.Clock.Now()}
	switch what {
	case 0:
		n.drain()
		return nil
	case lateYes:
		p, _ := n.index.Find(keyOf(trace))
		n.flow.Late(replay.NewLinkKey("acq", p.Numbers), txn.SaidYes)
		return n.stopped
	case txn.FoundUndone, txn.FoundStands:
		_, err := n.flow.CloseCase(keyOf(trace), a)
		return err
	}
	_, err := n.saf.Act("acq", keyOf(trace), a, n.world.Clock.Mono())
	return err
}

// label says how a payment stands, as the stories do.
func (n *node) label(trace txn.STAN) string {
	p, ok := n.index.Find(keyOf(trace))
	if !ok {
		return "unknown"
	}
	if p.Held != nil {
		return p.State.String() + " held"
	}
	return p.State.String()
}

// night brings four payments to their reversals and gives the switch.
func night(t *testing.T, clock *fake.Clock, disk *fake.Disk, h *host) *node {
	t.Helper()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	for trace := range txn.STAN(4) {
		n.run(clock, h, step{trace: trace + 1, class: txn.Purchase, mood: "silent", deliver: flow.NotWritten})
	}
	return n
}

// TestActsSurviveCrashes crashes at every disk operation while operators act. What
// was answered is there after the restart, what was under way is there whole or not
// at all, what is held is not sent, and the night can be played to its end.
func TestActsSurviveCrashes(t *testing.T) {
	for _, keep := range fake.Keeps() {
		clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
		n := night(t, clock, disk, h)
		type moment struct {
			disk *fake.Disk
			host *host
			done int // of the deeds
		}
		var all []moment
		done := 0
		disk.OnOp(func(fake.Op) {
			all = append(all, moment{disk.CrashClone(keep, uint64(len(all))), h.clone(), done})
		})
		for _, d := range deedsOfTheNight() {
			clock.Advance(time.Minute)
			if err := n.does(d.trace, d.what); err != nil {
				t.Fatalf("%s of trace %d: %v", d.what, d.trace, err)
			}
			done++
		}
		disk.OnOp(nil)
		all = append(all, moment{disk.CrashClone(keep, 999), h.clone(), done})
		if len(all) < 2*len(deedsOfTheNight()) {
			t.Fatalf("%d moments: the disk is not being written", len(all))
		}
		for i, m := range all {
			afterActs(t, fmt.Sprintf("keep %s, moment %d after %d deeds", keep, i, m.done), m.disk, m.host, m.done)
		}
	}
}

// afterActs restarts after so many deeds were over, and plays the rest.
func afterActs(t *testing.T, name string, disk *fake.Disk, h *host, done int) {
	t.Helper()
	clock := fake.NewClock()
	clock.Advance(time.Hour)
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Errorf("%s: the switch does not start: %v", name, err)
		return
	}
	sameAgain(t, name, n, moment{})
	at := map[txn.STAN]int{}
	for _, d := range deedsOfTheNight()[:done] {
		at[d.trace]++
	}
	rest := deedsOfTheNight()[done:]
	for trace, story := range stories() {
		now, is := at[trace], n.label(trace)
		if story[now] == is {
			continue
		}
		if len(rest) == 0 || rest[0].trace != trace || story[now+1] != is {
			t.Errorf("%s: trace %d is %s, its story has come to %s", name, trace, is, story[now])
			return
		}
	}
	if len(rest) > 0 && n.label(rest[0].trace) == stories()[rest[0].trace][at[rest[0].trace]+1] {
		rest = rest[1:] // it was durable before it was answered
	}
	held := n.saf.HeldCount("acq")
	n.drain() // sends what is not held, before the operator comes back
	if n.saf.HeldCount("acq") != held || n.saf.Depth("acq") != held {
		t.Errorf("%s: %d were held, %d are, %d wait", name, held, n.saf.HeldCount("acq"), n.saf.Depth("acq"))
	}
	for _, d := range rest {
		if err := n.does(d.trace, d.what); err != nil && !overtaken(err) {
			t.Errorf("%s: %s of trace %d: %v", name, d.what, d.trace, err)
		}
	}
	n.drain()
	for trace := range stories() {
		if p, _ := n.index.Find(keyOf(trace)); !p.State.Resting() || p.State == txn.Disputed {
			t.Errorf("%s: trace %d ends %s", name, trace, p.State)
		}
	}
	if n.index.Cases() != 0 || n.saf.Depth("acq") != 0 {
		t.Errorf("%s: %d cases, %d wait", name, n.index.Cases(), n.saf.Depth("acq"))
	}
}

// overtaken says that the acquirer was quicker than the operator: what was not
// held yet was sent after the restart.
func overtaken(err error) bool {
	return errors.Is(err, saf.ErrNothing) || errors.Is(err, flow.ErrNoCase)
}

// TestActsOnAFailingDisk fails every disk operation once while operators act: an act
// that was answered is there, one that was not is there whole or not at all.
func TestActsOnAFailingDisk(t *testing.T) {
	for k := 1; ; k++ {
		clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
		n := night(t, clock, disk, h)
		disk.FailAt(disk.Ops()+k, errors.New("device error"))
		last := disk.Ops() + k
		done, failed := 0, false
		for _, d := range deedsOfTheNight() {
			clock.Advance(time.Minute)
			err := n.does(d.trace, d.what)
			if failed = err != nil || n.stopped != nil; failed {
				break
			}
			done++
		}
		if !failed {
			if disk.Ops() >= last {
				t.Fatalf("operation %d failed and nobody noticed", k)
			}
			if k < 2*len(deedsOfTheNight()) {
				t.Fatalf("only %d operations: the disk is not being written", k)
			}
			return
		}
		for _, keep := range fake.Keeps() {
			afterActs(t, fmt.Sprintf("operation %d failed after %d deeds, keep %s", k, done, keep), disk.CrashClone(keep, uint64(k)), h.clone(), done)
		}
	}
}

// An act on a journal without room is refused and changes nothing, but for a drop:
// it takes the place of the acknowledgement, whose room was kept.
func TestActsOnAFullJournal(t *testing.T) {
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n := night(t, clock, disk, h)
	held := 0
	for ; held < 20_000; held++ {
		if err := n.does(1, txn.Hold); err != nil {
			if !errors.Is(err, journal.ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if held < 100 || held == 20_000 || n.stopped != nil {
		t.Fatalf("refused after %d, stopped %v", held, n.stopped)
	}
	for trace := range txn.STAN(4) {
		if err := n.does(trace+1, txn.Drop); err != nil {
			t.Errorf("drop of trace %d: %v", trace+1, err)
		}
	}
	if n.index.Cases() != 4 {
		t.Errorf("%d cases", n.index.Cases())
	}
}
