// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/dialect/load"
	"tapswitch/switch/config"
)

// ownFlags add dialects to the shipped ones: those of a configuration file, and
// single specification files.
func (t *isoTools) ownFlags(c *cobra.Command) {
	var configuration string
	var specs []string
	c.PersistentFlags().StringVar(&configuration, "config", "", "a switch configuration whose iso.dialects are known too")
	c.PersistentFlags().StringArrayVar(&specs, "spec", nil, "a specification file, whose dialect is known too by the file's name without its ending")
	c.PersistentPreRunE = func(*cobra.Command, []string) error {
		own, err := ownDialects(configuration, specs)
		if err != nil || len(own) == 0 {
			return err
		}
		t.catalogue = func() []dialect.Entry { return append(dialect.All(), own...) }
		return nil
	}
}

func ownDialects(configuration string, specs []string) (all []dialect.Entry, err error) {
	if configuration != "" {
		found, err := config.Dialects(configuration, machine())
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			data, err := os.ReadFile(d.Spec)
			if err != nil {
				return nil, &isoError{Code: "ISO-150", What: "the specification cannot be read", Where: d.Spec, Why: ioReason(err), Fix: "check name and rights"}
			}
			all = append(all, load.Entry(d.Layout(), d.Spec, data))
		}
	}
	for _, file := range specs {
		own, err := loadSpec(file)
		if err != nil {
			return nil, err
		}
		name := own.Name
		for _, taken := range all {
			if taken.Name == name {
				return nil, usageError{&isoError{Code: "ISO-152", What: "two dialects have the name " + name, Fix: "rename the file: its name without the ending is the dialect's"}}
			}
		}
		if _, shipped := dialect.Find(name); shipped {
			return nil, usageError{&isoError{Code: "ISO-152", What: "a shipped dialect has the name " + name, Fix: "rename the file: its name without the ending is the dialect's"}}
		}
		all = append(all, own)
	}
	return all, nil
}

// loadSpec compiles a specification file; the dialect is called like the file.
func loadSpec(file string) (dialect.Entry, error) {
	f, err := os.Open(file)
	if err != nil {
		return dialect.Entry{}, &isoError{Code: "ISO-150", What: "the specification cannot be read", Where: file, Why: ioReason(err), Fix: "check name and rights"}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, load.MaxFile+1))
	if err == nil {
		var l *iso8583.Layout
		if l, err = load.Layout(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), file, data, nil); err == nil {
			return load.Entry(l, file, data), nil
		}
	}
	return dialect.Entry{}, &isoError{Code: "ISO-151", What: "the specification makes no dialect", Where: file, Why: strings.TrimPrefix(err.Error(), file+": "),
		Fix: "correct the field or line it names; docs/dialects/README.md says what a specification can have"}
}

// specVerdict is what `spec check -o json` gives.
type specVerdict struct {
	Name   string   `json:"name"`
	Fields int      `json:"fields"`
	Hidden int      `json:"hidden"` // fields that are masked or not shown
	Notes  []string `json:"notes,omitempty"`
}

func (t *isoTools) specCheckCommand() *cobra.Command {
	var format output
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Load and compile a specification file, or say which field or line cannot be used",
		Long: "Load and compile a specification file: moov-io/iso8583 in JSON or YAML, or a jPOS generic packager in XML.\n" +
			"Exit code 1 when no dialect can be made of it.",
		Example: "  tapswitch iso spec check acme.xml\n  tapswitch iso view --spec acme.xml message.hex",
		Args:    words(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			own, err := loadSpec(args[0])
			if err != nil {
				return err
			}
			return printChecked(c.OutOrStdout(), checkSpec(own.Name, own.New()), format)
		},
	}
	format.add(c)
	return c
}

// checkSpec counts, and notes what is often forgotten.
func checkSpec(name string, l *iso8583.Layout) specVerdict {
	x := specVerdict{Name: name}
	for _, n := range fieldsOf(l) {
		x.Fields++
		if m := l.Mark(n); m != iso8583.MarkNone && m != iso8583.MarkMAC {
			x.Hidden++
		}
	}
	for _, n := range []int{3, 4, 11, 39} {
		if !l.Defines(n) {
			x.Notes = append(x.Notes, fmt.Sprintf("field %d is not in it, and nearly every message has one", n))
		}
	}
	return x
}

func printChecked(w io.Writer, x specVerdict, format output) error {
	if format == "json" {
		return printJSON(w, x)
	}
	out := fmt.Appendf(nil, "%s: %s, %d of them masked or hidden\n", x.Name, count(x.Fields, "field"), x.Hidden)
	for _, note := range x.Notes {
		out = fmt.Appendf(out, "note: %s\n", note)
	}
	_, err := w.Write(out)
	return err
}
