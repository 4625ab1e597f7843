// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/switch/journal/segment"
)

// journalVerdict is what verify found, as -o json shows it.
type journalVerdict struct {
	Good     bool   `json:"good"`
	Records  uint64 `json:"records"`
	Segments uint64 `json:"segments"`
	Purged   uint64 `json:"purged_segments"`
	Spares   uint64 `json:"spare_segments"`
	Reserved int64  `json:"reserved_bytes"`
	Torn     int64  `json:"torn_bytes"`
	Head     string `json:"head,omitempty"`
	File     string `json:"file,omitempty"`
	Offset   *int64 `json:"offset,omitempty"`
	Error    string `json:"error,omitempty"`
}

func newJournalVerifyCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every record and the hash chain; say where the first fault is",
		Long: "Read every record and follow the hash chain through all segments. The head is the chain's value behind the last record: two journals with the same head hold " +
			"the same records, and a head that was noted earlier shows whether newer copies still begin with what was there then. Nothing is changed; exit code 1 when something is not as it was written.",
		Example: "  tapswitch journal verify journal\n  tapswitch journal verify -o json journal",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "table" && format != "json" {
				return usageError{fmt.Errorf("output %q: table or json", format)}
			}
			r, err := segment.Verify(env.Real().Disk, args[0])
			if format == "json" {
				return errors.Join(json.NewEncoder(c.OutOrStdout()).Encode(journalVerdictOf(r, err)), afterGood(r, err))
			}
			if err != nil {
				return afterGood(r, err)
			}
			return printReport(c.OutOrStdout(), r)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

// afterGood says how far reading came before err.
func afterGood(r segment.Report, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("after %d good records: %w", r.Records, err)
}

func journalVerdictOf(r segment.Report, err error) journalVerdict {
	v := journalVerdict{Good: err == nil, Records: r.Records, Segments: r.Segments, Purged: r.Purged, Spares: r.Spares, Reserved: r.Reserved, Torn: r.TornBytes}
	var fault *segment.Fault
	switch {
	case errors.As(err, &fault):
		v.File, v.Offset, v.Error = fault.File, &fault.Offset, fault.Reason
	case err != nil:
		v.Error = err.Error()
	default:
		v.Head = r.Head
	}
	return v
}

func printReport(out io.Writer, r segment.Report) error {
	_, err := fmt.Fprintf(out, "%d records in %d segments, all as they were written; %d bytes of a torn end\n", r.Records, r.Segments, r.TornBytes)
	if err == nil && r.Purged > 0 {
		_, err = fmt.Fprintf(out, "a checkpoint stands for segments 1 to %d\n", r.Purged)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "head %s, %d bytes reserved, %d spare segments\n", r.Head, r.Reserved, r.Spares)
	}
	return err
}
