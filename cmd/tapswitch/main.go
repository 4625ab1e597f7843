// SPDX-License-Identifier: Apache-2.0

// Command tapswitch is the switch, its terminal program and its simulators in
// one binary.
//
// Promise: one file a subcommand; flags in, wiring calls out. Exit code 0 means
// that what was asked was done, 1 that it was not, 2 that it could not be
// understood.
//
// How: main hands everything it touches to run, so that a test can call it.
//
// Imported by: nothing. Imports: everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// Never let go of: a second signal would kill a process that is ending well.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tapswitch:", err)
		os.Exit(exitCode(err))
	}
}

// usageError is a command line that could not be understood.
type usageError struct{ error }

func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// run is main with everything it touches passed in.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) error {
	root := &cobra.Command{
		Use:           "tapswitch",
		Short:         "An open payment switch: terminals over ISO 8583, PIN and cryptograms in an HSM, acquirer links",
		Example:       "  tapswitch demo --taps 20\n  tapswitch serve --config switch.yaml",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee: %s --help", err, c.CommandPath())}
	})
	root.AddCommand(newDemoCommand(), newServeCommand(), newTerminalCommand(), newSimulateCommand(), newConfigCommand(),
		newJournalCommand(), newTxnCommand(), newBatchCommand(), newHistoryCommand(), newCrashtestCommand(), newIsoCommand(), newHSMCommand(), newVersionCommand())
	strict(root)
	return root.ExecuteContext(ctx)
}

// looksLikeCommand says whether a word may be repeated in an error: somebody may
// have pasted a message there, or a card number.
func looksLikeCommand(word string) bool {
	return len(word) <= 20 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// strict makes every command line that does not fit a usage error, also that
// of a command which only groups others: left alone, cobra prints the help of a
// group for a mistyped command and calls it success.
func strict(c *cobra.Command) {
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if !looksLikeCommand(args[0]) {
				return fmt.Errorf("unknown command for %q", c.CommandPath())
			}
			return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w\nsee: %s --help", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}
