// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
)

// The ways a key comes in or leaves, as the output names them.
const (
	asBlock      = "key block"
	asLegacy     = "legacy-ecb"
	asComponents = "components"
)

// legacyNote stands beside every raw cryptogram that comes in or leaves.
const legacyNote = "note: legacy-ecb, a raw ECB cryptogram: nothing binds it to its usage. Not compliant with PCI PIN 18-3, which wants key blocks"

// arrival is what hsm key import is told.
type arrival struct {
	token                                token
	wish                                 wish
	kbpk, file, under, cryptogram, check string
	people                               int
	single, odd, pipe                    bool
	format                               string
}

func newHSMKeyImportCommand() *cobra.Command {
	var a arrival
	c := &cobra.Command{
		Use:   "import --config FILE --usage USAGE (--kbpk KEY --block-file FILE | --under KEY --cryptogram HEX --kcv HEX | --components N) NAME",
		Short: "Bring in a key: from a key block, a raw cryptogram, or clear components",
		Long: "Bring in a key that somebody else made, and keep it wrapped. The name must be new; with --next it is the successor of a key that is there, " +
			"of the same usage, algorithm and owner. The switch must not be running. Weak keys and K|K are refused by name.\n\n" +
			"  --block-file  a key block (TR-31, X9.143, ISO 20038; version A to E) under a KBPK of the keystore; - reads standard input.\n" +
			"                Its header must agree with the usage.\n" +
			"  --cryptogram  a raw ECB cryptogram under a TMK or ZMK of the keystore, with its check value (3 or 4 bytes): profile legacy-ecb,\n" +
			"                not compliant with PCI PIN 18-3.\n" +
			"  --components  2 to 9 people type one component each, one after the other, at this terminal, which shows nothing of it. The check value\n" +
			"                of each component and of the key is shown to be compared with the forms.",
		Example: "  tapswitch hsm key import --config switch.yaml --usage ZMK --components 3 --kcv 1A2B3C link/acq-a/zmk\n" +
			"  tapswitch hsm key import --config switch.yaml --usage ZPK --kbpk link/acq-a/kbpk --block-file zpk.tr31 link/acq-a/zpk\n" +
			"  tapswitch hsm key import --config switch.yaml --next --under link/acq-a/zmk --cryptogram 5FF0… --kcv 1A2B3C link/acq-a/zpk",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.run(c, args[0]) },
	}
	a.flags(c)
	return c
}

func (a *arrival) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.token.config, "config", "", "switch configuration (required)")
	a.wish.flags(c)
	f.StringVar(&a.kbpk, "kbpk", "", "name of the key block protection key")
	f.StringVar(&a.file, "block-file", "", "file with the key block; - for standard input")
	f.StringVar(&a.under, "under", "", "name of the TMK or ZMK that enciphers the cryptogram")
	f.StringVar(&a.cryptogram, "cryptogram", "", "the enciphered key, hex")
	f.StringVar(&a.check, "kcv", "", "check value, 6 or 8 hex digits: of a cryptogram; of the sum of components, compared when given")
	f.IntVar(&a.people, "components", 0, "how many people type a component, 2 to 9")
	f.BoolVar(&a.single, "single", false, "single DES: 8 bytes arrive and are kept as K|K; a TAK, ZAK or TMK of old hosts and terminals alone")
	f.BoolVar(&a.odd, "odd-parity", false, "refuse a DES key whose bytes have not odd parity")
	f.BoolVar(&a.pipe, "test", false, "take components from a pipe, a line each: with environment: test alone")
	f.StringVarP(&a.format, "output", "o", "table", "table or json")
	required(c, "config")
}

// way says how the key comes, and refuses flags of two ways together.
func (a *arrival) way() (string, error) {
	block, raw, typed := a.kbpk != "" || a.file != "", a.under != "" || a.cryptogram != "", a.people != 0
	switch {
	case block && !raw && !typed && a.check == "" && a.kbpk != "" && a.file != "":
		return asBlock, nil
	case raw && !block && !typed && a.under != "" && a.cryptogram != "" && a.check != "":
		return asLegacy, nil
	case typed && !block && !raw:
		if a.people < minPeople || a.people > maxPeople {
			return "", usageError{fmt.Errorf("--components %d: want %d to %d people; one alone would know the key", a.people, minPeople, maxPeople)}
		}
		return asComponents, nil
	}
	return "", usageError{errors.New("how does the key come? give --kbpk and --block-file, or --under, --cryptogram and --kcv, or --components (and --kcv)")}
}

