// SPDX-License-Identifier: Apache-2.0

// Package pgtest starts a private PostgreSQL server for tests.
//
// Promise: the server lives in a directory of its own, listens on a free port of
// the loopback interface alone, has fsync on, and is gone after Stop. Crash ends
// it as a loss of power would its process: no shutdown, recovery at the next start.
//
// How: initdb and pg_ctl of the distribution's package (make setup installs it), as
// the user postgres when the tests run as root, which PostgreSQL refuses to be.
//
// Imported by: tests. Imports: the standard library.
package pgtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is one server and its data.
type Server struct {
	dir, bin string
	port     int
	as       *syscall.Credential // nil: as ourselves
}

// Start makes a new cluster in a directory of its own and starts a server on it.
func Start() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(place(), "tapswitch-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := s.create(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) create() (err error) {
	if os.Getuid() == 0 {
		if s.as, err = unprivileged(); err != nil {
			return err
		}
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	if err := s.run("initdb", "-D", s.data(), "-U", "tapswitch", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"); err != nil {
		return err
	}
	return s.Up()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Up starts the server on its data again. Options are further settings, such as
// "fsync=off".
func (s *Server) Up(settings ...string) error {
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories= -c fsync=on -c max_connections=40 -c shared_buffers=16MB", s.port)
	for _, o := range settings {
		options += " -c " + o
	}
	return s.run("pg_ctl", "-D", s.data(), "-w", "-s", "-l", filepath.Join(s.dir, "log"), "-o", options, "start")
}

// Crash kills the server and all its processes where they stand.
func (s *Server) Crash() error {
	file := filepath.Join(s.data(), "postmaster.pid")
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
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
	for _, p := range append(all, pid) {
		for alive(p) {
			time.Sleep(time.Millisecond)
		}
	}
	return os.Remove(file)
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

// Down ends the server in good order.
func (s *Server) Down() error { return s.run("pg_ctl", "-D", s.data(), "-s", "-m", "fast", "stop") }

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	return errors.Join(s.Crash(), os.RemoveAll(s.dir))
}

// Address is host and port.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL names a database of the server; parameters are such as "search_path=a".
func (s *Server) URL(database string, parameters ...string) string {
	return fmt.Sprintf("postgres://tapswitch@%s/%s?%s", s.Address(), database, strings.Join(append([]string{"sslmode=disable"}, parameters...), "&"))
}

// place is where the data lie: in memory where there is room for it. Processes
// are crashed here, not disks, and a busy machine's syncs would be most of the time.
func place() string {
	const memory, room = "/dev/shm", 512 << 20
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || uint64(fs.Bsize)*fs.Bavail < room {
		return "" // the usual folder for temporary files
	}
	return memory
}

// run calls one of PostgreSQL's programs. Its output goes to a file: a server
// that it starts keeps what it was given open.
func (s *Server) run(program string, args ...string) error {
	out, err := os.OpenFile(filepath.Join(s.dir, "output"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.Command(filepath.Join(s.bin, program), args...)
	c.Dir, c.Stdout, c.Stderr = s.dir, out, out
	if s.as != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	if err := c.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%s: %w\n%s%s", program, err, text, log[max(0, len(log)-1000):])
	}
	return nil
}

// binaries is the folder of the newest server that the distribution has.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("there is no PostgreSQL server in /usr/lib/postgresql: run make setup")
}

// unprivileged is the user that the package made, or nobody.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("the tests run as root, PostgreSQL does not, and there is neither a user postgres nor nobody")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
