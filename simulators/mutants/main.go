// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1)
	}
}

// run is main with everything it touches passed in.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := flags.String("only", "*", "names of the mutants to hunt, as a pattern of the shell")
	jobs := flags.Int("jobs", runtime.NumCPU(), "mutants hunted at the same time")
	rewrite := flags.Bool("rewrite", false, "write the list into "+page)
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	all, err := load(root)
	if err != nil {
		return err
	}
	chosen := all[:0:0]
	for _, m := range all {
		if ok, err := path.Match(*only, m.name); err != nil {
			return fmt.Errorf("-only %s: %w", *only, err)
		} else if ok {
			chosen = append(chosen, m)
		}
	}
	if *rewrite && len(chosen) != len(all) {
		return errors.New("-rewrite needs all mutants: leave -only out")
	}
	results, err := huntAll(ctx, root, chosen, max(1, *jobs), out)
	if err != nil {
		return err
	}
	if *rewrite {
		return rewritePage(root, table(chosen, results))
	}
	return nil
}

// huntAll hunts some mutants, so many at a time, and fails when one lives.
func huntAll(ctx context.Context, root string, all []mutant, jobs int, out io.Writer) ([]found, error) {
	dir, err := os.MkdirTemp("", "tapswitch-mutants-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	results, failed := make([]found, len(all)), make([]error, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	var print sync.Mutex
	for range jobs {
		workers.Go(func() {
			for i := range next {
				results[i], failed[i] = one(ctx, root, dir, all[i])
				print.Lock()
				tell(out, all[i], results[i], failed[i])
				print.Unlock()
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	lived := 0
	for _, err := range failed {
		if err != nil {
			lived++
		}
	}
	fmt.Fprintf(out, "%d of %d mutants found in %v\n", len(all)-lived, len(all), time.Since(began).Round(time.Second))
	if lived > 0 {
		return nil, fmt.Errorf("%d of %d mutants were not found", lived, len(all))
	}
	return results, nil
}

// one builds and hunts one mutant.
func one(ctx context.Context, root, dir string, m mutant) (found, error) {
	program, err := build(ctx, root, dir, m)
	if err != nil {
		return found{}, err
	}
	defer os.Remove(program)
	return m.finder.hunt(ctx, program)
}

func tell(out io.Writer, m mutant, f found, err error) {
	switch {
	case err != nil:
		fmt.Fprintf(out, "LIVES  %-28s %v\n", m.name, err)
	case f.seed != "":
		fmt.Fprintf(out, "found  %-28s seed %s, promise %s: %s (%v)\n", m.name, f.seed, f.promise, f.text, f.took.Round(100*time.Millisecond))
	default:
		fmt.Fprintf(out, "found  %-28s %s, promise %s: %s (%v)\n", m.name, m.finder, f.promise, f.text, f.took.Round(100*time.Millisecond))
	}
}
