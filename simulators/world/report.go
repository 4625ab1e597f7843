// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
)

// ErrBroken says that a run broke a promise.
var ErrBroken = errors.New("world: a promise is broken")

// ErrArrows says that no run took some arrows of the state table.
var ErrArrows = errors.New("world: arrows of the state table were not taken")

// Play runs so many seeds from the first one on and prints a line for each, and
// at the end the arrows of the state table that were taken and that were not,
// which with everyArrow is an error. It stops at the first run that breaks a
// promise, with the trace of the payments concerned.
func Play(out io.Writer, seed uint64, runs int, everyArrow bool) error {
	var moves txn.Moves
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
		moves.Add(r.Moves)
	}
	fmt.Fprintf(out, "\n%d runs, %d payments, %d faults, %d crashes, no promise broken\n\n", runs, payments, faults, crashes)
	if missing := printArrows(out, moves); missing > 0 && everyArrow {
		return fmt.Errorf("%w: %d, printed with never; widen the world until it takes them", ErrArrows, missing)
	}
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

// printArrows prints the table's arrows with how often each was taken, and returns
// how many were not.
func printArrows(out io.Writer, moves txn.Moves) (missing int) {
	all := txn.Arrows()
	for _, a := range all {
		n := moves.Taken(a)
		count := strconv.FormatUint(n, 10)
		if n == 0 {
			missing++
			count = "never"
		}
		fmt.Fprintf(out, "%8s  %s + %s -> %s\n", count, a.From, a.Event, a.To)
	}
	fmt.Fprintf(out, "%d of %d arrows taken\n", len(all)-missing, len(all))
	return missing
}