// run brings the key in.
func (a *arrival) run(c *cobra.Command, name string) error {
	way, err := a.way()
	if err != nil {
		return err
	}
	came, err := a.read(c.InOrStdin())
	if err != nil {
		return err
	}
	if _, err := checkFormat(a.format); err != nil {
		return err
	}
	var made hsm.Key
	err = a.token.change(func(m *pkcs11.Module, store *keystore.Store) error {
		want, err := a.wanted(store.List(), name)
		if err != nil {
			return err
		}
		if made, err = a.take(c, m, store.List(), want, came); err != nil {
			return fmt.Errorf("%w; nothing was stored", err)
		}
		return store.Put(made)
	})
	if err != nil {
		return err
	}
	line := describeKey(made)
	line.CameAs = way
	if way == asLegacy {
		fmt.Fprintln(c.ErrOrStderr(), legacyNote)
	}
	return showKeys(c.OutOrStdout(), a.format, []keyLine{line})
}

// maxBlockFile bounds what is read: a key block has at most 9999 characters.
const maxBlockFile = 10_100

// read takes in what stands in flags and files, before anything is opened.
func (a *arrival) read(in io.Reader) (came hsm.Exported, err error) {
	if a.file != "" {
		if came.Block, err = readBlock(a.file, in); err != nil {
			return came, err
		}
	}
	if a.cryptogram != "" {
		if came.Cryptogram, err = hex.DecodeString(a.cryptogram); err != nil {
			return came, usageError{errors.New("--cryptogram: not hex digits in pairs")}
		}
	}
	if a.check != "" {
		b, err := hex.DecodeString(a.check)
		if err != nil || len(b) != 3 && len(b) != 4 {
			return came, usageError{errors.New("--kcv: want 6 or 8 hex digits")}
		}
		copy(came.KCV[:], b)
	}
	return came, nil
}

// readBlock reads a key block; blanks and line ends around it are not its.
func readBlock(file string, in io.Reader) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("key block: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxBlockFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("key block: %w", err)
	case len(raw) > maxBlockFile:
		return "", fmt.Errorf("key block: %s has more than %d bytes: it is no key block", file, maxBlockFile)
	}
	return strings.TrimSpace(string(raw)), nil
}

// wanted is what the key shall be, from the flags and, with --next, from the key
// before it.
func (a *arrival) wanted(keys []hsm.Key, name string) (want hsm.WorkingKey, err error) {
	want = hsm.WorkingKey{Single: a.single, OddParity: a.odd, Check: len(a.check) / 2}
	want.Spec, err = a.wish.spec(keys, name)
	return want, err
}

// take brings the key into the module, by its way.
func (a *arrival) take(c *cobra.Command, m *pkcs11.Module, keys []hsm.Key, want hsm.WorkingKey, came hsm.Exported) (hsm.Key, error) {
	ctx := c.Context()
	if a.people > 0 {
		d := &typing{in: c.InOrStdin(), out: c.OutOrStdout(), m: m, want: want, sum: came.KCV, test: a.pipe, environment: a.token.environment}
		return d.run(ctx, a.people)
	}
	if a.kbpk != "" {
		kbpk, err := carrier(keys, a.kbpk, "--kbpk", hsm.KBPK)
		if err != nil {
			return hsm.Key{}, err
		}
		return m.ImportKeyBlock(ctx, kbpk, want, came.Block)
	}
	return a.takeRaw(ctx, m, keys, want, came)
}

func (a *arrival) takeRaw(ctx context.Context, m *pkcs11.Module, keys []hsm.Key, want hsm.WorkingKey, came hsm.Exported) (hsm.Key, error) {
	under, err := carrier(keys, a.under, "--under", hsm.TMK, hsm.ZMK)
	if err != nil {
		return hsm.Key{}, err
	}
	made, err := m.LoadSet(ctx, under, []hsm.WorkingKey{want}, []hsm.Exported{came})
	if err != nil {
		return hsm.Key{}, err
	}
	return made[0], nil
}

// carrier finds the key that other keys travel under.
func carrier(keys []hsm.Key, name, flag string, usages ...hsm.Usage) (*hsm.Key, error) {
	key, err := newest(keys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	for _, u := range usages {
		if key.Usage == u {
			return &key, nil
		}
	}
	return nil, fmt.Errorf("%s: key %q is a %s; key blocks are under a KBPK, raw cryptograms under a TMK or ZMK", flag, name, key.Usage)
}

// checkFormat refuses an output before work is done whose result could not be shown.
func checkFormat(format string) (string, error) {
	if format != "table" && format != "json" {
		return "", usageError{fmt.Errorf("output %q: table or json", format)}
	}
	return format, nil
}
