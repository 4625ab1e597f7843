// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/ceremony"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

func newHSMLMKCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "lmk",
		Short:   "Look at the local master keys, move stored keys to the next, retire the old",
		Example: "  tapswitch hsm lmk status --config switch.yaml",
	}
	c.AddCommand(newHSMLMKStatusCommand(), newHSMLMKMigrateCommand(), newHSMLMKRetireCommand())
	return c
}

// keystoreFlag adds the keystore for tokens that are not named by a configuration.
func (t *token) keystoreFlag(c *cobra.Command) {
	c.Flags().StringVar(&t.keystore, "keystore", "", "folder of the stored keys, with --module")
}

// stored refuses to go on without a keystore.
func (t *token) stored() error {
	if err := t.resolve(); err != nil {
		return err
	}
	if t.keystore == "" {
		return usageError{errors.New("which keys? give --config, or --keystore with --module")}
	}
	return nil
}

// generationLine is one generation as status shows it.
type generationLine struct {
	Generation uint32 `json:"generation"`
	Identity   string `json:"lmk"`
	Origin     string `json:"origin"`
	State      string `json:"state"`
	Keys       int    `json:"stored_keys"`
}

func newHSMLMKStatusCommand() *cobra.Command {
	var t token
	var format string
	c := &cobra.Command{
		Use:   "status",
		Short: "List the generations of local master keys on the token, and the stored keys under each",
		Long: "Origin: components (its custodians can form it again), practice (throw-away values), random (made by the module: it dies with the token), " +
			"elsewhere (by the vendor's means).",
		Example: "  tapswitch hsm lmk status --config switch.yaml\n  tapswitch hsm lmk status --config switch.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.stored(); err != nil {
				return err
			}
			a, err := t.admin()
			if err != nil {
				return err
			}
			defer a.Close()
			all, foreign, err := lmkStatus(a, t.keystore)
			if err != nil {
				return err
			}
			return showLMKs(c.OutOrStdout(), format, all, foreign)
		},
	}
	t.flags(c)
	t.keystoreFlag(c)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

// lmkStatus brings token and keystore together; foreign are stored keys under
// none of the token's generations.
func lmkStatus(a *pkcs11.Admin, dir string) (all []generationLine, foreign int, err error) {
	there, err := a.Generations()
	if err != nil {
		return nil, 0, err
	}
	keys, err := keystore.Read(env.RealDisk(), dir)
	if err != nil {
		return nil, 0, err
	}
	under := map[[8]byte]int{}
	for _, k := range keys {
		under[k.LMK]++
	}
	newest := -1
	for i, g := range there {
		l := generationLine{Generation: g.Number, Origin: g.Origin.String(), State: "half formed"}
		if g.Whole {
			l.Identity, l.State, l.Keys, newest = fmt.Sprintf("%X", g.Identity), "old", under[g.Identity], i
			delete(under, g.Identity)
		}
		all = append(all, l)
	}
	if newest >= 0 {
		all[newest].State = "newest"
	}
	for _, n := range under {
		foreign += n
	}
	return all, foreign, nil
}

func showLMKs(out io.Writer, format string, all []generationLine, foreign int) error {
	switch format {
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Generations []generationLine `json:"generations"`
			Foreign     int              `json:"keys_under_none"`
		}{all, foreign})
	case "table":
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GENERATION\tIDENTITY\tORIGIN\tSTATE\tSTORED KEYS")
		for _, l := range all {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\n", l.Generation, l.Identity, l.Origin, l.State, l.Keys)
		}
		if foreign != 0 {
			fmt.Fprintf(w, "none of these\t\t\t\t%d\n", foreign)
		}
		return w.Flush()
	}
	return usageError{fmt.Errorf("output %q: table or json", format)}
}

