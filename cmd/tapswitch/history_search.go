// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
	past "tapswitch/switch/history"
)

// searching is the command line of a search.
type searching struct {
	config, output               string
	cardStdin                    bool
	token, card                  string
	terminal, merchant, rrn      string
	batch, trace, stan           uint32
	amount, amountMin, amountMax int64
	from, to, state              string
	before                       int64
	limit                        int
}

func newHistorySearchCommand() *cobra.Command {
	var s searching
	c := &cobra.Command{
		Use:   "search --config FILE",
		Short: "Find payments by card, terminal, numbers, amount, time or state",
		Long: "Find payments; what is given must all fit. The newest come first. A card is asked for by its number on standard input, which the HSM turns into\n" +
			"the token that is stored: the number is not kept and not printed. Or by the token and the masked number that an earlier answer had; they need no HSM.",
		Example: "  tapswitch history search --config switch.yaml --terminal 10000001 --batch 1 --trace 17\n" +
			"  tapswitch history search --config switch.yaml --card-stdin -o json < card.txt\n" +
			"  tapswitch history search --config switch.yaml --from 2026-11-23 --to 2026-11-24 --amount-min 100000 --state reversed",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c) },
	}
	f := c.Flags()
	f.StringVar(&s.config, "config", "", "switch configuration (required)")
	f.StringVarP(&s.output, "output", "o", "table", "table or json")
	f.BoolVar(&s.cardStdin, "card-stdin", false, "read a card number, one line, from standard input")
	f.StringVar(&s.token, "token", "", "card token, 32 hex digits, as show and -o json print it")
	f.StringVar(&s.card, "card", "", "masked card number, as it is printed")
	f.StringVar(&s.terminal, "terminal", "", "terminal number")
	f.StringVar(&s.merchant, "merchant", "", "merchant number")
	f.Uint32Var(&s.batch, "batch", 0, "batch number of the terminal")
	f.Uint32Var(&s.trace, "trace", 0, "trace number of the terminal")
	f.StringVar(&s.rrn, "rrn", "", "retrieval reference number")
	f.Uint32Var(&s.stan, "stan", 0, "trace number of the request on its link")
	f.Int64Var(&s.amount, "amount", 0, "amount in minor units")
	f.Int64Var(&s.amountMin, "amount-min", 0, "least amount in minor units")
	f.Int64Var(&s.amountMax, "amount-max", 0, "greatest amount in minor units")
	f.StringVar(&s.from, "from", "", "not before this time: 2026-11-23 or 2026-11-23T08:30:00Z (a date is of UTC)")
	f.StringVar(&s.to, "to", "", "before this time")
	f.StringVar(&s.state, "state", "", strings.Join(past.States(), ", "))
	f.Int64Var(&s.before, "before", 0, "only payments with a smaller ID: the next page")
	f.IntVar(&s.limit, "limit", 100, fmt.Sprintf("rows at most, up to %d", past.LimitMax))
	required(c, "config")
	return c
}

func (s *searching) run(c *cobra.Command) error {
	q, err := s.query(c.Flags().Changed)
	if err != nil {
		return usageError{err}
	}
	cfg, err := historyOf(s.config)
	if err != nil {
		return err
	}
	if s.cardStdin {
		token, err := cardToken(c.Context(), cfg, c.InOrStdin())
		if err != nil {
			return err
		}
		q.Token = &token
	}
	return reading(cfg, func(b *past.Book) error {
		rows, more, err := b.Search(c.Context(), q)
		if err != nil {
			return err
		}
		if err := showRows(c.OutOrStdout(), s.output, rows); err != nil {
			return err
		}
		switch {
		case more:
			_, err = fmt.Fprintf(c.ErrOrStderr(), "there are more: --before %d\n", rows[len(rows)-1].ID)
		case len(rows) == 0:
			_, err = fmt.Fprintln(c.ErrOrStderr(), "no payment fits")
		}
		return err
	})
}

