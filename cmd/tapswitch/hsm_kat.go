// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/spf13/cobra"

	"tapswitch/hsm/kat"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

func newHSMKATCommand() *cobra.Command {
	var module string
	var vectors []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "kat --vectors FILE [--vectors FILE]",
		Short: "Run files of known answers through a module, on a token made for this alone",
		Long: "Make a token of its own on the module (SoftHSM when none is named, with its files in a temporary folder), bring in the vectors' " +
			"test keys, compute every vector there, and count what passed, failed and is unsupported, by family and in total. A file is a JSON " +
			"array of objects with function, inputs, expected and expected_type. Exit code 1 when a vector failed or none ran.",
		Example: "  tapswitch hsm kat --vectors kcv.json --vectors mac.json\n  tapswitch hsm kat --module /usr/lib/vendor/libpkcs11.so --vectors pvv.json --json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			files := append(vectors, args...)
			if len(files) == 0 {
				return usageError{errors.New("no file of vectors: give --vectors FILE")}
			}
			return runKAT(c.Context(), c.OutOrStdout(), module, files, asJSON)
		},
	}
	c.Flags().StringVar(&module, "module", "", "PKCS#11 library; SoftHSM when not given")
	c.Flags().StringArrayVar(&vectors, "vectors", nil, "file of vectors; more files may follow it as arguments")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each vector that did not pass, and one with the counts")
	return c
}

// readVectors reads all files before anything is made.
func readVectors(files []string) (all []kat.Vector, err error) {
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		vectors, err := kat.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, vectors...)
	}
	return all, nil
}

// runKAT makes the token, runs the vectors, and takes the token away.
func runKAT(ctx context.Context, out io.Writer, module string, files []string, asJSON bool) error {
	vectors, err := readVectors(files)
	if err != nil {
		return err
	}
	token, clean, err := testToken(pkcs11.Config{Module: module})
	if err != nil {
		return err
	}
	defer clean()
	functions := kat.Functions()
	var count tally
	for _, v := range vectors {
		r := kat.Run(ctx, token, functions, v)
		count.add(r)
		if err := showResult(out, r, asJSON); err != nil {
			return err
		}
	}
	if err := count.show(out, asJSON); err != nil {
		return err
	}
	switch {
	case count.total.Failed > 0:
		return fmt.Errorf("%d vectors failed", count.total.Failed)
	case count.total.Passed == 0:
		return errors.New("no vector was computed: nothing is known about this module")
	}
	return nil
}

// testToken makes a token for known answers on the module, SoftHSM when none is named.
// SoftHSM's files are put into a folder of their own, which clean removes.
func testToken(cfg pkcs11.Config) (token *pkcs11.TestToken, clean func(), err error) {
	dir, err := os.MkdirTemp("", "tapswitch-kat-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	if cfg.Module == "" {
		if cfg.Module, err = softHSM(); err != nil {
			return nil, nil, err
		}
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		return nil, nil, err
	}
	if err := useSoftHSM(conf); err != nil {
		return nil, nil, err
	}
	so, err := secret.NewKey([]byte("known-answers-so"))
	if err != nil {
		return nil, nil, err
	}
	if cfg.UserPIN, err = secret.NewKey([]byte("known-answers")); err != nil {
		return nil, nil, err
	}
	token, err = pkcs11.NewTestToken(env.Real(), cfg, so)
	if err != nil {
		return nil, nil, err
	}
	return token, func() { token.Close(); remove() }, nil
}

// counts are the vectors of one family, or of all.
type counts struct {
	Passed      int `json:"passed"`
	Failed      int `json:"failed"`
	Unsupported int `json:"unsupported"`
}

func (c *counts) add(o kat.Outcome) {
	switch o {
	case kat.Passed:
		c.Passed++
	case kat.Failed:
		c.Failed++
	default:
		c.Unsupported++
	}
}

// tally counts by family.
type tally struct {
	total    counts
	families map[string]*counts
}

func (t *tally) add(r kat.Result) {
	if t.families == nil {
		t.families = make(map[string]*counts)
	}
	family := r.Vector.Family()
	if t.families[family] == nil {
		t.families[family] = new(counts)
	}
	t.families[family].add(r.Outcome)
	t.total.add(r.Outcome)
}

func (t *tally) show(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			Families map[string]*counts `json:"families"`
			Total    counts             `json:"total"`
		}{t.families, t.total})
	}
	names := make([]string, 0, len(t.families))
	for name := range t.families {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c := t.families[name]
		fmt.Fprintf(out, "%-12s %5d passed %5d failed %5d unsupported\n", name, c.Passed, c.Failed, c.Unsupported)
	}
	_, err := fmt.Fprintf(out, "%-12s %5d passed %5d failed %5d unsupported\n", "total", t.total.Passed, t.total.Failed, t.total.Unsupported)
	return err
}

// showResult prints a vector that did not pass: published test data, in clear.
func showResult(out io.Writer, r kat.Result, asJSON bool) error {
	if r.Outcome == kat.Passed {
		return nil
	}
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			ID       string `json:"id"`
			Function string `json:"function"`
			Outcome  string `json:"outcome"`
			Got      string `json:"got,omitempty"`
			Why      string `json:"why"`
		}{r.Vector.ID, r.Vector.Function, r.Outcome.String(), r.Got, r.Why})
	}
	_, err := fmt.Fprintf(out, "%-11s %s %s: %s %s\n", r.Outcome, r.Vector.ID, r.Vector.Function, r.Got, r.Why)
	return err
}
