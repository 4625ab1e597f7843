// SPDX-License-Identifier: Apache-2.0

package main

import "math/rand/v2"

// tap is one payment of the demonstration: what is done, and what must come of it.
type tap struct {
	Kind   string // what it shows
	Card   string // of the deck
	Amount int64  // minor units
	PIN    string // typed when asked; empty: the card must not ask
	Host   string // the acquirer that is put into Mood first
	Mood   string
	Expect expectation
}

// expectation is the only outcome that counts as right.
type expectation struct {
	Outcome  string // as the terminal names it
	Code     string // field 39
	Link     string // where it was routed, empty when it was not
	Reversal bool   // the switch reverses it at the acquirer
}

// The names of the two links of the demonstration.
const (
	linkA = "acq-a" // issues the UnionPay cards itself: checks PIN and cryptogram
	linkB = "acq-b" // the Visa cards are on-us: the switch's HSM checks them
)

// The amounts of the demonstration, in fen. From pinFrom on a card asks for its PIN.
const (
	pinFrom  = 100000
	maxSmall = 30000
	maxLarge = 150000
)

// rightPIN is the PIN of every card of the deck, wrongPIN is none's.
const (
	rightPIN = "1234"
	wrongPIN = "4321"
)

// kinds is every kind of tap, the ones that must occur in any run of twenty.
func kinds(r *rand.Rand) []tap {
	small := func() int64 { return 100 + r.Int64N(maxSmall) }
	large := func() int64 { return pinFrom + r.Int64N(maxLarge-pinFrom) }
	yes := func(link string) expectation { return expectation{Outcome: "approved", Code: "00", Link: link} }
	no := func(code, link string) expectation { return expectation{Outcome: "declined", Code: code, Link: link} }
	return []tap{
		{Kind: "UnionPay, small amount without PIN", Card: "unionpay", Amount: small(), Expect: yes(linkA)},
		{Kind: "UnionPay with online PIN", Card: "unionpay", Amount: large(), PIN: rightPIN, Expect: yes(linkA)},
		{Kind: "Visa, small amount without PIN", Card: "visa", Amount: small(), Expect: yes(linkB)},
		{Kind: "Visa with online PIN", Card: "visa", Amount: large(), PIN: rightPIN, Expect: yes(linkB)},
		{Kind: "phone, confirmed on the device", Card: "unionpay-phone", Amount: large(), Expect: yes(linkA)},
		{Kind: "wrong PIN, found by the acquirer", Card: "unionpay", Amount: large(), PIN: wrongPIN, Expect: no("55", linkA)},
		{Kind: "wrong PIN, found by our HSM", Card: "visa", Amount: large(), PIN: wrongPIN, Expect: no("55", "")},
		{Kind: "forged cryptogram, found by our HSM", Card: "visa-forged", Amount: small(), Expect: no("59", "")},
		{Kind: "forged cryptogram, found by the acquirer", Card: "unionpay-forged", Amount: small(), Expect: no("05", linkA)},
		{Kind: "unknown BIN", Card: "unknown-bin", Amount: small(), Expect: no("92", "")},
		{Kind: "silent acquirer", Card: "unionpay", Amount: small(), Host: linkA, Mood: "silent once",
			Expect: expectation{Outcome: "declined", Code: "98", Link: linkA, Reversal: true}},
	}
}

// common is how often the ordinary kinds come in the rest of a run; the rest
// of a run has no silent hosts, so that it stays quick.
func common() []int { return []int{0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 7, 8, 9} }

// plan makes n taps from a seed: every kind once when there is room, the rest
// by chance, in an order of chance. Wrong PINs come once in a plan, and a right
// one of the same card before the next plan, so that no card is blocked.
func plan(n int, seed uint64) []tap {
	r := rand.New(rand.NewPCG(seed, 0x7461707377697463))
	taps := kinds(r)
	r.Shuffle(len(taps), func(i, j int) { taps[i], taps[j] = taps[j], taps[i] })
	if n < len(taps) {
		return taps[:n]
	}
	for len(taps) < n {
		pick := common()
		taps = append(taps, kinds(r)[pick[r.IntN(len(pick))]])
	}
	r.Shuffle(len(taps), func(i, j int) { taps[i], taps[j] = taps[j], taps[i] })
	return taps
}
