// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
)

func TestLookup(t *testing.T) {
	closed := &Merchant{ID: "104110070119999", Status: Blocked}
	f := start(t, newBench(), one(),
		Terminal{ID: "10000002", Merchant: shop(), Status: Blocked, TMK: tmk()},
		Terminal{ID: "10000003", Merchant: closed, Status: Active, TMK: tmk()})
	for _, c := range []struct {
		id, merchant string
		err          error
	}{
		{termID, shopID, nil},
		{"10000009", shopID, ErrUnknownTerminal},
		{"", "", ErrUnknownTerminal},
		{termID, closed.ID, ErrMerchantMismatch},
		{"10000002", closed.ID, ErrMerchantMismatch}, // before its status is told
		{"10000002", shopID, ErrTerminalBlocked},
		{"10000003", closed.ID, ErrMerchantBlocked},
	} {
		got, err := f.Lookup(c.id, c.merchant)
		if !errors.Is(err, c.err) || (err == nil) != (got != nil) {
			t.Errorf("%q at %q: %v, %v; want %v", c.id, c.merchant, got, err, c.err)
		}
	}
	if f.Len() != 3 {
		t.Errorf("%d terminals", f.Len())
	}
}

func TestDirectoryRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Terminal)
		want string
	}{
		{"short id", func(x *Terminal) { x.ID = "1" }, "id has 8 printable"},
		{"id with control character", func(x *Terminal) { x.ID = "1000000\n" }, "id has 8 printable"},
		{"no status", func(x *Terminal) { x.Status = 0 }, "neither active nor blocked"},
		{"no merchant", func(x *Terminal) { x.Merchant = nil }, "merchant is missing"},
		{"merchant id", func(x *Terminal) { x.Merchant.ID = "1" }, "merchant id has 15"},
		{"merchant status", func(x *Terminal) { x.Merchant.Status = 9 }, "merchant's status"},
		{"no key", func(x *Terminal) { x.TMK = nil }, "master key is missing"},
		{"other key", func(x *Terminal) { x.TMK.Usage = hsm.TPK }, "not a terminal master key"},
		{"twice", func(*Terminal) {}, "stands twice"},
	} {
		x := one()
		c.edit(&x)
		_, err := New(Config{Store: newBench()}, []Terminal{one(), x})
		if !errors.Is(err, ErrDirectory) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := New(Config{}, make([]Terminal, MaxTerminals+1)); !errors.Is(err, ErrDirectory) {
		t.Errorf("too many: %v", err)
	}
}

// The old set lives until the first valid MAC under the new one.
func TestOldSetLivesUntilFirstMAC(t *testing.T) {
	b := newBench()
	f := start(t, b)
	if got := verify(t, f, 1); got != "no keys" {
		t.Errorf("before any sign-on: %s", got)
	}
	if _, ok := f.Keys(terminal(t, f)); ok {
		t.Error("keys before any sign-on")
	}
	out := signOn(t, f)
	if out.Version != 1 || !bytes.Contains(out.MAC.Cryptogram, []byte("/tak v1 under terminal/10000001/tmk")) ||
		!bytes.Contains(out.PIN.Cryptogram, []byte("/tpk v1")) {
		t.Errorf("handed out %+v", out)
	}
	steps := []struct {
		do   string
		want string
	}{
		{"mac 1", "v1"}, {"mac 9", "wrong"},
		{"sign-on", ""}, {"mac 1", "v1"}, {"mac 1", "v1"}, // the answer was lost: old keys go on
		{"mac 9", "wrong"}, {"mac 2", "v2"}, {"mac 1", "wrong"}, // confirmed
		{"sign-on", ""}, {"sign-on", ""}, {"sign-on", ""}, // three in a row, none used
		{"mac 2", "v2"}, {"mac 3", "wrong"}, {"mac 4", "wrong"}, {"mac 5", "v5"}, {"mac 2", "wrong"},
	}
	for i, s := range steps {
		if s.do == "sign-on" {
			signOn(t, f)
			continue
		}
		if got := verify(t, f, uint32(s.do[4]-'0')); got != s.want {
			t.Errorf("step %d %s: %s, want %s", i, s.do, got, s.want)
		}
	}
	if set, ok := f.Keys(terminal(t, f)); !ok || set.Version != 5 {
		t.Errorf("newest set %+v %v", set, ok)
	}
	if got := len(b.keys["terminal/10000001/tpk"]); got != 1 {
		t.Errorf("%d PIN keys kept after all was confirmed", got)
	}
}

// A set is kept before it is handed out, and a restart changes nothing.
func TestSetsSurviveRestart(t *testing.T) {
	b := newBench()
	f := start(t, b)
	signOn(t, f)
	verify(t, f, 1)
	signOn(t, f)
	f = start(t, b) // between sign-on and first MAC
	for _, c := range []struct {
		version uint32
		want    string
	}{{1, "v1"}, {2, "v2"}, {1, "wrong"}} {
		if got := verify(t, f, c.version); got != c.want {
			t.Errorf("after a restart, MAC under %d: %s, want %s", c.version, got, c.want)
		}
	}
	f = start(t, b)
	if got := verify(t, f, 1); got != "wrong" {
		t.Errorf("a retired set came back: %s", got)
	}
	if out := signOn(t, f); out.Version != 3 {
		t.Errorf("version %d after a restart", out.Version)
	}
}

