// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (t *isoTools) dialectsCommand() *cobra.Command {
	var format output
	c := &cobra.Command{
		Use:     "dialects",
		Short:   "List the dialects, and how far each can be trusted",
		Example: "  tapswitch iso dialects\n  tapswitch iso dialects -o json\n  tapswitch iso spec show iso87ascii",
		Args:    words(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := format.check(); err != nil {
				return err
			}
			type row struct {
				Name     string `json:"name"`
				Title    string `json:"title"`
				Standing string `json:"standing"`
				Fields   int    `json:"fields"`
				Page     string `json:"page,omitempty"`
			}
			rows := []row{}
			for _, e := range t.catalogue() {
				rows = append(rows, row{e.Name, e.Title, e.Standing.String(), len(fieldsOf(e.New())), e.Page})
			}
			if format == "json" {
				return printJSON(c.OutOrStdout(), rows)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "DIALECT\tWHAT\tSTANDING\tFIELDS\tPAGE")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", r.Name, r.Title, r.Standing, r.Fields, r.Page)
			}
			return w.Flush()
		},
	}
	format.add(c)
	return c
}
