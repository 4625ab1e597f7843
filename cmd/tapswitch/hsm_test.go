// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
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
