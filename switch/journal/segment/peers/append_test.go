// SPDX-License-Identifier: Apache-2.0

// Package peers_test measures our journal beside what others build on: a bare file
// and Pebble, on one disk in one run. It is a module of its own, so that what
// Pebble requires is nobody's concern who builds or audits the switch.
package peers_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tapswitch/switch/journal"
)

// payment is a record of a usual size: a key, an encoded request.
func payment() journal.Record {
	return journal.Record{Kind: 1, Key: make([]byte, 24), Body: make([]byte, 300)}
}

// cpu is the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend writes to the real disk, with every sync: our journal beside a
// bare file and a key-value store (peers_test.go), all in one run.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256, 1024} {
		for _, p := range peers() {
			b.Run(fmt.Sprintf("callers=%d/store=%s", callers, p.name), func(b *testing.B) {
				crowd(b, callers, p.open(b))
			})
		}
	}
}

// crowd lets callers append b.N records in all, each its next one when the last
// is durable.
func crowd(b *testing.B, callers int, s store) {
	var left atomic.Int64
	left.Store(int64(b.N))
	before, start := s.commits(), cpu(b)
	b.ResetTimer()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			r := payment()
			for left.Add(-1) >= 0 {
				if err := s.append(r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	used := cpu(b) - start
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/record")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(b.N)/float64(s.commits()-before), "records/commit")
	if err := s.close(); err != nil {
		b.Fatal(err)
	}
}
