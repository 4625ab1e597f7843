// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"sync"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/config"
)

// forgetful is a disk that says that it has synced and has not: what would be left
// of the switch's speed if nothing had to be durable.
type forgetful struct{ env.Disk }

type forgetfulFile struct{ env.File }

func (forgetfulFile) Sync() error { return nil }

func (forgetful) SyncDir(string) error { return nil }

func (d forgetful) Create(name string) (env.File, error) {
	f, err := d.Disk.Create(name)
	return forgetfulFile{f}, err
}

func (d forgetful) Open(name string) (env.File, error) {
	f, err := d.Disk.Open(name)
	return forgetfulFile{f}, err
}

// BenchmarkPurchase is the whole switch: 64 terminals over sockets, each with one
// purchase at a time, MACs and cipher in process, an acquirer over a socket, the
// journal on this disk; and the same with a disk that syncs nothing. Terminals and
// acquirer take their share of the same processors.
func BenchmarkPurchase(b *testing.B) {
	const terminals = 64
	for _, c := range []struct {
		name string
		disk func(env.Disk) env.Disk
	}{
		{"durable", func(d env.Disk) env.Disk { return d }},
		{"not", func(d env.Disk) env.Disk { return forgetful{d} }},
	} {
		b.Run("disk="+c.name, func(b *testing.B) {
			r := newRigWith(b, func(r *rig) {
				r.world.Disk, r.tills, r.ledgers = c.disk(r.world.Disk), terminalsMax+terminals, inMemory(b)
			}, func(c *config.Config) {
				c.Journal.SegmentBytes, c.Journal.MaxBytes, c.Journal.Queue = 64<<20, 8<<30, 4096
				c.Listeners[0].MaxConnections, c.Payment.MaxInFlight = 2*terminals, 2*terminals
			})
			purchases(b, r, terminals)
		})
	}
}

// inMemory is a folder for the acquirers' books, which sync every answer: they are
// on another machine's disk in life.
func inMemory(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "tapswitch-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// purchases has each terminal pay one after the other until b.N are done.
func purchases(b *testing.B, r *rig, terminals int) {
	card := r.tap("unionpay", 1)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range terminals {
		share := b.N / terminals
		if i < b.N%terminals {
			share++
		}
		ready.Add(1)
		done.Go(func() {
			w := r.wire(terminalsMax + i) // one of the first is blocked
			c := w.dial()
			w.signOn(c, 1)
			ready.Done()
			<-start
			for n := range share {
				if code, _ := w.code(w.ask(c, w.sale(0x0200, uint32(n+2), 1, card))); code != "00" {
					b.Errorf("terminal %d, purchase %d: %s", i, n, code)
					return
				}
			}
		})
	}
	ready.Wait()
	b.ResetTimer()
	close(start)
	done.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "purchases/s")
}
