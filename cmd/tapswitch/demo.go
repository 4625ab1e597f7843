// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// demoOptions are the flags of the demonstration.
type demoOptions struct {
	taps    int
	seed    uint64
	json    bool
	dir     string
	prepare bool
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Tap cards on a terminal and watch them being authorised",
		Long: "Start an HSM token, a switch, two acquirers, an NFC reader with cards and a POS terminal as\n" +
			"separate processes on loopback, and tap cards. One line a tap: card, amount, what was checked\n" +
			"where, route, result, time. Ends after --taps with 0 when every outcome was the expected one;\n" +
			"without --taps it goes on slowly until Ctrl-C. Only published test cards and keys are used.",
		Example: "  tapswitch demo\n  tapswitch demo --taps 20 --seed 7\n  tapswitch demo --taps 20 --json --dir /tmp/demo",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.taps < 1 && c.Flags().Changed("taps") {
				return usageError{fmt.Errorf("--taps %d: give a number of taps from 1 on, or leave it out to go on until Ctrl-C", o.taps)}
			}
			if o.prepare && o.dir == "" {
				return usageError{errors.New("--prepare needs --dir: what it writes would be removed at once")}
			}
			return demo(c.Context(), o, show{c.OutOrStdout(), o.json})
		},
	}
	c.Flags().IntVar(&o.taps, "taps", 0, "stop after so many taps; without it go on until Ctrl-C")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "changes order, cards and amounts")
	c.Flags().BoolVar(&o.json, "json", false, "one JSON object a tap, and a summary")
	c.Flags().StringVar(&o.dir, "dir", "", "keep the logs of terminal and switch, the acquirers' books, metrics and journal in this folder, which must be empty or new")
	c.Flags().BoolVar(&o.prepare, "prepare", false, "write token, keys and configurations into --dir, say how to start each part, and end")
	return c
}

func demo(ctx context.Context, o demoOptions, out show) error {
	dir, remove, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	defer remove()
	s, err := prepare(ctx, dir)
	if err != nil {
		return err
	}
	if o.prepare {
		return s.explain(out)
	}
	t, err := raise(ctx, s)
	defer t.strike()
	if err != nil {
		return err
	}
	if o.taps > 0 {
		return t.run(ctx, o, out)
	}
	if err := t.invite(out); err != nil {
		return err
	}
	return t.goOn(ctx, o.seed, out)
}

// demoDir is the folder of a run; one that we made ourselves is removed after it.
func demoDir(dir string) (string, func(), error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "tapswitch-demo-")
		return made, func() { os.RemoveAll(made) }, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("folder %s is not empty: name a new one, so that nothing of yours is overwritten", dir)
	}
	return dir, func() {}, nil
}

// run plays a plan and judges it.
func (t *troupe) run(ctx context.Context, o demoOptions, out show) error {
	before, err := t.metrics(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	var results []result
	for i, p := range plan(o.taps, o.seed) {
		r := judge(i+1, p, t.play(ctx, p))
		results = append(results, r)
		if err := out.result(r); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted after tap %d of %d", i+1, o.taps)
		}
	}
	if err := out.summary(results, o.seed, time.Since(began)); err != nil {
		return err
	}
	if err := t.keepMetrics(ctx, before); err != nil {
		return err
	}
	for _, r := range results {
		if !r.Expected {
			return fmt.Errorf("tap %d was not as expected: %s", r.Tap, r.Problem)
		}
	}
	return nil
}

// goOn taps about once a second until it is told to stop.
func (t *troupe) goOn(ctx context.Context, seed uint64, out show) error {
	for n := 1; ; {
		for _, p := range plan(20, seed) {
			r := judge(n, p, t.play(ctx, p))
			if ctx.Err() != nil {
				return nil
			}
			if err := out.result(r); err != nil {
				return err
			}
			n++
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		}
		seed++
	}
}

// invite prints what to try next.
func (t *troupe) invite(out show) error {
	if out.json {
		return nil
	}
	_, err := fmt.Fprintf(out.out, `Running until Ctrl-C. In another window, try:
  curl http://%s/metrics                            what the switch counts
  curl http://%s/readyz                             whether it can serve
  head -c 200 /dev/urandom | nc -q1 %s   garbage: refused, counted, and the taps go on
  kill %d                                                          the acquirer of the UnionPay cards
  mv %s/token %s/gone        the HSM token; move it back and it recovers

`, t.stage.Observe, t.stage.Observe, spaced(t.stage.Switch), t.hosts[linkA].cmd.Process.Pid, t.stage.Dir, t.stage.Dir)
	return err
}
