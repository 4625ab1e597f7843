// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

func newJournalCommand() *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: "Read, check and purge the durable memory of a switch", Example: "  tapswitch journal verify journal\n  tapswitch journal dump -o json journal"}
	c.AddCommand(newJournalDumpCommand(), newJournalPurgeCommand(), newJournalVerifyCommand())
	return c
}
