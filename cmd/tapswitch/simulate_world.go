// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"tapswitch/simulators/world"
)

func newSimulateWorldCommand() *cobra.Command {
	var seed uint64
	var runs int
	var arrows bool
	c := &cobra.Command{
		Use:   "world --seed N --runs M",
		Short: "A whole switch, its terminals and its acquirers from one seed, with faults, and the verdict",
		Long: "A whole switch, its terminals and its acquirers in this process, over virtual time: every message,\n" +
			"fault and crash follows from the seed. One line a run; at the end the arrows of the state table that\n" +
			"were taken and were not. The first run that breaks a promise is printed with the trace of its payments; exit code 1.",
		Example: "  tapswitch simulate world --seed 1 --runs 500",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if runs < 1 {
				return usageError{errors.New("--runs must be 1 or more\nsee: " + c.CommandPath() + " --help")}
			}
			return world.Play(c.OutOrStdout(), seed, runs, arrows)
		},
	}
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the first run; each further run has the next one")
	c.Flags().IntVar(&runs, "runs", 1, "how many runs")
	c.Flags().BoolVar(&arrows, "all-arrows", false, "fail when an arrow of the state table was taken in no run; that takes some 500 of them")
	return c
}
