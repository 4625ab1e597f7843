// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen is one pseudo terminal with somebody in front of it.
type screen struct {
	t    *testing.T
	name string
	ours *os.File // what the person sees and types on
	tty  *os.File // what the program opens

	mu   sync.Mutex
	saw  bytes.Buffer
	read int // what was waited for already
}

func newScreen(t *testing.T, name string) *screen {
	t.Helper()
	s := &screen{t: t, name: name}
	var err error
	if s.ours, s.tty, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.tty.Close(); s.ours.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := s.ours.Read(b)
			s.mu.Lock()
			s.saw.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saw.String()
}

// await waits until the screen shows what was not waited for yet, and returns
// everything up to it.
func (s *screen) await(what string) string {
	s.t.Helper()
	for end := time.Now().Add(patience()); ; time.Sleep(5 * time.Millisecond) {
		all := s.text()
		if at := strings.Index(all[s.read:], what); at >= 0 {
			got := all[s.read : s.read+at+len(what)]
			s.read += at + len(what)
			return got
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s does not see %q after\n%s", s.name, what, all[s.read:])
		}
	}
}

// write types a line.
func (s *screen) write(line string) {
	s.t.Helper()
	if _, err := s.ours.WriteString(line + "\n"); err != nil {
		s.t.Fatal(err)
	}
}

// room is where a ceremony is held: a console, and a terminal for each custodian.
type room struct {
	t       *testing.T
	rig     *rig
	console *screen
	own     map[string]*screen
	papers  map[string]string
	all     []*screen

	cmd  *exec.Cmd
	errs bytes.Buffer
}

func newRoom(r *rig, custodians ...string) *room {
	out := &room{t: r.t, rig: r, own: map[string]*screen{}, papers: map[string]string{}}
	out.console = newScreen(r.t, "the console")
	out.all = append(out.all, out.console)
	for _, who := range custodians {
		out.own[who] = newScreen(r.t, who)
		out.all = append(out.all, out.own[who])
	}
	return out
}

// start begins a command at the terminals of the room; what it says to standard
// error stands in the log of a test that fails.
func (r *room) start(args ...string) {
	r.t.Helper()
	names := []string{}
	for who := range r.own {
		names = append(names, who)
	}
	slices.Sort(names)
	for _, who := range names {
		args = append(args, "--terminal", who+"="+r.own[who].tty.Name())
	}
	r.errs.Reset()
	r.cmd = exec.Command(program, append(args, "--config", r.rig.path("switch.yaml"))...)
	r.cmd.Dir = r.rig.dir
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = r.console.tty, r.console.tty, &r.errs
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	cmd := r.cmd
	r.t.Cleanup(func() {
		if r.t.Failed() {
			cmd.Process.Kill() // fails when it has ended
			cmd.Wait()
			r.t.Logf("%v: %s", args, r.errs.String())
		}
	})
}

// end waits for the command's end.
func (r *room) end(code int) {
	r.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(patience()):
		r.cmd.Process.Kill()
		r.t.Fatalf("the ceremony does not end; the console shows\n%s", tail(r.console.text(), 1000))
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("exit code %d, want %d: %s\n%s", got, code, r.errs.String(), tail(r.console.text(), 1000))
	}
}