// A sign-on that fails anywhere leaves the terminal's keys as they were and
// never uses its version number again.
func TestSignOnFailures(t *testing.T) {
	b := newBench()
	f := start(t, b)
	signOn(t, f)
	verify(t, f, 1)
	broken := errors.New("disk is gone")
	for _, keep := range []bool{false, true} {
		b.failPut, b.keepFail = broken, keep
		out, err := f.SignOn(t.Context(), terminal(t, f))
		if !errors.Is(err, ErrKeysNotStored) || !errors.Is(err, broken) || out.PIN.Cryptogram != nil || out.MAC.Cryptogram != nil {
			t.Errorf("handed out %+v, %v", out, err)
		}
	}
	b.failPut, b.failMake = nil, hsm.ErrUnavailable
	if _, err := f.SignOn(t.Context(), terminal(t, f)); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("module gone: %v", err)
	}
	b.failMake = nil
	if got := verify(t, f, 1); got != "v1" {
		t.Errorf("after failed sign-ons: %s", got)
	}
	if out := signOn(t, f); out.Version != 5 {
		t.Errorf("version %d: a number was used again, or lost", out.Version)
	}
	b.keys["terminal/10000001/tak"][0].Version = 1<<32 - 1
	f = start(t, b)
	if _, err := f.SignOn(t.Context(), terminal(t, f)); !errors.Is(err, ErrVersions) {
		t.Errorf("numbers used up: %v", err)
	}
}

// A module that is gone decides nothing: the previous set is not asked.
func TestModuleErrorIsNotAWrongMAC(t *testing.T) {
	b := newBench()
	f := start(t, b)
	signOn(t, f)
	signOn(t, f)
	b.failMAC = hsm.ErrUnavailable
	_, err := f.VerifyMAC(t.Context(), terminal(t, f), hsm.MACUnionPayECB, nil, macOf(2))
	if !errors.Is(err, hsm.ErrUnavailable) || errors.Is(err, hsm.ErrMAC) {
		t.Errorf("got %v", err)
	}
	b.failMAC = nil
	if got := verify(t, f, 1); got != "v1" {
		t.Errorf("then: %s", got)
	}
}

// Sign-ons of one terminal take turns; of two terminals they do not wait.
func TestSignOnsTakeTurns(t *testing.T) {
	b := newBench()
	b.entered, b.release = make(chan struct{}), make(chan struct{})
	other := one()
	other.ID = "10000002"
	f := start(t, b, one(), other)
	versions := make(chan uint32, 4)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			out, err := f.SignOn(context.Background(), f.terminals[termID])
			if err != nil {
				t.Error(err)
			}
			versions <- out.Version
		})
	}
	<-b.entered
	wg.Go(func() {
		if _, err := f.SignOn(context.Background(), f.terminals["10000002"]); err != nil {
			t.Error(err)
		}
	})
	<-b.entered // the other terminal came in; two more of the first are waiting
	b.mu.Lock()
	if b.inside != 2 {
		t.Errorf("%d sign-ons inside, want one of each terminal", b.inside)
	}
	b.mu.Unlock()
	go func() {
		for range 2 {
			<-b.entered
		}
	}()
	close(b.release)
	wg.Wait()
	close(versions)
	var got []uint32
	for v := range versions {
		got = append(got, v)
	}
	slices.Sort(got)
	if !slices.Equal(got, []uint32{1, 2, 3}) || b.together != 2 {
		t.Errorf("versions %v, %d together", got, b.together)
	}
	f.cfg.SignOnWait = time.Millisecond
	if err := f.enter(f.terminals[termID]); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SignOn(t.Context(), f.terminals[termID]); !errors.Is(err, ErrSignOnBusy) {
		t.Errorf("waited too long: %v", err)
	}
}

// What the store gives back is checked before it is used.
func TestStoredKeysAreChecked(t *testing.T) {
	tpk := func(v uint32) hsm.Key { return hsm.Key{Name: "terminal/10000001/tpk", Usage: hsm.TPK, Version: v} }
	tak := func(v uint32) hsm.Key { return hsm.Key{Name: "terminal/10000001/tak", Usage: hsm.TAK, Version: v} }
	wrong, foreign := tpk(1), tpk(1)
	wrong.Usage, foreign.Name = hsm.ZPK, "foreign"
	for _, pins := range [][]hsm.Key{{wrong}, {foreign}, {tpk(1), tpk(1)}, {tpk(1), tpk(2)}} {
		b := newBench()
		b.keys["terminal/10000001/tpk"], b.keys["terminal/10000001/tak"] = pins, []hsm.Key{tak(1)}
		if _, err := New(Config{Clock: wall{}, Waits: wall{}, Store: b, Maker: b, MACer: b}, []Terminal{one()}); !errors.Is(err, ErrStoredKeys) {
			t.Errorf("%v: %v", pins, err)
		}
	}
}

// A set that cannot be retired refuses nobody, but is told.
func TestRetireFailureIsTold(t *testing.T) {
	b := newBench()
	f := start(t, b)
	var told []string
	f.cfg.Trouble = func(terminal string, err error) { told = append(told, terminal+": "+err.Error()) }
	signOn(t, f)
	signOn(t, f)
	b.failRetire = errors.New("disk is gone")
	if got := verify(t, f, 2); got != "v2" {
		t.Errorf("refused for the store's sake: %s", got)
	}
	if got := verify(t, f, 1); got != "wrong" {
		t.Errorf("the old set lives on: %s", got)
	}
	if len(told) != 1 || told[0] != "10000001: fleet: keystore: retire version 1 of terminal/10000001/tpk: disk is gone" {
		t.Errorf("told %q", told)
	}
}

// Sign-ons in a terminal's name do not cost it the keys it uses, not even when
// the switch starts again.
func TestForgedSignOnsLockNobodyOut(t *testing.T) {
	b := newBench()
	f := start(t, b)
	signOn(t, f)
	verify(t, f, 1)
	for range 3 {
		signOn(t, f)
	}
	f = start(t, b)
	if got := verify(t, f, 1); got != "v1" {
		t.Errorf("after three sign-ons and a restart: %s", got)
	}
}
