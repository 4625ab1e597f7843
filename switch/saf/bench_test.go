// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// backlog is how many reversals a drain begins with.
const backlog = 100_000

// ready is a host that takes every reversal at once.
type ready struct{ index *replay.Index }

// Find and Change are the index's.
func (r ready) Find(k txn.Key) (txn.Payment, bool) { return r.index.Find(k) }

// Change implements Payments.
func (r ready) Change(k txn.Key, decide func(replay.View) ([]journal.Record, error)) (replay.View, error) {
	return r.index.Change(k, decide)
}

// Doubtful implements Payments.
func (r ready) Doubtful() bool { return r.index.Doubtful() }

// Up implements Sender.
func (ready) Up(string) bool { return true }

// Send implements Sender.
func (ready) Send(context.Context, Kind, txn.Payment, bool) (txn.Code, error) {
	return txn.CodeApproved, nil
}

// owed makes the backlog, of payments of their own.
func owed(b *testing.B, world env.Env) (ready, []txn.Key) {
	at := time.Now()
	r := ready{replay.New(replay.Config{Max: 2 * backlog, Window: time.Hour}, world, &journalOf{})}
	keys := make([]txn.Key, backlog)
	for i := range keys {
		k := txn.Key{Batch: uint32(i / 500_000), Trace: txn.STAN(1 + i%500_000), Class: txn.Purchase}
		p := &txn.Payment{Key: k, Link: "acq", Masked: "622424******0069", SealedPAN: make([]byte, 47), Numbers: txn.Numbers{STAN: k.Trace, At: at}}
		_, err := r.index.Change(k, func(replay.View) ([]journal.Record, error) {
			return []journal.Record{record.Intent(p), record.MakeUndo(k, record.Undo{Event: txn.TimedOut, Numbers: txn.Numbers{STAN: k.Trace, At: at}})}, nil
		})
		if err != nil {
			b.Fatal(err)
		}
		keys[i] = k
	}
	return r, keys
}

// BenchmarkDrain is a backlog of reversals delivered to a host that answers at
// once, over a journal that stores nothing: what is left is the queue's own work.
// bare is the least: a loop over the keys that finds, sends and ends each.
func BenchmarkDrain(b *testing.B) {
	world := env.Real()
	b.Run("bare", func(b *testing.B) {
		drain(b, world, func(r ready, keys []txn.Key) {
			row, _ := Reversal.rule()
			q := New(Config{}, world, r, r, nil)
			for _, k := range keys {
				p, _ := r.Find(k)
				code, _ := r.Send(context.Background(), Reversal, p, false)
				if err := q.end(&p, row, txn.UndoAcked, "", said{code: code}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	for name, window := range map[string]int{"window 1": 1, "window 8": 8} {
		b.Run(name, func(b *testing.B) {
			drain(b, world, func(r ready, keys []txn.Key) {
				q := New(Config{Retry: time.Second, MaxRetry: time.Minute}, world, r, r, nil)
				for _, k := range keys {
					q.Enqueue("acq", k)
				}
				var loops sync.WaitGroup
				for range window {
					loops.Go(func() {
						for q.Deliver(context.Background(), "acq") {
						}
					})
				}
				loops.Wait()
			})
		})
	}
}

// drain measures one way of it and holds that nothing is left.
func drain(b *testing.B, world env.Env, way func(ready, []txn.Key)) {
	least := time.Duration(1<<63 - 1)
	for b.Loop() {
		b.StopTimer()
		r, keys := owed(b, world)
		runtime.GC()
		before := processorTime(b)
		b.StartTimer()
		way(r, keys)
		b.StopTimer()
		least = min(least, processorTime(b)-before)
		if left := len(r.index.Owing(txn.Reversing)); left > 0 {
			b.Fatalf("%d are left", left)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(least)/backlog, "least-cpu-ns/reversal")
}

// processorTime is what the process has used so far: others share the machine.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