// kill is SIGKILL in the middle of it.
func (r *room) kill() {
	r.t.Helper()
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

var groups = regexp.MustCompile(`(?m)^  \d  ([0-9A-F]{4} [0-9A-F]{4} - [0-9A-F])\r?$`)

// writeDown takes a component from its custodian's screen to paper.
func (r *room) writeDown(who string) {
	r.t.Helper()
	shown := r.own[who].await("Press Enter when it is written down")
	found := groups.FindAllStringSubmatch(shown, -1)
	if len(found) != 8 {
		r.t.Fatalf("%s sees %d groups in\n%s", who, len(found), shown)
	}
	r.papers[who] = ""
	for _, g := range found {
		r.papers[who] += g[1] + "  "
	}
	r.own[who].write("")
	r.own[who].await("\x1b[2J")
}

// typeIn lets somebody type a paper when asked.
func (r *room) typeIn(who, paper string) {
	r.t.Helper()
	r.own[who].await("nothing is shown): ")
	r.own[who].write(paper)
}

// sayYes lets officer and witness compare and confirm.
func (r *room) sayYes() {
	r.t.Helper()
	r.console.await("Local master key: ")
	said := r.console.await(", identity ")
	check := regexp.MustCompile(`check value ([0-9A-F]{10})`).FindStringSubmatch(said)
	if check == nil {
		r.t.Fatalf("no check value in %q", said)
	}
	r.console.await("olga: compare")
	r.console.write("0000000000")
	r.console.await("REFUSED not_confirmed: olga")
	r.console.await("olga: compare")
	r.console.write(check[1])
	r.console.await("wei: compare")
	r.console.write(strings.ToLower(check[1]))
	r.console.await("Done: ")
}

// secrets looks for a component on the screens of others and in every file.
func (r *room) secrets() {
	r.t.Helper()
	plain := func(s string) string {
		return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "\r", "", "\n", "").Replace(s))
	}
	places := map[string]string{"standard error": plain(r.errs.String())}
	for _, s := range r.all {
		places["screen of "+s.name] = plain(s.text())
	}
	if err := filepath.WalkDir(r.rig.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		places[name] = plain(string(b))
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	for who, paper := range r.papers {
		digits := plain(paper)
		for place, text := range places {
			for at := 0; at+9 <= len(digits); at += 9 {
				if found := strings.Contains(text, digits[at:at+8]); found && place != "screen of "+who {
					r.t.Errorf("%s has group %d of %s's component", place, at/9+1, who)
				}
			}
		}
	}
}

// status is what lmk status says.
type status struct {
	Generations []struct {
		Generation uint32 `json:"generation"`
		Identity   string `json:"lmk"`
		Origin     string `json:"origin"`
		State      string `json:"state"`
		Keys       int    `json:"stored_keys"`
	} `json:"generations"`
	Foreign int `json:"keys_under_none"`
}

func (r *rig) lmk() (s status) {
	r.t.Helper()
	e := call(r.t, "hsm", "lmk", "status", "--config", r.path("switch.yaml"), "-o", "json")
	if err := json.Unmarshal([]byte(e.stdout), &s); err != nil || e.code != 0 {
		r.t.Fatalf("%+v, %v", e, err)
	}
	return s
}

// must runs a command that has to end well.
func (r *rig) must(args ...string) string {
	r.t.Helper()
	e := call(r.t, args...)
	if e.code != 0 {
		r.t.Fatalf("%v: %+v", args, e)
	}
	return e.stdout
}

// refused runs a command that has to be refused in certain words.
func (r *rig) refused(words string, args ...string) {
	r.t.Helper()
	if e := call(r.t, args...); e.code == 0 || !strings.Contains(e.stderr, words) {
		r.t.Errorf("%v: want %q in %+v", args, words, e)
	}
}

