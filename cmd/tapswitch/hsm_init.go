// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tapswitch/hsm/clear"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/secret"
)

func newHSMInitCommand() *cobra.Command {
	var t token
	var soFile string
	var practice bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Initialise a token, and with --practice form local master keys of throw-away values",
		Long: "For SoftHSM and test tokens: takes a free slot, sets label, security officer PIN and user PIN. A production module is initialised by its vendor's means. " +
			"Without --practice the token has no local master keys yet: tapswitch hsm ceremony forms them.",
		Example: "  tapswitch hsm init --config switch.yaml --so-pin-file so.pin\n  tapswitch hsm init --config switch.yaml --so-pin-file so.pin --practice",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.resolve(); err != nil {
				return err
			}
			so, err := pinOf(soFile, "security officer PIN")
			if err != nil {
				return err
			}
			if err := pkcs11.InitToken(t.module, t.label, so, t.pin); err != nil {
				return err
			}
			if practice {
				return practiceLMK(c.OutOrStdout(), &t)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "token %s is initialised; next: tapswitch hsm ceremony\n", t.label)
			return err
		},
	}
	t.flags(c)
	c.Flags().StringVar(&soFile, "so-pin-file", "", "file whose first line is the security officer PIN (required)")
	c.Flags().BoolVar(&practice, "practice", false, "form local master keys of values that nobody keeps; production refuses them")
	required(c, "so-pin-file")
	return c
}

// practiceLMK forms generation 1 of two components that nobody sees.
func practiceLMK(out io.Writer, t *token) error {
	a, err := t.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	var both []*clear.Component
	for range 2 {
		c, err := clear.NewComponent()
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // wiped all the same
		if err := a.Random(c); err != nil {
			return err
		}
		both = append(both, c)
	}
	id, err := a.Form(both, 1, pkcs11.FromPractice)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "token %s is initialised, with local master keys %X of throw-away values: PRACTICE ONLY, they cannot be formed again\n", t.label, id)
	return err
}

// pinOf reads the first line of a file.
func pinOf(file, what string) (secret.Key, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return secret.Key{}, fmt.Errorf("%s: %w", what, err)
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	pin, err := secret.NewKey(bytes.TrimSuffix(line, []byte("\r")))
	if err != nil || pin.IsZero() {
		return pin, fmt.Errorf("%s: the first line of %s must be the PIN, of 1 to 32 characters", what, file)
	}
	return pin, nil
}
