// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// staged makes a demonstration's files, token and keys, and returns its folder.
func staged(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if ran := call(t, "demo", "--taps", "1", "--dir", dir); ran.code != 0 {
		t.Fatalf("%+v", ran)
	}
	return dir
}

// TestHSMMechanisms: the module is asked, not its list.
func TestHSMMechanisms(t *testing.T) {
	t.Parallel()
	dir := staged(t)
	ran := call(t, "hsm", "mechanisms", "--config", filepath.Join(dir, "switch.yaml"), "-o", "json")
	var got struct {
		Functions []struct {
			Function  string `json:"function"`
			Works     bool   `json:"works"`
			PINLeaves bool   `json:"pin_leaves"`
		} `json:"functions"`
		Mechanisms []struct {
			Mechanism string `json:"mechanism"`
			Works     bool   `json:"works"`
			Why       string `json:"why"`
		} `json:"mechanisms"`
	}
	if err := json.Unmarshal([]byte(ran.stdout), &got); err != nil || ran.code != 0 {
		t.Fatalf("%v in %+v", err, ran)
	}
	works := map[string]bool{}
	for _, m := range got.Mechanisms {
		works[m.Mechanism] = m.Works
		if m.Works == (m.Why != "") {
			t.Errorf("%s: works %v, because %q", m.Mechanism, m.Works, m.Why)
		}
	}
	if works["CKM_DES_ECB"] || !works["CKM_DES3_ECB"] || !works["CKM_AES_KEY_WRAP"] || len(got.Functions) < 15 {
		t.Errorf("mechanisms %v, %d functions", works, len(got.Functions))
	}
	for _, f := range got.Functions {
		if strings.HasPrefix(f.Function, "VerifyARQC") && (f.PINLeaves || !f.Works) {
			t.Errorf("%+v", f)
		}
	}
	for want, args := range map[string][]string{
		"which token?":        {"hsm", "mechanisms"},
		"leave out --module":  {"hsm", "mechanisms", "--config", "x", "--token", "y"},
		"table or json":       {"hsm", "mechanisms", "--config", filepath.Join(dir, "switch.yaml"), "-o", "xml"},
		"no such file":        {"hsm", "mechanisms", "--module", "/nowhere.so", "--token", "t", "--pin-file", filepath.Join(dir, "nothing")},
		"correct the path in": {"hsm", "mechanisms", "--module", "/nowhere.so", "--token", "t", "--pin-file", filepath.Join(dir, "user.pin")},
	} {
		if ran := call(t, args...); ran.code == 0 || !strings.Contains(ran.stderr, want) {
			t.Errorf("%v: want %q in %+v", args, want, ran)
		}
	}
}

// TestHSMKeys: keys are listed, checked, made and rotated, and nothing is
// written beside a process that has the keystore.
func TestHSMKeys(t *testing.T) {
	t.Parallel()
	dir := staged(t)
	hsm := func(args ...string) ended {
		t.Helper()
		return call(t, append(append([]string{"hsm"}, args...), "--config", filepath.Join(dir, "switch.yaml"))...)
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"doctor"}, 0, "ok    all 11 keys in "},
		{[]string{"key", "list"}, 0, "link/acq-a/zpk         1        ZPK        TDES-2     acq-a              00F9E1"},
		{[]string{"inventory", "-o", "json"}, 0, `"kcv":"00F9E1"`},
		{[]string{"key", "kcv", "link/acq-a/zpk"}, 0, "00F9E1  link/acq-a/zpk version 1, computed in the module and as stored"},
		{[]string{"key", "kcv", "link/acq-z/zpk"}, 1, `no key "link/acq-z/zpk"`},
		{[]string{"key", "generate", "--usage", "bdk", "--algorithm", "aes-256", "--not-after", "2001-01-01", "fleet/bdk"}, 0, "2001-01-01"},
		{[]string{"key", "generate", "--usage", "BDK", "fleet/bdk"}, 1, "hsm key rotate"},
		{[]string{"key", "generate", "--usage", "BDX", "fleet/bdx"}, 2, "there are TMK, TPK"},
		{[]string{"key", "generate", "--usage", "CVK", "--algorithm", "AES-256", "issuer/x/cvk"}, 2, "does not go with"},
		{[]string{"key", "generate", "--usage", "CVK", "nobody"}, 2, "--owner"},
		{[]string{"inventory"}, 1, "past its end of validity"},
		{[]string{"doctor"}, 1, "FAIL  key fleet/bdk version 1: past its end of validity"},
		{[]string{"key", "rotate", "fleet/bdk"}, 0, "fleet/bdk  2        BDK    AES-256"},
		{[]string{"doctor"}, 0, "key fleet/bdk version 1: past its end of validity; its successor is in place"},
		{[]string{"inventory"}, 0, "its successor is in place"},
		{[]string{"key", "rotate", "store/pan-seal"}, 1, "refused"},
		{[]string{"key", "generate", "--usage", "PVK-offset", "issuer/x/pvk-offset"}, 2, "--decimalisation-table"},
		{[]string{"key", "generate", "--usage", "PVK-offset", "--decimalisation-table", "0000000000000000", "issuer/x/pvk-offset"}, 2, "no digit more than 4 times"},
		{[]string{"key", "generate", "--usage", "PVK", "--decimalisation-table", "0123456789012345", "issuer/x/pvk"}, 2, "a PVK has no decimalisation table"},
		{[]string{"key", "generate", "--usage", "PVK-offset", "--decimalisation-table", "0123456789012345", "issuer/x/pvk-offset"}, 0, "PVK-offset"},
		{[]string{"key", "rotate", "issuer/x/pvk-offset"}, 0, "issuer/x/pvk-offset  2"},
	} {
		ran := hsm(step.args...)
		if ran.code != step.code || !strings.Contains(ran.stdout+ran.stderr, step.want) {
			t.Errorf("%v: want %d and %q in %+v", step.args, step.code, step.want, ran)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "keystore", "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if ran := hsm("key", "rotate", "fleet/bdk"); ran.code != 1 || !strings.Contains(ran.stderr, "in use by another process") {
		t.Errorf("rotated beside a running switch: %+v", ran)
	}
	if ran := hsm("key", "list"); ran.code != 0 {
		t.Errorf("not listed beside a running switch: %+v", ran)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, filepath.Join(dir, "keystore", "acq-a.keys"))
	if ran := hsm("doctor"); ran.code != 1 || !strings.Contains(ran.stdout, "acq-a.keys") || !strings.Contains(ran.stdout, "FAIL  keystore") {
		t.Errorf("a damaged key file: %+v", ran)
	}
	if err := os.Rename(filepath.Join(dir, "token"), filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	if ran := hsm("doctor"); ran.code != 1 || !strings.Contains(ran.stdout, "FAIL  module, token and user PIN") {
		t.Errorf("no token: %+v", ran)
	}
}

// damage changes one byte in the middle of a file.
func damage(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
