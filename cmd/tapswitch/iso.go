// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/paste"
	"tapswitch/iso8583/recognise"
)

// isoTools is what the commands of `iso` share.
type isoTools struct {
	catalogue func() []dialect.Entry
}

func newIsoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "iso",
		Short: "Read, write, compare and check ISO 8583 messages",
		Long: "Read, write, compare and check ISO 8583 messages.\n\n" +
			"A message is an argument, a file or standard input: hex with or without spaces, a hex dump, base64,\n" +
			"the bytes themselves, or a line of a log. Card data is masked in everything that is printed.\n" +
			"Exit codes: 0 all well, 1 findings or refused, 2 not understood.",
		Example: "  tapswitch iso view 0800822000000000000004000000000000000604123456000001301\n" +
			"  tapswitch iso pcap capture.pcapng",
	}
	t := &isoTools{catalogue: dialect.All}
	c.AddCommand(t.viewCommand(), t.decodeCommand(), t.encodeCommand(), t.diffCommand(), t.doctorCommand(), t.lintCommand(),
		t.dialectsCommand(), t.specCommand(), t.pcapCommand(), t.luaCommand())
	t.ownFlags(c)
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{errors.New(withoutInput(err.Error()) + "\nsee: " + c.CommandPath() + " --help")}
	})
	return c
}

// isoError is told in full: what, where, why, what to do. It holds no byte of a
// message.
type isoError struct {
	Code  string `json:"code"`
	What  string `json:"message"`
	Where string `json:"where,omitempty"`
	Why   string `json:"why,omitempty"`
	Fix   string `json:"fix,omitempty"`
}

// Error gives it as a few lines.
func (e *isoError) Error() string {
	text := "error[" + e.Code + "]: " + e.What
	for _, line := range []struct{ label, text string }{{"where", e.Where}, {"why", e.Why}, {"fix", e.Fix}} {
		if line.text != "" {
			text += "\n  " + line.label + ": " + line.text
		}
	}
	return text
}

// withoutInput takes out of a message of the command line parser what may have
// been pasted.
func withoutInput(text string) string {
	return regexp.MustCompile(`[0-9A-Za-z+/=]{9,}[0-9A-Za-z+/= ]*`).ReplaceAllStringFunc(text, func(s string) string {
		if regexp.MustCompile(`^[a-z ]*$`).MatchString(s) {
			return s // words
		}
		return "(input)"
	})
}

// words asks for a number of arguments, at most -1 for any.
func words(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usageError{fmt.Errorf("%d arguments given\nusage: %s", len(args), c.UseLine())}
		}
		return nil
	}
}

// output is the flag -o.
type output string

func (o *output) add(c *cobra.Command) {
	c.Flags().StringVarP((*string)(o), "output", "o", "table", "table or json")
}

func (o *output) check() error {
	if *o != "table" && *o != "json" {
		return usageError{errors.New("-o takes table or json")}
	}
	return nil
}

// printJSON writes v, indented, as the JSON of every command is.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// source reads what the arguments name: a file, standard input, or the message
// itself.
func source(c *cobra.Command, args []string) (p []byte, name string, err error) {
	if len(args) == 0 || len(args) == 1 && args[0] == "-" {
		p, err = io.ReadAll(io.LimitReader(c.InOrStdin(), paste.MaxInput+1))
		return p, "standard input", err
	}
	if len(args) == 1 {
		if info, statErr := os.Stat(args[0]); statErr == nil && !info.IsDir() {
			f, err := os.Open(args[0])
			if err != nil {
				return nil, "", err
			}
			defer f.Close()
			p, err = io.ReadAll(io.LimitReader(f, paste.MaxInput+1))
			return p, "file", err
		}
	}
	return []byte(strings.Join(args, " ")), "argument", nil
}

// readings gives the ways to read the input.
func readings(c *cobra.Command, args []string) ([]paste.Reading, error) {
	p, name, err := source(c, args)
	if err != nil {
		return nil, &isoError{Code: "ISO-101", What: "the " + name + " cannot be read", Why: ioReason(err), Fix: "check its rights"}
	}
	all, err := paste.Readings(p)
	if err == nil {
		return all, nil
	}
	e := &isoError{Code: "ISO-102", What: "no message in the " + name, Why: err.Error()}
	if bad, ok := errors.AsType[*paste.Error](err); ok {
		e.Why, e.Fix = bad.What, bad.Fix
		if bad.Line > 0 {
			e.Where = fmt.Sprintf("line %d", bad.Line)
		}
	}
	if count, odd := paste.OddDigits(p); odd {
		e.Why, e.Fix = fmt.Sprintf("%d hex digits are an odd number, so that half a byte is missing or too many", count), "copy it again"
	}
	return nil, e
}

// ioReason is what the system said, without the path: it may be a message.
func ioReason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

// pick gives the dialects to try: all, or the one that was named.
func (t *isoTools) pick(name string) (all []recognise.Dialect, err error) {
	var names []string
	for _, e := range t.catalogue() {
		names = append(names, e.Name)
		if name == "" || name == e.Name {
			all = append(all, recognise.Candidates(e)...)
		}
	}
	if len(all) == 0 {
		return nil, usageError{&isoError{Code: "ISO-103", What: "no dialect has that name", Fix: "one of: " + strings.Join(names, ", ")}}
	}
	return all, nil
}

// find gives the dialect of that name.
func (t *isoTools) find(name string) (dialect.Entry, error) {
	for _, e := range t.catalogue() {
		if e.Name == name {
			return e, nil
		}
	}
	_, err := t.pick(name)
	return dialect.Entry{}, err
}

// message is what the input turned out to be.
type message struct {
	reading paste.Reading
	guesses []recognise.Guess // the likeliest first
}

// recogniseInput finds the reading that makes the most sense to the dialects.
func recogniseInput(all []paste.Reading, dialects []recognise.Dialect) message {
	best := message{reading: all[0]}
	for _, r := range all {
		m := message{r, recognise.Rank(dialects, r.Bytes)}
		if m.better(best) {
			best = m
		}
	}
	return best
}

func (m message) better(o message) bool {
	if len(m.guesses) == 0 || len(o.guesses) == 0 {
		return len(m.guesses) > len(o.guesses)
	}
	a, b := m.guesses[0], o.guesses[0]
	if a.Known() != b.Known() {
		return a.Known()
	}
	if (a.Failure == nil) != (b.Failure == nil) {
		return a.Failure == nil
	}
	return a.Bits > b.Bits
}

// tied are the other dialects that read the bytes as well as the first guess.
func (m message) tied() (names []string) {
	for _, g := range m.guesses[min(1, len(m.guesses)):] {
		if g.Equal == 0 {
			name := g.Dialect.Name
			if name == m.guesses[0].Dialect.Name {
				name += " behind " + g.Head.String()
			}
			names = append(names, name)
		}
	}
	return names
}
