// SPDX-License-Identifier: Apache-2.0

package recognise

import (
	"errors"

	"tapswitch/iso8583"
)

// Framed is Rank for the beginning of a stream: the framings that end somewhere,
// and none of those that only suppose.
func Framed(dialects []Dialect, p []byte) []Guess {
	all := rank(dialects, p, heads(p), backgroundOf(p))
	number(all)
	return all
}

// Again reads the message at the beginning of p in the framing and the dialect
// of g, when p holds all of it; the message itself may be broken.
func (g Guess) Again(p []byte) (next Guess, ok bool) {
	for _, h := range heads(p) {
		if h.Length != g.Head.Length || h.Kind != g.Head.Kind || (h.TPDU != nil) != (g.Head.TPDU != nil) || h.Says > h.Has || h.To-h.From < minBody {
			continue
		}
		var v iso8583.View
		next = Guess{Dialect: g.Dialect, Head: h, Body: p[h.From:h.To:h.To], After: len(p) - h.To}
		err := g.Dialect.Layout.Parse(next.Body, &v)
		next.Failure, _ = errors.AsType[*iso8583.Error](err)
		next.weigh(&v, backgroundOf(next.Body))
		return next, true
	}
	return Guess{}, false
}
