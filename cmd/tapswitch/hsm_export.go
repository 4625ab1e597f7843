// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
)

// leaving is what hsm key export is told.
type leaving struct {
	token                        token
	giving                       giving
	wish                         wish
	owned, from, file            string
	version, exportability, mode string
	format                       string
}

func newHSMKeyExportCommand() *cobra.Command {
	var l leaving
	c := &cobra.Command{
		Use:   "export --config FILE --under KEY (--set OWNER | --usage USAGE NAME | --from KBPK --block-file FILE)",
		Short: "Give out a key, enciphered: as it is born, or passed on in a key block",
		Long: "A key leaves enciphered under a KBPK as key block (X9.143; TR-31), or under a TMK or ZMK as raw ECB cryptogram with check value, " +
			"which --legacy-ecb must say: not compliant with PCI PIN 18-3. It leaves at one of two moments:\n\n" +
			"  --set         as it is born: the first PIN and MAC keys (with --data the data key) of terminal/ID or link/NAME, stored and printed.\n" +
			"                Later ones: tapswitch hsm key rotate --set.\n" +
			"  --usage NAME  as it is born: one new key, stored and printed; with --next the successor of NAME.\n" +
			"  --from        passed on: the key of a block under one KBPK is protected under another; nothing is stored.\n\n" +
			"A key at rest never leaves: plain PKCS#11 has no way to encipher it for somebody else that would not let it out for everybody.",
		Example: "  tapswitch hsm key export --config switch.yaml --set terminal/10000001 --under terminal/10000001/tmk --legacy-ecb\n" +
			"  tapswitch hsm key export --config switch.yaml --usage BDK --under archive/kbpk --exportability E fleet/bdk\n" +
			"  tapswitch hsm key export --config switch.yaml --from archive/kbpk --under acq-a/kbpk --block-file bdk.tr31",
		Args: cobra.MaximumNArgs(1),
		RunE: l.run,
	}
	f := c.Flags()
	f.StringVar(&l.token.config, "config", "", "switch configuration (required)")
	l.giving.flags(c)
	f.StringVar(&l.owned, "set", "", "whose first set of keys: terminal/ID or link/NAME")
	f.StringVar(&l.from, "from", "", "KBPK that the block is under now")
	f.StringVar(&l.file, "block-file", "", "file with the key block that is passed on; - for standard input")
	l.wish.flags(c)
	f.StringVar(&l.version, "block-version", "", "version of the block: B under DES, D or E under AES")
	f.StringVar(&l.exportability, "exportability", "", "N: the receiver passes the key on to nobody; E, S: as X9.143 says; N for a new key when left out")
	f.StringVar(&l.mode, "mode", "", "mode of use in the block; the usage's when left out")
	f.StringVarP(&l.format, "output", "o", "table", "table or json")
	required(c, "config")
	return c
}

func (l *leaving) run(c *cobra.Command, args []string) error {
	if _, err := checkFormat(l.format); err != nil {
		return err
	}
	form, err := l.form()
	if err != nil {
		return err
	}
	name := ""
	if len(args) == 1 {
		name = args[0]
	}
	passed, born, data := l.from != "" || l.file != "", l.wish.usage != "" || l.wish.next, l.giving.data
	switch {
	case l.owned != "" && name == "" && !passed && !born && form == (blockForm{}):
		ends, err := lifetime(l.wish.until)
		if err != nil {
			return err
		}
		return l.giving.set(c, &l.token, l.owned, ends, true, l.format)
	case l.owned == "" && name == "" && l.from != "" && l.file != "" && !born && l.giving.under != "" && !data && !l.giving.legacy:
		return l.pass(c, form.form())
	case l.owned == "" && name != "" && !passed && born && l.giving.under != "" && !data:
		return l.bear(c, name, form.form())
	case l.owned == "" && name != "" && !passed && !born:
		return l.atRest(name)
	}
	return usageError{errors.New("what shall leave? give --under and: --set OWNER, or --usage USAGE and a new NAME, or --from KBPK and --block-file FILE")}
}

// blockForm is the header's letters that are chosen, 0 when not.
type blockForm struct{ version, exportability, mode byte }

func (b blockForm) form() hsm.KeyBlockForm {
	return hsm.KeyBlockForm{Version: b.version, Exportability: b.exportability, Mode: b.mode}
}

func (l *leaving) form() (f blockForm, err error) {
	for _, letter := range []struct {
		flag, text string
		to         *byte
	}{{"block-version", l.version, &f.version}, {"exportability", l.exportability, &f.exportability}, {"mode", l.mode, &f.mode}} {
		switch len(letter.text) {
		case 0:
		case 1:
			*letter.to = letter.text[0]
		default:
			return f, usageError{fmt.Errorf("--%s: want one letter", letter.flag)}
		}
	}
	return f, nil
}

