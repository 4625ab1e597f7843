// SPDX-License-Identifier: Apache-2.0

package recognise_test

import (
	"math/rand/v2"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/recognise"
)

// FuzzRank: any bytes give guesses that lie inside them, the likeliest first, and
// one said to be whole is read to its end by its dialect.
func FuzzRank(f *testing.F) {
	all := candidates()
	for i, e := range dialect.All() {
		rng := rand.New(rand.NewPCG(9, uint64(i)))
		for range 2 {
			p, _ := message(f, rng, e, recognise.Candidates(e)[0])
			f.Add(p)
		}
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost: example\r\n\r\n"))
	f.Add(make([]byte, 64))
	var v iso8583.View
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 4096 {
			return
		}
		for i, g := range recognise.Rank(all, p) {
			if g.Head.From < 0 || g.Head.From+len(g.Body) > len(p) || g.Head.To > len(p) || g.Stop() > len(p) || g.After < 0 {
				t.Fatalf("guess %d lies outside: %+v of %d", i, g.Head, len(p))
			}
			if g.Equal > i || g.Equal < 0 {
				t.Fatalf("guess %d is as good as %d", i, g.Equal)
			}
			if err := g.Dialect.Layout.Parse(g.Body, &v); (err == nil) != (g.Failure == nil) {
				t.Fatalf("guess %d, %s: %v here, %v there", i, g.Dialect.Name, err, g.Failure)
			}
			for _, d := range g.Doubts {
				if d.Offset < 0 || d.Offset > len(p) || d.Text == "" {
					t.Fatalf("guess %d: doubt %+v", i, d)
				}
			}
		}
	})
}
