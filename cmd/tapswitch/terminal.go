// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/terminal/pos"
)

// newTerminalCommand is the POS terminal program.
func newTerminalCommand() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "terminal --config FILE",
		Short: "Run a POS terminal: reader, PIN pad and till in line mode",
		Long: `A POS terminal in line mode. It signs on, sends the reversal that is due, and
then takes commands, one a line:

  sale AMOUNT_MINOR   take a payment; 1234 is 12.34
  cashback AMOUNT_MINOR CASH_MINOR
                      take a payment of which the customer gets a part in cash
  preauth AMOUNT_MINOR
                      have an amount held
  preauth-void AMOUNT_MINOR AUTHORIZATION DATE [BATCH TRACE]
                      release it, whole; as the receipt has it, date MMDD
  complete AMOUNT_MINOR AUTHORIZATION DATE [BATCH TRACE]
                      take it, or less, or a little more
  complete-offline AMOUNT_MINOR AUTHORIZATION DATE [BATCH TRACE]
                      the same, good at once: the switch is told as soon as it can be
  complete-void AMOUNT_MINOR AUTHORIZATION DATE BATCH TRACE REFERENCE
                      give it back: the amount is held again
  refund AMOUNT_MINOR REFERENCE BATCH TRACE [DATE]
                      give a sale back, or a part of it, to the card that paid; as
                      the receipt has it. It is not reversed: without an answer the
                      same message goes again after the next sale and at a start
  repeat              send a refund without an answer again now
  pin DIGITS          when the PIN is asked for
  cancel              give up waiting for a card or a PIN
  reverse             undo the last approved sale
  last                tell the last approved payment once more, as every start does
  tip AMOUNT_MINOR    the last sale comes to more: the whole, with the tip
  adjust AMOUNT_MINOR the last sale comes to another amount, more or less
  settle              close the batch: totals, and every payment where they differ
  offline AMOUNT_MINOR AUTHORIZATION
                      a sale that was authorised by telephone: good at once, and
                      the switch is told as soon as it can be
  upload              tell the switch again of what was offline, also of what it refused
  discard TRACE       forget what was offline and the switch refused for good: the
                      voucher is what is left of it; or a refund that it did not
                      judge, or that is older than 12 hours: ask the acquirer first
  sign-on, sign-off, echo, quit`,
		Example: `  tapswitch terminal --config terminal.yaml
  printf 'sale 1234\nquit\n' | tapswitch terminal --config terminal.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTerminal(cmd, config, asJSON) },
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file, YAML (required)")
	required(cmd, "config")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object per event on standard output")
	return cmd
}

func runTerminal(cmd *cobra.Command, config string, asJSON bool) error {
	cfg, err := pos.Load(config, pos.Source{ReadFile: os.ReadFile, LookupEnv: os.LookupEnv})
	if err != nil {
		return usageError{err}
	}
	security, err := cfg.TLS(os.ReadFile)
	if err != nil {
		return usageError{err}
	}
	log, err := pos.OpenLog(cfg.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	till, err := pos.New(cmd.Context(), cfg, pos.Options{
		World: env.Real(), TLS: security, Out: cmd.OutOrStdout(), Log: log, JSON: asJSON,
	})
	if err != nil {
		return err
	}
	return errors.Join(till.Run(cmd.Context(), cmd.InOrStdin()), till.Close())
}
