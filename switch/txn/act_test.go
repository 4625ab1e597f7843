// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"strings"
	"testing"
)

// What an operator writes is kept for years and shown on screens: short,
// printable, and no card number however it is grouped.
func TestWordsOfAnAct(t *testing.T) {
	good := Act{What: Hold, By: "Ann Lee", Why: "host closes its day, RRN 632700000007, call 2026-11-29 03:12"}
	for name, c := range map[string]struct {
		change func(*Act)
		fits   bool
	}{
		"as it is":                 {func(*Act) {}, true},
		"other letters":            {func(a *Act) { a.By, a.Why = "李安", "银行关机" }, true},
		"longest":                  {func(a *Act) { a.By, a.Why = strings.Repeat("b", ByMax), strings.Repeat("w", WhyMax) }, true},
		"no deed":                  {func(a *Act) { a.What = 0 }, false},
		"a deed of the future":     {func(a *Act) { a.What = numDeeds }, false},
		"nobody":                   {func(a *Act) { a.By = "" }, false},
		"no reason":                {func(a *Act) { a.Why = "" }, false},
		"a name too long":          {func(a *Act) { a.By = strings.Repeat("b", ByMax+1) }, false},
		"a reason too long":        {func(a *Act) { a.Why = strings.Repeat("w", WhyMax+1) }, false},
		"a line end":               {func(a *Act) { a.Why = "one\ntwo" }, false},
		"an escape":                {func(a *Act) { a.Why = "\x1b[2Jgone" }, false},
		"a turn of direction":      {func(a *Act) { a.Why = "abc\u202ecba" }, false},
		"no UTF-8":                 {func(a *Act) { a.Why = "\xff" }, false},
		"a card number":            {func(a *Act) { a.Why = "card 6224242300000069 is stuck" }, false},
		"one that checks no digit": {func(a *Act) { a.Why = "card 6224242300000068" }, false},
		"one in groups":            {func(a *Act) { a.Why = "6224 2423 0000 0069" }, false},
		"one with hyphens":         {func(a *Act) { a.By = "6224-2423-0000-0069" }, false},
		"one in wide digits":       {func(a *Act) { a.Why = "６２２４２４２３００００００６９" }, false},
		"groups of something else": {func(a *Act) { a.Why = "632700000007 000008 3" }, true},
	} {
		a := good
		c.change(&a)
		if err := a.Check(); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each deed has a name and leads where its page says.
func TestDeeds(t *testing.T) {
	want := map[Deed]State{Hold: Reversing, Retry: Reversing, Drop: Disputed, FoundUndone: Reversed, FoundStands: Upheld}
	for d := Hold; d < numDeeds; d++ {
		from := Reversing
		if d == FoundUndone || d == FoundStands {
			from = Disputed
		}
		e, moves := d.Event()
		if !moves {
			continue
		}
		if to, ok := Next(from, e); !ok || to != want[d] || d.String() == "unknown" || d.String() == "" {
			t.Errorf("%s: %s from %s to %s, %v", d, e, from, to, ok)
		}
	}
	if Deed(0).Known() || numDeeds.Known() || !FoundStands.Known() {
		t.Error("deeds beyond the table are known")
	}
}
