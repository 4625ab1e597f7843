// SPDX-License-Identifier: Apache-2.0

package recognise_test

import (
	"math/rand/v2"
	"testing"

	"tapswitch/iso8583/recognise"
)

// noisePerKind is how many texts of each kind of noise are tried; each has a
// seed of its own, so that a find can be repeated.
const noisePerKind = 400

// TestNoise: what no dialect wrote is nobody's.
func TestNoise(t *testing.T) {
	all := candidates()
	for name, charset := range map[string]string{
		"bytes": "", "digits": "0123456789", "hex": "0123456789ABCDEF", "words": " abcdefghijklmnopqrstuvwxyz.,",
		"base64": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "BCD": "bcd", "zeros and ones": "\x00\x01",
		"EBCDIC digits": "\xF0\xF1\xF2\xF3\xF4\xF5\xF6\xF7\xF8\xF9", "message types": "00112248", "zero": "\x00", "text zero": "0", "sparse": "\x00\x00\x00\x00\x00\x08\x20\x10\x02\x99",
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range noisePerKind {
				p := noise(rand.New(rand.NewPCG(2, uint64(seed))), charset)
				if g := recognise.Rank(all, p); len(g) > 0 && g[0].Known() {
					t.Errorf("seed %d: %d bytes taken for %s (%s): %.0f bits, %v, %q", seed, len(p), g[0].Dialect.Name, g[0].Head, g[0].Bits, g[0].Failure, g[0].Reasons)
				}
			}
		})
	}
}

func noise(rng *rand.Rand, charset string) []byte {
	p := make([]byte, 10+rng.IntN(300))
	for i := range p {
		switch charset {
		case "":
			p[i] = byte(rng.Uint32())
		case "bcd":
			p[i] = byte(rng.IntN(10)<<4 | rng.IntN(10))
		default:
			p[i] = charset[rng.IntN(len(charset))]
		}
	}
	return p
}

// TestCutAndChanged: a message that was cut, or in which bytes were changed, is
// read as far as it goes, and the place is within the message.
func TestCutAndChanged(t *testing.T) {
	all := candidates()
	for i, s := range samples(t) {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		for range 20 {
			p := append([]byte(nil), s.bytes...)
			p = p[:10+rng.IntN(len(p)-9)]
			for range rng.IntN(3) {
				p[rng.IntN(len(p))] = byte(rng.Uint32())
			}
			for _, g := range recognise.Rank(all, p) {
				if g.Stop() < g.Head.From || g.Stop() > len(p) || g.Head.To > len(p) || len(g.Reasons) == 0 {
					t.Fatalf("%s: %+v stops at %d of %d", s.ID, g.Head, g.Stop(), len(p))
				}
			}
		}
	}
}
