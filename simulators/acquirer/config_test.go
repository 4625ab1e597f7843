// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"os"
	"strings"
	"testing"
)

const smallConfig = `{"version": 1, "name": "x", "books": "b", "keys": {"zpk": "0123456789ABCDEFFEDCBA9876543210", "zak": "0123456789ABCDEFFEDCBA9876543210"}}`

func TestConfigForms(t *testing.T) {
	cfg, err := ParseConfig([]byte(smallConfig)) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Currency != "156" || cfg.SignOn != SignOnConnection || cfg.Mood != MoodNormal || cfg.Connections != defaultConnections {
		t.Errorf("defaults: %+v", cfg)
	}
	for want, text := range map[string]string{
		"field colour not found": strings.Replace(smallConfig, `"name"`, `"colour": 1, "name"`, 1),
		"more than one document": smallConfig + "\n---\n" + smallConfig,
		"version: want 1":        strings.Replace(smallConfig, "1", "2", 1),
		"EOF":                    "",
	} {
		if _, err := ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestConfigMistakes: all are named at once, and no value is repeated.
func TestConfigMistakes(t *testing.T) {
	text := `
version: 1
institution: 12ab
currency: CNY
sign_on: never
mood: grumpy
connections: 5000
keys: {zpk: 00112233, zak: hello}
issuers:
  - {prefix: "62", profile: unionpay-cvn99, imk: 1234}
  - {prefix: "62", profile: visa-cvn10, imk: 9E15204313F7318ACB79B90BD986AD29, mk_option: c}
accounts:
  - {id: 6224242300000069, pan: "622424230000", pin: "12", balance_minor: -1}
  - {id: a, pan: "6224242300000069", pvv: "12345", status: asleep}
  - {id: a, pan: "6224242300000069"}
`
	_, err := ParseConfig([]byte(text))
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"books:", "institution:", "currency:", "sign_on:", "mood:", "connections:", "keys.zpk:", "keys.zak:", "issuers[0].profile:", "issuers[0].imk:",
		"issuers[1].mk_option:", "issuers[1].prefix: given twice", "accounts[0].id:", "accounts[0].pan:", "accounts[0].pin:", "accounts[0].balance_minor:", "accounts[1].pvv:",
		"accounts[1].pvki:", "accounts[1].status:", "accounts[2].id: given twice", "accounts[2].pan: the card of account a", "accounts[2]: want either pin or pvv"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	for _, value := range []string{"00112233", "hello", "9E152043", "622424", "12345"} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("the value %s is repeated in %v", value, err)
		}
	}
	_, err = ParseConfig([]byte("version: 1\nkeys: 0123456789ABCDEFFEDCBA9876543210\n"))
	if err == nil || strings.Contains(err.Error(), "0123") {
		t.Errorf("a key in the wrong place: %v", err)
	}
}

// TestReferenceExample: the example in the reference page is a configuration.
func TestReferenceExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference/acquirer-simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	cfg, err := ParseConfig([]byte(example))
	if err != nil || !found {
		t.Fatalf("the example: %v", err)
	}
	for _, mood := range []string{MoodNormal, MoodSilent, MoodSilentBefore, MoodSilentAll, MoodLate, MoodHangup, MoodDown, MoodBadMAC, MoodWrongAmount, MoodDuplicate, MoodGarbage} {
		if !strings.Contains(string(page), "`"+mood) {
			t.Errorf("mood %s is not described", mood)
		}
	}
	if len(cfg.Accounts) == 0 || len(cfg.Issuers) == 0 {
		t.Error("the example shows no account or issuer")
	}
}
