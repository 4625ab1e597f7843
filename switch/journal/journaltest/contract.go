// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// runContract is the plain behaviour: order, bounds, emptiness, errors.
func runContract(t *testing.T, open Open) {
	w := fake.New(1)
	j, err := open(Setup{Env: w.Env(), OnBroken: func(err error) { t.Errorf("broken: %v", err) }})
	must(t, err)
	if got := stored(t, j); len(got) != 0 {
		t.Fatalf("a new journal has %d records", len(got))
	}
	must(t, j.Append())
	groups := script(1, 60)
	big := make([]byte, journal.MaxBody)
	big[len(big)-1] = 1
	groups = append(groups,
		group{{Kind: 0}},
		group{{Kind: 255, Key: bytes.Repeat([]byte{0xff}, journal.MaxKey), Body: big}},
		group{{Kind: 9, Body: make([]byte, 4096)}},
	)
	for _, g := range groups {
		must(t, j.Append(g...))
	}
	for _, r := range []journal.Record{
		{Key: make([]byte, journal.MaxKey+1)},
		{Body: make([]byte, journal.MaxBody+1)},
	} {
		if err := j.Append(r); !errors.Is(err, journal.ErrTooBig) {
			t.Fatalf("a record beyond its bounds: %v", err)
		}
	}
	if got := stored(t, j); !same(got, flat(groups)) {
		t.Fatalf("replayed %d records, not what was appended", len(got))
	}
	checkReserved(t, j, groups)
	enough := errors.New("enough")
	if err := j.Replay(func(uint64, journal.Record) error { return enough }); !errors.Is(err, enough) {
		t.Fatalf("replay hid the error of its reader: %v", err)
	}
	must(t, j.Close())
	if err := j.Append(groups[0]...); err == nil {
		t.Fatal("append after close succeeded")
	}
	for range 2 {
		j, err = open(Setup{Env: w.Env(), OnBroken: func(error) {}})
		must(t, err)
		if got := stored(t, j); !same(got, flat(groups)) {
			t.Fatalf("after closing: %d records, not what was appended", len(got))
		}
		checkReserved(t, j, groups)
		must(t, j.Close())
	}
}

// runConcurrent lets callers append at the same time: each finds its records in
// its order, those of one Append side by side.
func runConcurrent(t *testing.T, open Open) {
	const callers, each = 12, 25
	w := fake.New(1)
	j := open.mustSmall(t, w, "new")
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				first := journal.Record{Kind: byte(c), Body: fmt.Append(nil, i)}
				second := journal.Record{Kind: byte(c), Body: fmt.Append(nil, i, "b")}
				if err := j.Append(first, second); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	records := stored(t, j)
	if len(records) != 2*callers*each {
		t.Fatalf("%d records", len(records))
	}
	next := map[byte]int{}
	for i := 0; i < len(records); i += 2 {
		c := records[i].Kind
		want := [2]string{fmt.Sprint(next[c]), fmt.Sprint(next[c], "b")}
		if string(records[i].Body) != want[0] || records[i+1].Kind != c || string(records[i+1].Body) != want[1] {
			t.Fatalf("caller %d: records %q and %q of caller %d, want %q",
				c, records[i].Body, records[i+1].Body, records[i+1].Kind, want)
		}
		next[c]++
	}
	must(t, j.Close())
}
