// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaultAtStart: what a part cannot start with is told in words that say what
// to do, at once, with exit code 1.
func TestFaultAtStart(t *testing.T) {
	t.Parallel()
	move := func(from string) func(*rig) {
		return func(r *rig) {
			if err := os.Rename(r.path(from), r.path("gone.yaml")); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	occupy := func(file, key string) func(*rig) {
		return func(r *rig) {
			ln, err := net.Listen("tcp", r.address(file, key))
			if err != nil {
				r.t.Fatal(err)
			}
			r.t.Cleanup(func() { ln.Close() })
		}
	}
	edit := func(edits ...string) func(*rig) { return func(r *rig) { r.edit("switch.yaml", edits...) } }
	serve := []string{"serve", "--config", "switch.yaml"}
	host := []string{"simulate", "acquirer", "--config", "acq-a.yaml"}
	reader := []string{"simulate", "reader", "--link", "nfc", "--deck", "deck.json"}
	for name, c := range map[string]struct {
		hurt func(*rig)
		args []string
		want []string
	}{
		"token missing":           {move("token"), serve, []string{"hsm:", "tokendir"}},
		"token of another name":   {edit("token: tapswitch-demo", "token: other"), serve, []string{"hsm:", `no token "other"`, "correct the label"}},
		"module missing":          {edit("module: ", "module: /none"), serve, []string{"hsm:", "cannot be loaded", "softhsm2"}},
		"user PIN wrong":          {func(r *rig) { r.write("user.pin", "wrong-pin\n") }, serve, []string{"hsm:", "user PIN refused", "correct it"}},
		"user PIN file missing":   {move("user.pin"), serve, []string{"switch.yaml:", "user.pin"}},
		"key missing":             {move("keystore/test-visa.keys"), serve, []string{"issuer/test-visa/imk", "hsm key import"}},
		"terminal's key missing":  {move("keystore/10000001.keys"), serve, []string{"terminal/10000001/tmk", "hsm key import"}},
		"key of another kind":     {edit("zpk: link/acq-a/zpk", "zpk: link/acq-a/zak"), serve, []string{"link/acq-a/zak", "ZPK is needed"}},
		"key file damaged":        {func(r *rig) { r.write("keystore/store.keys", "rubbish\n") }, serve, []string{"store.keys"}},
		"terminals' port in use":  {occupy("switch.yaml", `- {name: pos, address: "`), serve, []string{"listener pos", "address already in use"}},
		"metrics' port in use":    {occupy("switch.yaml", `observe: {address: "`), serve, []string{"observe.address", "address already in use"}},
		"unknown key":             {edit("pin_tries", "pin_trys"), serve, []string{"CFG-", "switch.yaml:6", `did you mean "pin_tries"`}},
		"value out of bounds":     {edit("deadline_ms: 4000", "deadline_ms: 4"), serve, []string{"switch.yaml:6", "deadline_ms"}},
		"link that is not there":  {edit("links: [acq-b]", "links: [acq-c]"), serve, []string{"switch.yaml:", "acq-c"}},
		"configuration missing":   {move("switch.yaml"), serve, []string{"cannot be read", "switch.yaml"}},
		"journal in use":          {func(r *rig) { r.startA(); r.startB(); r.startSwitch() }, serve, []string{"journal", "use"}},
		"journal damaged":         {func(r *rig) { r.write("journal/000000000001.seg", strings.Repeat("rubbish\n", 64)) }, serve, []string{"journal", "000000000001.seg"}},
		"log cannot be written":   {edit("log: stderr", "log: none/there.log"), serve, []string{"log", "none/there.log"}},
		"host's port in use":      {occupy("acq-a.yaml", "listen: "), host, []string{"address already in use"}},
		"books in use":            {func(r *rig) { r.startA() }, host, []string{"books", "in use"}},
		"books contradictory":     {func(r *rig) { r.write("acq-a.books.jsonl", `{"seq":9,"mti":"0200"}`+"\n") }, host, []string{"books", "move"}},
		"host's file missing":     {move("acq-a.yaml"), host, []string{"acq-a.yaml"}},
		"deck missing":            {move("deck.json"), reader, []string{"deck"}},
		"deck damaged":            {func(r *rig) { r.write("deck.json", "[]") }, reader, []string{"deck", "1 to"}},
		"link's place is taken":   {func(r *rig) { r.write("nfc", "a file of somebody") }, reader, []string{"nfc"}},
		"terminal's state in use": {func(r *rig) { r.startA(); r.startB(); r.startSwitch(); r.startTerminal() }, []string{"terminal", "--config", "terminal.yaml"}, []string{"state", "stop the other one"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := prepare(t)
			c.hurt(r)
			began := time.Now()
			p := r.launch("refused", c.args...)
			select {
			case <-p.done:
			case <-time.After(patience()):
				t.Fatal("it did not end")
			}
			if took := time.Since(began); took > 5*time.Second && !raceEnabled {
				t.Errorf("it took %s", took)
			}
			said := p.output()
			if code := p.cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d: %s", code, said)
			}
			for _, w := range c.want {
				if !strings.Contains(said, w) {
					t.Errorf("no %q in %s", w, said)
				}
			}
			if strings.Contains(said, "panic") || strings.Contains(said, "goroutine ") {
				t.Errorf("said %s", said)
			}
			if all := r.secrets(); len(all) > 0 {
				t.Errorf("%q", all)
			}
		})
	}
}

// TestCommands is what each command line comes to.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := raise(t)
	r.expect("unionpay", 1100, "", "approved", "00")
	r.expect("visa", 120000, "1234", "approved", "00")
	r.stopAll()
	r.write("bad.yaml", strings.Replace(r.file("switch.yaml"), "pin_tries", "pin_trys", 1))
	r.write("worse.yaml", "version: 1\n\t: {")
	cut := r.file("journal/000000000001.seg")
	if err := os.Mkdir(r.path("cut"), 0o700); err != nil {
		t.Fatal(err)
	}
	at := strings.Index(cut, "acq-b")
	if at < 0 {
		t.Fatal("no intent for acq-b in the journal")
	}
	r.write("cut/000000000001.seg", cut[:at]+"acq-X"+cut[at+5:])
	for _, c := range []struct {
		args string
		code int
		want string // a regular expression, of stdout and stderr one after the other
	}{
		{"version", 0, `^tapswitch \S+ commit \S+ go1\.\d+.*\n$`},
		{"config check switch.yaml", 0, `^switch.yaml: good\n$`},
		{"config check bad.yaml", 1, `CFG-\d+.*unknown key "pin_trys"(?s:.*)at: +bad.yaml:6(?s:.*)did you mean "pin_tries"`},
		{"config check worse.yaml", 1, `CFG-\d+(?s:.*)worse.yaml`},
		{"config check none.yaml", 1, `cannot be read`},
		{"config check", 2, `accepts 1 arg`},
		{"config explain switch.yaml", 0, `hsm.user_pin +\$\{file:user.pin\}`},
		{"config explain bad.yaml", 1, `did you mean "pin_tries"`},
		{"journal verify journal", 0, `^\d+ records in \d+ segments, all as they were written; 0 bytes of a torn end\nhead [0-9a-f]{32}, .*\n$`},
		{"journal verify none", 1, `none`},
		{"journal verify cut", 1, `after \d+ good records: `},
		{"journal dump journal", 0, `(?m)^SEQ +KIND +TERMINAL(?s:.*)^\d+ +intent +10000001 +000002 +622424\*{6}0069 +1100 +acq-a `},
		{"journal dump -o json journal", 0, `(?m)^\{"seq":\d+,"kind":"outcome","terminal":"10000001","batch":1,"trace":3,"class":"purchase","event":"said_yes","code":"00","at":"[^"]+"\}$`},
		{"journal dump -o xml journal", 2, `table or json`},
		{"journal dump none", 1, `none`},
		{"journal", 0, `dump +Print every record`},
		{"txn cases --journal journal", 0, `^no case is open\n$`},
		{"txn cases --journal none", 1, `none`},
		{"txn cases --journal journal -o xml", 2, `table or json`},
		{"txn cases", 2, `name one journal`},
		{"txn cases --journal journal --config switch.yaml", 2, `name one journal`},
		{"txn saf hold 632700000007 --reason why --config good.yaml", 2, `flag --by is required`},
		{"txn close", 2, `unknown command "close"`},
		{"journal eat", 2, `unknown command "eat"`},
		{"serve", 2, `flag --config is required`},
		{"serve --config", 2, `flag needs an argument`},
		{"serve --config switch.yaml more", 2, `unknown command "more"`},
		{"terminal --config bad.yaml", 2, `bad.yaml`},
		{"simulate", 0, `acquirer +An acquirer host`},
		{"simulate weather", 2, `unknown command "weather"`},
		{"simulate reader --deck deck.json", 2, `flag --link is required`},
		{"simulate acquirer", 2, `flag --config is required`},
		{"authorise everything", 2, `unknown command "authorise"`},
	} {
		p := r.launch(c.args, strings.Fields(c.args)...)
		<-p.done
		if code := p.cmd.ProcessState.ExitCode(); code != c.code || !regexp.MustCompile(c.want).MatchString(p.output()) {
			t.Errorf("tapswitch %s: exit code %d, want %d, and %q in\n%s", c.args, code, c.code, c.want, p.output())
		}
		if strings.Contains(p.output(), "demo-user-pin") {
			t.Errorf("tapswitch %s shows the user PIN", c.args)
		}
	}
}

