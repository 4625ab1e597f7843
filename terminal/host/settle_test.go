// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// totals are the sums of a settlement as field 48 has them, all in the first half.
func totals(debits, minor int) string {
	return fmt.Sprintf("%012d%03d%015d0%031d", minor, debits, 0, 0)
}

// uploaded is a sale of the bench as field 48 of an upload has it.
func uploaded(trace int) string { return fmt.Sprintf("00%06d0000%s%012d", trace, testPAN, 1234) }

// said is what the switch was asked about batches: network code, batch and field 48.
func (b *bench) said() (all []string) {
	for _, r := range b.sw.Books() {
		if r.Network != "" {
			if !r.MACRight {
				b.t.Errorf("%s %s: the MAC is wrong", r.MTI, r.Trace)
			}
			all = append(all, strings.Join([]string{r.MTI, r.Network, r.Batch, r.Additional}, " "))
		}
	}
	return all
}

func (b *bench) settle() host.Settlement {
	b.t.Helper()
	if _, reason, err := b.h.Ready(b.t.Context()); err != nil || reason != host.ReasonNone {
		b.t.Fatalf("not ready: %s %v", reason, err)
	}
	s, _ := b.h.Settle(b.t.Context())
	return s
}

func (b *bench) approved(n int) {
	b.t.Helper()
	for range n {
		if r := b.sale(); r.Outcome != host.Approved {
			b.t.Fatal(short(r))
		}
	}
}

