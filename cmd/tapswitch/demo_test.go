// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// seeds are of chance, so that no run is like the one before; a failure names
// its seed, and TAPSWITCH_SEED runs it again.
func seeds(t *testing.T, n int) (all []uint64) {
	t.Helper()
	if s := os.Getenv("TAPSWITCH_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("TAPSWITCH_SEED: %v", err)
		}
		return []uint64{seed}
	}
	for range n {
		all = append(all, rand.Uint64N(1_000_000))
	}
	return all
}

// tapLine is one line of `demo --json`; the last is the summary.
type tapLine struct {
	Kind     string         `json:"kind"`
	Card     string         `json:"card"`
	Amount   int64          `json:"amount_minor"`
	Route    string         `json:"route"`
	Outcome  string         `json:"outcome"`
	Code     string         `json:"code"`
	Reason   string         `json:"reason"`
	Reversal string         `json:"reversal"`
	Trace    int64          `json:"trace"`
	RRN      string         `json:"rrn"`
	Expected bool           `json:"expected"`
	Summary  bool           `json:"summary"`
	Taps     int            `json:"taps"`
	Wrong    int            `json:"unexpected"`
	Outcomes map[string]int `json:"outcomes"`
}

// TestDemoAgrees runs the demonstration with three seeds and compares what its
// parts left behind: terminal log, metrics, both acquirers' books, journal and
// the switch's log.
func TestDemoAgrees(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds(t, 3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "demo")
			ran := call(t, "demo", "--taps", "20", "--json", "--dir", dir, "--seed", strconv.FormatUint(seed, 10))
			if ran.code != 0 || ran.stderr != "" {
				t.Fatalf("exit code %d, stderr %s\n%s", ran.code, ran.stderr, ran.stdout)
			}
			e := gather(t, dir)
			if e.counted == nil {
				t.Error("no metrics kept")
			}
			for _, finding := range e.check() {
				t.Error(finding)
			}
			for _, missing := range e.missingKinds() {
				t.Errorf("in twenty taps there is no %s", missing)
			}
			compareShown(t, parseLines[tapLine](t, "demo", ran.stdout), e)
		})
	}
}

// compareShown: what the demonstration printed is what the terminal wrote down.
func compareShown(t *testing.T, shown []tapLine, e *evidence) {
	t.Helper()
	sales, _ := e.sales()
	if len(shown) != 21 || len(sales) != 20 {
		t.Fatalf("%d lines shown, %d sales in the terminal's log", len(shown), len(sales))
	}
	for i, s := range sales {
		l := shown[i]
		if l.Card != s.Card || l.Amount != s.Amount || l.Outcome != s.Outcome || l.Code != s.Code || l.Trace != s.Trace || s.RRN != "" && l.RRN != s.RRN || !l.Expected {
			t.Errorf("shown %+v, the terminal says %+v", l, s)
		}
	}
	if sum := shown[20]; !sum.Summary || sum.Taps != 20 || sum.Wrong != 0 || sum.Outcomes["approved"]+sum.Outcomes["declined"] != 20 {
		t.Errorf("summary %+v", sum)
	}
}

// missingKinds names what every run of twenty must show, by what the books, the
// journal and the terminal say and not by what the demonstration calls it.
func (e *evidence) missingKinds() (missing []string) {
	seen := map[string]bool{}
	sales, _ := e.sales()
	for _, s := range sales {
		seen[s.Code] = true
		for link, book := range e.books {
			for _, l := range book {
				if l.MTI == "0200" && l.RRN == s.RRN {
					seen[fmt.Sprintf("%s %s cvm %s", s.Outcome, link, s.CVM)] = true
					seen[fmt.Sprintf("pin %s at %s", l.PIN, link)] = true
					seen["arqc "+l.ARQC] = true
				}
			}
		}
	}
	for _, ev := range e.events {
		seen["switch: "+ev.Reason] = true
	}
	for _, book := range e.books {
		for _, l := range book {
			if held, debits, credits, _ := e.net(l.RRN); strings.HasPrefix(l.Mood, "silent") && l.Effect == "debit" && held == 0 && debits == 1 && credits == 1 {
				seen["silent and reversed"] = true
			}
		}
	}
	for _, want := range []string{
		"approved acq-a cvm pin", "approved acq-a cvm none", "approved acq-b cvm pin", "approved acq-b cvm none", "pin ok at acq-a",
		"55", "pin wrong at acq-a", "switch: pin_wrong", "arqc bad", "switch: cryptogram_wrong", "92", "switch: no_route", "98", "silent and reversed",
	} {
		if !seen[want] {
			missing = append(missing, want)
		}
	}
	return missing
}

