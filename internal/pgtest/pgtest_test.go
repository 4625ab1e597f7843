// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"errors"
	"net"
	"os"
	"testing"
)

// TestServerLives: a server serves after its start, and again after it was ended
// in any way; when it was ended, or stopped, nobody listens and nothing is left.
func TestServerLives(t *testing.T) {
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		name string
		by   func() error
	}{{"crash", s.Crash}, {"behead", s.Behead}, {"down", s.Down}, {"crash again", s.Crash}} {
		dial(t, s, end.name+", before", true)
		if err := end.by(); err != nil {
			t.Fatalf("%s: %v", end.name, err)
		}
		dial(t, s, end.name+", behind", false)
		if err := s.Up(); err != nil {
			t.Fatalf("%s: up: %v", end.name, err)
		}
	}
	if err := errors.Join(s.Down(), s.Down(), s.Crash()); err != nil {
		t.Errorf("ends of what has ended: %v", err)
	}
	if _, err := s.KillBackend(); !errors.Is(err, errNotUp) || !errors.Is(s.Behead(), errNotUp) {
		t.Errorf("kill of what has ended: %v", err)
	}
	if err := errors.Join(s.Up(), s.Stop()); err != nil {
		t.Fatal(err)
	}
	dial(t, s, "stopped", false)
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is left: %v", err)
	}
}

func dial(t *testing.T, s *Server, when string, want bool) {
	t.Helper()
	c, err := net.Dial("tcp", s.Address())
	if (err == nil) != want {
		t.Fatalf("%s: a connection is %v", when, err)
	}
	if err == nil {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNoServerHere: a machine without PostgreSQL is refused by name.
func TestNoServerHere(t *testing.T) {
	if all(t.TempDir(), "initdb") || !all("/bin", "sh") {
		t.Error("programs are not told from what is not there")
	}
}
