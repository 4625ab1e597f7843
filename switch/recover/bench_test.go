// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/number"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// BenchmarkRecovery is what a start takes until the memory is as it was: the
// journal read and verified, replayed into index, PIN tries and numbers, and
// what was in flight resolved. The files are in the page cache.
func BenchmarkRecovery(b *testing.B) {
	for _, records := range []int{200_000, 1_000_000, 4_000_000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			cfg := segment.Config{Dir: b.TempDir()}
			past := writePast(b, cfg, records)
			var open, all time.Duration
			for b.Loop() {
				o, a := recoverOnce(b, cfg, past)
				open, all = open+o, all+a
			}
			per := float64(b.N) * float64(records) / 1e6
			b.ReportMetric(all.Seconds()/per, "s/million")
			b.ReportMetric(open.Seconds()/per, "open-s/million")
		})
	}
}

// past is a journal's content: so many payments, the last of them in flight.
type past struct{ records, payments, inFlight int }

// inFlight is how many payments the crash interrupts.
const inFlight = 64

// writePast stores the records of a busy day: of twenty purchases eighteen are
// approved, one is declined and one is reversed and acknowledged.
func writePast(b *testing.B, cfg segment.Config, records int) past {
	b.Helper()
	j, err := segment.Open(env.Real(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	var done past
	var group []journal.Record
	for at := time.Now().Add(-time.Hour); done.records < records; done.payments++ {
		life := lifeOf(b, done.payments, at.Add(time.Duration(done.payments)*time.Millisecond))
		if done.records+len(life) > records-inFlight {
			life = life[:1]
			done.inFlight++
		}
		group = append(group, life...)
		done.records += len(life)
		if len(group) < 100 && done.records < records {
			continue
		}
		if err := j.Append(group...); err != nil {
			b.Fatal(err)
		}
		group = nil
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return done
}

// lifeOf is the records of the i-th payment, which began at a time.
func lifeOf(b *testing.B, i int, at time.Time) []journal.Record {
	b.Helper()
	stan := txn.STAN(i%999_999 + 1)
	k := txn.Key{
		Terminal: txn.TerminalID(fmt.Appendf(nil, "%08d", 10_000_000+i%5_000)), Merchant: txn.MerchantID([]byte("123456789012345")),
		Batch: 1, Trace: txn.STAN(i/5_000 + 1), Class: txn.Purchase, Type: 22,
	}
	p := &txn.Payment{
		Key: k, Masked: "476173******0119", Token: [16]byte{1}, SealedPAN: make([]byte, 44), Amount: money.Amount{Minor: amount, Currency: money.CNY},
		Expiry: [4]byte([]byte("3012")), PSN: [3]byte([]byte("001")), Entry: [3]byte([]byte("071")), Cond: [2]byte([]byte("00")), ChipRead: true,
		Link: "acq", Numbers: txn.Numbers{STAN: stan, At: at, RRN: txn.RRN(fmt.Appendf(nil, "%012d", i))}, State: txn.Received,
	}
	said := record.Outcome{Event: txn.SaidYes, Answer: txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte("123456")), RRN: p.Numbers.RRN, At: at}}
	if i%20 == 1 {
		said = record.Outcome{Event: txn.SaidNo, Answer: txn.Refusal(txn.DeclineNoAnswer, at)}
	}
	var all []journal.Record
	add := func(r journal.Record) {
		after, err := record.Fold(p, k, r)
		if err != nil {
			b.Fatal(err)
		}
		p, all = after, append(all, r)
	}
	first := record.Intent(p)
	p = nil
	add(first)
	add(record.MakeOutcome(p, said))
	if i%20 == 0 {
		numbers := p.Numbers
		numbers.At = at.Add(time.Second)
		add(record.MakeUndo(k, record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineNoAnswer.Reason, Numbers: numbers}))
		add(record.MakeUndone(p, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}))
	}
	return all
}

// recoverOnce starts on the journal, and says how long its verification and all
// of it took.
func recoverOnce(b *testing.B, cfg segment.Config, past past) (open, all time.Duration) {
	b.Helper()
	world := env.Real()
	began := time.Now()
	j, err := segment.Open(world, cfg)
	if err != nil {
		b.Fatal(err)
	}
	open = time.Since(began)
	bytes, _ := j.Used()
	index := replay.New(replay.Config{Max: 2_000_000, Window: 24 * time.Hour, Expect: recover.Expect(bytes)}, world, j)
	var blocks given
	if _, err := recover.Replay(j, index, pin.New(module{}, 3), &blocks); err != nil {
		b.Fatal(err)
	}
	numbers, err := number.Open(world.Waits, j, blocks.State, number.Config{Kind: record.KindNumbers, Block: 1000, Window: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	owed := 0
	next := (&node{world: world, numbers: numbers}).Next
	sum, err := recover.Resolve(index, next, func(string, txn.Key) { owed++ })
	all = time.Since(began)
	if err != nil || sum.Payments != past.payments || sum.Reversed+sum.Reversing != past.inFlight || owed != past.inFlight {
		b.Fatalf("%+v of %+v, %d owed, %v", sum, past, owed, err)
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return open, all
}
