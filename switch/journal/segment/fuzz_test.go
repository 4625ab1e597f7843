// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"errors"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
)

// FuzzSegment changes a good file: flips a byte, zeros a stretch, cuts the end.
// What Verify accepts opens with as many records and takes one more; all else
// is corrupt. Nothing panics.
func FuzzSegment(f *testing.F) {
	w := fake.New(1)
	j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 2048, AppendMax: 512, MaxBytes: 4096})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 5 {
		r := journal.Record{Kind: 1, Key: []byte("key"), Body: make([]byte, 40*n), Reserve: 10}
		if err := j.Append(r, r); err != nil {
			f.Fatal(err)
		}
	}
	good := w.Disk
	name := "j/000000000001.seg"
	f.Add(uint16(200), byte(1), uint16(0), uint16(0), uint16(2048))
	f.Add(uint16(0), byte(0), uint16(1024), uint16(512), uint16(2048))
	f.Add(uint16(0), byte(0), uint16(1300), uint16(700), uint16(2048))
	f.Add(uint16(1500), byte(0xff), uint16(0), uint16(0), uint16(1700))
	f.Fuzz(func(t *testing.T, at uint16, mask byte, zeroFrom, zeros, size uint16) {
		again := fake.New(1)
		again.Disk = good.CrashClone(fake.KeepAll, 0)
		b := again.Disk.Bytes(name)
		b[int(at)%len(b)] ^= mask
		from := int(zeroFrom) % len(b)
		clear(b[from:min(len(b), from+int(zeros))])
		again.Disk.SetBytes(name, b[:min(len(b), int(size))])
		report, err := segment.Verify(again.Disk, "j")
		if err != nil {
			if !errors.Is(err, journal.ErrCorrupt) {
				t.Fatalf("refused, but not as corrupt: %v", err)
			}
			return
		}
		j, err := segment.Open(again.Env(), segment.Config{Dir: "j", SegmentBytes: 2048, AppendMax: 512})
		must(t, err)
		if j.Stats().Records != report.Records || j.Reserved() != report.Reserved {
			t.Fatalf("verified %+v, opened %+v", report, j.Stats())
		}
		must(t, j.Append(journal.Record{Kind: 2, Body: []byte("more")}))
		must(t, j.Close())
		after, err := segment.Verify(again.Disk, "j")
		must(t, err)
		if after.Records != report.Records+1 || after.TornBytes != 0 {
			t.Fatalf("%+v, then one more: %+v", report, after)
		}
	})
}
