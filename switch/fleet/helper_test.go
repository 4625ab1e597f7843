// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// bench is a small module, store and clock for tests: a MAC is right when it
// holds the key's version.
type bench struct {
	mu         sync.Mutex
	keys       map[string][]hsm.Key
	failPut    error
	keepFail   bool // a Put that fails keeps the keys all the same
	failMake   error
	failMAC    error
	failRetire error
	entered    chan struct{} // when not nil: GenerateSet reports and waits
	release    chan struct{}
	inside     int
	together   int // most sign-ons in the module at once
}

func newBench() *bench { return &bench{keys: map[string][]hsm.Key{}} }

func (b *bench) GenerateSet(_ context.Context, tmk *hsm.Key, set ...hsm.WorkingKey) (keys []hsm.Key, out []hsm.Exported, err error) {
	b.mu.Lock()
	b.inside++
	b.together = max(b.together, b.inside)
	entered, err := b.entered, b.failMake
	b.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
		<-b.release
	}
	b.mu.Lock()
	b.inside--
	b.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	for _, w := range set {
		keys = append(keys, w.Key())
		out = append(out, hsm.Exported{Cryptogram: []byte(fmt.Sprintf("%s v%d under %s", w.Name, w.Version, tmk.Name))})
	}
	return keys, out, nil
}

func (b *bench) MAC(context.Context, *hsm.Key, hsm.MACAlgorithm, []byte) ([]byte, error) {
	return nil, errors.New("not asked for here")
}

func (b *bench) VerifyMAC(_ context.Context, k *hsm.Key, _ hsm.MACAlgorithm, _, mac []byte) error {
	if k.Usage != hsm.TAK {
		return hsm.ErrUsage
	}
	if b.failMAC != nil {
		return b.failMAC
	}
	if want := macOf(k.Version); !bytes.Equal(mac, want[:]) {
		return hsm.ErrMAC
	}
	return nil
}

func macOf(version uint32) [8]byte { return [8]byte{7: byte(version)} }

func (b *bench) Replace(names []string, only func() []hsm.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := only()
	retires := true // nothing new
	for _, k := range keys {
		retires = retires && slices.ContainsFunc(b.keys[k.Name], func(o hsm.Key) bool { return o.Version == k.Version })
	}
	if retires && b.failRetire != nil {
		return b.failRetire
	}
	if b.failPut != nil && !b.keepFail {
		return b.failPut
	}
	for _, name := range names {
		delete(b.keys, name)
	}
	for _, k := range keys { // older first
		b.keys[k.Name] = append([]hsm.Key{k}, b.keys[k.Name]...)
	}
	return b.failPut
}

func (b *bench) Get(name string) (hsm.Key, bool)      { return b.version(name, 0) }
func (b *bench) Previous(name string) (hsm.Key, bool) { return b.version(name, 1) }

func (b *bench) version(name string, age int) (hsm.Key, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age >= len(b.keys[name]) {
		return hsm.Key{}, false
	}
	return b.keys[name][age], true
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
