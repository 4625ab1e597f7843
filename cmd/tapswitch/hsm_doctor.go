// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

// warnBefore is how long before its end a key is named.
const warnBefore = 30 * 24 * time.Hour

// stateOf asks the module about one of keys and the calendar about its end. A key that
// has ended is no fault once its successor is there.
func stateOf(ctx context.Context, m hsm.KeyChecker, keys []hsm.Key, k hsm.Key, now time.Time) (state string, good bool) {
	if err := m.CheckKey(ctx, &k); err != nil {
		return err.Error(), false
	}
	end := time.Unix(k.NotAfter, 0)
	switch {
	case k.NotAfter == 0 || end.Sub(now) > warnBefore:
		return "good", true
	case now.After(end) && slices.ContainsFunc(keys, func(other hsm.Key) bool { return other.Name == k.Name && other.Version > k.Version }):
		return "past its end of validity; its successor is in place", true
	case now.After(end):
		return "past its end of validity: bring in its successor", false
	}
	return fmt.Sprintf("good for %d days more", int(end.Sub(now)/(24*time.Hour))), true
}

func newHSMInventoryCommand() *cobra.Command {
	var t token
	var format string
	c := &cobra.Command{
		Use:   "inventory --config FILE",
		Short: "Check every wrapped key in the module and list what it is for",
		Long: "List every key with its usage, owner, check value, validity and local master key, each unwrapped in the module and its check " +
			"value computed again. Exit code 1 when one is not good. Evidence for a key inventory (PCI PIN 32-2).",
		Example: "  tapswitch hsm inventory --config switch.yaml\n  tapswitch hsm inventory --config switch.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.needKeystore(); err != nil {
				return err
			}
			keys, err := keystore.Read(env.Real().Disk, t.keystore)
			if err != nil {
				return err
			}
			module, err := t.open()
			if err != nil {
				return err
			}
			defer module.Close()
			bad := 0
			lines := make([]keyLine, 0, len(keys))
			for _, k := range keys {
				l := describeKey(k)
				var good bool
				if l.State, good = stateOf(c.Context(), module, keys, k, time.Now()); !good {
					bad++
				}
				lines = append(lines, l)
			}
			if err := showKeys(c.OutOrStdout(), format, lines); err != nil {
				return err
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d keys are not good", bad, len(keys))
			}
			return nil
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

func newHSMDoctorCommand() *cobra.Command {
	var t token
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check module, token, local master keys, functions and wrapped keys, and say what to do",
		Long: "Go from the module file to the last wrapped key as a start of the switch does, and say of each step whether it is good and, " +
			"where it is not, what to do. Of a failover group every token is looked at (--member: one of them), and their local master keys are compared. " +
			"Exit code 1 when a step is not good. Safe beside a running switch.",
		Example: "  tapswitch hsm doctor --config switch.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			return t.examine(c.Context(), c.OutOrStdout())
		},
	}
	t.flags(c)
	return c
}

// errIll says that a step was not good; the step itself was printed.
var errIll = errors.New("not everything is good")

// examine goes through the steps for one token, or for each of a failover group,
// whose local master keys must be the same.
func (t *token) examine(ctx context.Context, out io.Writer) error {
	if t.member != 0 || len(t.group) < 2 {
		if _, good := t.examineToken(ctx, out); !good {
			return errIll
		}
		return nil
	}
	good := true
	var first token
	var want []pkcs11.Generation
	for i, one := range t.group {
		each := *t
		each.use(one)
		fmt.Fprintf(out, "      member %d of %d: token %q in %s\n", i+1, len(t.group), one.TokenLabel, one.Module)
		has, ok := each.examineToken(ctx, out)
		good = good && ok
		switch {
		case has == nil:
		case want == nil:
			first, want = each, has
		default:
			good = compareLMK(out, first, each, i+1, want, has) && good
		}
	}
	if !good {
		return errIll
	}
	fmt.Fprintf(out, "ok    all %d tokens of the failover group have the same local master keys\n", len(t.group))
	return nil
}

