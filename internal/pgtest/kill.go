// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNotUp is what killing says of a server that does not run.
var errNotUp = errors.New("the PostgreSQL server does not run")

// Crash kills the server and all its processes where they stand.
func (s *Server) Crash() error {
	if s.first == nil {
		return nil
	}
	pid := s.first.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // no new children from here on
		return err
	}
	all, err := children(pid)
	if err != nil {
		return err
	}
	for _, p := range append(all, pid) {
		if err := syscall.Kill(p, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return s.buried(all)
}

// Behead kills the server's first process alone. The others notice, end by
// themselves, and may commit what they had begun; a server is not started again
// before the last of them is gone.
func (s *Server) Behead() error {
	if s.first == nil {
		return errNotUp
	}
	all, err := children(s.first.Process.Pid)
	if err != nil {
		return err
	}
	if err := s.first.Process.Kill(); err != nil {
		return err
	}
	return s.buried(all)
}

// buried waits until the first process and the others are gone, and removes the
// file that would keep a next one from starting.
func (s *Server) buried(others []int) error {
	<-s.ended
	s.first = nil
	for until := time.Now().Add(upLimit); ; {
		i := 0
		for i < len(others) && !alive(others[i]) {
			i++
		}
		if i == len(others) {
			break
		}
		if time.Now().After(until) {
			return fmt.Errorf("process %d of PostgreSQL outlives its first one by %v", others[i], upLimit)
		}
		time.Sleep(time.Millisecond)
	}
	if err := os.Remove(s.pidFile()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// KillBackend kills one process that serves a client, and says whether there was
// one. The server has noticed then; it ends the others and recovers by itself (Await).
func (s *Server) KillBackend() (bool, error) {
	if s.first == nil {
		return false, errNotUp
	}
	all, err := children(s.first.Process.Pid)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		// A backend's title: "postgres: user database address(port) state".
		title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
		if err != nil || !bytes.HasPrefix(title, []byte("postgres: "+superuser+" ")) {
			continue // gone meanwhile, or a worker of the server's own
		}
		switch err := syscall.Kill(p, syscall.SIGKILL); err {
		case syscall.ESRCH:
			continue
		case nil:
			return true, s.noticed(p)
		default:
			return false, err
		}
	}
	return false, nil
}

// noticed waits until the first process has been told of the end of p.
func (s *Server) noticed(p int) error {
	for until := time.Now().Add(upLimit); status(fmt.Sprintf("/proc/%d/stat", p)) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("postgres does not notice in %v that process %d is dead: %s", upLimit, p, s.lastWords())
		}
	}
	return nil
}

// children are the processes whose parent is pid.
func children(pid int) (all []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, file := range stats {
		if f := status(file); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			p, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// alive says whether a process still runs; one that nobody waits for does not.
func alive(pid int) bool {
	f := status(fmt.Sprintf("/proc/%d/stat", pid))
	return len(f) > 0 && f[0] != "Z" && f[0] != "X"
}

// status is what /proc says of a process behind its name: state, parent and more.
func status(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}
