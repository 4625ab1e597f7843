// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// good is a package head that breaks no rule.
func good(name, rest string) string {
	return licenceLine + `

// Package ` + name + ` is a sample.
//
// Promise: none.
//
// How: by being short.
//
// Imported by: nobody.
package ` + name + "\n" + rest
}

// tree makes a tree in memory; arguments are path, content, path, content …
func tree(t *testing.T, files ...string) *Tree {
	t.Helper()
	m := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	loaded, err := Load(m)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

const test = licenceLine + "\n\npackage x\n"

// TestRulesFire shows every rule firing on a tree that breaks it and on nothing else.
func TestRulesFire(t *testing.T) {
	long := strings.Repeat("\tx++\n", 61)
	cases := []struct {
		name  string
		want  string // "rule path", one a line, in order
		files []string
	}{
		{"clean", "", []string{"internal/a/a.go", good("a", "import \"fmt\"\n\n// A prints.\nfunc A() { fmt.Print() }\n")}},

		{"driver imports flow", "imports switch/route/x.go", []string{"switch/README.md", "`route`", "switch/route/x.go", good("route", "import _ \"tapswitch/switch/flow\"\n")}},
		{"driver imports flow in a test", "imports switch/route/x_test.go", []string{"switch/README.md", "`route`", "switch/route/x_test.go", licenceLine + "\n\npackage route\n\nimport _ \"tapswitch/switch/flow\"\n"}},
		{"room imports an HSM driver", "imports switch/pin/x.go", []string{"switch/README.md", "`pin`", "switch/pin/x.go", good("pin", "import _ \"tapswitch/hsm/pkcs11\"\n")}},
		{"room's test uses the soft HSM", "", []string{"switch/README.md", "`pin`", "switch/pin/x_test.go", licenceLine + "\n\npackage pin\n\nimport _ \"tapswitch/hsm/soft\"\n"}},
		{"link knows payments", "imports switch/link/x.go", []string{"switch/README.md", "`link`", "switch/link/x.go", good("link", "import _ \"tapswitch/switch/txn\"\n")}},
		{"leaf imports upwards", "imports internal/a/x.go", []string{"internal/a/x.go", good("a", "import _ \"tapswitch/internal/b\"\n")}},
		{"fakes may import leaves", "", []string{"internal/env/fake/x.go", good("fake", "import _ \"tapswitch/internal/env\"\n")}},
		{"acquirer with our codec", "imports simulators/acquirer/x.go", []string{"simulators/acquirer/x.go", good("acquirer", "import _ \"tapswitch/iso8583\"\n")}},
		{"acquirer's test with our ciphers", "imports simulators/acquirer/x_test.go", []string{"simulators/acquirer/x_test.go", licenceLine + "\n\npackage acquirer\n\nimport _ \"tapswitch/hsm/soft\"\n"}},
		{"reader with the terminal's frames", "imports simulators/reader/x.go", []string{"simulators/reader/x.go", good("reader", "import _ \"tapswitch/terminal/pn532\"\n")}},
		{"card with the switch", "imports simulators/card/x.go", []string{"simulators/card/x.go", good("card", "import _ \"tapswitch/switch/txn\"\n")}},
		{"simulator with the switch", "imports simulators/fleet/x.go", []string{"simulators/fleet/x.go", good("fleet", "import _ \"tapswitch/switch/node\"\n")}},
		{"world with the switch", "", []string{"simulators/world/x.go", good("world", "import _ \"tapswitch/switch/node\"\n")}},
		{"clear's importers", "imports hsm/mac/x.go", []string{"hsm/mac/x.go", good("mac", "import _ \"tapswitch/hsm/clear\"\n")}},
		{"terminal with the switch", "imports terminal/pos/x.go", []string{"terminal/pos/x.go", good("pos", "import _ \"tapswitch/switch/txn\"\n")}},
		{"package without a row", "imports elsewhere", []string{"elsewhere/x.go", good("elsewhere", "")}},
		{"cmd imports anything", "", []string{"cmd/tapswitch/x.go", good("x", "import _ \"tapswitch/switch/flow\"\n")}},

		{"module not listed", "third-party cmd/x/x.go; dependencies cmd/x/x.go", []string{"cmd/x/x.go", good("x", "import _ \"example.org/thing\"\n")}},
		{"module in the wrong place", "third-party switch/flow/x.go; dependencies switch/flow/x.go", []string{"switch/README.md", "`flow`", "switch/flow/x.go", good("flow", "import _ \"github.com/spf13/cobra\"\n")}},
		{"cgo in the wrong place", "third-party switch/flow/x.go", []string{"switch/README.md", "`flow`", "switch/flow/x.go", good("flow", "import \"C\"\n")}},
		{"moov's name", "moov-name iso8583/x.go; dependencies iso8583/x.go", []string{"iso8583/x.go", good("iso8583", "import _ \"github.com/moov-io/iso8583\"\n")}},

		{"licence line", "licence internal/a/a.go", []string{"internal/a/a.go", strings.TrimPrefix(good("a", ""), licenceLine+"\n")}},
		{"package comment", "package-comment internal/a/a.go; package-comment internal/a/a.go", []string{"internal/a/a.go", licenceLine + "\n\n// Package a is short.\n//\n// How: badly.\npackage a\n"}},
		{"no package comment", strings.Repeat("package-comment internal/a; ", 3) + "package-comment internal/a", []string{"internal/a/a.go", licenceLine + "\n\npackage a\n"}},
		{"command comment", "", []string{"cmd/x/x.go", licenceLine + "\n\n// Command x runs.\n//\n// Promise: none.\n//\n// How: so.\n//\n// Imports: all.\npackage main\n"}},
		{"command with an outside test", "", []string{"cmd/x/x.go", licenceLine + "\n\n// Command x runs.\n//\n// Promise: none.\n//\n// How: so.\n//\n// Imports: all.\npackage main\n",
			"cmd/x/a_test.go", licenceLine + "\n\npackage main_test\n"}},
		{"undocumented", "documented internal/a/a.go; documented internal/a/a.go; documented internal/a/a.go; documented internal/a/a.go", []string{"internal/a/a.go",
			good("a", "\ntype T[P any] struct{}\n\nfunc (t *T[P]) M() {}\n\nfunc F() {}\n\nconst C = 1\n\ntype u int\n\nfunc (u) String() string { return \"\" }\n")}},
		{"types of a group", "documented internal/a/a.go", []string{"internal/a/a.go", good("a", "\n// T is named here.\ntype (\n\tT int\n\tU int\n)\n")}},
		{"moov in a package for tests", "dependencies terminal/host/hosttest/x.go", []string{"terminal/host/hosttest/x.go", good("hosttest", "import moov \"github.com/moov-io/iso8583\"\n\nvar _ moov.Message\n")}},
		{"long function", "length internal/a/a.go", []string{"internal/a/a.go", good("a", "\nfunc f(x int) {\n"+long+"}\n")}},
		{"long test of data", "", []string{"internal/a/a_test.go", licenceLine + "\n\npackage a\n\nfunc f() {\n\t_ = []int{\n" + strings.Repeat("\t\t1,\n", 90) + "\t}\n}\n"}},
		{"long test of code", "length internal/a/a_test.go", []string{"internal/a/a_test.go", licenceLine + "\n\npackage a\n\nfunc f(x int) {\n" + long + "}\n"}},
		{"long file", "length internal/a/a.go", []string{"internal/a/a.go", good("a", strings.Repeat("\n", 500))}},
		{"no test", "tested switch/route", []string{"switch/README.md", "`route`", "switch/route/x.go", good("route", "\nfunc f() {}\n")}},
		{"contract needs no test", "", []string{"hsm/x.go", good("hsm", "\n// I is all.\ntype I interface{ M() }\n")}},
		{"switch folder", "switch-folder switch; switch-folder switch/README.md; switch-folder switch/x.go", []string{"switch/route/r_test.go", test, "switch/x.go", good("x", "")}},

		{"open end", "words internal/a/a.go", []string{"internal/a/a.go", good("a", "\n// TO"+"DO later.\n")}},
		{"clock", "world switch/route/x.go; world switch/route/x.go", []string{"switch/README.md", "`route`", "switch/route/x_test.go", test, "switch/route/x.go",
			good("route", "import clock \"time\"\n\nfunc f() { _ = clock.Now(); g := clock.Sleep; _ = g }\n")}},
		{"randomness", "world hsm/mac/x.go; world hsm/mac/x.go", []string{"hsm/mac/x_test.go", test, "hsm/mac/x.go",
			good("mac", "import (\n\tc \"crypto/rand\"\n\t\"math/rand/v2\"\n)\n\nvar _ = c.Reader\n\nvar _ = rand.Int()\n")}},
		{"files and sockets", "world iso8583/x.go; world iso8583/x.go", []string{"iso8583/x_test.go", test, "iso8583/x.go",
			good("iso8583", "import (\n\t\"net\"\n\t\"os\"\n)\n\nvar _, _ = os.Open(\"\")\n\nvar _, _ = net.Dial(\"\", \"\")\n")}},
		{"the edges may", "", []string{"terminal/serial/x_test.go", test, "terminal/serial/x.go", good("serial", "import \"time\"\n\nvar _ = time.Now\n"),
			"internal/env/x.go", good("env", "import \"os\"\n\nvar _ = os.Open\n"), "hsm/hsmtest/x.go", good("hsmtest", "import \"os\"\n\nvar _ = os.ReadFile\n")}},
		{"panic", "panic internal/a/a.go", []string{"internal/a/a.go", good("a", "\nfunc f() { panic(1) }\n")}},
		{"panic in assert", "", []string{"internal/assert/a.go", good("assert", "\nfunc f() { panic(1) }\n")}},
		{"init", "init internal/a/a.go", []string{"internal/a/a.go", good("a", "\nfunc init() {}\n")}},
		{"globals", "globals internal/a/a.go; globals internal/a/a.go; globals internal/a/a.go", []string{"internal/a/a.go",
			good("a", "\nvar x, y = 0, map[int]int{}\n\nfunc f() { x = 1; x++; y[1] = 2 }\n\nfunc g(y map[int]int) { x := 1; x = 2; y[x] = 3 }\n")}},
		{"money path", strings.Repeat("money-path switch/saf/x.go; ", 4) + "money-path switch/saf/x.go", []string{"switch/README.md", "`saf`", "switch/saf/x_test.go", test, "switch/saf/x.go",
			good("saf", "\nfunc f(c chan int) {\n\tgo f(c)\n\tselect {}\n\tc <- 1\n\t<-c\n}\n")}},
		{"link's run.go", "money-path switch/link/step.go", []string{"switch/README.md", "`link`", "switch/link/x_test.go", test, "switch/link/run.go", good("link", "\nfunc f() { go f() }\n"),
			"switch/link/step.go", licenceLine + "\n\npackage link\n\nfunc g() { go g() }\n"}},
		{"floats", "float switch/txn/x.go; float switch/txn/x.go", []string{"switch/README.md", "`txn`", "switch/txn/x_test.go", test, "switch/txn/x.go", good("txn", "\nvar x float64\n\nvar y = 1.5\n")}},
		{"skip", "skip internal/a/a_test.go", []string{"internal/a/a_test.go", licenceLine + "\n\npackage a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Skip() }\n"}},

		{"testdata nobody reads", "testdata internal/a/testdata", []string{"internal/a/a.go", good("a", ""), "internal/a/testdata/x", ""}},
		{"testdata with a test", "", []string{"internal/a/a_test.go", test, "internal/a/testdata/x", ""}},
		{"broken links", "links docs/a.md; links docs/a.md; links docs/a.md", []string{"docs/a.md",
			"# A b: c\n\n[ok](a.md#a-b-c) [ok](#a-b-c) [ok](https://example.org)\n[x](b.md) [y](../../etc) [z](#nothing)\n```\n[not a link](q.md)\n```\n"}},
		{"dependency without paragraph", "dependencies docs/DEPENDENCIES.md; dependencies docs/DEPENDENCIES.md", []string{
			"go.mod", "module tapswitch\n\nrequire (\n\texample.org/a v1.0.0\n\texample.org/b v1.0.0 // indirect\n\texample.org/c v1.0.0 // indirect\n)\n\ntool example.org/c/cmd/c\n",
			"docs/DEPENDENCIES.md", "## example.org/a\n\n" + strings.Repeat("It is for this and that. ", 6) + "\n\n## example.org/gone\n\nText.\n"}},
		{"machine path", "machine-path README.md", []string{"README.md", "see /ho" + "me/someone/x\n"}},
	}
	shown := map[string]bool{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(tree(t, c.files...), nil) {
				shown[f.Rule] = true
				got = append(got, f.Rule+" "+f.Path)
			}
			if have := strings.Join(got, "; "); have != c.want {
				t.Errorf("found\n  %s\nwant\n  %s", have, c.want)
			}
		})
	}
	for _, r := range rules() {
		if !shown[r.name] {
			t.Errorf("no case above breaks the rule %q: it is not known to work", r.name)
		}
	}
}

