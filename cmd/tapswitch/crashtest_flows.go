// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"

	"tapswitch/simulators/oracle"
)

// flow is how often a kind of message was played. What was sent again is played once;
// what had to be refused is not counted.
type flow struct {
	Played   int `json:"played"`
	Approved int `json:"approved"`             // with an answer that reached the terminal
	Again    int `json:"later_life,omitempty"` // of those played: sent again in a later life of the switch than at first
}

// inPart counts the purchases of which a part was approved; they are among the others.
const inPart = "purchase_in_part"

// crashFlows are all that a crash test plays; a run of some length that has none of
// one approved proves nothing of it.
func crashFlows() []oracle.Kind {
	return []oracle.Kind{oracle.Purchase, oracle.Void, oracle.Refund, oracle.Inquiry, oracle.Hold, oracle.Release, oracle.Completion,
		oracle.CompletionAdvice, oracle.CompletionVoid, oracle.OfflineSale, oracle.Adjustment, oracle.Cashback, oracle.Cash, oracle.Reversal, oracle.Settlement}
}

// playedIn counts the flows of what terminals asked of a switch whose lives began
// then.
func playedIn(asks []oracle.Ask, lives []time.Duration) map[string]flow {
	type message struct {
		kind oracle.Kind
		key  oracle.Key
	}
	first, yes, again := map[message]int{}, map[message]bool{}, map[message]bool{}
	flows := map[string]flow{}
	for _, a := range asks {
		if a.Kind == oracle.Other || a.Malformed || a.Vain {
			continue
		}
		m, f := message{a.Kind, a.Key}, flows[string(a.Kind)]
		life, _ := slices.BinarySearch(lives, a.Arrived)
		if _, seen := first[m]; !seen {
			first[m] = life
			f.Played++
		}
		if life > first[m] && !again[m] {
			again[m] = true
			f.Again++
		}
		if (a.Code == "00" || a.Code == "10") && !yes[m] {
			yes[m] = true
			f.Approved++
			if a.Code == "10" {
				part := flows[inPart]
				flows[inPart] = flow{Played: part.Played + 1, Approved: part.Approved + 1}
			}
		}
		flows[string(a.Kind)] = f
	}
	return flows
}
