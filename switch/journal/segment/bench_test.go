// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
)

// payment is a record of a usual size: a key, an encoded request.
func payment() journal.Record {
	return journal.Record{Kind: 1, Key: make([]byte, 24), Body: make([]byte, 300)}
}

// BenchmarkOpen reads a journal back: the verification at start.
func BenchmarkOpen(b *testing.B) {
	const records = 100_000
	w := fake.New(1)
	cfg := segment.Config{Dir: "j", SegmentBytes: 16 << 20}
	j, err := segment.Open(w.Env(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	group := make([]journal.Record, 100)
	for i := range group {
		group[i] = payment()
	}
	for range records / len(group) {
		if err := j.Append(group...); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		if r, err := segment.Verify(w.Disk, "j"); err != nil || r.Records != records {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/records, "ns/record")
}
