// SPDX-License-Identifier: Apache-2.0

// Package pgtest starts a private PostgreSQL server for tests, and kills it.
//
// Promise: the server lives in a directory of its own, listens on an
// address of its own of the loopback interface alone, has fsync on, and is gone after Stop, or when the
// process that started it ends. Crash ends it as a loss of power would its
// processes, Behead and KillBackend as a machine short of memory would one of them
// (kill.go): no shutdown, recovery at the next start.
//
// How: initdb and postgres of the distribution's package (make setup installs it),
// or of the PATH; as the user postgres when we are root, which PostgreSQL refuses
// to be. The server's first process is our child.
//
// Imported by: cmd (crashtest), tests. Imports: the standard library.
package pgtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
	host     string              // a loopback address of its own
	as       *syscall.Credential // nil: as ourselves
	first    *exec.Cmd           // the first process, nil while there is none
	ended    chan struct{}       // closed when it was waited for
}

// superuser is the name that clients have in the server.
const superuser = "tapswitch"

// ErrNone says that this machine has no PostgreSQL server.
var ErrNone = errors.New("there is no PostgreSQL server (initdb, postgres) in /usr/lib/postgresql or on the PATH: run make setup, or apt-get install postgresql")

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
	if s.host, err = freeHost(); err != nil {
		return err
	}
	if err := s.run("initdb", "-D", s.data(), "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"); err != nil {
		return err
	}
	return s.Up()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// upLimit bounds a start and an orderly end; recovery of what tests write takes
// well below a second on a quiet machine.
const upLimit = 60 * time.Second

// Up starts the server on its data again, and returns when it serves. Settings
// are further ones, such as "fsync=off".
func (s *Server) Up(settings ...string) error {
	args := []string{"-D", s.data()}
	for _, o := range append([]string{"listen_addresses=" + s.host, "port=" + port, "unix_socket_directories=", "fsync=on",
		"max_connections=40", "shared_buffers=16MB"}, settings...) {
		args = append(args, "-c", o)
	}
	log, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	c.Dir, c.Stdout, c.Stderr = s.dir, log, log
	// It ends with us, however we end, and Ctrl-C is for us alone.
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if err := c.Start(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	s.first, s.ended = c, make(chan struct{})
	go func(ended chan struct{}) {
		_ = c.Wait() // how it ended is in its log
		close(ended)
	}(s.ended)
	return s.serves()
}

// serves waits until the server says in its file that it takes connections.
func (s *Server) serves() error {
	for until := time.Now().Add(upLimit); time.Now().Before(until); {
		if b, err := os.ReadFile(s.pidFile()); err == nil {
			// Lines of postmaster.pid (PostgreSQL 15, src/include/utils/pidfile.h): 1 the process, 8 its status.
			lines := strings.Split(string(b), "\n")
			if len(lines) > 7 && lines[0] == strconv.Itoa(s.first.Process.Pid) && strings.TrimSpace(lines[7]) == "ready" {
				return nil
			}
		}
		select {
		case <-s.ended:
			s.first = nil
			return fmt.Errorf("postgres ended by itself: %s", s.lastWords())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return fmt.Errorf("postgres does not serve after %v: %s", upLimit, s.lastWords())
}

// Await returns when the server takes connections again after KillBackend.
func (s *Server) Await() (err error) {
	for until := time.Now().Add(upLimit); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if err = s.run("pg_isready", "-q", "-h", s.host, "-p", port); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", err, s.lastWords())
}

func (s *Server) pidFile() string { return filepath.Join(s.data(), "postmaster.pid") }

// Data is the folder of the database's files.
func (s *Server) Data() string { return s.data() }

// Log is the file that the server writes its messages to.
func (s *Server) Log() string { return filepath.Join(s.dir, "log") }

// lastWords are the end of the server's log.
func (s *Server) lastWords() string {
	log, _ := os.ReadFile(s.Log())
	return string(log[max(0, len(log)-1000):])
}

// Down ends the server in good order, without waiting for its clients to go.
func (s *Server) Down() error {
	if s.first == nil {
		return nil
	}
	if err := s.first.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-s.ended:
		s.first = nil
		return nil
	case <-time.After(upLimit):
		return fmt.Errorf("postgres does not end in %v: %s", upLimit, s.lastWords())
	}
}

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	return errors.Join(s.Crash(), os.RemoveAll(s.dir))
}

// Address is host and port.
func (s *Server) Address() string { return net.JoinHostPort(s.host, port) }

// URL names a database of the server; parameters are such as "search_path=a".
func (s *Server) URL(database string, parameters ...string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?%s", superuser, s.Address(), database, strings.Join(append([]string{"sslmode=disable"}, parameters...), "&"))
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

// run calls one of PostgreSQL's programs.
func (s *Server) run(program string, args ...string) error {
	c := exec.Command(filepath.Join(s.bin, program), args...)
	c.Dir = s.dir
	if s.as != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, text)
	}
	return nil
}

// binaries is the folder of the newest server that the distribution has, or of
// the one on the PATH.
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
	if file, err := exec.LookPath("initdb"); err == nil {
		found = append(found, filepath.Dir(file))
	}
	for _, dir := range found {
		if all(dir, "initdb", "postgres", "pg_isready") {
			return dir, nil
		}
	}
	return "", ErrNone
}

// all says whether a folder has all of some programs.
func all(dir string, programs ...string) bool {
	for _, p := range programs {
		if _, err := exec.LookPath(filepath.Join(dir, p)); err != nil {
			return false
		}
	}
	return true
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
	return nil, errors.New("we run as root, PostgreSQL does not, and there is neither a user postgres nor nobody to run it as")
}

// port is PostgreSQL's own.
const port = "5432"

// hostTries is how many loopback addresses are looked at; each is one of sixteen
// million, so the first is as good as always free.
const hostTries = 20

// freeHost finds a loopback address on which nobody has the port. All of 127.0.0.0/8
// is this machine, so that servers side by side do not meet, and no connection's own
// port can take ours while the server is down.
func freeHost() (host string, err error) {
	for range hostTries {
		host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
			return host, l.Close()
		}
	}
	return "", fmt.Errorf("no loopback address is free: %w", err)
}
