// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"tapswitch/hsm/pkcs11"
)

// functionLine is one function as the JSON output has it.
type functionLine struct {
	Function   string `json:"function"`
	Works      bool   `json:"works"`
	KeyLeaves  bool   `json:"key_leaves"`
	PINLeaves  bool   `json:"pin_leaves"`
	Why        string `json:"why,omitempty"`
	Mechanisms string `json:"mechanisms"`
}

// mechanismLine is one mechanism as the JSON output has it.
type mechanismLine struct {
	Mechanism string `json:"mechanism"`
	Works     bool   `json:"works"`
	Why       string `json:"why,omitempty"`
}

// showMechanisms prints functions, then mechanisms.
func showMechanisms(out io.Writer, format string, module []pkcs11.Probed) error {
	switch format {
	case "json":
		all := struct {
			Functions  []functionLine  `json:"functions"`
			Mechanisms []mechanismLine `json:"mechanisms"`
		}{}
		for _, f := range pkcs11.Functions(module) {
			all.Functions = append(all.Functions, functionLine{f.Function, f.Works, f.KeyLeaves, f.PINLeaves, f.Why, f.Mechanisms})
		}
		for _, m := range module {
			all.Mechanisms = append(all.Mechanisms, mechanismLine(m))
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	case "table":
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "FUNCTION\tWORKS\tKEY LEAVES\tPIN LEAVES\tREMARK")
		for _, f := range pkcs11.Functions(module) {
			remark := f.Remark
			if !f.Works {
				remark = "not possible: " + f.Why
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.Function, yesNo(f.Works), yesNo(f.KeyLeaves), yesNo(f.PINLeaves), remark)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "\nMECHANISM\tWORKS\tWHAT THE MODULE SAID")
		for _, m := range module {
			fmt.Fprintf(w, "%s\t%s\t%s\n", m.Mechanism, yesNo(m.Works), m.Why)
		}
		return w.Flush()
	}
	return usageError{fmt.Errorf("output %q: table or json", format)}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
