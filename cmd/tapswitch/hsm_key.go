// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

func newHSMKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Short:   "Look at the wrapped keys of a switch, make, bring in and give out keys",
		Example: "  tapswitch hsm key list --config switch.yaml\n  tapswitch hsm key kcv --config switch.yaml link/acq-a/zpk",
	}
	c.AddCommand(newHSMKeyListCommand(), newHSMKeyKCVCommand(), newHSMKeyGenerateCommand(), newHSMKeyRotateCommand())
	c.AddCommand(newHSMKeyImportCommand(), newHSMKeyExportCommand())
	return c
}

// keyLine is one key as people and programs see it: nothing of its value but
// the check value.
type keyLine struct {
	Name      string `json:"name"`
	Version   uint32 `json:"version"`
	Usage     string `json:"usage"`
	Algorithm string `json:"algorithm"`
	Owner     string `json:"owner"`
	KCV       string `json:"kcv"`
	NotAfter  string `json:"not_after,omitempty"`
	LMK       string `json:"lmk"`
	CameAs    string `json:"came_as,omitempty"` // import: key block, legacy-ecb or components
	State     string `json:"state,omitempty"`   // inventory: good, or what is wrong
}

func describeKey(k hsm.Key) keyLine {
	l := keyLine{
		Name: k.Name, Version: k.Version, Usage: k.Usage.String(), Algorithm: k.Algorithm.String(), Owner: k.Owner,
		KCV: fmt.Sprintf("%X", k.KCV[:]), LMK: hex.EncodeToString(k.LMK[:]),
	}
	if k.NotAfter != 0 {
		l.NotAfter = time.Unix(k.NotAfter, 0).UTC().Format(time.DateOnly)
	}
	return l
}

// showKeys prints keys as a table or as one JSON object a line.
func showKeys(out io.Writer, format string, lines []keyLine) error {
	switch format {
	case "json":
		enc := json.NewEncoder(out)
		for _, l := range lines {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	case "table":
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tVERSION\tUSAGE\tALGORITHM\tOWNER\tKCV\tNOT AFTER\tLMK\tSTATE")
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Version, l.Usage, l.Algorithm, l.Owner, l.KCV, l.NotAfter, l.LMK, l.State)
		}
		return w.Flush()
	}
	return usageError{fmt.Errorf("output %q: table or json", format)}
}

// needKeystore asks for a configuration, which alone names the keystore.
func (t *token) needKeystore() error {
	if t.config == "" {
		return usageError{errors.New("give --config: the keystore stands in the switch's configuration")}
	}
	return t.resolve()
}

// open opens the module that the flags name.
func (t *token) open() (*pkcs11.Module, error) {
	return pkcs11.Open(env.Real(), pkcs11.Config{Module: t.module, TokenLabel: t.label, UserPIN: t.pin})
}

func newHSMKeyListCommand() *cobra.Command {
	var t token
	var format string
	c := &cobra.Command{
		Use:     "list --config FILE",
		Short:   "List the wrapped keys; the module is not asked",
		Example: "  tapswitch hsm key list --config switch.yaml\n  tapswitch hsm key list --config switch.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := t.needKeystore(); err != nil {
				return err
			}
			keys, err := keystore.Read(env.Real().Disk, t.keystore)
			if err != nil {
				return err
			}
			lines := make([]keyLine, 0, len(keys))
			for _, k := range keys {
				lines = append(lines, describeKey(k))
			}
			return showKeys(c.OutOrStdout(), format, lines)
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

// newest finds the current version of a key.
func newest(keys []hsm.Key, name string) (hsm.Key, error) {
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i].Name == name {
			return keys[i], nil
		}
	}
	return hsm.Key{}, fmt.Errorf("the keystore has no key %q; see: tapswitch hsm key list", name)
}

func newHSMKeyKCVCommand() *cobra.Command {
	var t token
	c := &cobra.Command{
		Use:   "kcv --config FILE NAME",
		Short: "Compute the check value of a key in the module, beside the stored one",
		Long: "Unwrap the current version of a key in the module and compute its check value: the first three bytes of the TDES cipher of zeros, " +
			"or of the AES-CMAC of a zero block. Exit code 1 when it is not the stored one.",
		Example: "  tapswitch hsm key kcv --config switch.yaml link/acq-a/zpk",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := t.needKeystore(); err != nil {
				return err
			}
			keys, err := keystore.Read(env.Real().Disk, t.keystore)
			if err != nil {
				return err
			}
			key, err := newest(keys, args[0])
			if err != nil {
				return err
			}
			module, err := t.open()
			if err != nil {
				return err
			}
			defer module.Close()
			if err := module.CheckKey(c.Context(), &key); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%X  %s version %d, computed in the module and as stored\n", key.KCV[:], key.Name, key.Version)
			return err
		},
	}
	c.Flags().StringVar(&t.config, "config", "", "switch configuration (required)")
	return c
}

// change opens keystore and module for work that stores keys. The keystore must not
// be in use: a running switch would not see the keys, and put back what it knows.
func (t *token) change(work func(m *pkcs11.Module, store *keystore.Store) error) (err error) {
	if err := t.needKeystore(); err != nil {
		return err
	}
	store, err := keystore.Open(env.Real().Disk, t.keystore)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	module, err := t.open()
	if err != nil {
		return err
	}
	defer module.Close()
	return work(module, store)
}

// makeNext makes the next version of a key and stores it.
func (t *token) makeNext(ctx context.Context, choose func(keys []hsm.Key) (hsm.Spec, error)) (made hsm.Key, err error) {
	err = t.change(func(m *pkcs11.Module, store *keystore.Store) error {
		spec, err := choose(store.List())
		if err != nil {
			return err
		}
		if made, err = m.Generate(ctx, spec); err != nil {
			return err
		}
		return store.Put(made)
	})
	return made, err
}

// lifetime reads --not-after: a day, in whose last second the key ends.
func lifetime(day string) (int64, error) {
	if day == "" {
		return 0, nil
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0, usageError{fmt.Errorf("--not-after %q: a day such as 2030-12-31", day)}
	}
	return at.AddDate(0, 0, 1).Unix() - 1, nil
}