// atRest refuses by name what no flag can make possible.
func (l *leaving) atRest(name string) error {
	if err := l.token.needKeystore(); err != nil {
		return err
	}
	keys, err := keystore.Read(env.Real().Disk, l.token.keystore)
	if err != nil {
		return err
	}
	key, err := newest(keys, name)
	if err != nil {
		return fmt.Errorf("%w; a new key that leaves: --usage USAGE --under KEY %s", err, name)
	}
	way := "--next --under KBPK " + name
	if owner, ok := setOf(name); ok {
		way = "tapswitch hsm key rotate --set " + owner + " --under KEY"
	}
	return fmt.Errorf("key %q version %d is at rest, and a key at rest never leaves: the local master key opens it only into an object that the module shows to nobody. "+
		"Give out a successor as it is born (%s), or pass on the key block that it came in (--from KBPK --under KBPK --block-file FILE)", name, key.Version, way)
}

// bear makes one key that leaves as it is born.
func (l *leaving) bear(c *cobra.Command, name string, form hsm.KeyBlockForm) error {
	if owner, ok := setOf(name); ok {
		return usageError{fmt.Errorf("key %q is one of a set, whose keys change together: --set %s", name, owner)}
	}
	var made exportLine
	err := l.token.change(func(m *pkcs11.Module, store *keystore.Store) error {
		under, err := l.giving.carrier(store.List())
		if err != nil {
			return err
		}
		spec, err := l.wish.spec(store.List(), name)
		if err != nil {
			return err
		}
		keys, out, err := m.GenerateSet(c.Context(), under, hsm.WorkingKey{Spec: spec, Form: form})
		if err != nil {
			return err
		}
		made = describeExport(keys[0], out[0], under)
		return store.Put(keys...)
	})
	if err != nil {
		return err
	}
	return showExports(c, l.format, []exportLine{made})
}

// pass protects the key of a block under another KBPK. Nothing is stored, so the
// switch may run.
func (l *leaving) pass(c *cobra.Command, form hsm.KeyBlockForm) error {
	block, err := readBlock(l.file, c.InOrStdin())
	if err != nil {
		return err
	}
	if err := l.token.needKeystore(); err != nil {
		return err
	}
	keys, err := keystore.Read(env.Real().Disk, l.token.keystore)
	if err != nil {
		return err
	}
	from, err := carrier(keys, l.from, "--from", hsm.KBPK)
	if err != nil {
		return err
	}
	to, err := carrier(keys, l.giving.under, "--under", hsm.KBPK)
	if err != nil {
		return err
	}
	m, err := l.token.open()
	if err != nil {
		return err
	}
	defer m.Close()
	out, err := m.TranslateKeyBlock(c.Context(), from, to, block, form)
	if err != nil {
		return err
	}
	return showExports(c, l.format, []exportLine{{Form: asBlock, Under: to.Name, Block: out}})
}

// exportLine is one key that left, enciphered.
type exportLine struct {
	Name       string `json:"name,omitempty"` // not of a block that was passed on
	Version    uint32 `json:"version,omitempty"`
	Usage      string `json:"usage,omitempty"`
	Algorithm  string `json:"algorithm,omitempty"`
	KCV        string `json:"kcv,omitempty"` // four bytes
	Under      string `json:"under"`
	Form       string `json:"form"`
	Block      string `json:"block,omitempty"`
	Cryptogram string `json:"cryptogram,omitempty"`
}

func describeExport(k hsm.Key, out hsm.Exported, under *hsm.Key) exportLine {
	l := exportLine{
		Name: k.Name, Version: k.Version, Usage: k.Usage.String(), Algorithm: k.Algorithm.String(), KCV: fmt.Sprintf("%X", out.KCV[:]),
		Under: under.Name, Form: asBlock, Block: out.Block,
	}
	if out.Block == "" {
		l.Form, l.Cryptogram = asLegacy, fmt.Sprintf("%X", out.Cryptogram)
	}
	return l
}

// showExports prints what left: enciphered keys and check values alone.
func showExports(c *cobra.Command, format string, lines []exportLine) error {
	if lines[0].Form == asLegacy {
		fmt.Fprintln(c.ErrOrStderr(), legacyNote)
	}
	return writeExports(c.OutOrStdout(), format, lines)
}

func writeExports(out io.Writer, format string, lines []exportLine) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		for _, l := range lines {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	if lines[0].Name == "" {
		_, err := fmt.Fprintln(out, lines[0].Block)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tUSAGE\tALGORITHM\tKCV\tUNDER\tFORM\tENCIPHERED")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Version, l.Usage, l.Algorithm, l.KCV, l.Under, l.Form, l.Block+l.Cryptogram)
	}
	return w.Flush()
}
