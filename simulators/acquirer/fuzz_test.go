// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bytes"
	"testing"
	"time"
)

// FuzzMessage: whatever a peer sends, decoding accounts for every byte, the
// ledger names an answer, and the answer packs.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("02000000000000000000"))
	cfg := testConfig(f)
	cfg.SignOn = SignOnHost
	c := newCodec()
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := c.decode(raw)
		if err != nil {
			return
		}
		again, err := c.encode(m.mti, m.fields)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatal("what was decoded encodes to something else")
		}
		l := newLedger(cfg)
		for _, e := range l.openings(nil, time.Time{}) {
			if err := l.apply(e); err != nil {
				t.Fatal(err)
			}
		}
		m.mac = StateOK
		e := l.serve(m, c.malformed(m), &session{signedOn: true}, time.Time{})
		if len(e.Response) != 2 || e.Reason == "" {
			t.Fatalf("answer %q with reason %q", e.Response, e.Reason)
		}
		if err := l.apply(e); err != nil {
			t.Fatal(err)
		}
		if _, err := c.seal(answerType(m.mti), l.answer(m, e), l.zak); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzTLV: field 55 parses or is refused; what is read lies within the input.
func FuzzTLV(f *testing.F) {
	f.Add(unhex("9F02060000000012349A03260715"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tags, err := parseTLV(b)
		total := 0
		for tag, v := range tags {
			total += len(tag)/2 + 1 + len(v)
		}
		if err == nil && total > len(b) {
			t.Fatalf("%d bytes read from %d", total, len(b))
		}
	})
}

// FuzzParseMood: what is taken prints as what it is.
func FuzzParseMood(f *testing.F) {
	f.Add("late 3s once")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMood(s)
		if err != nil {
			return
		}
		if again, err := ParseMood(m.String()); err != nil || again != m {
			t.Fatalf("%q reads as %v, which reads as %v", s, m, again)
		}
	})
}
