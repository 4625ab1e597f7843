// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/hex"
	"fmt"

	"tapswitch/internal/env/fake"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// history is the oracle's, while it grows.
type history struct {
	asks     []*oracle.Ask
	Messages []oracle.Message
}

// gather makes the oracle's history of what the three sides kept.
func (w *World) gather() (oracle.History, error) {
	h := oracle.History{Deadline: deadline, Mandate: mandate, Messages: w.history.Messages}
	for _, a := range w.history.asks {
		h.Asks = append(h.Asks, *a)
	}
	for _, p := range w.shops {
		h.Terminals = append(h.Terminals, oracle.Terminal{ID: p.id, Pending: p.mem.pending != nil || len(p.mem.aside) > 0 || len(p.mem.scripts) > 0, Holds: p.mem.holds, Voids: p.mem.voids, Refunds: p.mem.refunds})
	}
	for _, host := range w.hosts {
		for _, e := range host.order {
			switch {
			case e.pays:
				h.Debits = append(h.Debits, e.Debit)
			case e.gives:
				h.Credits = append(h.Credits, oracle.Credit{Acquirer: e.Acquirer, STAN: e.STAN, Sent: e.Sent, Amount: e.Amount})
			}
		}
	}
	// The journal as the disk has it, read by a second one.
	world := w.machine.env()
	world.Disk = w.machine.disk.CrashClone(fake.KeepNone, 0)
	j, err := segment.Open(world, segment.Config{Dir: "journal", SegmentBytes: 64 << 10, MaxBytes: 4 << 20})
	if err != nil {
		return h, fmt.Errorf("read the journal again: %w", err)
	}
	again := replay.New(replay.Config{Max: 1 << 20, Window: w.config.Payment.ReplayWindow}, world, nil)
	if _, err := recover.Replay(j, reader{&h}, again); err != nil {
		return h, fmt.Errorf("replay the journal: %w", err)
	}
	running := map[txn.Key]txn.State{}
	w.machine.node.Payments(func(p txn.Payment) { running[p.Key] = p.State })
	again.Each(func(p txn.Payment) {
		s := oracle.State{Key: oracleKey(p.Key), Replayed: p.State.String(), Advice: p.Key.Class == txn.StandIn}
		if state, ok := running[p.Key]; ok {
			s.Running = state.String()
		}
		h.States = append(h.States, s)
	})
	w.machine.node.Payments(func(p txn.Payment) {
		if _, ok := again.Find(p.Key); !ok {
			h.States = append(h.States, oracle.State{Key: oracleKey(p.Key), Running: p.State.String(), Advice: p.Key.Class == txn.StandIn})
		}
	})
	return h, nil
}

func oracleKey(k txn.Key) oracle.Key {
	return oracle.Key{Terminal: k.Terminal.String(), Batch: k.Batch, Trace: uint32(k.Trace)}
}

// reader turns records into the oracle's.
type reader struct{ to *oracle.History }

// Apply implements recover.Projection.
func (r reader) Apply(j journal.Record) error {
	rec, err := Tell(j)
	if err != nil || rec.Kind == "" {
		return err
	}
	r.to.Records = append(r.to.Records, rec)
	return nil
}

// Tell is one record of a journal as the oracle sees it; a record without a kind
// says nothing to it.
func Tell(j journal.Record) (rec oracle.Record, err error) {
	rec.Kind = record.KindName(j.Kind)
	switch j.Kind {
	case record.KindNumbers, record.KindUpload, record.KindUploadClosed, record.KindCounter, record.KindStandIn:
		return oracle.Record{}, nil
	case record.KindBatch:
		id, b, err := record.ParseBatch(j)
		rec.Key, rec.Event = oracle.Key{Terminal: id.Terminal.String(), Batch: id.Batch}, b.State.String()
		rec.Told = oracle.Totals{Debits: int(b.Told.Debits), Credits: int(b.Told.Credits), DebitMinor: int64(b.Told.DebitMinor), CreditMinor: int64(b.Told.CreditMinor)}
		return rec, err
	case record.KindTries:
		token, t, err := record.ParseTries(j.Key, j.Body)
		rec.Card, rec.Count, rec.Key = hex.EncodeToString(token[:]), int(t.Count), oracleKey(t.Payment)
		return rec, err
	}
	k, err := record.ParseKey(j.Key)
	if err != nil {
		return rec, err
	}
	rec.Key = oracleKey(k)
	switch j.Kind {
	case record.KindIntent, record.KindAdvice:
		return begun(rec, k, j)
	case record.KindOutcome:
		o, err := record.ParseOutcome(j.Body)
		rec.Amount = int64(o.Answer.Part)
		rec.Event, rec.Code, rec.Auth, rec.Day = o.Event.String(), o.Answer.Code.String(), auth(o.Answer), o.Answer.At.Unix()/86400
		return rec, err
	case record.KindUndo:
		u, err := record.ParseUndo(j.Body)
		rec.Event, rec.STAN, rec.Sent = u.Event.String(), uint32(u.Numbers.STAN), replay.NewLinkKey("", u.Numbers).At
		return rec, err
	case record.KindUndone:
		u, err := record.ParseUndone(j.Body)
		rec.Event, rec.Code = u.Event.String(), u.Code.String()
		return rec, err
	case record.KindCase:
		c, err := record.ParseCase(j.Body)
		rec.Event, rec.Code = txn.CaseOpened.String(), c.Code.String()
		return rec, err
	case record.KindAct:
		a, err := record.ParseAct(j.Body)
		rec.Event = a.What.String()
		return rec, err
	case record.KindRerouted:
		rec.Link, err = record.ParseRerouted(j.Body)
		return rec, err
	case record.KindAdvised:
		a, err := record.ParseAdvised(j.Body)
		rec.Event, rec.Code = txn.AdviceAcked.String(), a.Code.String()
		return rec, err
	}
	return rec, nil
}

// begun is the first record of a payment, or of what became of a script.
func begun(rec oracle.Record, k txn.Key, j journal.Record) (oracle.Record, error) {
	p, err := record.ParsePayment(k, j.Body)
	if err != nil {
		return rec, err
	}
	if k.Class == txn.ScriptResult {
		rec.Kind, rec.Of, rec.Script = k.Class.String(), oracleKey(p.Original), results(p.Script)
	}
	rec.Link, rec.Amount, rec.Auth, rec.Card = p.Link, int64(p.Amount.Minor), auth(p.Answer), hex.EncodeToString(p.Token[:])
	rec.STAN, rec.Sent, rec.RRN = uint32(p.Numbers.STAN), replay.NewLinkKey(p.Link, p.Numbers).At, p.Numbers.RRN.String()
	return rec, nil
}

func auth(a txn.Answer) string {
	if a.Auth == ([6]byte{}) {
		return ""
	}
	return string(a.Auth[:])
}
