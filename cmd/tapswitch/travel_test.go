// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"crypto/des"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Published test values: the demonstration's TMK, and a key block of a public library's
// tests with its protection key (tr31-061 of the known answers).
const (
	stageTMK   = "0123456789ABCDEFFEDCBA9876543210"
	knownKBPK  = "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB"
	knownBlock = "B0096M3TC00E0000D578DACC2286C7D10F20DEA88799CA8A2F44E0CC21226A2158D5DC8FD5C78E621327DA956C678808"
	knownZAK   = "CCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD"
)

// tripleECB enciphers or deciphers whole blocks in hex under a double-length key, with
// the standard library.
func tripleECB(t *testing.T, key, text string, encipher bool) string {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := des.NewTripleDESCipher(append(k, k[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += 8 {
		if encipher {
			c.Encrypt(b[at:], b[at:])
		} else {
			c.Decrypt(b[at:], b[at:])
		}
	}
	return fmt.Sprintf("%X", b)
}

// kcvOf is the check value of a double-length key, four bytes.
func kcvOf(t *testing.T, key string) string {
	return tripleECB(t, key, "0000000000000000", true)[:8]
}

// xorHex is the sum of components.
func xorHex(t *testing.T, parts ...string) string {
	t.Helper()
	sum := make([]byte, len(parts[0])/2)
	for _, p := range parts {
		b, err := hex.DecodeString(p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sum {
			sum[i] ^= b[i]
		}
	}
	return fmt.Sprintf("%X", sum)
}

// left is a line of hsm key export or rotate --set.
type left struct {
	Name       string `json:"name"`
	Version    uint32 `json:"version"`
	KCV        string `json:"kcv"`
	Form       string `json:"form"`
	Block      string `json:"block"`
	Cryptogram string `json:"cryptogram"`
}

func lines[T any](t *testing.T, out string) (all []T) {
	t.Helper()
	for line := range strings.Lines(out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, v)
	}
	return all
}

// key runs tapswitch hsm key with the stage's configuration.
func (r *rig) key(args ...string) ended {
	r.t.Helper()
	return call(r.t, append(append([]string{"hsm", "key"}, args...), "--config", r.path("switch.yaml"))...)
}

func (r *rig) keyMust(args ...string) string {
	r.t.Helper()
	e := r.key(args...)
	if e.code != 0 {
		r.t.Fatalf("%v: %+v", args, e)
	}
	return e.stdout
}

// pipe runs it with components on standard input.
func (r *rig) pipe(in string, args ...string) (out string, code int) {
	r.t.Helper()
	c := exec.Command(program, append(append([]string{"hsm", "key"}, args...), "--config", r.path("switch.yaml"))...)
	c.Stdin = strings.NewReader(in)
	said, err := c.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		r.t.Fatal(err)
	}
	return string(said), c.ProcessState.ExitCode()
}

// TestKeysOfSets: a terminal's keys leave under its TMK as cryptograms that the standard
// library opens, a zone's as key blocks that another name takes in; the set before stays.
func TestKeysOfSets(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	terminal := []string{"--set", "terminal/10000001", "--under", "terminal/10000001/tmk", "--legacy-ecb", "-o", "json"}
	first := lines[left](t, r.keyMust(append([]string{"export"}, terminal...)...))
	next := lines[left](t, r.keyMust(append([]string{"rotate", "--data"}, terminal...)...))
	if len(first) != 2 || len(next) != 3 || first[0].Version != 1 || next[2].Version != 2 {
		t.Fatalf("%+v, then %+v", first, next)
	}
	seen := map[string]bool{}
	for _, l := range append(first, next...) {
		clear := tripleECB(t, stageTMK, l.Cryptogram, false)
		if l.Form != "legacy-ecb" || l.Block != "" || kcvOf(t, clear) != l.KCV || seen[clear] {
			t.Errorf("%+v is under another key, has another check value, or is there twice", l)
		}
		seen[clear] = true
	}
	if said, code := r.pipe("", append([]string{"rotate"}, terminal...)...); code != 0 || !strings.Contains(said, "PCI PIN 18-3") {
		t.Errorf("nothing is said of legacy-ecb: %s", said)
	}
	list := r.keyMust("list")
	for clear := range seen {
		if strings.Contains(list, clear) {
			t.Error("the list shows a clear key")
		}
	}
	if n := strings.Count(list, "terminal/10000001/tpk"); n != 2 || !strings.Contains(list, "terminal/10000001/tdk  3") {
		t.Errorf("%d versions of the PIN key in\n%s", n, list)
	}

	r.keyMust("generate", "--usage", "KBPK", "link/acq-a/kbpk")
	zone := lines[left](t, r.keyMust("rotate", "--set", "link/acq-a", "--under", "link/acq-a/kbpk", "-o", "json"))
	if len(zone) != 2 || zone[0].Name != "link/acq-a/zpk" || zone[0].Version != 2 || zone[0].Cryptogram != "" {
		t.Fatalf("%+v", zone)
	}
	r.write("zpk.tr31", zone[0].Block+"\n")
	came := r.keyMust("import", "--usage", "ZPK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("zpk.tr31"), "link/other/zpk")
	if !strings.Contains(came, zone[0].KCV[:6]) {
		t.Errorf("check value %s left, and came\n%s", zone[0].KCV, came)
	}
	if said := call(t, "hsm", "inventory", "--config", r.path("switch.yaml")); said.code != 0 {
		t.Errorf("%+v", said)
	}
}

// TestKeysPassOn: a key leaves as it is born under one protection key, is passed on
// under another and taken in there; what says N is passed on to nobody.
func TestKeysPassOn(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.keyMust("generate", "--usage", "KBPK", "archive/kbpk")
	r.keyMust("generate", "--usage", "KBPK", "--algorithm", "AES-256", "acq/kbpk")
	born := lines[left](t, r.keyMust("export", "--usage", "BDK", "--under", "archive/kbpk", "--exportability", "E", "fleet/bdk", "-o", "json"))
	r.write("bdk.tr31", born[0].Block)
	passed := r.keyMust("export", "--from", "archive/kbpk", "--under", "acq/kbpk", "--exportability", "N", "--block-file", r.path("bdk.tr31"))
	if !strings.HasPrefix(passed, "D") {
		t.Fatalf("passed on as %q", passed)
	}
	said, code := r.pipe(passed, "import", "--usage", "BDK", "--kbpk", "acq/kbpk", "--block-file", "-", "acq/bdk", "-o", "json")
	if code != 0 || !strings.Contains(said, `"kcv":"`+born[0].KCV[:6]) || !strings.Contains(said, `"came_as":"key block"`) {
		t.Errorf("exit code %d: %s", code, said)
	}
	r.write("narrow.tr31", passed)
	if e := r.key("export", "--from", "acq/kbpk", "--under", "archive/kbpk", "--block-file", r.path("narrow.tr31")); e.code != 1 || !strings.Contains(e.stderr, "exportab") {
		t.Errorf("a block that says N: %+v", e)
	}
	next := lines[left](t, r.keyMust("export", "--next", "--under", "archive/kbpk", "fleet/bdk", "-o", "json"))
	if next[0].Version != 2 || next[0].KCV == born[0].KCV {
		t.Errorf("%+v", next)
	}
}

// TestKeysCome: known values through each way, and their check values by the standard
// library.
func TestKeysCome(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	a, b := "1F1E1D1C1B1A19181716151413121110", ""
	b = xorHex(t, a, knownKBPK)
	said, code := r.pipe(a+"\n"+b+"\n", "import", "--usage", "KBPK", "--components", "2", "--kcv", kcvOf(t, knownKBPK), "--test", "link/acq-a/kbpk")
	for _, kcv := range []string{kcvOf(t, a), kcvOf(t, b), kcvOf(t, knownKBPK)} {
		if code != 0 || !strings.Contains(said, kcv[:6]) || strings.Contains(said, a) || strings.Contains(said, b) {
			t.Fatalf("exit code %d, want check value %s: %s", code, kcv, said)
		}
	}
	said, code = r.pipe(knownBlock+"\n", "import", "--next", "--kbpk", "link/acq-a/kbpk", "--block-file", "-", "link/acq-a/zak")
	if code != 0 || !strings.Contains(said, kcvOf(t, knownZAK)[:6]) {
		t.Errorf("exit code %d: %s", code, said)
	}
	tak := "404142434445464748494A4B4C4D4E4F"
	said, code = r.pipe("", "import", "--usage", "TAK", "--under", "terminal/10000001/tmk", "--cryptogram", tripleECB(t, stageTMK, tak, true), "--kcv", kcvOf(t, tak)[:6], "terminal/10000001/tak")
	if code != 0 || !strings.Contains(said, kcvOf(t, tak)[:6]) || !strings.Contains(said, "legacy-ecb") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if list := r.keyMust("kcv", "link/acq-a/zak"); !strings.Contains(list, "version 2") {
		t.Error(list)
	}
}

// TestKeysRefused: by name, with the right exit code, and nothing is stored.
func TestKeysRefused(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.keyMust("generate", "--usage", "KBPK", "link/acq-a/kbpk")
	r.write("block.tr31", knownBlock)
	before := r.keyMust("list")
	weak := tripleECB(t, stageTMK, "0101010101010101FEFEFEFEFEFEFEFE", true)
	under := []string{"--under", "terminal/10000001/tmk", "--cryptogram"}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "how does the key come", []string{"import", "--usage", "ZPK", "x/y"}},
		{2, "how does the key come", append([]string{"import", "--usage", "TAK", "--components", "2", "x/y"}, append(under, "00")...)},
		{2, "want 2 to 9 people", []string{"import", "--usage", "TAK", "--components", "1", "x/y"}},
		{2, "--usage: what is the key for", []string{"import", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("block.tr31"), "x/y"}},
		{2, "6 or 8 hex digits", append([]string{"import", "--usage", "TAK", "--kcv", "0102", "x/y"}, append(under, "00")...)},
		{2, "table or json", append([]string{"import", "--usage", "TAK", "--kcv", "010203", "-o", "xml", "x/y"}, append(under, "00")...)},
		{1, "altered, or under another protection key", []string{"import", "--usage", "ZAK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("block.tr31"), "x/y"}},
		{1, "the block's key usage is M3", []string{"import", "--usage", "ZPK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("block.tr31"), "x/y"}},
		{1, "is a ZPK; key blocks are under a KBPK", []string{"import", "--usage", "ZPK", "--kbpk", "link/acq-a/zpk", "--block-file", r.path("block.tr31"), "x/y"}},
		{1, "no such file", []string{"import", "--usage", "ZPK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("none"), "x/y"}},
		{1, "give --next", []string{"import", "--usage", "ZPK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("block.tr31"), "link/acq-a/zpk"}},
		{1, "its successor is the same", []string{"import", "--next", "--usage", "TPK", "--kbpk", "link/acq-a/kbpk", "--block-file", r.path("block.tr31"), "link/acq-a/zpk"}},
		{1, "check value is wrong", append([]string{"import", "--usage", "TAK", "--kcv", "010203", "x/y"}, append(under, weak)...)},
		{1, "weak or semi-weak part", append([]string{"import", "--usage", "TAK", "--kcv", kcvOf(t, "0101010101010101FEFEFEFEFEFEFEFE"), "x/y"}, append(under, weak)...)},
		{1, "is not a terminal", []string{"import", "--usage", "ZMK", "--components", "2", "x/y"}},
		{2, "what shall leave", []string{"export"}},
		{2, "what shall leave", []string{"export", "--set", "link/acq-a", "--usage", "ZPK", "x/y"}},
		{2, "terminal/ID or link/NAME", []string{"export", "--set", "issuer/x", "--under", "link/acq-a/kbpk"}},
		{2, "one letter", []string{"export", "--usage", "BDK", "--under", "link/acq-a/kbpk", "--mode", "NN", "x/y"}},
		{2, "say --legacy-ecb", []string{"export", "--set", "terminal/10000001", "--under", "terminal/10000001/tmk"}},
		{2, "leave out --legacy-ecb", []string{"export", "--set", "terminal/10000001", "--under", "link/acq-a/kbpk", "--legacy-ecb"}},
		{1, "has keys already", []string{"export", "--set", "link/acq-a", "--under", "link/acq-a/kbpk"}},
		{1, "no whole set", []string{"rotate", "--set", "link/acq-z", "--under", "link/acq-a/kbpk"}},
		{1, "carries nothing of", []string{"export", "--set", "terminal/20000002", "--under", "terminal/10000001/tmk", "--legacy-ecb"}},
		{1, "is at rest, and a key at rest never leaves", []string{"export", "link/acq-a/zpk"}},
		{1, "weaker KBPK", []string{"export", "--usage", "BDK", "--algorithm", "AES-256", "--under", "link/acq-a/kbpk", "x/y"}},
		{2, "is one of a set", []string{"export", "--usage", "ZPK", "--under", "link/acq-a/kbpk", "link/acq-z/zpk"}},
		{1, "hsm key rotate --set link/acq-a", []string{"rotate", "link/acq-a/zak"}},
		{2, "give the name of a key, or --set", []string{"rotate"}},
		{2, "go with --set", []string{"rotate", "--data", "link/acq-a/zak"}},
	} {
		if e := r.key(c.args...); e.code != c.code || !strings.Contains(e.stderr, c.want) {
			t.Errorf("%v: want %d and %q in %+v", c.args, c.code, c.want, e)
		}
	}
	two := strings.Repeat("0123456789ABCDEFFEDCBA9876543210\n", 2)
	for want, in := range map[string]string{"the same as component 1": two, "hex digits, want 32": "0123\n", "all zeros": strings.Repeat("0", 32) + "\n", "EOF": "0123"} {
		if said, code := r.pipe(in, "import", "--usage", "ZMK", "--components", "2", "--test", "x/y"); code != 1 || !strings.Contains(said, want) || strings.Contains(said, "01234567") {
			t.Errorf("exit code %d, want %q in %s", code, want, said)
		}
	}
	if said, code := r.pipe(stageTMK+"\n"+knownKBPK+"\n", "import", "--usage", "ZMK", "--components", "2", "--kcv", "010203", "--test", "x/y"); code != 1 || !strings.Contains(said, "as --kcv says") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if after := r.keyMust("list"); after != before {
		t.Errorf("stored all the same:\n%s\nbefore:\n%s", after, before)
	}
}

// TestComponentsAtTheTerminal: three people type at a terminal that shows nothing of it;
// one mistypes, one brings zeros, one compares, types again, and the sum is compared.
func TestComponentsAtTheTerminal(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	room := newRoom(r)
	parts := []string{"0F1E2D3C4B5A69788796A5B4C3D2E1F0", "102132435465768798A9BACBDCEDFE0F", "89ABCDEF0123456776543210FEDCBA98"}
	sum := xorHex(t, parts...)
	room.start("hsm", "key", "import", "--usage", "ZMK", "--components", "3", "link/acq-a/zmk")
	c := room.console
	person := func(n int, typed, answer string, kcv string) {
		t.Helper()
		c.await(fmt.Sprintf("component %d of 3 (32 hex digits; nothing is shown; abort stops): ", n))
		c.write(typed)
		c.await(fmt.Sprintf("check value of component %d: %s", n, kcv[:6]))
		c.await("yes, again or abort: ")
		c.write(answer)
	}
	person(1, parts[0], "yes", kcvOf(t, parts[0]))
	c.await("component 2 of 3")
	c.write(parts[1][2:])
	c.await("REFUSED ")
	c.await("30 hex digits, want 32")
	c.await("component 2 of 3")
	c.write(parts[0])
	c.await("the same as component 1")
	person(2, parts[2], "again", kcvOf(t, parts[2]))
	person(2, parts[1][:16]+" "+parts[1][16:], "yes", kcvOf(t, parts[1]))
	person(3, parts[2], "yes", kcvOf(t, parts[2]))
	c.await("check value of the key: " + kcvOf(t, sum)[:6])
	c.await("yes or abort: ")
	c.write("yes")
	room.end(0)
	if !strings.Contains(r.keyMust("kcv", "link/acq-a/zmk"), kcvOf(t, sum)[:6]) {
		t.Error("another key was stored")
	}
	noDigits(t, r, c.text(), append(parts, sum)...)

	room.start("hsm", "key", "import", "--usage", "ZMK", "--components", "3", "link/acq-b/zmk")
	c.await("component 1 of 3")
	c.write("abort")
	room.end(1)
	if !strings.Contains(room.errs.String(), "stopped by who typed; nothing was stored") {
		t.Error(room.errs.String())
	}
}

// noDigits looks for eight digits in a row of secrets on the screen and in all files.
func noDigits(t *testing.T, r *rig, screen string, secrets ...string) {
	t.Helper()
	plain := func(b []byte) []byte {
		return bytes.ToUpper(bytes.ReplaceAll(b, []byte(" "), nil))
	}
	places := map[string][]byte{"screen": plain([]byte(screen))}
	if err := filepath.WalkDir(r.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		places[name] = append(plain(b), []byte(fmt.Sprintf("%X", b))...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		for at := 0; at+12 <= len(s); at++ {
			for place, text := range places {
				if bytes.Contains(text, []byte(s[at:at+12])) {
					t.Errorf("%s has digits of a component", place)
				}
			}
		}
	}
}

// TestHSMBench: every function has its row with three figures, on a token made for this
// and on the configured one.
func TestHSMBench(t *testing.T) {
	t.Parallel()
	want := []string{"MACUnionPay", "MACRetail", "MACCMACAES", "MACHMAC", "TranslatePIN", "VerifyPVV", "VerifyARQC", "VerifyARQCNewCard", "ARPC",
		"DUKPTMACTDES", "DUKPTMACAES", "CVV", "Seal", "Open", "Token", "ImportKeyBlock"}
	e := call(t, "hsm", "bench", "--seconds", "0.01")
	var rows []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+) +\d+ +\d+ +\d+( |$)`).FindAllStringSubmatch(e.stdout, -1) {
		if m[1] != "OPERATIONS" {
			rows = append(rows, m[1])
		}
	}
	if e.code != 0 || !slices.Equal(rows, want) {
		t.Errorf("rows %v in %+v", rows, e)
	}
	r := prepare(t)
	config := []string{"hsm", "bench", "--config", r.path("switch.yaml"), "--functions", "token, MACRetail", "--seconds", "0.01", "-o"}
	figures := lines[struct {
		Function   string  `json:"function"`
		Callers    int     `json:"callers"`
		PerSecond  float64 `json:"operations_per_second"`
		Operations int     `json:"operations"`
	}](t, call(t, append(config, "json")...).stdout)
	if len(figures) != 6 || figures[0].Function != "Token" || figures[5].Callers != 64 || figures[3].Operations < 1 || figures[4].PerSecond <= 0 {
		t.Errorf("%+v", figures)
	}
	named := regexp.MustCompile(`(?m)^BenchmarkHSM/function=MACRetail/callers=8/sessions=4 \d+ \d+ ns/op \d+ op/s$`)
	if e := call(t, append(config, "bench")...); e.code != 0 || !named.MatchString(e.stdout) {
		t.Errorf("%+v", e)
	}
	for want, args := range map[string][]string{
		"there are MACUnionPay": {"--functions", "nothing"}, "want 0.01 to 60": {"--seconds", "NaN"}, "table, json or bench": {"-o", "xml"},
		"give --config": {"--module", "x"}, "unknown flag": {"--caller", "3"},
	} {
		if e := call(t, append([]string{"hsm", "bench"}, args...)...); e.code != 2 || !strings.Contains(e.stderr, want) {
			t.Errorf("%v: %+v", args, e)
		}
	}
}
