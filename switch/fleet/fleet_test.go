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
	"tapswitch/internal/env"
)

// bench is a small module, store and clock for tests: a MAC is right when it
// holds the key's version.
type bench struct {
	mu       sync.Mutex
	keys     map[string][]hsm.Key
	puts     int
	failPut  error
	keepFail bool // a Put that fails keeps the keys all the same
	failMake error
	failMAC  error
	retired  []string
	entered  chan struct{} // when not nil: GenerateUnder of a PIN key reports and waits
	release  chan struct{}
	inside   int
	together int // most sign-ons in the module at once
}

func newBench() *bench { return &bench{keys: map[string][]hsm.Key{}} }

func (b *bench) GenerateUnder(_ context.Context, tmk *hsm.Key, s hsm.Spec) (hsm.Key, hsm.Exported, error) {
	b.mu.Lock()
	b.inside++
	b.together = max(b.together, b.inside)
	entered, err := b.entered, b.failMake
	b.mu.Unlock()
	if entered != nil && s.Usage == hsm.TPK {
		entered <- struct{}{}
		<-b.release
	}
	b.mu.Lock()
	b.inside--
	b.mu.Unlock()
	if err != nil {
		return hsm.Key{}, hsm.Exported{}, err
	}
	k := hsm.Key{Name: s.Name, Usage: s.Usage, Algorithm: s.Algorithm, Owner: s.Owner, Version: s.Version}
	return k, hsm.Exported{Cryptogram: []byte(fmt.Sprintf("%s v%d under %s", s.Name, s.Version, tmk.Name))}, nil
}

func (b *bench) MAC(context.Context, *hsm.Key, hsm.MACAlgorithm, []byte) ([8]byte, error) {
	return [8]byte{}, errors.New("not asked for here")
}

func (b *bench) VerifyMAC(_ context.Context, k *hsm.Key, _ hsm.MACAlgorithm, _ []byte, mac [8]byte) error {
	if k.Usage != hsm.TAK {
		return hsm.ErrUsage
	}
	if b.failMAC != nil {
		return b.failMAC
	}
	if mac != macOf(k.Version) {
		return hsm.ErrMAC
	}
	return nil
}

func macOf(version uint32) [8]byte { return [8]byte{7: byte(version)} }

func (b *bench) Put(keys ...hsm.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	if b.failPut == nil || b.keepFail {
		for _, k := range keys {
			if slices.ContainsFunc(b.keys[k.Name], func(o hsm.Key) bool { return o.Version == k.Version }) {
				return errors.New("version exists")
			}
			b.keys[k.Name] = append(b.keys[k.Name], k)
		}
	}
	return b.failPut
}

func (b *bench) Get(name string) ([]hsm.Key, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[name], nil
}

func (b *bench) Retire(keys ...hsm.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		b.retired = append(b.retired, fmt.Sprintf("%s v%d", k.Name, k.Version))
		b.keys[k.Name] = slices.DeleteFunc(slices.Clone(b.keys[k.Name]), func(o hsm.Key) bool { return o.Version == k.Version })
	}
	return nil
}

// wall is a clock that stands unless moved, and events over channels.
type wall struct{}

func (wall) Now() time.Time      { return time.Now() }
func (wall) Mono() env.Mono      { return env.Mono(time.Now().UnixNano()) }
func (wall) NewEvent() env.Event { return &latch{c: make(chan struct{})} }

type latch struct {
	once sync.Once
	c    chan struct{}
}

func (l *latch) Wake() { l.once.Do(func() { close(l.c) }) }
func (l *latch) Wait(until env.Mono) bool {
	select {
	case <-l.c:
		return true
	case <-time.After(until.Sub(wall{}.Mono())):
		return false
	}
}

const (
	shopID = "104110070110814"
	termID = "10000001"
)