// loseToken is the end of a token with everything in it, and a new empty one.
func (r *rig) loseToken() {
	r.t.Helper()
	if err := os.RemoveAll(r.path("token")); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Mkdir(r.path("token"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	r.write("so.pin", "so-pin-1234\n")
	r.must("hsm", "init", "--config", r.path("switch.yaml"), "--so-pin-file", r.path("so.pin"))
	r.refused("initialised already", "hsm", "init", "--config", r.path("switch.yaml"), "--so-pin-file", r.path("so.pin"))
}

// restore brings the papers to a new token, in Chinese.
func (r *room) restore(people []string) {
	r.t.Helper()
	r.start(append(people, "hsm", "restore", "--transcript", "restore.jsonl", "--from", "lmk.jsonl", "--lang", "zh")...)
	for _, who := range []string{"alice", "bob", "carol"} {
		r.own[who].await("不显示）: ")
		r.own[who].write(r.papers[who])
	}
	check := regexp.MustCompile(`校验值 ([0-9A-F]{10})，标识`).FindStringSubmatch(r.console.await("，标识 "))
	if check == nil {
		r.t.Fatalf("no check value in\n%s", tail(r.console.text(), 1000))
	}
	for range 2 {
		r.console.await("以示同意: ")
		r.console.write(check[1])
	}
	r.end(0)
}

// TestCeremony holds one with three custodians at terminals of their own: one
// types another's component, the process is killed, the ceremony goes on; then
// the token is lost and restored, and the transcripts are checked.
func TestCeremony(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.loseToken()
	people := []string{"--officer", "olga", "--witness", "wei"}
	room := newRoom(r, "alice", "bob", "carol")
	room.start(append(people, "hsm", "ceremony", "--transcript", "lmk.jsonl", "--custodian", "alice", "--custodian", "bob", "--custodian", "carol")...)
	room.writeDown("alice")
	room.typeIn("alice", room.papers["alice"])
	room.writeDown("bob")
	room.typeIn("bob", room.papers["alice"])
	room.own["bob"].await("REFUSED wrong_component: bob")
	room.typeIn("bob", strings.Replace(room.papers["bob"], "-", "- 0", 1)[:len(room.papers["bob"])-1])
	room.own["bob"].await("REFUSED mistyped")
	room.typeIn("bob", room.papers["bob"])
	room.own["bob"].await("bob: component verified")
	room.own["carol"].await("shown once")
	room.kill()
	room.secrets()

	r.refused("there already", append(people, "hsm", "ceremony", "--config", r.path("switch.yaml"), "--transcript", r.path("lmk.jsonl"), "--custodian", "a", "--custodian", "b")...)
	r.refused("not ended", "hsm", "ceremony", "verify", r.path("lmk.jsonl"))
	r.refused("is not a terminal", "hsm", "ceremony", "--config", r.path("switch.yaml"), "--transcript", r.path("lmk.jsonl"), "--resume")
	r.refused("neither custodian", "hsm", "ceremony", "--config", r.path("switch.yaml"), "--transcript", r.path("lmk.jsonl"), "--resume", "--terminal", "eve="+room.console.tty.Name())
	room.start("hsm", "ceremony", "--transcript", "lmk.jsonl", "--resume")
	room.typeIn("alice", room.papers["alice"])
	room.typeIn("bob", room.papers["bob"])
	room.own["carol"].await("shown once")
	room.writeDown("carol")
	room.typeIn("carol", room.papers["carol"])
	room.sayYes()
	room.end(0)
	room.secrets()

	said := r.must("hsm", "ceremony", "verify", r.path("lmk.jsonl"))
	if !strings.Contains(said, "formed; the last has hash") || strings.Count(said, "entered") != 2 || strings.Count(said, "read_back") != 4 {
		t.Errorf("verify says\n%s", said)
	}
	r.write("altered.jsonl", strings.Replace(r.file("lmk.jsonl"), `"who":"bob"`, `"who":"rob"`, 1))
	r.refused("line 4", "hsm", "ceremony", "verify", r.path("altered.jsonl"))
	r.refused("lines are missing", "hsm", "ceremony", "verify", r.path("lmk.jsonl"), "--head", strings.Repeat("0", 64))
	formed := r.lmk().Generations
	if len(formed) != 1 || formed[0].Origin != "components" || formed[0].State != "newest" {
		t.Fatalf("%+v", formed)
	}

	r.loseToken()
	room.restore(people)
	if again := r.lmk().Generations; len(again) != 1 || again[0].Identity != formed[0].Identity {
		t.Errorf("restored %+v, want %+v", again, formed)
	}
	room.secrets()
}