func (b *bench) same(what string, got []string, want ...string) {
	b.t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The terminal counts what it took: approved and not taken back. Balanced, the batch
// is closed and sales go on in the next.
func TestSettleBalanced(t *testing.T) {
	b := newBench(t)
	b.approved(1)
	b.sw.Sales(hosttest.Mood{Code: "51"}, hosttest.Mood{Silent: true})
	b.sale()
	b.sale() // reversed by Ready
	b.approved(2)
	if undo, err := b.h.Reverse(t.Context()); err != nil || !undo.Done {
		t.Fatal(err)
	}
	for range 2 {
		if got := b.h.Totals(); got != (host.Totals{Debits: 2, DebitMinor: 2468}) {
			t.Errorf("counted %+v", got)
		}
		b.h.Close() // and the same after a loss of power
		b.open()
	}
	s := b.settle()
	if s.Outcome != host.Balanced || s.Batch != "000001" || s.Next != "000002" || s.Ours != s.Theirs || s.Ours.Debits != 2 {
		t.Errorf("%+v", s)
	}
	b.same("asked", b.said(), "0500 201 000001 "+totals(2, 2468))
	if _, err := b.h.Reverse(t.Context()); !errors.Is(err, host.ErrNothing) {
		t.Errorf("the last sale of a settled batch is reversed: %v", err)
	}
	for _, name := range b.disk.(*fake.Disk).Files() {
		if strings.Contains(name, "list") {
			t.Errorf("%s is left", name)
		}
	}
	if r := b.sale(); r.Outcome != host.Approved || r.Batch != "000002" || b.sw.SignOns() != 3 {
		t.Errorf("the next sale is %s in batch %s after %d sign-ons", short(r), r.Batch, b.sw.SignOns())
	}
	if s := b.settle(); s.Outcome != host.Balanced || s.Next != "000003" {
		t.Errorf("the next batch: %+v", s)
	}
	if s := b.settle(); s.Outcome != host.Balanced || s.Ours != (host.Totals{}) { // a day without a sale
		t.Errorf("an empty batch: %+v", s)
	}
}

// Totals that differ: every payment is uploaded, eight a message, then the end.
func TestSettleDiffers(t *testing.T) {
	b := newBench(t)
	b.approved(11)
	if undo, err := b.h.Reverse(t.Context()); err != nil || !undo.Done {
		t.Fatal(err)
	}
	b.sw.Settles(hosttest.Mood{Differs: true})
	s := b.settle()
	if s.Outcome != host.BatchSent || s.Sent != 10 || s.Theirs != (host.Totals{Debits: 1, DebitMinor: 5}) || s.Next != "000002" {
		t.Errorf("%+v", s)
	}
	var first, second string
	for i := range 8 {
		first += uploaded(2 + i)
	}
	second = uploaded(10) + uploaded(11)
	b.same("asked", b.said(), "0500 201 000001 "+totals(10, 12340), "0320 201 000001 08"+first, "0320 201 000001 02"+second, "0320 207 000001 0010")
	if r := b.sale(); r.Outcome != host.Approved || r.Batch != "000002" {
		t.Errorf("the next sale is %s in batch %s", short(r), r.Batch)
	}
}

// Every way in which a settlement does not come to its end, whether sales go on, and
// how it ends when it is begun again.
func TestSettleGoesOn(t *testing.T) {
	for _, c := range []struct {
		name  string
		moods []hosttest.Mood
		want  string // outcome, code and reason
		sells bool
		again host.SettleOutcome
		asked string // network codes, in the end
	}{
		{"refused", []hosttest.Mood{{Code: "96"}}, "not_settled 96 settlement_refused", true, host.Balanced, "0500/201 0500/201"},
		{"no answer", []hosttest.Mood{{Silent: true}, {Silent: true}}, "due  answer_timeout", false, host.Balanced, "0500/201 0500/201 0500/201"},
		{"one answer lost", []hosttest.Mood{{Close: true}}, "balanced 00 ", true, host.Balanced, "0500/201 0500/201 0500/201"},
		{"keys out of date", []hosttest.Mood{{Code: "A0", BadMAC: true}}, "balanced 00 ", true, host.Balanced, "0500/201 0500/201 0500/201"},
		{"an answer without MAC", []hosttest.Mood{{NoMAC: true}}, "due 00 answer_without_mac", false, host.Balanced, "0500/201 0500/201"},
		{"of another terminal", []hosttest.Mood{{Terminal: "10000009"}}, "due 00 answer_terminal_differs", false, host.Balanced, "0500/201 0500/201"},
		{"upload refused for now", []hosttest.Mood{{Differs: true}, {Code: "96"}}, "due 96 settlement_refused", true, host.BatchSent, "0500/201 0320/201 0320/201 0320/207"},
		{"upload not answered", []hosttest.Mood{{Differs: true}, {Silent: true}, {Silent: true}}, "due  answer_timeout", true, host.BatchSent, "0500/201 0320/201 0320/201 0320/201 0320/207"},
		{"end not answered", []hosttest.Mood{{Differs: true}, {}, {Silent: true}, {Silent: true}}, "due  answer_timeout", true, host.BatchSent, "0500/201 0320/201 0320/207 0320/207 0320/207"},
		{"not final there", []hosttest.Mood{{Differs: true}, {Code: "12"}}, "due 12 settlement_refused", true, host.Balanced, "0500/201 0320/201 0500/201"},
		{"not final there, at the end", []hosttest.Mood{{Differs: true}, {}, {Code: "12"}, {Differs: true}}, "due 12 settlement_refused", true, host.BatchSent, "0500/201 0320/201 0320/207 0500/201 0320/201 0320/207"},
		{"closed there", []hosttest.Mood{{Differs: true}, {Code: "77"}}, "uploaded 00 ", true, host.Balanced, "0500/201 0320/201 0320/207 0500/201"},
	} {
		b := newBench(t)
		b.approved(1)
		b.sw.Settles(c.moods...)
		s := b.settle()
		if got := fmt.Sprintf("%s %s %s", s.Outcome, s.Code, s.Reason); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		b.h.Close() // power off and on
		b.open()
		if r := b.sale(); (r.Outcome == host.Approved) != c.sells || !c.sells && r.Reason != host.ReasonSettlementDue {
			t.Errorf("%s: a sale is %s", c.name, short(r))
		}
		if s := b.settle(); s.Outcome != c.again {
			t.Errorf("%s: again %+v", c.name, s)
		}
		if _, due := b.h.Unsettled(); due {
			t.Errorf("%s: still due", c.name)
		}
		var asked []string
		for _, line := range b.said() {
			asked = append(asked, line[:4]+"/"+line[5:8])
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("%s: asked %s, want %s", c.name, got, c.asked)
		}
	}
}

// Power is cut before every disk operation of a settlement. The terminal
// goes on where it was: no payment is left out of the totals or the upload, none is
// in it that was not, and the batch is closed.
func TestPowerCutWhileSettling(t *testing.T) {
	for _, mood := range []hosttest.Mood{{}, {Differs: true}} {
		b := newBench(t)
		b.approved(9)
		disk := b.disk.(*fake.Disk)
		var crashes []crash
		disk.OnOp(func(op fake.Op) {
			for _, keep := range fake.Keeps() {
				crashes = append(crashes, crash{op, keep, disk.CrashClone(keep, uint64(op.K)), strings.Join(b.said(), "\n")})
			}
		})
		b.sw.Settles(mood)
		if s := b.settle(); s.Next != "000002" {
			t.Fatalf("%+v", s)
		}
		disk.OnOp(nil)
		if len(crashes) < 3*6 {
			t.Fatalf("only %d crash points", len(crashes))
		}
		for _, c := range crashes {
			b.afterCut(c, mood)
		}
	}
}

func (b *bench) afterCut(c crash, mood hosttest.Mood) {
	b.t.Helper()
	b.h.Close()
	b.disk = c.disk
	b.open()
	from := len(b.said())
	if mood.Differs && !strings.Contains(c.books, "0320") { // the switch tells the same again
		b.sw.Settles(mood)
	}
	if _, due := b.h.Unsettled(); !due && b.h.Batch() == "000001" {
		b.settle()
	} else if due {
		if s := b.settle(); s.Outcome != host.Balanced && s.Outcome != host.BatchSent {
			b.t.Errorf("%s %v: %+v", c.at.Kind, c.keep, s)
		}
	}
	all := c.books + "\n" + strings.Join(b.said()[from:], "\n")
	if !strings.Contains(all, "0500 201 000001 "+totals(9, 9*1234)) {
		b.t.Errorf("%s %v: never told the totals: %s", c.at.Kind, c.keep, all)
	}
	if mood.Differs {
		for trace := 2; trace <= 10; trace++ {
			if !strings.Contains(all, uploaded(trace)) {
				b.t.Errorf("%s %v: payment %d is not uploaded", c.at.Kind, c.keep, trace)
			}
		}
		if !strings.Contains(all, "0320 207 000001 0009") {
			b.t.Errorf("%s %v: no end, or another count: %s", c.at.Kind, c.keep, all)
		}
	}
	if r := b.sale(); r.Outcome != host.Approved || r.Batch != "000002" {
		b.t.Errorf("%s %v: the next sale is %s in batch %s", c.at.Kind, c.keep, short(r), r.Batch)
	}
}

// Every disk operation of a settlement fails once. It is due or as it was, and ends
// when it is begun again.
func TestSettleWithAFailingDisk(t *testing.T) {
	broken := errors.New("disk broken")
	for k := 1; ; k++ {
		b := newBench(t)
		b.approved(1)
		b.sw.Settles(hosttest.Mood{Differs: true})
		disk := b.disk.(*fake.Disk)
		from := disk.Ops()
		disk.FailAt(from+k, broken)
		s, err := b.h.Settle(t.Context())
		if disk.Ops() < from+k {
			if k < 10 {
				t.Fatalf("only %d operations", k)
			}
			return
		}
		if err != nil && !errors.Is(err, broken) || err == nil && s.Outcome != host.BatchSent {
			t.Errorf("operation %d: %+v, %v", k, s, err)
		}
		for tries := 0; b.h.Batch() == "000001" || tries < 1; tries++ {
			if s = b.settle(); tries > 3 {
				t.Fatalf("operation %d: %+v", k, s)
			}
		}
		if _, due := b.h.Unsettled(); due {
			t.Errorf("operation %d: still due", k)
		}
		if r := b.sale(); r.Outcome != host.Approved {
			t.Errorf("operation %d: the next sale is %s", k, short(r))
		}
	}
}

// A switch that names another batch before this one was settled: sales go there, and
// what was taken in this one is settled behind.
func TestBatchChangesUnasked(t *testing.T) {
	b := newBench(t)
	b.approved(1)
	b.sw.NewBatch("000007")
	if err := b.h.SignOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if batch, due := b.h.Unsettled(); batch != "000001" || !due || b.h.Batch() != "000007" {
		t.Errorf("due %v %s, sales are in %s", due, batch, b.h.Batch())
	}
	b.approved(1)
	b.sw.NewBatch("000008")
	if err := b.h.SignOn(t.Context()); !errors.Is(err, host.ErrBatches) {
		t.Errorf("a third batch: %v", err)
	}
	b.sw.NewBatch("000007")
	if s := b.settle(); s.Outcome != host.Balanced || s.Batch != "000001" || s.Next != "000007" || s.Ours.Debits != 1 {
		t.Errorf("%+v", s)
	}
	b.sw.NewBatch("")
	if s := b.settle(); s.Outcome != host.Balanced || s.Batch != "000007" || s.Next != "000008" || s.Ours.Debits != 1 {
		t.Errorf("%+v", s)
	}
}

// A list that is not what the memory says is damage with a name.
func TestDamagedList(t *testing.T) {
	b := newBench(t)
	b.approved(2)
	b.h.Close()
	disk := b.disk.(*fake.Disk)
	whole := string(disk.Bytes("state/batch-000001.list"))
	memory := string(disk.Bytes("state/memory.json"))
	for name, c := range map[string]struct{ list, memory string }{
		"a record lost":     {whole[:256], memory},
		"a record cut":      {whole[:500], memory},
		"records exchanged": {whole[256:] + whole[:256], memory},
		"a bit":             {strings.Replace(whole, whole[20:24], "AAAA", 1), memory},
		"no base64":         {"!" + whole[1:], memory},
		"a count too high":  {whole, strings.Replace(memory, `"000001":2`, `"000001":3`, 1)},
		"no count":          {whole, strings.Replace(memory, `"000001":2`, `"000001":0`, 1)},
		"no batch":          {whole, strings.Replace(memory, `"000001":2`, `"00001":2`, 1)},
		"another closing":   {whole, strings.Replace(memory, `"000001":2}`, `"000001":2},"closing":{"batch":"000001","next":3}`, 1)},
	} {
		disk.SetBytes("state/batch-000001.list", []byte(c.list))
		disk.SetBytes("state/memory.json", []byte(c.memory))
		if err := b.tryOpen(); !errors.Is(err, host.ErrMemory) || strings.Contains(err.Error(), testPAN) {
			t.Errorf("%s: %v", name, err)
		}
	}
	disk.SetBytes("state/batch-000001.list", []byte(whole))
	disk.SetBytes("state/memory.json", []byte(memory))
	b.open()
	if b.h.Totals().Debits != 2 {
		t.Errorf("counted %+v", b.h.Totals())
	}
}

// Offline sales count once the switch has them; before, nothing is settled. One that
// it refused does not count. One whose batch was closed without it goes into the next.
func TestSettleWithOfflineSales(t *testing.T) {
	b := newBench(t)
	b.keep("T12345")
	b.approved(1)
	if s := b.settle(); s.Outcome != host.NotSettled || s.Reason != host.ReasonOfflineDue {
		t.Errorf("one is not told: %+v", s)
	}
	if got := b.h.Totals(); got.Debits != 1 {
		t.Errorf("counted %+v", got)
	}
	b.keep("T23456")
	b.sw.Advices(hosttest.Mood{}, hosttest.Mood{Code: "54"})
	if got := b.tells(false); got != "1 00 done, 4 54 advice_refused" {
		t.Error(got)
	}
	if s := b.settle(); s.Outcome != host.Balanced || s.Ours.Debits != 2 {
		t.Errorf("%+v", s)
	}
	b.keep("T34567")
	b.sw.NewBatch("000009")
	b.sw.Advices(hosttest.Mood{Code: "77"}, hosttest.Mood{Code: "77"})
	for _, want := range []string{"not_kept_by_switch", "not_kept_by_switch", "done"} {
		if got := b.tells(false); !strings.HasSuffix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := b.h.Totals(); got.Debits != 1 || b.h.Batch() != "000009" {
		t.Errorf("counted %+v in %s", got, b.h.Batch())
	}
}

// What is held does not count, its completion does, and the void of that on the other
// side; all of these are uploaded.
func TestSettleKinds(t *testing.T) {
	b := newBench(t)
	receipt := host.Original{Auth: "A00001", Date: "0203"}
	whole := host.Original{Auth: "A00001", Date: "0203", Batch: "000001", Trace: 4, RRN: "000000000004"}
	for _, c := range []struct {
		kind  host.Kind
		about host.Original
	}{{host.KindPreAuth, host.Original{}}, {host.KindPreAuthVoid, receipt}, {host.KindCompletion, receipt}, {host.KindCompletionVoid, whole}} {
		if r := b.ask(c.kind, c.about); r.Outcome != host.Approved {
			t.Fatal(short(r))
		}
	}
	b.sw.Settles(hosttest.Mood{Differs: true})
	if s := b.settle(); s.Outcome != host.BatchSent || s.Ours != (host.Totals{Debits: 1, DebitMinor: 1234, Credits: 1, CreditMinor: 1234}) || s.Sent != 2 {
		t.Errorf("%+v", s)
	}
	b.same("asked", b.said(), "0500 201 000001 "+strings.Repeat("000000001234001", 2)+"0"+strings.Repeat("0", 31), "0320 201 000001 02"+uploaded(4)+uploaded(5), "0320 207 000001 0002")
}

// A refund counts as a credit once the cashier was told of it, and holds up the
// settlement until it has its end; through a loss of power in between.
func TestSettleWithRefunds(t *testing.T) {
	b := newBench(t)
	b.approved(2)
	receipt := host.Original{Batch: "000001", Trace: 2, RRN: "000000000002"}
	refund := func() host.Result {
		return b.h.Refund(t.Context(), host.Refund{Amount: 1234, Card: b.card(), Original: receipt})
	}
	if r := refund(); r.Outcome != host.Approved {
		t.Fatal(short(r))
	}
	if s := b.settle(); s.Outcome != host.NotSettled || s.Reason != host.ReasonRefundDue {
		t.Errorf("the cashier does not know: %+v", s)
	}
	b.h.Close()
	b.open()
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := b.h.Repeat(t.Context()); r == nil || r.Outcome != host.Approved {
		t.Fatalf("again: %+v", r)
	}
	for range 2 {
		if err := b.h.Told(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.sw.Advices(hosttest.Mood{Code: "12"})
	if r := refund(); r.Outcome != host.Declined {
		t.Fatal(short(r))
	}
	if err := b.h.Told(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := b.settle(); s.Outcome != host.Balanced || s.Ours != (host.Totals{Debits: 2, DebitMinor: 2468, Credits: 1, CreditMinor: 1234}) {
		t.Errorf("%+v", s)
	}
}
