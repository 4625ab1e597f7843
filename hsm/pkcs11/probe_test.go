// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"
)

var rewrite = flag.Bool("rewrite", false, "rewrite docs/reference/hsm-mechanisms.md")

const mechanismPage = "../../docs/reference/hsm-mechanisms.md"

// TestMechanismPage: the page shows what the module in service really does, and
// every function of the driver names only mechanisms that are probed.
func TestMechanismPage(t *testing.T) {
	alone(t)
	module, err := Probe(modulePath, tokenLabel, pin(pinText))
	if err != nil {
		t.Fatal(err)
	}
	probed := make(map[string]bool)
	for _, p := range module {
		probed[p.Mechanism] = true
	}
	for _, c := range Custodies() {
		for _, name := range strings.Split(c.Mechanisms, ", ") {
			if !probed[name] {
				t.Errorf("%s needs %q, which is not probed", c.Function, name)
			}
		}
	}
	var b strings.Builder
	b.WriteString(`# HSM mechanisms: SoftHSM 2.6.1

What ` + "`tapswitch hsm mechanisms`" + ` finds on SoftHSM as Debian has it, made by ` + "`go test ./hsm/pkcs11 -run MechanismPage -rewrite`" + `. Each mechanism was
executed with test keys and its answer compared with the standard library's; a module's own list is not believed. What the columns mean:
[HSM functions](hsm-functions.md).

| function | works | does a key leave | does a PIN leave | why not |
|---|---|---|---|---|
`)
	word := map[bool]string{true: "yes", false: "no"}
	for _, c := range Functions(module) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", c.Function, word[c.Works], word[c.KeyLeaves], word[c.PINLeaves], c.Why)
	}
	b.WriteString("\n| mechanism | works | what the module said |\n|---|---|---|\n")
	for _, p := range module {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", p.Mechanism, word[p.Works], p.Why)
	}
	if *rewrite {
		if err := os.WriteFile(mechanismPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(mechanismPage)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Error("docs/reference/hsm-mechanisms.md is not what this module does: go test ./hsm/pkcs11 -run MechanismPage -rewrite, and read the difference")
	}
}

// TestProbeSeesAWrongAnswer: a probe fails when the answer is another one.
func TestProbeSeesAWrongAnswer(t *testing.T) {
	alone(t)
	ctx, _, err := start(modulePath)
	if err != nil {
		t.Fatal(err)
	}
	defer stop(ctx)
	session, err := openToken(ctx, tokenLabel, pin(pinText))
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{ctx, session}
	wrong := hmacOf(probeData)
	wrong[0] ^= 1
	if err := p.sign(p11.CKM_SHA256_HMAC, p11.CKK_GENERIC_SECRET, probeData, wrong); err != errAnswer {
		t.Errorf("a wrong MAC: %v", err)
	}
}
