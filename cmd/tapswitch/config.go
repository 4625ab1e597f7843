// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"tapswitch/switch/config"
)

// machine is what configuration reads of the machine.
func machine() config.Source {
	return config.Source{ReadFile: os.ReadFile, LookupEnv: os.LookupEnv}
}

func newConfigCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check and explain a switch configuration", Example: "  tapswitch config check switch.yaml"}
	c.AddCommand(&cobra.Command{
		Use:     "check FILE",
		Short:   "Report every mistake with its line, and what to do about it",
		Example: "  tapswitch config check switch.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := config.Check(args[0], machine()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s: good\n", args[0])
			return err
		},
	}, &cobra.Command{
		Use:     "explain FILE",
		Short:   "Print every value, where it came from and what it means",
		Example: "  tapswitch config explain switch.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(args[0], machine())
			if err != nil {
				return err
			}
			return cfg.Explain(c.OutOrStdout())
		},
	})
	return c
}
