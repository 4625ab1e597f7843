// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// journalVerdict is what verify found, as -o json shows it. Segments and what
// follows are of segment files, rows and writers of PostgreSQL.
type journalVerdict struct {
	Good     bool   `json:"good"`
	Records  uint64 `json:"records"`
	Reserved int64  `json:"reserved_bytes"`
	Head     string `json:"head,omitempty"`
	Segments uint64 `json:"segments"`
	Purged   uint64 `json:"purged_segments"`
	Spares   uint64 `json:"spare_segments"`
	Torn     int64  `json:"torn_bytes"`
	Rows     uint64 `json:"rows,omitempty"`
	Writers  int64  `json:"taken_over,omitempty"`     // how often
	Through  uint64 `json:"purged_through,omitempty"` // records up to this one are those that were kept
	Kept     uint64 `json:"records_kept,omitempty"`
	File     string `json:"file,omitempty"` // with the first fault
	Offset   *int64 `json:"offset,omitempty"`
	Row      uint64 `json:"row,omitempty"`
	KeptRow  uint64 `json:"kept_row,omitempty"`
	Error    string `json:"error,omitempty"`
}

// judge says whether all was good; the head is known only then.
func (v *journalVerdict) judge(head string, err error) {
	if v.Good = err == nil; v.Good {
		v.Head = head
		return
	}
	v.Error = err.Error()
}

func newJournalVerifyCommand() *cobra.Command {
	var file, format string
	c := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Check every record and the hash chain; say where the first fault is",
		Long: "Read every record and follow the hash chain through all segments, or rows in PostgreSQL. The head is the chain's value behind the last record: two journals with the same head hold " +
			"the same records, and a head that was noted earlier shows whether newer copies still begin with what was there then. Nothing is changed; exit code 1 when something is not as it was written.",
		Example: "  tapswitch journal verify journal\n  tapswitch journal verify -o json journal\n  tapswitch journal verify --config switch.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return usageError{fmt.Errorf("output %q: table or json", format)}
			}
			o, err := journalOf(args, file)
			if err != nil {
				return err
			}
			v, err := o.verify()
			if err != nil {
				err = fmt.Errorf("after %d good records: %w", v.Records, err)
			}
			switch {
			case format == "json":
				return errors.Join(json.NewEncoder(c.OutOrStdout()).Encode(v), err)
			case err != nil:
				return err
			}
			return o.print(c.OutOrStdout(), v)
		},
	}
	journalFlag(c, &file)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}
