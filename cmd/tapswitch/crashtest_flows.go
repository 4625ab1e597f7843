// SPDX-License-Identifier: Apache-2.0

package main

import "tapswitch/simulators/oracle"

// flow is how often a kind of message was played. What was sent again is played once;
// what had to be refused is not counted.
type flow struct {
	Played   int `json:"played"`
	Approved int `json:"approved"` // with an answer that reached the terminal
}

// crashFlows are all that a crash test plays; a run of some length that has none of
// one approved proves nothing of it.
func crashFlows() []oracle.Kind {
	return []oracle.Kind{oracle.Purchase, oracle.Void, oracle.Refund, oracle.Inquiry, oracle.Hold, oracle.Release, oracle.Completion,
		oracle.CompletionAdvice, oracle.CompletionVoid, oracle.OfflineSale, oracle.Reversal, oracle.Settlement}
}

// playedIn counts the flows of what terminals asked.
func playedIn(asks []oracle.Ask) map[string]flow {
	type message struct {
		kind oracle.Kind
		key  oracle.Key
	}
	seen, yes := map[message]bool{}, map[message]bool{}
	flows := map[string]flow{}
	for _, a := range asks {
		if a.Kind == oracle.Other || a.Malformed || a.Vain {
			continue
		}
		m, f := message{a.Kind, a.Key}, flows[string(a.Kind)]
		if !seen[m] {
			f.Played++
		}
		if a.Code == "00" && !yes[m] {
			yes[m] = true
			f.Approved++
		}
		seen[m] = true
		flows[string(a.Kind)] = f
	}
	return flows
}
