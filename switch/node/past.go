// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"sync"

	"tapswitch/internal/env"
	"tapswitch/switch/history"
	"tapswitch/switch/txn"
)

// past is the history that is written behind the journal. What happens to it is
// told and counted, and never stops a payment. All methods of a nil past do nothing.
type past struct {
	*history.Writer
	ended env.Event
	done  sync.WaitGroup
	close func() error // of the journal's tail
}

// newPast makes the history's writer over the journal's tail.
func (n *Node) newPast() (*past, error) {
	place, err := HistoryPlace(n.world, n.cfg.History)
	if err != nil {
		return nil, err
	}
	trouble := func(err error) { n.observer.Log().Error("the history is not written; payments go on", "err", err) }
	source, end := n.tail()
	return &past{
		ended: n.world.Waits.NewEvent(), close: end,
		Writer: history.NewWriter(history.Config{At: place, Trouble: trouble}, n.world, source),
	}, nil
}

// start begins to write.
func (p *past) start() {
	if p == nil {
		return
	}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		p.Run(p.ended)
	}()
}

// stop writes what is left, for a moment, and ends the use of the journal.
func (p *past) stop() {
	if p == nil {
		return
	}
	p.ended.Wake()
	p.done.Wait()
	_ = p.close() // a connection that only read
}

// former is the history as the flow asks it.
type former struct{ *past }

// Named implements flow.Past.
func (f former) Named(ctx context.Context, n txn.RRN, original txn.Key, until env.Mono) (txn.Payment, error) {
	p, err := f.Writer.Named(ctx, n, original, until)
	return p, notTold(err)
}

// Since implements flow.Past.
func (f former) Since(ctx context.Context, p *txn.Payment, until env.Mono) (txn.Payment, []txn.Payment, error) {
	found, err := f.Writer.Since(ctx, p, until)
	return found.Payment, found.Later, notTold(err)
}

// notTold is the refusal for what the history does not tell.
func notTold(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, history.ErrNotFound):
		return txn.DeclineOriginalUnknown.Why(err)
	case errors.Is(err, history.ErrAmbiguous):
		return txn.DeclineOriginalMany.Why(err)
	case errors.Is(err, history.ErrGap):
		return txn.DeclineHistoryGap.Why(err)
	}
	return txn.DeclineHistory.Why(err)
}
