// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/simulators/card"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// caFile is the file of the deck's scheme keys.
func caFile(t *testing.T) string {
	t.Helper()
	keys, err := card.TestCAKeys()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestReceiptTellsOfTheAuthentication: what the kernel found is in the result and
// on the receipt, and the switch hears of no card that was refused.
func TestReceiptTellsOfTheAuthentication(t *testing.T) {
	r := &rig{t: t, sw: hosttest.Start(t), dir: t.TempDir(), more: []string{"ca_keys: ca-keys.json\n"}}
	writeFile(t, filepath.Join(r.dir, "ca-keys.json"), caFile(t))
	r.start(nil)
	r.plugIn()
	r.wait("ready")
	for _, c := range []struct{ card, want, oda, receipt string }{
		{"unionpay-no-pin", "approved 00 none 622424******0069 000002", "fdda  0000000000 8000", "cvm none oda fdda batch 000001 trace 000002"},
		{"visa", "approved 00 none 476173******0119 000003", "fdda  0000000000 8000", "cvm none oda fdda batch 000001 trace 000003"},
		{"unknown-bin", "approved 00 none 999999******0006 000004", "not_performed oda_card_gave_no_data 8000000000 0000", "oda not_performed"},
		{"visa-oda-online", "approved 00 none 476173******0119 000005", "failed oda_signature_hash_wrong 0800000000 8000", "oda failed"},
		{"visa-oda-forged", "declined_offline oda_signature_hash_wrong", "failed oda_signature_hash_wrong 0800000000 8000", "oda failed"},
		{"visa-oda-interface", "try_another_interface oda_signature_hash_wrong", "failed oda_signature_hash_wrong 0800000000 8000", "oda failed"},
		{"unionpay-declines", "declined_offline card_declined", "   ", "reason card_declined"},
	} {
		if err := r.chip.Present(c.card); err != nil {
			t.Fatal(err)
		}
		r.say("sale 100")
		e := r.wait("result")
		if got := short(e); got != c.want {
			t.Errorf("%s: got %q, want %q (%s)", c.card, got, c.want, e.Message)
		}
		if got := strings.Join([]string{e.ODA, e.ODAReason, e.TVR, e.TSI}, " "); got != c.oda || !strings.Contains(e.Receipt, c.receipt) {
			t.Errorf("%s: got %q, receipt %q", c.card, got, e.Receipt)
		}
	}
	r.end()
	if books := r.sw.Books(); len(books) != 4 {
		t.Errorf("the switch heard of %d sales, want 4", len(books))
	}
	if err := r.chip.Close(); err != nil { // its line is no file to be read
		t.Fatal(err)
	}
	r.nothingShows()
}

// TestMistakesInTheCAFile: each is named, with the line of the configuration.
func TestMistakesInTheCAFile(t *testing.T) {
	good := caFile(t)
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the file has no %q", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	revoked := func(text string) string {
		return strings.TrimSuffix(good, "}") + `,"revoked_issuer_certificates":[` + text + `]}`
	}
	for _, c := range []struct{ text, want string }{
		{good, ""},
		{revoked(`{"rid":"A000000003","index":"E0","serial":"000001"}`), ""},
		{revoked(`{"rid":"A000000003","index":"E0","serial":"01"}`), "revoked certificate 1: rid, index and serial must be 10, 2 and 6 hex digits"},
		{"{", "is not the JSON that is wanted"},
		{good + "{}", "nothing behind it"},
		{`{"keys":[]}`, "has no keys"},
		{swap(`"rid"`, `"rdi"`), `unknown field "rdi"`},
		{swap(`"A000000003"`, `"A0"`), "key 1: rid: must be 10 digits"},
		{swap(`"index":"E0"`, `"index":"E1"`), "CA key 1 (A000000003, index E1): oda: scheme public key does not have its checksum"},
		{swap(`"exponent":"03"`, `"exponent":"3"`), "key 1: modulus and exponent must be hex"},
		{swap(`2031-12-31`, `31.12.2031`), "key 1: expires must be a day, YYYY-MM-DD"},
		{strings.Repeat(" ", 1<<20) + good, "must not be longer"},
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "tmk.hex"), hosttest.TMK)
		writeFile(t, filepath.Join(dir, "ca.json"), c.text)
		writeFile(t, filepath.Join(dir, "t.yaml"), least+"ca_keys: ca.json\n")
		cfg, err := pos.Load(filepath.Join(dir, "t.yaml"), source())
		switch {
		case c.want == "" && (err != nil || len(cfg.CAKeys) != 2):
			t.Errorf("%d keys, %v", len(cfg.CAKeys), err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), "t.yaml:10:10: ca_keys: ") || !strings.Contains(err.Error(), c.want)):
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	if _, _, err := load(t, least+"ca_keys: nowhere.json\n"); err == nil || !strings.Contains(err.Error(), "ca_keys: cannot be read") {
		t.Errorf("no file: %v", err)
	}
	if _, _, err := load(t, least+"ca_keys: \"\"\n"); err == nil || !strings.Contains(err.Error(), "ca_keys: must name a file") {
		t.Errorf("no name: %v", err)
	}
}
