// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapswitch/switch/admin"
	"tapswitch/switch/txn"
)

// newCasesCloseCommand closes a case with what was found.
func newCasesCloseCommand() *cobra.Command {
	var p port
	var r admin.Request
	var found string
	c := &cobra.Command{
		Use:   "close {RRN --found {undone | stands} | --terminal ID --batch N --trace N} --reason TEXT --by NAME {--config FILE | --socket PATH}",
		Short: "Close a case with what the acquirer was found to hold, or those of an upload",
		Long: `Close a case in the running switch. undone: the acquirer holds nothing of the payment, now or after it was settled there; it is reversed for good.
stands: the acquirer holds it, and whatever is to be given back goes another way; no terminal gets an approval of it, nor can it be voided or reversed. Of a void, undone frees
its original and stands binds it. This cannot be taken back. Reason and name go into the journal.

Cases of class upload have no payment that moves by them: terminal, batch and trace number name them, as tapswitch txn cases lists them, and all that are open under these are
closed, with a reason that says how it was settled. Trace number 0 has those that are about the batch itself. What the terminal uploads later opens a case of its own.`,
		Example: "  tapswitch txn cases close 632700000007 --found undone --reason \"acquirer reversed by hand, ticket 4711\" --by \"Ann Lee\" --config switch.yaml\n" +
			"  tapswitch txn cases close --terminal 10000001 --batch 1 --trace 2 --reason \"voucher seen, difference given back\" --by \"Ann Lee\" --config switch.yaml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return closeUpload(c, p, r, found)
			}
			if r.Upload != (admin.Upload{}) || c.Flags().Changed("trace") {
				return usageError{errors.New("a payment's case is named by its RRN alone, one of an upload by --terminal, --batch and --trace alone")}
			}
			words := map[string]txn.Deed{"undone": txn.FoundUndone, "stands": txn.FoundStands}
			what, ok := words[found]
			if !ok {
				return usageError{fmt.Errorf("found %q: undone or stands", found)}
			}
			r.RRN, r.Do = args[0], what.String()
			return p.act(c, r)
		},
	}
	p.flags(c)
	answerable(c, &r)
	c.Flags().StringVar(&found, "found", "", "of a payment, undone: the acquirer holds nothing of it; stands: it does")
	c.Flags().StringVar(&r.Upload.Terminal, "terminal", "", "of an upload: the terminal")
	c.Flags().StringVar(&r.Upload.Merchant, "merchant", "", "of an upload: the merchant, when the terminal has had several")
	c.Flags().Uint32Var(&r.Upload.Batch, "batch", 0, "of an upload: the batch")
	c.Flags().Uint32Var(&r.Upload.Trace, "trace", 0, "of an upload: the trace number, 0 for what is about the batch itself")
	return c
}

// closeUpload asks for the close of cases of an upload.
func closeUpload(c *cobra.Command, p port, r admin.Request, found string) error {
	switch {
	case found != "":
		return usageError{errors.New("--found is of a payment, named by its RRN; no payment moves by a case of an upload")}
	case r.Upload.Terminal == "" || r.Upload.Batch == 0 || !c.Flags().Changed("trace"):
		return usageError{errors.New("name one case: the RRN of its payment, or --terminal, --batch and --trace of an upload")}
	}
	r.Do = txn.Settled.String()
	reply, err := p.ask(c.Context(), r)
	if err != nil {
		return err
	}
	return printClosed(c.OutOrStdout(), p.format, reply.Cases)
}

// printClosed says which cases were closed.
func printClosed(out io.Writer, format string, cases []admin.Case) error {
	enc := json.NewEncoder(out)
	for _, it := range cases {
		if format == "json" {
			if err := enc.Encode(it); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(out, "settled: %s of terminal %s batch %06d trace %06d is closed\n", it.Why, it.Terminal, it.Batch, it.Trace); err != nil {
			return err
		}
	}
	return nil
}