// TestHelp: every command says what it does, by an example, too.
func TestHelp(t *testing.T) {
	t.Parallel()
	listed := regexp.MustCompile(`(?m)^  ([a-z-]+) +\S.*$`)
	var seen []string
	var walk func(path []string)
	walk = func(path []string) {
		e := call(t, append(slices.Clone(path), "--help")...)
		name := "tapswitch " + strings.Join(path, " ")
		if e.code != 0 || e.stderr != "" {
			t.Errorf("%s --help: %+v", name, e)
		}
		_, example, found := strings.Cut(e.stdout, "Examples:\n")
		if !found || !strings.Contains(strings.SplitN(example, "\n\n", 2)[0], "tapswitch") {
			t.Errorf("%s --help has no example:\n%s", name, e.stdout)
		}
		seen = append(seen, strings.TrimSpace(name))
		_, subs, _ := strings.Cut(e.stdout, "Available Commands:\n")
		subs, _, _ = strings.Cut(subs, "\n\n")
		for _, m := range listed.FindAllStringSubmatch(subs, -1) {
			if m[1] != "help" && m[1] != "completion" { // these two are cobra's
				walk(append(slices.Clone(path), m[1]))
			}
		}
	}
	walk(nil)
	for _, want := range []string{"tapswitch demo", "tapswitch serve", "tapswitch terminal", "tapswitch simulate acquirer", "tapswitch simulate reader",
		"tapswitch config check", "tapswitch config explain", "tapswitch journal dump", "tapswitch journal verify", "tapswitch journal purge", "tapswitch txn cases", "tapswitch version"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no help lists %q; found %q", want, seen)
		}
	}
}

// TestPrepareSaysHow: what --prepare prints is enough to start every part.
func TestPrepareSaysHow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "stage")
	e := call(t, "demo", "--prepare", "--dir", dir)
	if e.code != 0 {
		t.Fatalf("%+v", e)
	}
	var parts []*process
	for line := range strings.Lines(e.stdout) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "tapswitch ")
		if !ok {
			continue
		}
		p := launch(t, dir, command, strings.Fields(command)...)
		parts = append(parts, p)
		for end := time.Now().Add(patience()); p.output() == "" && p.alive() && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if len(parts) != 5 {
		t.Fatalf("%d commands in\n%s", len(parts), e.stdout)
	}
	time.Sleep(300 * time.Millisecond)
	reader, terminal := parts[3], parts[4]
	reader.say("present unionpay")
	reader.await(0, "card", named("presented"))
	terminal.say("sale 1234")
	for end := time.Now().Add(patience()); !strings.Contains(terminal.output(), "APPROVED 12.34 CNY 622424******0069") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if said := terminal.output(); !strings.Contains(said, "APPROVED 12.34 CNY 622424******0069") {
		t.Errorf("the terminal said\n%s", said)
	}
}
