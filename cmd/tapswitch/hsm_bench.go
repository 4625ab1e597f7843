// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

// Bounds of a measurement.
const (
	minSeconds, maxSeconds = 0.01, 60
	benchTimeout           = 10 * time.Second // of one call: many callers wait for few sessions
)

// benchCallers are how many ask at the same time: one terminal, a shop, a switch.
func benchCallers() []int { return []int{1, 8, 64} }

// measuring is what hsm bench is told.
type measuring struct {
	token     token
	functions string
	seconds   float64
	sessions  int
	format    string
}

func newHSMBenchCommand() *cobra.Command {
	var b measuring
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure operations per second of each function, with 1, 8 and 64 callers",
		Long: "Run each function through the driver, as a switch does, and print operations per second with 1, 8 and 64 callers at the same time. " +
			"On the token of --config or of --module, --token and --pin-file; on a SoftHSM token made for this alone when none is named. " +
			"Keys are published test keys and objects of the session: nothing stays on the token. Beside a running switch it takes the module's time from payments.\n\n" +
			"-o bench prints lines for benchstat: compare two modules or numbers of sessions with benchstat -col /sessions.",
		Example: "  tapswitch hsm bench\n  tapswitch hsm bench --config switch.yaml --functions MACUnionPay,TranslatePIN --seconds 5\n" +
			"  tapswitch hsm bench -o bench > new.txt",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return b.run(c) },
	}
	b.token.flags(c)
	c.Flags().StringVar(&b.functions, "functions", "", "names, with commas between them; all when left out")
	c.Flags().Float64Var(&b.seconds, "seconds", 1, "how long each figure is measured, 0.01 to 60")
	c.Flags().IntVar(&b.sessions, "sessions", pkcs11.DefaultSessions, "sessions that the driver opens")
	c.Flags().StringVarP(&b.format, "output", "o", "table", "table, json or bench")
	return c
}

// benched is one function that is measured; call does it once, with a number of its
// own for inputs that change.
type benched struct {
	name string
	call func(ctx context.Context, n uint64) error
}

// figure is one line of the result.
type figure struct {
	Function   string  `json:"function"`
	Callers    int     `json:"callers"`
	PerSecond  float64 `json:"operations_per_second"`
	Operations uint64  `json:"operations"`
	Seconds    float64 `json:"seconds"`
	Refused    string  `json:"refused,omitempty"` // the module has no mechanism for it
}

func (b *measuring) run(c *cobra.Command) error {
	if b.format != "bench" {
		if _, err := checkFormat(b.format); err != nil {
			return usageError{fmt.Errorf("output %q: table, json or bench", b.format)}
		}
	}
	if !(b.seconds >= minSeconds && b.seconds <= maxSeconds) {
		return usageError{fmt.Errorf("--seconds %v: want %v to %v", b.seconds, minSeconds, maxSeconds)}
	}
	chosen, err := chooseFunctions(b.functions)
	if err != nil {
		return err
	}
	m, done, err := b.open()
	if err != nil {
		return err
	}
	defer done()
	var all []figure
	for _, f := range chosen {
		work, err := f.prepare(c.Context(), m)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		for _, callers := range benchCallers() {
			one, err := measure(c.Context(), benched{f.name, work}, callers, time.Duration(b.seconds*float64(time.Second)))
			if err != nil {
				return fmt.Errorf("%s with %d callers: %w", f.name, callers, err)
			}
			all = append(all, one)
		}
	}
	return b.show(c.OutOrStdout(), all)
}

// open opens the token that is named, or makes one.
func (b *measuring) open() (*pkcs11.Module, func(), error) {
	cfg := pkcs11.Config{Sessions: b.sessions, Timeout: benchTimeout}
	t := &b.token
	if t.config == "" && t.module == "" && t.label == "" && t.pinFile == "" {
		made, clean, err := testToken(cfg)
		if err != nil {
			return nil, nil, err
		}
		return made.Module, clean, nil
	}
	if err := t.resolve(); err != nil {
		return nil, nil, err
	}
	cfg.Module, cfg.TokenLabel, cfg.UserPIN = t.module, t.label, t.pin
	m, err := pkcs11.Open(env.Real(), cfg)
	if err != nil {
		return nil, nil, err
	}
	return m, func() { m.Close() }, nil
}

// measure lets callers do one function until the time is over. The first call, which
// brings keys into the module, is not counted.
func measure(ctx context.Context, f benched, callers int, length time.Duration) (figure, error) {
	out := figure{Function: f.name, Callers: callers}
	if err := f.call(ctx, 0); errors.Is(err, hsm.ErrUnsupported) {
		out.Refused = err.Error()
		return out, nil
	} else if err != nil {
		return out, err
	}
	var next atomic.Uint64
	var over atomic.Bool
	var all sync.WaitGroup
	faults := make(chan error, callers)
	began := time.Now()
	for range callers {
		all.Go(func() {
			for !over.Load() {
				if err := f.call(ctx, next.Add(1)); err != nil {
					over.Store(true)
					faults <- err
					return
				}
				if time.Since(began) >= length {
					over.Store(true)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	select {
	case err := <-faults:
		return out, err
	default:
	}
	out.Operations, out.Seconds = next.Load(), took.Seconds()
	out.PerSecond = float64(out.Operations) / out.Seconds
	return out, nil
}

// show prints the figures: a row a function, a line a figure, or what benchstat reads.
func (b *measuring) show(out io.Writer, all []figure) error {
	switch b.format {
	case "json":
		enc := json.NewEncoder(out)
		for _, f := range all {
			if err := enc.Encode(f); err != nil {
				return err
			}
		}
		return nil
	case "bench":
		fmt.Fprintf(out, "goos: %s\ngoarch: %s\npkg: tapswitch/hsm/pkcs11\n", runtime.GOOS, runtime.GOARCH)
		for _, f := range all {
			if f.Refused == "" {
				fmt.Fprintf(out, "BenchmarkHSM/function=%s/callers=%d/sessions=%d %d %.0f ns/op %.0f op/s\n", f.Function, f.Callers, b.sessions, f.Operations, 1e9/f.PerSecond, f.PerSecond)
			}
		}
		return nil
	}
	return b.showTable(out, all)
}

func (b *measuring) showTable(out io.Writer, all []figure) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	heads := []string{"OPERATIONS PER SECOND"}
	for _, n := range benchCallers() {
		heads = append(heads, fmt.Sprintf("%d callers", n))
	}
	heads[1] = "1 caller"
	fmt.Fprintln(w, strings.Join(append(heads, "REMARK"), "\t"))
	for i := 0; i < len(all); i += len(benchCallers()) {
		row := []string{all[i].Function}
		for _, f := range all[i : i+len(benchCallers())] {
			if f.Refused != "" {
				row = append(row, "-")
				continue
			}
			row = append(row, fmt.Sprintf("%.0f", f.PerSecond))
		}
		remark := all[i].Refused
		if remark == "" {
			remark = remarkOf(all[i].Function)
		}
		fmt.Fprintln(w, strings.Join(append(row, remark), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d sessions, %v s a figure\n", b.sessions, b.seconds)
	return err
}
