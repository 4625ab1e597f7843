// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapswitch/simulators/p11chaos"
)

// layouts are functions whose answer is a layout, a padding or a public-key check:
// no key of a module is in them, so they ask none.
var layouts = []string{
	"emv.ac_data", "emv.cdol_concat", "emv.oda.", "emv.option_b_digits", "emv.script_pin_block_iso2", "emv.sk_visa_sm", "emv.vis_pin_block",
	"decimalise.", "key.odd_parity", "key.variant", "mac.pad_iso_", "mac.unionpay_xor_fold",
	"pin.visa_pvv_tsp", "pinblock.diebold.", "pinblock.eci", "pinblock.iso0.", "pinblock.iso1.", "pinblock.iso2.", "pinblock.iso3.", "pinblock.visa",
	"pinblock.iso4.pan_field", "pinblock.iso4.pin_field", "sm4.pin_field",
}

// TestFunctionsAskTheModule: known answers of each function are computed through
// a module that counts. A function that passes asked the module to cipher, sign or
// derive, once for each vector at least, unless it is a layout.
func TestFunctionsAskTheModule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	module, err := p11chaos.CompileModule(dir)
	if err != nil {
		t.Fatal(err)
	}
	byFunction := map[string][]json.RawMessage{}
	for _, f := range vectorFiles(t) {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			var head struct {
				Function string `json:"function"`
				Type     string `json:"expected_type"`
			}
			if err := json.Unmarshal(v, &head); err != nil {
				t.Fatal(err)
			}
			if head.Type != "error" { // what is refused may be refused before the module is asked
				byFunction[head.Function] = append(byFunction[head.Function], v)
			}
		}
	}
	asked := 0
	_, start := countedKAT(t, dir, module, []json.RawMessage{}) // what it takes to begin and end
	for name, vectors := range byFunction {
		passed, calls := countedKAT(t, dir, module, vectors)
		calls -= start
		layout := slices.ContainsFunc(layouts, func(l string) bool { return strings.HasPrefix(name, l) })
		if !layout && passed > 0 && calls < passed {
			t.Errorf("%s: %d vectors passed with %d calls of the module", name, passed, calls)
		}
		if layout && calls >= passed && passed > 0 {
			t.Errorf("%s asks the module (%d calls) and is listed as a layout", name, calls)
		}
		if calls > 0 {
			asked++
		}
	}
	if asked < 50 {
		t.Errorf("only %d functions asked the module", asked)
	}
}

// countedKAT runs vectors through the counting module and returns how many
// passed, and the calls that worked with keys.
func countedKAT(t *testing.T, dir, module string, vectors []json.RawMessage) (passed, calls int) {
	t.Helper()
	raw, err := json.Marshal(vectors)
	if err != nil {
		t.Fatal(err)
	}
	file, counters := filepath.Join(dir, "v.json"), filepath.Join(dir, "counters")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "hsm", "kat", "--module", module, "--json", file)
	c.Env = append(os.Environ(), "TAPSWITCH_P11CHAOS_MODULE="+softHSMPath(t), "TAPSWITCH_P11CHAOS_CONTROL="+filepath.Join(dir, "control"),
		"TAPSWITCH_P11CHAOS_COUNTERS="+counters)
	out, err := c.Output() // an empty run, and one of what is unsupported, end with 1
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var last struct{ Total struct{ Passed, Failed int } }
	if bad := json.Unmarshal([]byte(lines[len(lines)-1]), &last); bad != nil || last.Total.Failed != 0 {
		t.Fatalf("%v, %v: %s", err, bad, out)
	}
	seen, err := p11chaos.ReadCounters(counters)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"C_Encrypt", "C_Decrypt", "C_Sign", "C_SignFinal", "C_DeriveKey"} {
		calls += int(seen.Calls[f])
	}
	if err := os.Remove(counters); err != nil {
		t.Fatal(err)
	}
	return last.Total.Passed, calls
}

// softHSMPath is the module that the demonstration uses.
func softHSMPath(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("SoftHSM is not installed: make setup")
	return ""
}