func shop() *Merchant {
	return &Merchant{ID: shopID, Name: "Tea House", Category: "5499", Status: Active}
}
func tmk() *hsm.Key { return &hsm.Key{Name: "terminal/" + termID + "/tmk", Usage: hsm.TMK} }
func one() Terminal {
	return Terminal{ID: termID, Merchant: shop(), Status: Active, TMK: tmk(), MACRequired: true}
}

func start(t *testing.T, b *bench, terminals ...Terminal) *Fleet {
	t.Helper()
	if len(terminals) == 0 {
		terminals = []Terminal{one()}
	}
	f, err := New(Config{Clock: wall{}, Waits: wall{}, Store: b, Maker: b, MACer: b, SignOnWait: 10 * time.Second}, terminals)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func terminal(t *testing.T, f *Fleet) *Terminal {
	t.Helper()
	term, err := f.Lookup(termID, shopID)
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func signOn(t *testing.T, f *Fleet) Exported {
	t.Helper()
	out, err := f.SignOn(t.Context(), terminal(t, f))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// verify gives the version of the set that verified, or the error.
func verify(t *testing.T, f *Fleet, version uint32) string {
	t.Helper()
	set, err := f.VerifyMAC(t.Context(), terminal(t, f), hsm.MACUnionPayECB, []byte("data"), macOf(version))
	switch {
	case errors.Is(err, hsm.ErrMAC):
		return "wrong"
	case errors.Is(err, ErrNoKeys):
		return "no keys"
	case err != nil:
		t.Fatal(err)
	}
	if set.PIN.Version != set.Version || set.MAC.Version != set.Version || set.PIN.Usage != hsm.TPK {
		t.Errorf("the set is mixed: %+v", set)
	}
	return fmt.Sprint("v", set.Version)
}

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
		t.Errorf("%d PIN keys kept after all was confirmed; retired: %v", got, b.retired)
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
	f.terminals[termID].keys.last = 1<<32 - 1
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

// A sign-on between the check of a MAC and its confirmation keeps the set that
// the terminal still uses.
func TestSignOnDuringVerify(t *testing.T) {
	r := &ring{}
	v1, v2, v3 := &KeySet{Version: 1}, &KeySet{Version: 2}, &KeySet{Version: 3}
	r.install(v1)
	r.install(v2)
	if got := r.install(v3); got != v2 {
		t.Errorf("superseded %+v", got)
	}
	if r.confirm(v2) != nil || r.previous != v1 {
		t.Error("a set that is not the newest ended the previous one")
	}
	if r.confirm(v3) != v1 || r.previous != nil {
		t.Error("the newest set did not end the previous one")
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
	load := func(keys ...hsm.Key) (*Fleet, error) {
		b := newBench()
		for _, k := range keys {
			at := k.Name
			if !strings.HasPrefix(at, "terminal/") {
				at = "terminal/10000001/tpk"
			}
			b.keys[at] = append(b.keys[at], k)
		}
		return New(Config{Clock: wall{}, Waits: wall{}, Store: b, Maker: b, MACer: b}, []Terminal{one()})
	}
	wrong := tpk(1)
	wrong.Usage = hsm.ZPK
	foreign := tpk(1)
	foreign.Name = "foreign"
	for _, keys := range [][]hsm.Key{{wrong}, {foreign}, {tpk(1), tpk(1), tak(1)}} {
		if _, err := load(keys...); !errors.Is(err, ErrStoredKeys) {
			t.Errorf("%v: %v", keys, err)
		}
	}
	f, err := load(tpk(3), tak(3), tpk(4), tak(7), tpk(5), tak(5), tpk(1), tak(1)) // 4 and 7 are halves
	if err != nil {
		t.Fatal(err)
	}
	r := f.terminals[termID].keys
	if r.current.Version != 5 || r.previous.Version != 3 || r.last != 7 {
		t.Errorf("current %d, previous %d, last %d", r.current.Version, r.previous.Version, r.last)
	}
}
