// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// states are all states but those that a class surely never comes to.
func states(c txn.Class) (all []txn.State) {
	never := []txn.State{txn.Advising, txn.Advised}
	if c.Ending() == txn.EndAdvise {
		never = []txn.State{txn.Intended, txn.Sent, txn.Approved, txn.Completed, txn.Refused, txn.Reversing, txn.Unmatched}
	}
	for s := txn.State(0); s.String() != "unknown"; s++ {
		if !slices.Contains(never, s) {
			all = append(all, s)
		}
	}
	return all
}

// may is "yes", or the reason of a refusal.
func may(err error) string {
	if err == nil {
		return "yes"
	}
	return string(txn.AsDecline(err).Reason)
}

// TestEveryPairIsDecided holds what may be done to an original against
// testdata/pairs.table: by the class and state of the original, and by the class and
// state of what names it. A class or a state that is new shows up as lines that
// nobody has decided: read them, and only then write the table anew with -rewrite.
func TestEveryPairIsDecided(t *testing.T) {
	var got strings.Builder
	amount := money.Amount{Minor: 100, Currency: money.CNY}
	fmt.Fprintln(&got, "# May it be taken back, whole, by the class that names it: original, its state")
	for _, of := range txn.Classes() {
		for _, c := range txn.Classes() {
			if !c.TakesBack() || !c.Names(of) {
				continue
			}
			for _, s := range states(of) {
				o := txn.Payment{Key: txn.Key{Class: of}, State: s, Amount: amount}
				fmt.Fprintf(&got, "%s of %s, %s: %s\n", c, of, s, may(voidable(&txn.Payment{Key: txn.Key{Class: c}, Amount: amount}, replay.View{Payment: &o})))
			}
		}
	}
	fmt.Fprintln(&got, "\n# What names an original, and its state: may anything else be done to the original; may it be refunded")
	for _, c := range txn.Classes() {
		if c.Ending() == txn.EndNone || c != txn.Refund && c != txn.StandIn && !c.Follows() {
			continue
		}
		for _, s := range states(c) {
			l := txn.Payment{Key: txn.Key{Class: c}, State: s, Amount: amount}
			fmt.Fprintf(&got, "%s, %s: %s; %s\n", c, s, may(alone(&l)), may(within(1, 100, []txn.Payment{l})))
		}
	}
	const file = "testdata/pairs.table"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got.String() {
		t.Errorf("%v; got\n%s", err, got.String())
	}
}
