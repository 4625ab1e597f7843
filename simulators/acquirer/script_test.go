// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// A script goes with each approval of a chip until one result says that it was carried
// out; of each approval one result is taken, and it moves nothing. Through a restart.
func TestScripts(t *testing.T) {
	const command = "04da9f580503aabbccdd"
	r := newRig(t, func(c *Config) { c.Accounts[0].Script = command })
	c := r.signedOn()
	sent := func(mti string, f fields, want bool) string {
		t.Helper()
		_, got := c.ask(mti, f)
		tags, err := parseTLV([]byte(got[55]))
		script, err2 := parseTLV([]byte(tags["72"]))
		if got[39] != "00" || err != nil || err2 != nil || (tags["72"] != nil) != want || want && (hex.EncodeToString(script["86"]) != command || len(script["9f18"]) != 4) {
			t.Fatalf("answered %q with field 55 %x", got[39], got[55])
		}
		return string(script["9f18"])
	}
	// told is a result about sale(of): what came of it, and of which script.
	told := func(stan, of int, nibble byte, id string, edits ...func(fields)) fields {
		f := reversal(stan, of, append([]func(fields){set(55, "\x9F\x5B\x05"+string([]byte{nibble << 4})+id+"\x95\x05\x00\x00\x00\x00\x00")}, edits...)...)
		return f
	}
	ask := func(mti string, f fields, code, reason string) {
		t.Helper()
		before := r.balance("alice")
		if mti, got := c.ask(mti, f); mti != "0630" || got[39] != code || r.balance("alice") != before || got[55] != "" {
			t.Errorf("%s: %s %q, %d after %d", reason, mti, got[39], r.balance("alice"), before)
		}
		r.last(reason)
	}
	one := sent("0200", sale(1, withChip(r, false)), true)
	if again := sent("0200", sale(1, withChip(r, false)), true); again != one {
		t.Errorf("the repeat brings script %x after %x", again, one)
	}
	sent("0200", sale(2), false) // a stripe has nobody to carry it out
	c.ask("0200", sale(3, withChip(r, true)))
	if e := r.last("arqc_wrong"); e.Script != "" {
		t.Error("a script with a refusal")
	}
	for _, bad := range []struct {
		code, why string
		f         fields
	}{
		{"25", "original_of_script_unknown", told(20, 9, 2, one)},
		{"12", "original_had_no_script", told(21, 2, 2, one)},
		{"12", "script_is_another", told(22, 1, 2, "\x00\x00\x00\x63")},
		{"64", "original_differs", told(23, 1, 2, one, set(41, "10016920"))},
		{"64", "authorization_code_differs", told(24, 1, 2, one, set(38, "999999"))},
		{"30", "script_result_malformed", told(25, 1, 2, one+"\x00")},
		{"30", "field_90_names_no_0200", told(26, 1, 2, one, set(90, "0220"+reversal(0, 1)[90][4:]))},
		{"30", "field_55_missing", told(27, 1, 2, one, unset(55))},
	} {
		ask("0620", bad.f, bad.code, bad.why)
	}
	ask("0620", told(30, 1, 1, one), "00", "script_result")
	ask("0621", told(30, 1, 1, one), "00", "duplicate")
	ask("0621", told(30, 1, 2, one), "94", "duplicate_differs")
	ask("0620", told(31, 1, 2, one), "94", "script_result_told_before")
	two := sent("0100", sale(40, withChip(r, false), set(3, procPreAuth), set(25, conditionHold)), true) // the first was not carried out
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0620", told(41, 40, 2, two, set(3, procPreAuth), set(90, "0100"+reversal(0, 40)[90][4:])), "00", "script_result")
	sent("0200", sale(50, withChip(r, false)), false) // carried out: no more
	r.checkBooks()
	bendScripts(t, r.host.Books())
}

// bendScripts alters the lines about scripts in the books of TestScripts; every
// alteration is found.
func bendScripts(t *testing.T, all []Entry) {
	accepted := func(of int) func(Entry) bool {
		return func(e Entry) bool { return e.accepted() && strings.HasPrefix(e.Original, sale(of)[11]) }
	}
	for what, bad := range map[string]func([]Entry){
		"told twice": func(b []Entry) {
			b[slices.IndexFunc(b, func(e Entry) bool { return e.Reason == "script_result_told_before" })].Response = codeApproved
		},
		"of another": func(b []Entry) {
			b[slices.IndexFunc(b, accepted(1))].Original = b[slices.IndexFunc(b, accepted(40))].Original
		},
		"with an effect": func(b []Entry) { b[slices.IndexFunc(b, accepted(1))].Effect = EffectCredit },
		"another script": func(b []Entry) { b[slices.IndexFunc(b, accepted(1))].Script = "20ffffffff" },
		"of a refusal": func(b []Entry) {
			b[slices.IndexFunc(b, func(e Entry) bool { return e.Reason == "arqc_wrong" })].Script = "00000001"
		},
	} {
		books := slices.Clone(all)
		if bad(books); CheckBooks(books) == nil {
			t.Errorf("bent books (%s) are found sound", what)
		}
	}
}

// What is no command is no script.
func TestScriptsAreChecked(t *testing.T) {
	for _, bad := range []string{"04da9f58", "04da9f5806aabb", "xx", "04da9f5821" + strings.Repeat("aa", 33)} {
		cfg := testConfig(t)
		cfg.Accounts[0].Script = bad
		if err := cfg.withDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "accounts[0].script") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