// TestAgreementFindsLies: each source bent in one place must be noticed.
func TestAgreementFindsLies(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	if ran := call(t, "demo", "--taps", "11", "--json", "--dir", dir, "--seed", "11"); ran.code != 0 {
		t.Fatalf("%+v", ran)
	}
	good := gather(t, dir)
	if all := good.check(); len(all) > 0 {
		t.Fatalf("%q", all)
	}
	yes := func(e *evidence) *termLine {
		return &e.terminal[slices.IndexFunc(e.terminal, func(l termLine) bool { return l.Outcome == "approved" })]
	}
	line := func(e *evidence, want func(bookLine) bool) *bookLine {
		return &e.books["acq-a"][slices.IndexFunc(e.books["acq-a"], want)]
	}
	drop := func(e *evidence, kind string) {
		i := slices.IndexFunc(e.journal, func(l journalLine) bool { return l.Kind == kind })
		e.journal = slices.Delete(e.journal, i, i+1)
	}
	for name, lie := range map[string]func(e *evidence){
		"amount on a receipt":    func(e *evidence) { yes(e).Amount++ },
		"card on a receipt":      func(e *evidence) { yes(e).Card = "622424******0070" },
		"reference on a receipt": func(e *evidence) { yes(e).RRN = "000000000000" },
		"a no shown as a yes": func(e *evidence) {
			i := slices.IndexFunc(e.terminal, func(l termLine) bool { return l.Code == "55" })
			e.terminal[i].Outcome = "approved"
		},
		"a receipt lost":               func(e *evidence) { e.terminal = e.terminal[1:] },
		"a debit that was none":        func(e *evidence) { line(e, func(l bookLine) bool { return l.Effect == "debit" }).Effect = "none" },
		"a debit of another amount":    func(e *evidence) { line(e, func(l bookLine) bool { return l.Effect == "debit" }).Amount++ },
		"a balance":                    func(e *evidence) { line(e, func(l bookLine) bool { return l.Effect == "debit" }).Balance++ },
		"a reversal that was not done": func(e *evidence) { line(e, func(l bookLine) bool { return l.Effect == "credit" }).Effect = "none" },
		"a debit nobody asked for":     func(e *evidence) { line(e, func(l bookLine) bool { return l.Effect == "debit" }).RRN = "632700099999" },
		"an intent lost":               func(e *evidence) { drop(e, "intent") },
		"an outcome lost":              func(e *evidence) { drop(e, "outcome") },
		"an undo lost":                 func(e *evidence) { drop(e, "undo") },
		"an undone lost":               func(e *evidence) { drop(e, "undone") },
		"an event lost": func(e *evidence) {
			e.events = slices.DeleteFunc(e.events, func(l switchLine) bool { return l.Class == "purchase" && l.Code == "92" })
		},
		"a counter": func(e *evidence) {
			e.counted["tapswitch_flow_payments_total{class=purchase,outcome=approved,reason=none}"]++
		},
		"a counter of a link": func(e *evidence) { e.counted["tapswitch_link_exchanges_total{link=acq-b,outcome=answered}"]-- },
	} {
		bent := &evidence{terminal: slices.Clone(good.terminal), events: slices.Clone(good.events), journal: slices.Clone(good.journal), counted: maps.Clone(good.counted),
			books: map[string][]bookLine{"acq-a": slices.Clone(good.books["acq-a"]), "acq-b": slices.Clone(good.books["acq-b"])}}
		lie(bent)
		if len(bent.check()) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// running is a demonstration that goes on while the test looks at it.
type running struct {
	cmd         *exec.Cmd
	out, errs   bytes.Buffer
	tmp         string
	descendants []child
}

// child is a process by number and start, so that a number used again is
// another process.
type child struct {
	pid     int
	started string
	command string
}

// runDemo starts a demonstration with a temporary folder of its own and waits
// until all five parts run.
func runDemo(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{tmp: t.TempDir()}
	r.cmd = exec.Command(program, append([]string{"demo"}, args...)...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errs
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience()); len(children(r.cmd.Process.Pid)) < 5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.cmd.Process.Kill()
			t.Fatalf("the parts are not all there: %v", children(r.cmd.Process.Pid))
		}
	}
	r.descendants = children(r.cmd.Process.Pid)
	return r
}