// compareLMK names what local master keys a token of a group has that the first
// has not, and the other way round.
func compareLMK(out io.Writer, first, other token, number int, want, has []pkcs11.Generation) (same bool) {
	lacks := func(there, from []pkcs11.Generation, who, than token) int {
		n := 0
		for _, g := range from {
			if !slices.ContainsFunc(there, func(o pkcs11.Generation) bool { return o.Identity == g.Identity }) {
				n++
				fmt.Fprintf(out, "FAIL  token %q in %s lacks local master keys %x (generation %d), which token %q in %s has: form them there (tapswitch hsm restore, --member), or retire them on both\n",
					who.label, who.module, g.Identity, g.Number, than.label, than.module)
			}
		}
		return n
	}
	if lacks(has, want, other, first)+lacks(want, has, first, other) > 0 {
		fmt.Fprintf(out, "FAIL  member %d, token %q, differs from token %q: what one serves the other may not\n", number, other.label, first.label)
		return false
	}
	return true
}

// examineToken goes through the steps for one token; one that is not good ends
// those that need it. It returns the whole generations of local master keys there.
func (t *token) examineToken(ctx context.Context, out io.Writer) (has []pkcs11.Generation, good bool) {
	probed, err := pkcs11.Probe(t.module, t.label, t.pin)
	if err != nil {
		fmt.Fprintf(out, "FAIL  module, token and user PIN: %v\n", err)
		return nil, false
	}
	fmt.Fprintf(out, "ok    module %s loads; token %q is there and takes the user PIN\n", t.module, t.label)
	good = true
	for _, f := range pkcs11.Functions(probed) {
		switch {
		case f.Refused:
			fmt.Fprintf(out, "note  function %s is refused by name: %s\n", f.Function, f.Why)
		case !f.Works:
			good = false
			fmt.Fprintf(out, "FAIL  function %s: %s\n", f.Function, f.Why)
		}
	}
	if good {
		fmt.Fprintln(out, "ok    every other function works on this module (tapswitch hsm mechanisms says what leaves it)")
	}
	module, err := t.open()
	if err == nil {
		defer module.Close()
		has, err = generationsOf(module)
	}
	if err != nil {
		fmt.Fprintf(out, "FAIL  local master keys and locked memory: %v\n", err)
		return nil, false
	}
	fmt.Fprintf(out, "ok    local master keys are sensitive and unextractable, identity %x; memory for PINs can be locked\n", module.LMK())
	if t.keystore == "" {
		fmt.Fprintln(out, "--    keys at rest were not looked at: give --config")
		return has, good
	}
	return has, t.examineKeys(ctx, out, module) && good
}

// generationsOf are the whole generations of local master keys on a token.
func generationsOf(m *pkcs11.Module) ([]pkcs11.Generation, error) {
	a, err := m.Admin()
	if err != nil {
		return nil, err
	}
	all, err := a.Generations()
	whole := slices.DeleteFunc(all, func(g pkcs11.Generation) bool { return !g.Whole })
	return whole, errors.Join(err, a.Close())
}

// examineKeys says of every wrapped key that is not good why, and whether all are.
func (t *token) examineKeys(ctx context.Context, out io.Writer, m hsm.KeyChecker) bool {
	keys, err := keystore.Read(env.Real().Disk, t.keystore)
	if err != nil {
		fmt.Fprintf(out, "FAIL  keystore: %v\n", err)
		return false
	}
	bad := 0
	for _, k := range keys {
		if state, good := stateOf(ctx, m, keys, k, time.Now()); !good {
			bad++
			fmt.Fprintf(out, "FAIL  key %s version %d: %s\n", k.Name, k.Version, state)
		} else if state != "good" {
			fmt.Fprintf(out, "--    key %s version %d: %s\n", k.Name, k.Version, state)
		}
	}
	if bad == 0 {
		fmt.Fprintf(out, "ok    all %d keys in %s open and have their check values\n", len(keys), t.keystore)
	}
	return bad == 0
}