// query turns flags into a query. No error repeats what was typed: it may be a
// card number in the wrong place.
func (s *searching) query(given func(flag string) bool) (q past.Query, err error) {
	q = past.Query{Card: s.card, Terminal: s.terminal, Merchant: s.merchant, RRN: s.rrn, STAN: s.stan, State: s.state, Before: s.before, Limit: s.limit}
	for flag, to := range map[string]struct {
		value *uint32
		field **uint32
	}{"batch": {&s.batch, &q.Batch}, "trace": {&s.trace, &q.Trace}} {
		if given(flag) {
			*to.field = to.value
		}
	}
	switch {
	case given("amount") && (given("amount-min") || given("amount-max")):
		return q, errors.New("--amount is one amount: leave out --amount-min and --amount-max")
	case given("amount"):
		q.Min, q.Max = &s.amount, &s.amount
	}
	if given("amount-min") {
		q.Min = &s.amountMin
	}
	if given("amount-max") {
		q.Max = &s.amountMax
	}
	switch {
	case s.output != "table" && s.output != "json":
		return q, errors.New("--output: table or json")
	case s.limit < 1 || s.limit > past.LimitMax:
		return q, fmt.Errorf("--limit: 1 to %d", past.LimitMax)
	case s.state != "" && !slices.Contains(past.States(), s.state):
		return q, errors.New("--state: one of " + strings.Join(past.States(), ", "))
	case s.cardStdin && s.token != "":
		return q, errors.New("--card-stdin and --token both name a card: give one")
	case s.card != "" && !strings.Contains(s.card, "*"):
		return q, errors.New("--card takes a masked number; a whole one goes to standard input with --card-stdin, and what was typed here should be forgotten by the shell")
	}
	if s.token != "" {
		b, err := hex.DecodeString(s.token)
		if err != nil || len(b) != 16 {
			return q, errors.New("--token: 32 hex digits, as show and -o json print them")
		}
		q.Token = (*[16]byte)(b)
	}
	if q.From, err = moment("--from", s.from); err != nil {
		return q, err
	}
	q.To, err = moment("--to", s.to)
	return q, err
}

// moment reads a date or a time.
func moment(flag, text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err = time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return t, fmt.Errorf("%s: write 2026-11-23 or 2026-11-23T08:30:00Z", flag)
}

// cardToken reads a card number and has the HSM make the token by which the
// switch stored its payments.
func cardToken(ctx context.Context, cfg *config.Config, in io.Reader) (token [16]byte, err error) {
	line := make([]byte, 64)
	n, err := io.ReadFull(io.LimitReader(in, int64(len(line))), line)
	defer clear(line)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return token, fmt.Errorf("card number on standard input: %w", err)
	}
	digits := line[:n]
	for len(digits) > 0 && (digits[len(digits)-1] == '\n' || digits[len(digits)-1] == '\r') {
		digits = digits[:len(digits)-1]
	}
	pan, err := secret.NewPAN(digits)
	if err != nil {
		return token, fmt.Errorf("card number on standard input: %w", err)
	}
	defer pan.Wipe()
	key, err := tokenKey(cfg)
	if err != nil {
		return token, err
	}
	if err := useSoftHSM(cfg.HSM.SoftHSMConf); err != nil {
		return token, err
	}
	module, err := openHSM(env.Real(), cfg.HSM)
	if err != nil {
		return token, fmt.Errorf("hsm: %w", err)
	}
	defer module.Close()
	return module.Token(ctx, key, pan)
}

// tokenKey is the newest version of the key that makes tokens.
func tokenKey(cfg *config.Config) (*hsm.Key, error) {
	keys, err := keystore.Read(env.Real().Disk, cfg.HSM.Keystore)
	if err != nil {
		return nil, err
	}
	var found *hsm.Key
	for _, k := range keys {
		if k.Name == cfg.PAN.Token && (found == nil || k.Version > found.Version) {
			found = &k
		}
	}
	if found == nil {
		return nil, fmt.Errorf("keystore %s has no key %q: without it no card can be searched for", cfg.HSM.Keystore, cfg.PAN.Token)
	}
	return found, nil
}
