// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"io"
	"sync"
	"testing"
)

// Random is the randomness that drivers' tests give their module, over their own
// source, so that vectors with fixed filler can be computed through a driver.
var Random Script

// Script is a source of randomness that gives prepared bytes when asked for as
// many, and else those of the source below it.
type Script struct {
	mu   sync.Mutex
	next [][]byte
}

// Over is the script above rest.
func (s *Script) Over(rest io.Reader) io.Reader { return scripted{s, rest} }

type scripted struct {
	script *Script
	rest   io.Reader
}

func (r scripted) Read(p []byte) (int, error) {
	r.script.mu.Lock()
	defer r.script.mu.Unlock()
	if q := r.script.next; len(q) > 0 && len(q[0]) == len(p) {
		r.script.next = q[1:]
		return copy(p, q[0]), nil
	}
	return r.rest.Read(p)
}

// with runs f while the next reading of so many bytes gives random; f must use it.
func (s *Script) with(t testing.TB, random []byte, f func()) {
	t.Helper()
	s.mu.Lock()
	s.next = [][]byte{random}
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) != 0 {
		s.next = nil
		t.Error("the module took no randomness for a format that has some")
	}
}
