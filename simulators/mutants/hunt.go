// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// finder is a command of the program that must find a mutant.
type finder struct {
	words []string // of the command line
}

// The size of a hunt: the same for every mutant.
const (
	worldRuns = 100
	firstSeed = 1
)

// world is the finder of most mutants: the simulated world.
func world() finder {
	return finder{[]string{"simulate", "world", "--seed", strconv.Itoa(firstSeed), "--runs", strconv.Itoa(worldRuns)}}
}

// parseFinder reads what a patch names: the crash test with its kills.
func parseFinder(words string) (finder, error) {
	var kills int
	if n, err := fmt.Sscanf(words, "crashtest, kills %d", &kills); n != 1 || err != nil || kills < 1 {
		return finder{}, fmt.Errorf("finder %q is not built: leave the line out for the world, or write crashtest, kills N", words)
	}
	return finder{[]string{"crashtest", "--seed", strconv.Itoa(firstSeed), "--kills", strconv.Itoa(kills)}}, nil
}

// String is the finder as it is told.
func (f finder) String() string { return strings.Join(f.words, " ") }

// found is what a finder said of a mutant.
type found struct {
	promise string // its number, or the first words of what is wrong besides
	text    string // what is wrong
	seed    string // of the run, empty for the crash test
	took    time.Duration
}

// errNotFound says that a mutant lived.
var errNotFound = errors.New("not found")

// patience is how long one hunt may take: a mutant may hang the program.
const patience = 5 * time.Minute

// hunt runs the finder of a program with a mutant in it.
func (f finder) hunt(ctx context.Context, program string) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	c := exec.CommandContext(ctx, program, f.words...)
	c.WaitDelay = time.Second
	c.Env = os.Environ()
	out, err := c.CombinedOutput()
	took := time.Since(began)
	if ctx.Err() != nil {
		return found{}, fmt.Errorf("%w: no verdict after %v of %s", errNotFound, patience, f)
	}
	code := c.ProcessState.ExitCode()
	if err == nil {
		return found{}, fmt.Errorf("%w by %s: the world, or the oracle, is too weak: widen it", errNotFound, f)
	}
	verdict, ok := read(string(out))
	if code != 1 || !ok {
		return found{}, fmt.Errorf("%w by %s: exit code %d and no broken promise in\n%s", errNotFound, f, code, tail(string(out)))
	}
	verdict.took = took
	return verdict, nil
}

// read finds the broken promise in what a finder printed.
func read(out string) (v found, ok bool) {
	seed := regexp.MustCompile(`(?m)^seed (\d+) breaks a promise:\n((?:  .*\n)+)`).FindStringSubmatch(out)
	said := out
	if seed != nil {
		v.seed, said = seed[1], seed[2]
	}
	promise := regexp.MustCompile(`(?m)^(?:  |broken: )promise (\d+): (.*)$`).FindStringSubmatch(said)
	switch {
	case promise != nil:
		v.promise, v.text = promise[1], promise[2]
	case seed != nil:
		first, _, _ := strings.Cut(said, "\n")
		v.promise, v.text = "-", strings.TrimSpace(first)
	default:
		return v, false
	}
	v.text, _, _ = strings.Cut(v.text, " [terminal") // the payment's name says nothing to a reader of the list
	return v, true
}

// tail is the end of a long output.
func tail(out string) string {
	const most = 2000
	if len(out) > most {
		return "…" + out[len(out)-most:]
	}
	return out
}
