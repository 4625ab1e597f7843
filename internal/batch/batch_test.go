// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"tapswitch/internal/batch"
	"tapswitch/internal/env"
)

// gate is a resource whose serving the test holds up and lets go.
type gate struct {
	begun chan []int
	end   chan error
}

func newGate() *gate {
	return &gate{begun: make(chan []int), end: make(chan error)}
}

func (g *gate) serve(items []int) error {
	g.begun <- slices.Clone(items)
	return <-g.end
}

// TestBatchesFollowTheModel drives a queue step by step against a list: who
// arrives while the resource is busy waits, in order, and is the next batch.
func TestBatchesFollowTheModel(t *testing.T) {
	const max = 5
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := newGate()
		q := batch.New(env.Real().Waits, max, g.serve)
		model := []int(nil)
		results := make(chan error)
		next, open := 0, 0
		arrive := func() {
			item := next
			next++
			go func() { results <- q.Do(item) }()
			if len(model) == max {
				if err := <-results; err != batch.ErrFull {
					t.Fatalf("seed %d: caller over the bound got %v", seed, err)
				}
				return
			}
			model = append(model, item)
			for q.Waiting() < len(model) {
				runtime.Gosched()
			}
		}
		go func() { results <- q.Do(-1) }()
		current := <-g.begun
		if !slices.Equal(current, []int{-1}) {
			t.Fatalf("seed %d: the first caller was served as %v", seed, current)
		}
		for open = 1; open < 20; open++ {
			for range r.IntN(max + 3) {
				arrive()
			}
			err := errors.New("of this batch")
			g.end <- err
			for range current {
				if got := <-results; got != err {
					t.Fatalf("seed %d: error %v of another batch", seed, got)
				}
			}
			if len(model) == 0 {
				break
			}
			if current = <-g.begun; !slices.Equal(current, model) {
				t.Fatalf("seed %d: batch %v, want %v", seed, current, model)
			}
			model = nil
		}
	}
}

// TestEveryItemOnce lets many callers run free: every item is served once, never
// two batches at a time, each caller's items in its order.
func TestEveryItemOnce(t *testing.T) {
	const callers, each = 16, 300
	var busy atomic.Int32
	served := make([][]int, callers)
	serve := func(items [][2]int) error {
		if busy.Add(1) != 1 {
			t.Error("two batches at a time")
		}
		for _, it := range items {
			served[it[0]] = append(served[it[0]], it[1])
		}
		runtime.Gosched()
		busy.Add(-1)
		return nil
	}
	q := batch.New(env.Real().Waits, callers, serve)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				if err := q.Do([2]int{c, i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for c, list := range served {
		if len(list) != each || !slices.IsSorted(list) {
			t.Fatalf("caller %d: %d items served, sorted %v", c, len(list), slices.IsSorted(list))
		}
	}
	if n := q.Waiting(); n != 0 {
		t.Fatalf("%d still wait", n)
	}
}

// TestLeadersTakeTurns shows that nobody serves two batches in one Do.
func TestLeadersTakeTurns(t *testing.T) {
	g := newGate()
	q := batch.New(env.Real().Waits, 8, g.serve)
	first := make(chan error)
	go func() { first <- q.Do(0) }()
	<-g.begun
	second := make(chan error)
	go func() { second <- q.Do(1) }()
	for q.Waiting() < 1 {
		runtime.Gosched()
	}
	g.end <- nil
	<-g.begun // the second batch is being served …
	if err := <-first; err != nil {
		t.Fatal(err) // … and the first caller is back already
	}
	g.end <- nil
	if err := <-second; err != nil {
		t.Fatal(err)
	}
}

func TestSingleCallerPaysNothing(t *testing.T) {
	q := batch.New(env.Real().Waits, 8, func([]int) error { return nil })
	if n := testing.AllocsPerRun(100, func() { q.Do(1) }); n != 0 {
		t.Fatalf("%v allocations for a single caller", n)
	}
}

func BenchmarkDo(b *testing.B) {
	q := batch.New(env.Real().Waits, 1024, func([]int) error { return nil })
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			q.Do(1)
		}
	})
	b.Run("parallel64", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				q.Do(1)
			}
		})
	})
}