func newHSMLMKMigrateCommand() *cobra.Command {
	var s session
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move every stored key to the newest local master keys, while switches serve",
		Long: "The custodians of the old generation type their components once more: what the old key on the token unwraps can never leave the module. " +
			"Each key is unwrapped and wrapped again inside the module; key files are replaced one by one, each whole. May be interrupted and repeated at any time.",
		Example: "  tapswitch hsm lmk migrate --config switch.yaml --from lmk-1.jsonl --transcript migrate.jsonl --officer olga --witness wei",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s.name = s.token.stored
			return s.hold(c, func(a *pkcs11.Admin) (ceremony.Plan, error) {
				p, err := s.earlier(ceremony.Migrate)
				if err != nil {
					return p, err
				}
				return p, oldGeneration(a, &p)
			})
		},
	}
	s.flags(c)
	s.token.keystoreFlag(c)
	c.Flags().StringVar(&s.from, "from", "", "transcript of the ceremony that formed the old generation")
	return c
}

// oldGeneration finds what keys shall leave on this token, before anybody types
// a component.
func oldGeneration(a *pkcs11.Admin, p *ceremony.Plan) error {
	there, err := a.Generations()
	if err != nil {
		return err
	}
	found, newer := false, false
	for _, g := range there {
		switch {
		case g.Whole && g.Identity == p.Identity:
			p.Generation, found = g.Number, true
		case g.Whole && found:
			newer = true
		}
	}
	if !found {
		return fmt.Errorf("the token has no local master key of identity %s", p.Identity)
	}
	if !newer {
		return fmt.Errorf("generation %d is the newest on the token: form the next one first (tapswitch hsm ceremony)", p.Generation)
	}
	return nil
}

// migrate moves what is stored to the newest generation.
func (v *vault) migrate(ctx context.Context, components []*clear.Component) (int, error) {
	g, err := v.Migrate(components)
	if err != nil {
		return 0, err
	}
	store, err := keystore.Beside(env.RealDisk(), v.keystore)
	if err == nil {
		var n int
		n, err = store.Rewrap(func(k hsm.Key) (hsm.Key, error) {
			if err := ctx.Err(); err != nil {
				return hsm.Key{}, err
			}
			if k.LMK != g.From().Identity {
				return k, nil
			}
			return g.Rewrap(k)
		})
		if err == nil {
			return n, g.Close()
		}
	}
	return 0, errors.Join(err, g.Close())
}

func newHSMLMKRetireCommand() *cobra.Command {
	var t token
	var number uint32
	var identity string
	var restarted bool
	c := &cobra.Command{
		Use:   "retire",
		Short: "Take an old generation of local master keys off the token",
		Long: "Refused while a stored key is under it. A switch that has run since before the migration holds keys under the old generation in memory: restart every switch first. " +
			"The generation can be brought back by its custodians alone (tapswitch hsm restore).",
		Example: "  tapswitch hsm lmk retire --config switch.yaml --generation 1 --identity 0102030405060708 --switches-restarted",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.stored(); err != nil {
				return err
			}
			var id ceremony.Identity
			if err := id.UnmarshalText([]byte(identity)); err != nil {
				return usageError{fmt.Errorf("--identity: %w; see tapswitch hsm lmk status", err)}
			}
			return retire(c.OutOrStdout(), &t, number, id, restarted)
		},
	}
	t.flags(c)
	t.keystoreFlag(c)
	c.Flags().Uint32Var(&number, "generation", 0, "number of the generation (required)")
	c.Flags().StringVar(&identity, "identity", "", "its identity, so that no other is meant (required)")
	c.Flags().BoolVar(&restarted, "switches-restarted", false, "yes: every switch on this token was restarted since its keys were moved (required)")
	required(c, "generation")
	required(c, "identity")
	return c
}

// retire takes a generation off the token when nothing depends on it.
func retire(out io.Writer, t *token, number uint32, id ceremony.Identity, restarted bool) error {
	left, all, err := countKeys(t.keystore, id)
	switch {
	case err != nil:
		return err
	case left != 0:
		return fmt.Errorf("%d of %d keys in %s are under generation %d: move them first (tapswitch hsm lmk migrate)", left, all, t.keystore, number)
	case !restarted:
		return errors.New("switches that run since before the migration hold keys under the old generation: restart them, then say so with --switches-restarted")
	}
	a, err := t.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Retire(number, id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "generation %d, identity %s, is off token %s\n", number, id, t.label)
	return err
}
