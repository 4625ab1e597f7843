// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/terminal/host/hosttest"
)

func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if err := run(t.Context(), args, strings.NewReader(stdin), &out, &errs); err != nil {
		return exitCode(err), out.String(), err.Error()
	}
	return 0, out.String(), errs.String()
}

func TestTerminalCommand(t *testing.T) {
	sw, dir := hosttest.Start(t), t.TempDir()
	config := filepath.Join(dir, "terminal.yaml")
	for name, text := range map[string]string{
		"tmk.hex": hosttest.TMK,
		"terminal.yaml": fmt.Sprintf(`version: 1
id: "10000001"
merchant: "123456789012345"
tmk: ${file:tmk.hex}
switch: "%s"
private_line: true
reader: nowhere
state: state
log: terminal.log
`, sw.Address()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := call(t, "echo\nsale 1234\n", "terminal", "--config", config)
	want := "signed on 10000001 batch 000001\nterminal 10000001 ready, batch 000001\necho 10000001 batch 000001\n12.34 CNY: present card\nREADER GONE 12.34 CNY\n"
	if code != 0 || errs != "" || out != want {
		t.Errorf("code %d, errors %q, output\n%s", code, errs, out)
	}
	code, out, _ = call(t, "quit\n", "terminal", "--config", config, "--json")
	if code != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, `{"event":"ready","terminal":"10000001","batch":"000001"}`) {
		t.Errorf("code %d, output\n%s", code, out)
	}
}

func TestTerminalCalledWrongly(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\nidd: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"terminal"}, 2, "flag --config is required"},
		{[]string{"terminal", "--nonsense"}, 2, "unknown flag"},
		{[]string{"terminal", "--config", bad}, 2, "unknown key idd: did you mean id?"},
		{[]string{"terminal", "--config", bad + ".none"}, 2, "read the configuration"},
		{[]string{"terminal", "--help"}, 0, ""},
	} {
		if code, _, errs := call(t, "", c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: code %d, %q", c.args, code, errs)
		}
	}
}
