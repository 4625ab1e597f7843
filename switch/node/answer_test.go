// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/switch/config"
	"tapswitch/terminal/host"
)

// A stored yes that could not be given, and whose undo could not be stored
// either, is told as nothing: the next start takes it for delivered, so after a no
// nobody would reverse it.
func TestAnswerThatCannotBeUndone(t *testing.T) {
	for name, failure := range map[string]error{"too late": nil, "no MAC": fmt.Errorf("%w: once", hsm.ErrUnavailable)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *config.Config) {
				c.Payment.Deadline, c.Links[0].Timeout = 600*time.Millisecond, 300*time.Millisecond
			})
			r.stop()
			disk := &badDisk{Disk: r.world.Disk}
			r.world.Disk = disk
			r.start()
			till := r.term(0)
			till.drained()
			var once atomic.Bool
			r.module.set(func(op string, key *hsm.Key) error {
				if op != "mac" || key.Usage != hsm.TAK || !once.CompareAndSwap(false, true) {
					return nil
				}
				disk.bad.Store(true)
				if failure == nil {
					time.Sleep(700 * time.Millisecond)
				}
				return failure
			})
			till.want(till.sale("unionpay", 500, ""), host.NoAnswer, "")
			if err := r.wait(); !errors.Is(err, syscall.EIO) {
				t.Errorf("the switch ended with %v", err)
			}
			disk.bad.Store(false)
			r.start()
			till.reopen()
			till.drained()
			r.settled()
			if r.a.taken() != 0 {
				t.Errorf("taken %d of a payment that the terminal does not have", r.a.taken())
			}
		})
	}
}

// A stored yes that became ready after the deadline of the message that repeats
// it is not told, and neither is a no; the next repeat gets it.
func TestRepeatThatTookTooLong(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Payment.Deadline, c.Links[0].Timeout = 600*time.Millisecond, 300*time.Millisecond
	})
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	sale := w.sale(0x0200, 2, 700, r.tap("unionpay", 700))
	w.expect("first", sale, "00", true)
	var once atomic.Bool
	r.module.set(func(op string, key *hsm.Key) error {
		if op == "mac" && key.Usage == hsm.TAK && once.CompareAndSwap(false, true) {
			time.Sleep(700 * time.Millisecond)
		}
		return nil
	})
	w.expect("too late", sale, "", false)
	w.expect("in time", sale, "00", true)
	if r.a.taken() != 700 || r.a.count("0200") != 1 || r.a.count("0400") != 0 {
		t.Errorf("taken %d, purchases %d, reversals %d", r.a.taken(), r.a.count("0200"), r.a.count("0400"))
	}
}

// A refusal that takes the place of an answer is counted by its reason, also when the
// flow has counted the yes that it had decided on.
func TestRefusalInsteadOfAnAnswerIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		failure error
		outcome host.Outcome
		code    string
		reason  string
	}{
		"too late": {nil, host.Declined, "98", "deadline_passed"},
		"no MAC":   {fmt.Errorf("%w: once", hsm.ErrUnavailable), host.Unauthenticated, "A7", "answer_could_not_be_authenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *config.Config) {
				c.Payment.Deadline, c.Links[0].Timeout = 600*time.Millisecond, 300*time.Millisecond
			})
			till := r.term(0)
			till.drained()
			var once atomic.Bool
			r.module.set(func(op string, key *hsm.Key) error {
				if op != "mac" || key.Usage != hsm.TAK || !once.CompareAndSwap(false, true) {
					return nil
				}
				if c.failure == nil {
					time.Sleep(700 * time.Millisecond)
				}
				return c.failure
			})
			till.want(till.sale("unionpay", 500, ""), c.outcome, c.code)
			if n := r.metric(`tapswitch_listen_refused_total{reason="` + c.reason + `"}`); n != "1" {
				t.Errorf("%s is counted %q times", c.reason, n)
			}
			till.drained()
			r.settled()
			if r.a.taken() != 0 {
				t.Errorf("taken %d of a payment that was refused", r.a.taken())
			}
		})
	}
}