// wait is the exit code.
func (r *running) wait(t *testing.T) int {
	t.Helper()
	timer := time.AfterFunc(patience(), func() { r.cmd.Process.Kill() })
	defer timer.Stop()
	r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

// children are the processes whose parent is pid.
func children(pid int) (all []child) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended since
		}
		// pid (name) state ppid … start time is field 22; the name may hold spaces.
		rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(rest) < 20 || rest[1] != strconv.Itoa(pid) || rest[0] == "Z" {
			continue
		}
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		all = append(all, child{n, rest[19], strings.ReplaceAll(string(command), "\x00", " ")})
	}
	return all
}

func (c child) alive() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid))
	if err != nil {
		return false
	}
	rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return len(rest) > 19 && rest[19] == c.started && rest[0] != "Z"
}

// nothingLeft: every part has ended and no folder or link is left.
func (r *running) nothingLeft(t *testing.T, folders bool) {
	t.Helper()
	for end := time.Now().Add(patience()); slices.ContainsFunc(r.descendants, child.alive) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range r.descendants {
		if c.alive() {
			t.Errorf("still there: %+v", c)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.tmp, "*")); folders && len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("without an end", func(t *testing.T) {
		t.Parallel()
		r := runDemo(t)
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		r.cmd.Process.Signal(os.Interrupt)
		if code := r.wait(t); code != 0 || r.errs.Len() > 0 {
			t.Errorf("exit code %d, %s", code, r.errs.String())
		}
		r.nothingLeft(t, true)
	})
	t.Run("before its end", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "kept")
		r := runDemo(t, "--taps", "500", "--json", "--dir", dir)
		r.cmd.Process.Signal(os.Interrupt)
		if code := r.wait(t); code != 1 || r.errs.Len() == 0 {
			t.Errorf("exit code %d, %s", code, r.errs.String())
		}
		r.nothingLeft(t, true)
		if link, err := os.Lstat(filepath.Join(dir, "nfc")); err == nil {
			t.Errorf("the reader's link is left: %v", link)
		}
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		r := runDemo(t)
		r.cmd.Process.Kill()
		if code := r.wait(t); code == 0 {
			t.Error("exit code 0")
		}
		r.nothingLeft(t, false) // nobody is left who could remove the folder
	})
}

// TestDemoWithAFault: an outcome that was not the expected one makes the
// demonstration fail and says which.
func TestDemoWithAFault(t *testing.T) {
	t.Parallel()
	r := runDemo(t, "--taps", "20", "--json", "--seed", "3")
	for _, c := range r.descendants {
		if strings.Contains(c.command, "acq-b.yaml") {
			if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := r.wait(t); code != 1 || !strings.Contains(r.errs.String(), "not as expected") {
		t.Errorf("exit code %d, %q", code, r.errs.String())
	}
	r.nothingLeft(t, true)
	var wrong, right int
	for line := range strings.Lines(r.out.String()) {
		var l tapLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		switch {
		case l.Summary:
			if l.Wrong != wrong || wrong == 0 {
				t.Errorf("%d were wrong, summary %+v", wrong, l)
			}
		case l.Expected:
			right++
		default:
			wrong++
			if strings.HasPrefix(l.Card, "622424") {
				t.Errorf("its acquirer was there: %+v", l)
			}
		}
	}
	if right == 0 {
		t.Error("no tap was as expected")
	}
}

func TestDemoCalledWrongly(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), []byte("keep me"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--taps", "0"}, 2, "number of taps from 1 on"},
		{[]string{"--taps", "-1"}, 2, "number of taps from 1 on"},
		{[]string{"--taps", "many"}, 2, "invalid argument"},
		{[]string{"--tap", "3"}, 2, "unknown flag"},
		{[]string{"quickly"}, 2, "unknown command"},
		{[]string{"--prepare"}, 2, "needs --dir"},
		{[]string{"--taps", "1", "--dir", full}, 1, "is not empty"},
		{[]string{"--prepare", "--dir", full}, 1, "is not empty"},
	} {
		e := call(t, append([]string{"demo"}, c.args...)...)
		if e.code != c.code || !strings.Contains(e.stderr, c.want) || e.stdout != "" {
			t.Errorf("demo %v: %+v", c.args, e)
		}
	}
	if entries, err := os.ReadDir(full); err != nil || len(entries) != 1 {
		t.Errorf("the folder was touched: %v, %v", entries, err)
	}
}
