// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

const least = `version: 1
id: "10000001"
merchant: "123456789012345"
tmk: ${file:tmk.hex}
switch: 127.0.0.1:7001
private_line: true
reader: reader.tty
state: state
log: terminal.log
`

func load(t *testing.T, text string) (pos.Config, string, error) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "tmk.hex"), hosttest.TMK+"\n")
	writeFile(t, filepath.Join(dir, "short.hex"), "0123\n")
	path := filepath.Join(dir, "t.yaml")
	writeFile(t, path, text)
	cfg, err := pos.Load(path, source())
	return cfg, dir, err
}

func TestDefaults(t *testing.T) {
	cfg, dir, err := load(t, least)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Answer.Seconds() != 5 || cfg.CardWait.Seconds() != 10 || cfg.Currency != 156 || cfg.Country != 156 || cfg.Batch != "000001" ||
		cfg.TPDU != [5]byte{0x60, 0, 3, 0, 0} || cfg.TMK.Len() != 16 || cfg.Port != filepath.Join(dir, "reader.tty") || cfg.Baud != 115200 {
		t.Errorf("got %+v", cfg)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	swap := func(from, to string) string { return strings.Replace(least, from, to, 1) }
	for _, c := range []struct{ text, want string }{
		{swap("version: 1\n", ""), "version is missing"},
		{swap("version: 1", "version: 2"), ":1:10: version: this program knows version 1"},
		{swap("10000001", "1"), ":2:5: id: must be 8 letters or digits"},
		{swap("123456789012345", "12345678901234_"), "merchant: must be 15"},
		{swap("${file:tmk.hex}", hosttest.TMK), "tmk: a secret does not stand in the file"},
		{swap("tmk.hex", "short.hex"), "tmk: must be 32 hex digits"},
		{swap("tmk.hex", "nowhere.hex"), "tmk: cannot be read"},
		{swap("${file:tmk.hex}", "${env:NOT_SET_ANYWHERE}"), "tmk: the environment variable is not set"},
		{swap("private_line: true", "private_line: yes"), ":6:15: private_line: must be true or false"},
		{swap("private_line: true\n", ""), "give either tls.ca_file, or private_line: true"},
		{swap("private_line: true", "privat_line: true"), "unknown key privat_line: did you mean private_line?"},
		{swap("127.0.0.1:7001", "127.0.0.1"), "switch: must be host:port"},
		{least + "timeouts: { answer_ms: 5s }\n", "timeouts.answer_ms: must be a whole number from 10 to 600000 (milliseconds)"},
		{least + "tpdu: \"60000300\"\n", "tpdu: must be 10 digits"},
		{least + "batch: 1\n", "batch: must be 6 digits, in quotes"},
		{least + "limits: [1]\n", "limits: must be one plain value"},
		{least + "log: other\n", "log comes twice"},
		{least + "currency: 1000\n", "currency: must be a whole number from 1 to 999"},
		{"- list", "it must be a mapping"},
		{"\t", "configuration"},
	} {
		_, _, err := load(t, c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
		if err != nil && strings.Contains(err.Error(), hosttest.TMK) {
			t.Error("an error shows the key")
		}
	}
	if _, _, err := load(t, strings.NewReplacer("10000001", "1", "7001", "x:y", "log:", "lgo:").Replace(least)); err == nil ||
		strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("not all mistakes at once: %v", err)
	}
	if _, err := pos.Load(filepath.Join(t.TempDir(), "none.yaml"), source()); !os.IsNotExist(errorsUnwrapped(err)) {
		t.Errorf("no file: %v", err)
	}
}

// errorsUnwrapped is the innermost error.
func errorsUnwrapped(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil || os.IsNotExist(err) {
			return err
		}
		err = u.Unwrap()
	}
}
