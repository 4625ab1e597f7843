// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// fullDisk is how many bytes the small disk has.
const fullDisk = 40 << 10

// payments appends intents that reserve room for their later records.
type payments struct {
	rand *rand.Rand
	open []int // reserve of each payment in flight
	made int
}

// intent starts a payment; false when the journal is full.
func (p *payments) intent(t *testing.T, j journal.Journal) bool {
	t.Helper()
	reserve := 0
	for range 1 + p.rand.IntN(3) {
		reserve += 20 + p.rand.IntN(80) + journal.Overhead
	}
	err := j.Append(journal.Record{Kind: 1, Body: make([]byte, 20+p.rand.IntN(200)), Reserve: reserve})
	if errors.Is(err, journal.ErrFull) {
		return false
	}
	if err != nil {
		t.Fatalf("intent %d: %v", p.made, err)
	}
	p.made++
	p.open = append(p.open, reserve)
	return true
}

// step writes one later record of a payment, in the room reserved for it. It
// must never fail.
func (p *payments) step(t *testing.T, j journal.Journal) {
	t.Helper()
	if len(p.open) == 0 {
		return
	}
	i := p.rand.IntN(len(p.open))
	size := min(p.open[i], 20+p.rand.IntN(80)+journal.Overhead)
	if p.open[i]-size < 20+journal.Overhead { // too little for another record: the last one
		size = p.open[i]
	}
	body := min(size-journal.Overhead, 100)
	if err := j.Append(journal.Record{Kind: 2, Body: make([]byte, body), Reserve: -size}); err != nil {
		t.Fatalf("a record of a payment in flight was refused: %v (%d in flight)", err, len(p.open))
	}
	if p.open[i] -= size; p.open[i] == 0 {
		p.open[i] = p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
	}
}

// runFull fills the disk: new payments are refused, those in flight end, also
// after a crash, and it resumes by itself once there is room.
func runFull(t *testing.T, open Open) {
	for seed := range uint64(12) {
		w := fake.New(seed)
		w.Disk.SetCapacity(fullDisk)
		p := payments{rand: rand.New(rand.NewPCG(seed, 7))}
		j := open.mustSmall(t, w, "new")
		for full := 0; full < 30; {
			if p.rand.IntN(3) > 0 {
				p.step(t, j)
				continue
			}
			for range p.rand.IntN(12) {
				if !p.intent(t, j) {
					full++
				}
			}
		}
		if p.made < 10 {
			t.Fatalf("seed %d: full after %d payments", seed, p.made)
		}
		w = w.Restart(fake.KeepNone, seed)
		j = open.mustSmall(t, w, fmt.Sprintf("seed %d: crash on a full disk", seed))
		for len(p.open) > 0 {
			p.step(t, j)
		}
		w.Disk.SetCapacity(2 * fullDisk)
		w.Clock.Advance(5 * time.Second)
		if !p.intent(t, j) {
			t.Fatalf("seed %d: refused five seconds after room was made", seed)
		}
		must(t, j.Close())
	}
}
