// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"tapswitch/iso8583/dissector"
)

func (t *isoTools) luaCommand() *cobra.Command {
	var port int
	c := &cobra.Command{
		Use:   "lua NAME",
		Short: "Write a Wireshark dissector for a dialect",
		Long: "Write a Wireshark dissector for a dialect, in Lua. It masks card data as the other tools do, until its\n" +
			"preference \"Show card data\" is set.",
		Example: "  tapswitch iso lua unionpaypos > unionpaypos.lua\n  tapswitch iso lua --port 7100 iso87ascii > iso87ascii.lua\n" +
			"  tshark -X lua_script:iso87ascii.lua -r trace.pcap -V",
		Args: words(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			e, err := t.find(args[0])
			if err != nil {
				return err
			}
			if port < 0 || port > 65535 {
				return usageError{&isoError{Code: "ISO-140", What: "no such port", Fix: "give --port from 1 to 65535, or leave it out"}}
			}
			p, err := dissector.Write(dissector.Dialect{Name: e.Name, Title: e.Title, Spec: e.Spec(), Layout: e.New(), Format: e.Format, Port: port})
			if err != nil {
				return &isoError{Code: "ISO-141", What: "no dissector can be written for this dialect", Why: err.Error(), Fix: "`tapswitch iso pcap` reads it"}
			}
			_, err = c.OutOrStdout().Write(p)
			return err
		},
	}
	c.Flags().IntVar(&port, "port", 0, "TCP port that speaks the dialect; without it use Decode As")
	return c
}
