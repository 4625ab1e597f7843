// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
)

func newHSMKeyGenerateCommand() *cobra.Command {
	var t token
	var usage, algorithm, owner, until, format string
	var rule ruleFlags
	c := &cobra.Command{
		Use:   "generate --config FILE --usage USAGE NAME",
		Short: "Make a random key that never leaves the module in clear",
		Long: "Make a random key in the module and keep it wrapped. The name must be new; the switch must not be running. " +
			"The owner, when it is not given, is what stands in front of the last part of the name: acq-c of link/acq-c/zpk, 10000001 of terminal/10000001/tmk, fleet of fleet/bdk. " +
			"A PVK-offset needs its decimalisation table: it is bound to the key.",
		Example: "  tapswitch hsm key generate --config switch.yaml --usage ZPK link/acq-c/zpk\n" +
			"  tapswitch hsm key generate --config switch.yaml --usage BDK --algorithm AES-256 --not-after 2030-12-31 fleet/bdk\n" +
			"  tapswitch hsm key generate --config switch.yaml --usage PVK-offset --decimalisation-table 0123456789012345 issuer/demo/pvk",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			spec, err := wanted(args[0], usage, algorithm, owner, until, rule)
			if err != nil {
				return err
			}
			made, err := t.makeNext(c.Context(), func(keys []hsm.Key) (hsm.Spec, error) {
				if old, err := newest(keys, spec.Name); err == nil {
					return spec, fmt.Errorf("key %q is there already, as version %d: its next version is made by tapswitch hsm key rotate", old.Name, old.Version)
				}
				return spec, nil
			})
			if err != nil {
				return err
			}
			return showKeys(c.OutOrStdout(), format, []keyLine{describeKey(made)})
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	c.Flags().StringVar(&usage, "usage", "", "what the key is for, its only purpose (required)")
	c.Flags().StringVar(&algorithm, "algorithm", "", "cipher and length; the usual one of the usage when left out")
	c.Flags().StringVar(&owner, "owner", "", "terminal, link or issuer that the key belongs to")
	c.Flags().StringVar(&until, "not-after", "", "last day of validity, YYYY-MM-DD, UTC")
	rule.add(c)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	required(c, "config", "usage")
	return c
}

// ruleFlags say how an IBM 3624 key makes natural PINs.
type ruleFlags struct {
	table, pad    string
	start, length uint8
}

func (r *ruleFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&r.table, "decimalisation-table", "", "of a PVK-offset: 16 decimal digits, for 0 to F")
	c.Flags().Uint8Var(&r.start, "validation-start", 0, "of a PVK-offset: first card number digit of the validation data, from 0")
	c.Flags().Uint8Var(&r.length, "validation-length", 16, "of a PVK-offset: card number digits in the validation data")
	c.Flags().StringVar(&r.pad, "validation-pad", "F", "of a PVK-offset: hex digit that fills the validation data to 16")
}

// of is the rule of a key of usage u; other usages have none.
func (r *ruleFlags) of(u hsm.Usage) (rule hsm.OffsetRule, err error) {
	switch {
	case u != hsm.PVKOffset && r.table != "":
		return rule, usageError{fmt.Errorf("a %s has no decimalisation table", u)}
	case u != hsm.PVKOffset:
		return rule, nil
	case len(r.table) != len(rule.Table) || len(r.pad) != 1:
		return rule, usageError{fmt.Errorf("a %s needs --decimalisation-table of %d digits, and one pad digit", u, len(rule.Table))}
	}
	return hsm.OffsetRule{Table: [16]byte([]byte(r.table)), Start: r.start, Length: r.length, Pad: r.pad[0]}, nil
}

// ownerOf is the owner that a key's name tells, "" when it tells none: all keys of a
// terminal, link or issuer have one, and are in one file.
func ownerOf(name string) string {
	front := inFront(name)
	if kind, owner, ok := strings.Cut(front, "/"); ok && (kind == "terminal" || kind == "link" || kind == "issuer") {
		return owner
	}
	return front
}

// inFront is a key's name without its last part.
func inFront(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }

