// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/switch/admin"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
)

func newTxnSAFCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "saf",
		Short: "List what waits for an acquirer in the running switch, and hold, retry or drop it",
		Example: `  tapswitch txn saf list --config switch.yaml
  tapswitch txn saf hold 632700000007 --reason "host repairs its books" --by "Ann Lee" --config switch.yaml`,
	}
	c.AddCommand(newSAFListCommand(),
		newActCommand(txn.Retry, "Send it at once, whatever it waited for, and let it go when it is held",
			`Send it at once, whatever pause or hold it waited for. It goes as soon as its link is up and what stands before it of the same original is
over; nothing is sent out of order, and a repeat carries the same numbers.`),
		newActCommand(txn.Hold, "Hold it back until it is retried; what belongs to the same original waits behind it",
			`Hold it back until it is retried, over restarts too. What belongs to the same original waits behind it. The customer's money stays where it
is meanwhile, and nothing expires.`),
		newActCommand(txn.Drop, "Send it no more, and open a case instead",
			`Send it no more. Nothing is lost by that: a case is open instead (tapswitch txn cases), which somebody has to settle with the acquirer and
close. What belongs to the same original goes on.`))
	return c
}

// port is the flags of every command that asks a running switch.
type port struct {
	file, socket, format string
}

func (p *port) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.file, "config", "", "configuration file of the running switch, which names its socket (admin.socket)")
	c.Flags().StringVar(&p.socket, "socket", "", "the socket itself, instead of --config")
	c.Flags().StringVarP(&p.format, "output", "o", "table", "table or json")
}

// ask asks the switch that the flags name.
func (p *port) ask(ctx context.Context, r admin.Request) (admin.Reply, error) {
	if !slices.Contains([]string{"table", "json"}, p.format) {
		return admin.Reply{}, usageError{fmt.Errorf("output %q: table or json", p.format)}
	}
	socket := p.socket
	switch {
	case (p.file == "") == (p.socket == ""):
		return admin.Reply{}, usageError{errors.New("name one switch: --config with its configuration, or --socket")}
	case p.file != "":
		cfg, err := config.Read(p.file, machine())
		if err != nil {
			return admin.Reply{}, err
		}
		if socket = cfg.Admin.Socket; socket == "" {
			return admin.Reply{}, errors.New("this switch has no operator's port: admin.socket is empty")
		}
	}
	return admin.Ask(ctx, env.Real(), socket, r)
}

func newSAFListCommand() *cobra.Command {
	var p port
	var r = admin.Request{Do: admin.List}
	c := &cobra.Command{
		Use:   "list {--config FILE | --socket PATH}",
		Short: "List what waits for an acquirer, those that are owed longest first, and why",
		Long: `List what waits for an acquirer, those that are owed longest first, and why. PLACE: sending, under way this moment; due, goes as soon as
the link is up; later, after its pause; held, until an operator retries it; behind, after what stands before it of the same original.`,
		Example: "  tapswitch txn saf list --config switch.yaml\n  tapswitch txn saf list --link acq-a -o json --config switch.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			reply, err := p.ask(c.Context(), r)
			if err != nil {
				return err
			}
			if p.format == "json" {
				return writeItems(c.OutOrStdout(), reply.Items)
			}
			return printItems(c.OutOrStdout(), reply, env.Real().Clock.Now())
		},
	}
	p.flags(c)
	c.Flags().StringVar(&r.Link, "link", "", "of this link alone")
	c.Flags().IntVar(&r.Limit, "limit", 100, fmt.Sprintf("at most so many, up to %d", admin.ListMax))
	return c
}

func writeItems(out io.Writer, items []admin.Item) error {
	enc := json.NewEncoder(out)
	for _, it := range items {
		if err := enc.Encode(it); err != nil {
			return err
		}
	}
	return nil
}

