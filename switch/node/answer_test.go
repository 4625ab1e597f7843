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
