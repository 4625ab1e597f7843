// SPDX-License-Identifier: Apache-2.0

package world

import (
	"strings"
	"testing"
)

// Scripts come with approvals, what became of them is told on both sides, also under
// another number and, in vain, in other words.
func TestScriptsArePlayed(t *testing.T) {
	said := map[string]int{}
	for seed := uint64(1); len(said) < 6 && seed <= 8; seed++ {
		r, err := run(seed, true)
		if err != nil || r.Failed() {
			t.Fatalf("seed %d: %v %v %v", seed, r.Violations, r.Findings, err)
		}
		for _, l := range r.lines {
			for _, what := range []string{"asks script_result", "answers 0620", "answers 0621", "fault: another result of a script", "fault: result of a script under another number", "fault: script result"} {
				if strings.Contains(l.text, what) {
					said[what]++
				}
			}
		}
	}
	if len(said) < 6 {
		t.Errorf("played %v", said)
	}
}
