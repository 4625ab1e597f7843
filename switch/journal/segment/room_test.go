// SPDX-License-Identifier: Apache-2.0

package segment

import (
	"math/rand/v2"
	"testing"
)

// TestHeldRoomIsEnough promises some room and then uses it up in Appends of
// every size: whatever the cuts, they fit.
func TestHeldRoomIsEnough(t *testing.T) {
	held := 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 3))
		rm := room{left: r.Int64N(2000), waste: 16 + r.Int64N(300)}
		for range r.IntN(4) {
			rm.spares = append(rm.spares, 2*rm.waste+r.Int64N(2000))
		}
		need := 1 + r.Int64N(6000)
		if !rm.holds(need) {
			continue
		}
		held++
		for left, now := need, rm; left > 0; {
			size := min(left, rm.waste, 1+r.Int64N(rm.waste))
			if r.IntN(3) == 0 {
				size = min(left, rm.waste)
			}
			next, ok := now.take(size)
			if !ok {
				t.Fatalf("seed %d: %+v holds %d, but an append of %d did not fit in %+v", seed, rm, need, size, now)
			}
			left, now = left-size, next
		}
	}
	if held < 1000 {
		t.Fatalf("only %d cases held", held)
	}
}