func TestExceptions(t *testing.T) {
	bad := tree(t, "internal/a/a.go", good("a", "\nfunc init() {}\n"))
	if left := Check(bad, []Exception{{Rule: "init", Path: "internal/a/a.go", Why: "a sample"}}); len(left) != 0 {
		t.Errorf("a named exception does not allow its finding: %v", left)
	}
	stale := Check(bad, []Exception{
		{Rule: "init", Path: "internal/a/a.go", Name: "init"},
		{Rule: "panic", Path: "internal/a/a.go", Why: "gone"},
	})
	var texts []string
	for _, f := range stale {
		texts = append(texts, fmt.Sprint(f.Rule, " ", f.Text))
	}
	want := []string{
		`exception the exception from rule "init" has no reason: write one`,
		`exception the exception from rule "panic" is not needed any more: delete it`,
	}
	if !slices.Equal(texts, want) {
		t.Errorf("got %q\nwant %q", texts, want)
	}
}

func TestRowOrder(t *testing.T) {
	for _, c := range []struct{ dir, row string }{
		{"internal/env/fake", "internal/env/fake"},
		{"internal/money", "internal/..."},
		{"hsm", "hsm/..."},
		{"hsm/clear", "hsm/clear"},
		{"switch/journal", "switch/journal"},
		{"switch/journal/segment", "switch/journal/..."},
		{"switch/translate", "switch/..."},
		{"simulators/oracle", "simulators/..."},
	} {
		if r, ok := rowOf(c.dir); !ok || r.Packages != c.row {
			t.Errorf("%s is in row %q, want %q", c.dir, r.Packages, c.row)
		}
	}
}
