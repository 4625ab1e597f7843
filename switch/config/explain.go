// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"tapswitch/internal/secret"
)

// Entry is one value of the effective configuration.
type Entry struct {
	Path  string `json:"path"`
	Value string `json:"value"` // of a secret: its reference
	From  string `json:"from"`  // file:line:column, or "default"
	Help  string `json:"help"`
}

// finish completes a default path and notes the value for Explain.
func (d *decoder) finish(v reflect.Value, f field, n *yaml.Node, path string) {
	e := Entry{Path: path, From: "default", Help: f.help}
	if n != nil {
		e.From = fmt.Sprintf("%s:%d:%d", d.file, n.Line, n.Column)
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		e.Value = fmt.Sprint(p.Milliseconds())
	case *secret.Key:
		if n != nil {
			e.Value = n.Value // a reference: a literal was refused before, and it has no default
		}
	case *string:
		if n == nil && f.kind == "path" && *p != "" {
			*p = d.relative(*p)
		}
		e.Value = *p
	default:
		e.Value = fmt.Sprint(v.Interface())
	}
	d.entries = append(d.entries, e)
}

// Entries lists every value in force, in the order of the structs.
func (c *Config) Entries() []Entry { return append([]Entry(nil), c.entries...) }

// Explain prints every value in force, where it came from and what it means.
func (c *Config) Explain(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, e := range c.entries {
		value := e.Value
		if value == "" {
			value = "(none)"
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", e.Path, value, e.From, e.Help); err != nil {
			return fmt.Errorf("explain configuration: %w", err)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("explain configuration: %w", err)
	}
	return nil
}
