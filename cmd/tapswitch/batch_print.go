// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"tapswitch/switch/txn"
)

// batchNumber reads a number of up to six digits.
func batchNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > 999_999 {
		return 0, usageError{fmt.Errorf("batch %q: a number of up to six digits is wanted", text)}
	}
	return uint32(n), nil
}

func printBatches(out io.Writer, format string, all []batchView) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		for _, v := range all {
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TERMINAL\tBATCH\tSTATE\tPAYMENTS\tDEBITS\tSUM\tCREDITS\tSUM\tCASES\tSINCE")
	for _, v := range all {
		fmt.Fprintf(w, "%s\t%06d\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n",
			v.Terminal, v.Batch, v.State, v.Payments, v.Now.Debits, v.Now.DebitMinor, v.Now.Credits, v.Now.CreditMinor, v.Cases, v.Since)
	}
	return w.Flush()
}

// batchPayment is a payment of a batch.
type batchPayment struct {
	Trace    uint32 `json:"trace"`
	Class    string `json:"class"`
	State    string `json:"state"`
	Side     string `json:"side"` // debit, credit or none
	Card     string `json:"card"`
	Amount   int64  `json:"amount_minor"`
	Currency uint16 `json:"currency"`
	Code     string `json:"code,omitempty"`
	RRN      string `json:"rrn,omitempty"`
}

// batchItem is an item of the upload, or what was missing in it.
type batchItem struct {
	Trace   uint32 `json:"trace"`
	Card    string `json:"card,omitempty"`
	Amount  int64  `json:"amount_minor"`
	Verdict string `json:"verdict"`
}

func sideName(s txn.Side) string {
	switch s {
	case txn.OnDebit:
		return "debit"
	case txn.OnCredit:
		return "credit"
	}
	return "none"
}

func (v batchView) list() (payments []batchPayment, items []batchItem) {
	for i := range v.payments {
		p := &v.payments[i]
		payments = append(payments, batchPayment{
			Trace: uint32(p.Key.Trace), Class: p.Key.Class.String(), State: p.State.String(), Side: sideName(p.Share().Side), Card: p.Masked,
			Amount: int64(p.Amount.Minor), Currency: uint16(p.Amount.Currency), Code: p.Answer.Code.String(), RRN: p.Numbers.RRN.String(),
		})
	}
	for _, u := range v.uploaded {
		verdict := string(u.Verdict.Reason())
		if verdict == "" {
			verdict = "agrees"
		}
		items = append(items, batchItem{uint32(u.Trace), u.Masked, int64(u.Minor), verdict})
	}
	return payments, items
}

func printBatch(out io.Writer, format string, v batchView) error {
	payments, items := v.list()
	if format == "json" {
		return json.NewEncoder(out).Encode(struct {
			batchView
			List  []batchPayment `json:"list"`
			Items []batchItem    `json:"uploaded,omitempty"`
		}{v, payments, items})
	}
	fmt.Fprintf(out, "terminal %s, merchant %s, batch %06d: %s", v.Terminal, v.Merchant, v.Batch, v.State)
	if v.Since != "" {
		fmt.Fprintf(out, " since %s", v.Since)
	}
	fmt.Fprintf(out, "\nnow     %s\n", v.Now)
	if v.Told != nil {
		fmt.Fprintf(out, "told    %s\ntheirs  %s\n", *v.Told, *v.Theirs)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nTRACE\tCLASS\tSTATE\tCOUNTS\tCARD\tAMOUNT\tCODE\tRRN")
	for _, p := range payments {
		fmt.Fprintf(w, "%06d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.Trace, p.Class, p.State, p.Side, p.Card, p.Amount, p.Code, p.RRN)
	}
	if len(items) > 0 {
		fmt.Fprintln(w, "\nUPLOADED\tVERDICT\tCARD\tAMOUNT")
		for _, i := range items {
			fmt.Fprintf(w, "%06d\t%s\t%s\t%d\n", i.Trace, i.Verdict, i.Card, i.Amount)
		}
	}
	return w.Flush()
}

// String is totals in words.
func (s batchSums) String() string {
	return fmt.Sprintf("%d debits %d, %d credits %d", s.Debits, s.DebitMinor, s.Credits, s.CreditMinor)
}