func printItems(out io.Writer, reply admin.Reply, now time.Time) error {
	if len(reply.Items) == 0 {
		_, err := fmt.Fprintln(out, "nothing waits for an acquirer")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RRN\tLINK\tKIND\tPLACE\tAGE\tTRIES\tCODE\tTERMINAL\tTRACE\tCLASS\tAMOUNT\tWHY")
	for _, it := range reply.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%06d\t%s\t%d\t%s\n", it.RRN, it.Link, it.Kind, it.Place, age(now.Sub(it.Since)),
			it.Tries, it.Code, it.Terminal, it.Trace, it.Class, it.Amount, why(it))
	}
	if err := w.Flush(); err != nil || reply.More == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "and %d more\n", reply.More)
	return err
}

// age is a duration as people read it, to its first two units.
func age(d time.Duration) string {
	switch d = max(d, 0).Truncate(time.Second); {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return d.String()
}

// why says in words what an item waits for.
func why(it admin.Item) string {
	last := ""
	switch {
	case it.Err != "":
		last = "; last: " + it.Err
	case it.Code != "":
		last = "; the acquirer said " + it.Code
	}
	switch {
	case it.Place == "held":
		return fmt.Sprintf("held by %s since %s: %s", it.HeldBy, it.HeldSince.UTC().Format(time.RFC3339), it.HeldWhy)
	case it.Place == "behind":
		return "goes after " + it.Behind
	case !it.LinkUp:
		return "link " + it.Health + last
	case it.Place == "later":
		return fmt.Sprintf("next attempt in %s%s", (time.Duration(it.WaitMS) * time.Millisecond).Round(100*time.Millisecond), last)
	}
	return it.Place + last
}

// newActCommand is a command that does one thing to one payment.
func newActCommand(what txn.Deed, short, long string) *cobra.Command {
	var p port
	r := admin.Request{Do: what.String()}
	c := &cobra.Command{
		Use:     what.String() + " RRN --reason TEXT --by NAME {--config FILE | --socket PATH}",
		Short:   short,
		Long:    long + "\n\nReason and name go into the journal with the act. What is being sent this moment is waited for.",
		Example: fmt.Sprintf("  tapswitch txn saf %s 632700000007 --reason \"told by the acquirer\" --by \"Ann Lee\" --config switch.yaml", what),
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r.RRN = args[0]
			return p.act(c, r)
		},
	}
	p.flags(c)
	answerable(c, &r)
	return c
}

// answerable adds the flags of what changes something.
func answerable(c *cobra.Command, r *admin.Request) {
	c.Flags().StringVar(&r.Why, "reason", "", fmt.Sprintf("why, at most %d bytes, without card numbers; kept in the journal", txn.WhyMax))
	c.Flags().StringVar(&r.By, "by", "", fmt.Sprintf("who answers for it, at most %d bytes; kept in the journal", txn.ByMax))
	required(c, "reason", "by")
}

// act asks for it and says how the payment stands then.
func (p *port) act(c *cobra.Command, r admin.Request) error {
	reply, err := p.ask(c.Context(), r)
	if err != nil {
		return err
	}
	if p.format == "json" {
		return writeItems(c.OutOrStdout(), []admin.Item{*reply.Item})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", r.Do, stands(*reply.Item))
	return err
}

// stands says how a payment stands after an act.
func stands(it admin.Item) string {
	switch w := why(it); {
	case it.Place == "" && it.State == txn.Disputed.String():
		return fmt.Sprintf("payment %s is disputed; tapswitch txn cases lists it until it is closed", it.RRN)
	case it.Place == "":
		return fmt.Sprintf("payment %s is %s", it.RRN, it.State)
	case w == it.Place:
		return fmt.Sprintf("%s to %s of payment %s is %s", it.Kind, it.Link, it.RRN, it.Place)
	default:
		return fmt.Sprintf("%s to %s of payment %s is %s: %s", it.Kind, it.Link, it.RRN, it.Place, w)
	}
}
