// SPDX-License-Identifier: Apache-2.0

package main

import (
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
			"The owner is the name without its last part when it is not given. A PVK-offset needs its decimalisation table: it is bound to the key.",
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
		at := strings.LastIndexByte(name, '/')
		if at <= 0 {
			return spec, usageError{fmt.Errorf("key %q has no owner in its name: give --owner", name)}
		}
		spec.Owner = name[:at]
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
	var until, format string
	c := &cobra.Command{
		Use:   "rotate --config FILE NAME",
		Short: "Make the next version of a key; the present one stays as its predecessor",
		Long: "Make a random key that follows the current version of NAME, of the same usage, algorithm and owner. For keys that nobody else " +
			"holds, and for keys that are exported afterwards; the version before the last is dropped. The switch must not be running.",
		Example: "  tapswitch hsm key rotate --config switch.yaml link/acq-a/zak",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ends, err := lifetime(until)
			if err != nil {
				return err
			}
			made, err := t.makeNext(c.Context(), func(keys []hsm.Key) (hsm.Spec, error) {
				old, err := newest(keys, args[0])
				if err != nil {
					return hsm.Spec{}, err
				}
				if old.Usage == hsm.PANSeal || old.Usage == hsm.PANToken {
					return hsm.Spec{}, fmt.Errorf("key %q is under card numbers that are stored: they would not open, or not be found, under its successor; refused", old.Name)
				}
				next := old.Spec()
				next.Version, next.NotAfter = old.Version+1, ends
				return next, nil
			})
			if err != nil {
				return err
			}
			return showKeys(c.OutOrStdout(), format, []keyLine{describeKey(made)})
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	c.Flags().StringVar(&until, "not-after", "", "last day of validity, YYYY-MM-DD, UTC")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	required(c, "config")
	return c
}
