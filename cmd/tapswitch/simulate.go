// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"tapswitch/simulators/acquirer"
	"tapswitch/simulators/reader"
)

func newSimulateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Run one of the simulators: an acquirer host, an NFC reader with cards, a whole world",
		Example: "  tapswitch simulate acquirer --config acq-a.yaml\n" +
			"  tapswitch simulate reader --link /tmp/nfc --deck deck.json\n" +
			"  tapswitch simulate world --seed 1 --runs 500",
	}
	c.AddCommand(newSimulateAcquirerCommand(), newSimulateReaderCommand(), newSimulateWorldCommand())
	return c
}

func newSimulateAcquirerCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "acquirer --config FILE",
		Short: "An acquirer host with accounts and books",
		Long: "An acquirer host with accounts and books. Lines on standard input steer it:\n" +
			"mood normal|silent|late 3s|down [once], books, quit. Each event is one JSON line.",
		Example: "  tapswitch simulate acquirer --config acq-a.yaml\n" +
			"  echo 'mood silent once' | tapswitch simulate acquirer --config acq-a.yaml",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := acquirer.LoadConfig(file)
			if err != nil {
				return err
			}
			return interrupted(acquirer.RunLines(c.Context(), cfg, c.InOrStdin(), c.OutOrStdout()))
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file of the host (required)")
	required(c, "config")
	return c
}

func newSimulateReaderCommand() *cobra.Command {
	var cfg reader.Config
	c := &cobra.Command{
		Use:   "reader --link PATH --deck FILE",
		Short: "A PN532 NFC reader on a pseudo terminal in front of a deck of cards",
		Long: "A PN532 NFC reader on a pseudo terminal in front of a deck of cards. Lines on standard\n" +
			"input steer it: present CARD, remove, fault NAME, quit. Each event is one JSON line.",
		Example: "  tapswitch simulate reader --link /tmp/nfc --deck deck.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return interrupted(reader.RunLines(c.Context(), cfg, c.InOrStdin(), c.OutOrStdout()))
		},
	}
	c.Flags().StringVar(&cfg.Link, "link", "", "path at which the pseudo terminal appears (required)")
	c.Flags().StringVar(&cfg.DeckFile, "deck", "", "deck of cards, JSON (required)")
	required(c, "link", "deck")
	return c
}

// interrupted takes the end by signal for what it is: no error.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// required marks flags without which a command has no sense.
func required(c *cobra.Command, names ...string) {
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, name := range names {
			if !c.Flags().Changed(name) {
				return usageError{errors.New("flag --" + name + " is required\nsee: " + c.CommandPath() + " --help")}
			}
		}
		return run(c, args)
	}
}
