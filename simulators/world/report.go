// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
)

// ErrBroken says that a run broke a promise.
var ErrBroken = errors.New("world: a promise is broken")

// Play runs so many seeds from the first one on and prints a line for each, and
// at the end the arrows of the state table that were taken and that were not. It
// stops at the first run that breaks a promise, with the trace of the payments
// concerned.
func Play(out io.Writer, seed uint64, runs int) error {
	arrows := map[Arrow]int{}
	payments, faults, crashes := 0, 0, 0
	for i := range runs {
		r, err := Run(seed + uint64(i))
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed+uint64(i), err)
		}
		fmt.Fprintln(out, r)
		if r.Failed() {
			return broken(out, r)
		}
		payments, crashes = payments+r.Payments, crashes+len(r.Crashes)
		for _, n := range r.Faults {
			faults += n
		}
		for a, n := range r.Arrows {
			arrows[a] += n
		}
	}
	fmt.Fprintf(out, "\n%d runs, %d payments, %d faults, %d crashes, no promise broken\n\n", runs, payments, faults, crashes)
	printArrows(out, arrows)
	return nil
}

// broken prints what is wrong with a run.
func broken(out io.Writer, r Result) error {
	again, err := run(r.Seed, true)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nseed %d breaks a promise:\n", r.Seed)
	for _, f := range again.Findings {
		fmt.Fprintf(out, "  %s\n", f)
	}
	for _, v := range again.Violations {
		fmt.Fprintf(out, "  %s\n", v)
	}
	for _, k := range concerned(again.Violations) {
		fmt.Fprintf(out, "\nterminal %s trace %06d:\n", k.Terminal, k.Trace)
		for _, l := range again.about(k) {
			fmt.Fprintf(out, "  %s\n", l)
		}
	}
	if again.Hash != r.Hash {
		fmt.Fprintf(out, "and the same seed gave another run: %s, then %s\n", r.Hash, again.Hash)
	}
	return fmt.Errorf("%w: seed %d", ErrBroken, r.Seed)
}

// concerned are the payments of some violations, each once.
func concerned(all []oracle.Violation) (keys []oracle.Key) {
	for _, v := range all {
		for _, k := range v.Keys {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// about is what the trace says of a payment: by its own number, by its
// acquirer's, and what happened to everybody meanwhile.
func (r Result) about(k oracle.Key) (lines []string) {
	first, last := -1, -1
	mine := make([]bool, len(r.lines))
	for i, l := range r.lines {
		mine[i] = strings.Contains(l.text, k.Terminal) && strings.HasSuffix(l.text, fmt.Sprintf("trace %06d", k.Trace)) ||
			strings.HasPrefix(l.text, fmt.Sprintf("%s trace %06d ", k.Terminal, k.Trace))
		for _, s := range r.stans[k] {
			mine[i] = mine[i] || strings.Contains(l.text, s)
		}
		if mine[i] {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	for i := first; i >= 0 && i <= last; i++ {
		if l := r.lines[i]; mine[i] || strings.HasPrefix(l.text, "fault: ") || strings.HasPrefix(l.text, "the switch") {
			lines = append(lines, fmt.Sprintf("%14v %s", l.at, l.text))
		}
	}
	return lines
}

// String is the run in one line.
func (r Result) String() string {
	var faults []string
	for kind, n := range r.Faults {
		faults = append(faults, fmt.Sprintf("%s %d", kind, n))
	}
	slices.Sort(faults)
	return fmt.Sprintf("seed %d: %s: %d payments; %d kinds of faults: %s; %d crashes: %s",
		r.Seed, r.Hash, r.Payments, len(faults), strings.Join(faults, ", "), len(r.Crashes), strings.Join(r.Crashes, "; "))
}

// unreached are the arrows that no world can take, and why.
func unreached() map[Arrow]string {
	stored := "the journal keeps no Forwarded, so what is stored follows from intended"
	noClass := "the terminals of a world ask for no balance"
	noCase := "no host of a world refuses a reversal, and none is silent for days"
	late := "a late answer that changes nothing leaves no record"
	return map[Arrow]string{
		{txn.Sent, txn.NotSent}:             stored,
		{txn.Sent, txn.UndoAsked}:           stored,
		{txn.Reversing, txn.Forwarded}:      stored,
		{txn.Reversing, txn.TimedOut}:       "undo is one: what is being reversed already gets no second record",
		{txn.Reversing, txn.CheckFailed}:    "undo is one: what is being reversed already gets no second record",
		{txn.Reversing, txn.DeadlinePassed}: "undo is one: what is being reversed already gets no second record",
		{txn.Reversing, txn.UndoAsked}:      "undo is one: what is being reversed already gets no second record",
		{txn.Reversed, txn.UndoAsked}:       "undo is one: what was reversed gets no second record",
		{txn.Unmatched, txn.UndoAsked}:      "undo is one: what was reversed gets no second record",
		{txn.Declined, txn.UndoAsked}:       "a reversal of what was declined leaves no record",
		{txn.Completed, txn.SaidYes}:        late,
		{txn.Completed, txn.SaidNo}:         late,
		{txn.Declined, txn.SaidNo}:          late,
		{txn.Reversed, txn.SaidYes}:         late,
		{txn.Reversed, txn.SaidNo}:          late,
		{txn.Unmatched, txn.SaidNo}:         late,
		{txn.Intended, txn.Closed}:          noClass,
		{txn.Sent, txn.Closed}:              noClass,
		{txn.Approved, txn.Closed}:          noClass,
		{txn.Reversing, txn.CaseOpened}:     noCase,
		{txn.Disputed, txn.UndoAsked}:       noCase,
		{txn.Disputed, txn.SaidYes}:         noCase,
		{txn.Disputed, txn.SaidNo}:          noCase,
	}
}

// printArrows prints the table's arrows with how often each was taken.
func printArrows(out io.Writer, taken map[Arrow]int) {
	all, got := 0, 0
	var missing []string
	for s := txn.Received; s <= txn.Disputed; s++ {
		for e := txn.Refuse; e <= txn.CaseOpened; e++ {
			to, ok := txn.Next(s, e)
			if !ok {
				continue
			}
			all++
			a := Arrow{s, e}
			if n := taken[a]; n > 0 {
				got++
				fmt.Fprintf(out, "%8d  %s + %s -> %s\n", n, s, e, to)
				continue
			}
			why := unreached()[a]
			if why == "" {
				why = "not in these runs"
			}
			missing = append(missing, fmt.Sprintf("%8s  %s + %s -> %s: %s", "never", s, e, to, why))
		}
	}
	for _, m := range missing {
		fmt.Fprintln(out, m)
	}
	fmt.Fprintf(out, "%d of %d arrows taken\n", got, all)
}