// wanted reads what a new key shall be.
func wanted(name, usage, algorithm, owner, until string, rule ruleFlags) (spec hsm.Spec, err error) {
	spec = hsm.Spec{Name: name, Owner: owner, Version: 1}
	if spec.Usage, err = hsm.ParseUsage(usage); err != nil {
		return spec, usageError{err}
	}
	spec.Algorithm = spec.Usage.Algorithms()[0]
	if algorithm != "" {
		if spec.Algorithm, err = hsm.ParseAlgorithm(algorithm); err != nil {
			return spec, usageError{err}
		}
	}
	if owner == "" {
		if spec.Owner = ownerOf(name); spec.Owner == "" {
			return spec, usageError{fmt.Errorf("key %q has no owner in its name: give --owner", name)}
		}
	}
	if spec.NotAfter, err = lifetime(until); err != nil {
		return spec, err
	}
	if spec.Offset, err = rule.of(spec.Usage); err != nil {
		return spec, err
	}
	if err := spec.Check(); err != nil {
		return spec, usageError{err}
	}
	return spec, nil
}

func newHSMKeyRotateCommand() *cobra.Command {
	var t token
	var g giving
	var set, until, format string
	c := &cobra.Command{
		Use:   "rotate --config FILE NAME | --set OWNER --under KEY",
		Short: "Make the next version of a key, or of a set; the present one stays as its predecessor",
		Long: "With NAME, make a random key that follows its current version, of the same usage, algorithm and owner: for keys that nobody else " +
			"holds, since a key at rest never leaves. The version before the last is dropped.\n\n" +
			"With --set terminal/ID or --set link/NAME, make the next PIN, MAC and data keys together, store them, and print them enciphered under --under " +
			"(a TMK, ZMK or KBPK) for the other side: that is the only time that they leave. The set before lives on until the first valid MAC under the new one. " +
			"The switch must not be running; a terminal that signs on gets its sets from the switch itself.",
		Example: "  tapswitch hsm key rotate --config switch.yaml issuer/test-visa/cvk\n" +
			"  tapswitch hsm key rotate --config switch.yaml --set link/acq-a --under link/acq-a/kbpk",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ends, err := lifetime(until)
			switch {
			case err != nil:
				return err
			case (set != "") == (len(args) == 1):
				return usageError{errors.New("what shall be rotated? give the name of a key, or --set OWNER")}
			case set != "":
				return g.set(c, &t, set, ends, false, format)
			case g.under != "" || g.legacy || g.data:
				return usageError{errors.New("--under, --legacy-ecb and --data go with --set")}
			}
			made, err := t.makeNext(c.Context(), func(keys []hsm.Key) (hsm.Spec, error) { return successor(keys, args[0], ends) })
			if err != nil {
				return err
			}
			return showKeys(c.OutOrStdout(), format, []keyLine{describeKey(made)})
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	c.Flags().StringVar(&set, "set", "", "whose keys change together: terminal/ID or link/NAME")
	g.flags(c)
	c.Flags().StringVar(&until, "not-after", "", "last day of validity, YYYY-MM-DD, UTC")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	required(c, "config")
	return c
}

// successor is the specification of a key's next version, for one that is made alone.
func successor(keys []hsm.Key, name string, ends int64) (hsm.Spec, error) {
	old, err := newest(keys, name)
	if err != nil {
		return hsm.Spec{}, err
	}
	if owner, ok := setOf(name); ok {
		return hsm.Spec{}, fmt.Errorf("key %q is one of a set: its keys change together and are given out as they are born, or the other side could not follow: tapswitch hsm key rotate --set %s --under KEY", name, owner)
	}
	if hsm.OpTravelsUnderTMK.Allows(old.Usage) || hsm.OpTravelsUnderZMK.Allows(old.Usage) {
		return hsm.Spec{}, fmt.Errorf("key %q is a %s, which another side holds too: give its successor out as it is born (tapswitch hsm key export --next --under KEY %s), or bring it in (tapswitch hsm key import --next)", name, old.Usage, name)
	}
	if err := keepsCards(old); err != nil {
		return hsm.Spec{}, err
	}
	next := old.Spec()
	next.Version, next.NotAfter = old.Version+1, ends
	return next, nil
}
