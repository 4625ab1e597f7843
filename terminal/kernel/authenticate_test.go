// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm/oda"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/card"
)

// DeckKeys is the scheme keys of the simulated cards.
func DeckKeys(t testing.TB) []CAKey {
	t.Helper()
	keys, err := card.TestCAKeys()
	if err != nil {
		t.Fatal(err)
	}
	var out []CAKey
	for _, k := range keys {
		expires, err := time.Parse(time.DateOnly, k.Expires)
		if err != nil {
			t.Fatal(err)
		}
		text := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		out = append(out, CAKey{Expires: expires, CAPK: oda.CAPK{
			RID: [5]byte(text(k.RID)), Index: text(k.Index)[0], Checksum: [20]byte(text(k.Checksum)),
			Key: oda.Key{Modulus: text(k.Modulus), Exponent: text(k.Exponent)},
		}})
	}
	return out
}

// authenticateOffline gives the terminal the deck's keys, or has something happen
// to them.
func authenticateOffline(t testing.TB, cfg *Config, what string) {
	t.Helper()
	keys := DeckKeys(t)
	var revoked []RevokedCertificate
	for i := range keys {
		k := &keys[i]
		switch what {
		case "yes":
		case "key-revoked":
			k.Revoked = true
		case "key-expired":
			k.Expires = time.Date(2017, 5, 31, 23, 59, 0, 0, time.UTC)
		case "key-last-day":
			k.Expires = time.Date(2017, 6, 1, 0, 0, 0, 0, time.UTC)
		case "key-unknown":
			k.CAPK = published(t)
			k.RID = [5]byte{0xA0, 0, 0, 0, 3}
		case "issuer-revoked":
			revoked = append(revoked, RevokedCertificate{k.RID, k.Index, [3]byte{0, 0, 1}})
		default:
			t.Fatalf("unknown oda=%s", what)
		}
	}
	if what == "key-unknown" {
		keys = keys[:1]
	}
	cfg.AuthenticateOffline(keys, revoked)
}

// published is a scheme key of index 94 that published test certificates use.
func published(t testing.TB) oda.CAPK {
	t.Helper()
	const modulus = "ACD2B12302EE644F3F835ABD1FC7A6F62CCE48FFEC622AA8EF062BEF6FB8BA8BC68BBF6AB5870EED579BC3973E121303D34841A796D6DCBC41DBF9E52C46" +
		"09795C0CCF7EE86FA1D5CB041071ED2C51D2202F63F1156C58A92D38BC60BDF424E1776E2BC9648078A03B36FB554375FC53D57C73F5160EA59F3AFC5398" +
		"EC7B67758D65C9BFF7828B6B82D4BE124A416AB7301914311EA462C19F771F31B3B57336000DFF732D3B83DE07052D730354D297BEC72871DCCF0E193F17" +
		"1ABA27EE464C6A97690943D59BDABB2A27EB71CEEBDAFA1176046478FD62FEC452D5CA393296530AA3F41927ADFE434A2DF2AE3054F8840657A26E0FC617"
	b, err := hex.DecodeString(modulus)
	if err != nil {
		t.Fatal(err)
	}
	k := oda.CAPK{RID: [5]byte{0xA0, 0, 0, 0, 3}, Index: 0x94, Key: oda.Key{Modulus: b, Exponent: []byte{3}}}
	sum, err := hex.DecodeString("C4A3C43CCF87327D136B804160E47D43B60E6E0F")
	if err != nil {
		t.Fatal(err)
	}
	copy(k.Checksum[:], sum)
	return k
}

// present plays the deck's card on the machine and tells what was said.
func present(t *testing.T, m *Machine, name string, step Step) string {
	t.Helper()
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range deck {
		if p.Name == name {
			return converse(t, m, p, step)
		}
	}
	t.Fatalf("no card %q", name)
	return ""
}

func converse(t *testing.T, m *Machine, p card.Profile, step Step) string {
	t.Helper()
	counters, err := card.OpenCounters("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.New(p, counters)
	if err != nil {
		t.Fatal(err)
	}
	c.PowerOn()
	var b strings.Builder
	for n := 0; step.Outcome == nil && n < maxCommands; n++ {
		answer, _ := c.Transceive(step.APDU)
		fmt.Fprintf(&b, "< %s\n", tagsOf(answer))
		step = m.Answer(answer)
		b.WriteString(describe(t, step))
	}
	return b.String()
}

// tagsOf shows the outline of an answer.
func tagsOf(answer []byte) string {
	n := len(answer) - 2
	w := bertlv.NewWalker(answer[:n])
	var b strings.Builder
	if w.Next() {
		fmt.Fprintf(&b, "%v:", w.Tag)
		inner := bertlv.NewWalker(w.Value)
		for inner.Next() {
			fmt.Fprintf(&b, " %v", inner.Tag)
		}
		b.WriteByte(' ')
	}
	fmt.Fprintf(&b, "%X", answer[n:])
	return b.String()
}

func TestAuthoritiesRefused(t *testing.T) {
	good := DeckKeys(t)
	for what, change := range map[string]func(*Config){
		"checksum":          func(c *Config) { c.CAKeys[0].Checksum[0]++ },
		"64 to 248 bytes":   func(c *Config) { c.CAKeys[0].Key.Exponent = []byte{5} },
		"last day":          func(c *Config) { c.CAKeys[0].Expires = time.Time{} },
		"comes twice":       func(c *Config) { c.CAKeys = append(c.CAKeys, c.CAKeys[0]) },
		"at most 64":        func(c *Config) { c.CAKeys = make([]CAKey, MaxCAKeys+1) },
		"at most 64 CA key": func(c *Config) { c.Revoked = make([]RevokedCertificate, MaxRevoked+1) },
		"CA key of its":     func(c *Config) { c.CAKeys = c.CAKeys[:1] },
	} {
		cfg := DefaultConfig()
		cfg.AuthenticateOffline(append([]CAKey{}, good...), nil)
		change(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	before, after := DefaultConfig(), DefaultConfig()
	after.AuthenticateOffline(good[:1], nil) // Visa's
	for i, a := range after.Applications {
		asks := a.TTQ[0]&ttq1ODA != 0
		if asks != (a.Kernel == Visa) || (a.TTQ[3]&ttq4FDDA != 0) != asks || before.Applications[i].TTQ[0]&ttq1ODA != 0 {
			t.Errorf("%X: TTQ %X, before %X", a.AID, a.TTQ, before.Applications[i].TTQ)
		}
	}
}

// TestEveryByteOfTheCardCounts turns one byte of each element that a card is
// authenticated by: none passes, and each says where it failed.
func TestEveryByteOfTheCardCounts(t *testing.T) {
	for tag, want := range map[bertlv.Tag]string{
		0x8F: "oda_ca_key_", 0x90: "oda_issuer_", 0x92: "oda_issuer_", 0x9F32: "oda_issuer_", 0x9F46: "oda_card_", 0x9F47: "oda_card_",
		0x9F48: "oda_card_", 0x5F24: "oda_card_certificate_hash", 0x9F4A: "oda_static_data_", 0x9F4B: "oda_signature_", 0x9F69: "oda_",
	} {
		m, step := authenticated(t, tag, false)
		if a := step.Outcome.Authentication; a.Result != ODAFailed || !strings.HasPrefix(string(a.Reason), want) || a.TVR[0] != tvr1DDAFailed {
			t.Errorf("%v turned: %v, %s, TVR %X", tag, a.Result, a.Reason, a.TVR)
		}
		if o := step.Outcome; o.Kind != Declined || !o.PAN.IsZero() || len(m.data.tags) != 0 || m.signed != nil {
			t.Errorf("%v turned: %v, and card data is left", tag, o.Kind)
		}
	}
	for _, tag := range []bertlv.Tag{0x8F, 0x90, 0x92, 0x9F32, 0x9F46, 0x9F47, 0x9F48, 0x9F4B, 0x9F69} {
		_, step := authenticated(t, tag, true)
		if a := step.Outcome.Authentication; a.Reason != ODADataMissing || a.TVR[0] != tvr1DDAFailed|tvr1DataMissing || a.TSI[0] != tsi1Performed {
			t.Errorf("without %v: %v, %s, TVR %X", tag, a.Result, a.Reason, a.TVR)
		}
	}
}

// authenticated plays the deck's Visa card with one element turned or left out,
// after it has said everything.
func authenticated(t *testing.T, tag bertlv.Tag, out bool) (*Machine, Step) {
	t.Helper()
	return changed(t, tag, out, func(v []byte) { v[len(v)-1] ^= 0x01 })
}

// TestNamedFaultsOfElements: faults that more than one change of a byte makes.
func TestNamedFaultsOfElements(t *testing.T) {
	for _, c := range []struct {
		tag    bertlv.Tag
		change func(v []byte)
		want   Reason
	}{
		{bertlv.CTQ, func(v []byte) { v[1] = ctq2DeviceCVM }, ODAQualifiersDiffer}, // "the phone has verified its holder"
		{tagCardRelated, func(v []byte) { v[0] = 0 }, ODAVersionNotBuilt},
		{tagCardRelated, func(v []byte) { v[1]++ }, ODASignatureHash},
		{tagIssuerCertificate, func(v []byte) { v[0] ^= 1 }, ODAIssuerMalformed},
		{tagIssuerRemainder, func(v []byte) { v[0] ^= 1 }, ODAIssuerHash},
		{tagCardCertificate, func(v []byte) { v[0] ^= 1 }, ODACardMalformed},
		{tagCardRemainder, func(v []byte) { v[0] ^= 1 }, ODACardHash},
		{tagSignature, func(v []byte) { v[0] ^= 1 }, ODASignatureMalformed},
		{tagStaticTags, func(v []byte) { v[0] = 0x5A }, ODAStaticMalformed},
		{bertlv.AIP, func(v []byte) { v[0] |= 0x01 }, ODACardHash}, // the profile is signed: 9F4A says so
		{bertlv.AIP, func(v []byte) { v[0] = 0 }, ODANotClaimed},
	} {
		_, step := changed(t, c.tag, false, c.change)
		if a := step.Outcome.Authentication; step.Outcome.Kind != Declined || a.Reason != c.want || step.Outcome.Reason != c.want {
			t.Errorf("%v: %v, %s, want %s", c.tag, step.Outcome.Kind, a.Reason, c.want)
		}
	}
}

func changed(t *testing.T, tag bertlv.Tag, out bool, change func(v []byte)) (*Machine, Step) {
	t.Helper()
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	counters, err := card.OpenCounters("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range deck {
		if p.Name != "visa" {
			continue
		}
		if out {
			p.Offline.LeaveOut = []string{fmt.Sprintf("%X", uint32(tag))}
		}
		c, err := card.New(p, counters)
		if err != nil {
			t.Fatal(err)
		}
		m := begin(t, "oda=yes")
		step := m.Start()
		for step.Outcome == nil {
			answer, _ := c.Transceive(step.APDU)
			for _, template := range []bertlv.Tag{bertlv.ResponseFormat2, bertlv.RecordTemplate} {
				if v, ok := bertlv.Path(answer[:len(answer)-2], template, tag); ok && !out {
					change(v) // in the answer itself
				}
			}
			step = m.Answer(answer)
		}
		return m, step
	}
	t.Fatal("no card")
	return nil, Step{}
}

func BenchmarkAuthenticate(b *testing.B) {
	deck, err := card.Deck()
	if err != nil {
		b.Fatal(err)
	}
	for _, oda := range []string{"no", "yes"} {
		b.Run("oda="+oda, func(b *testing.B) {
			answers := record(b, deck, oda)
			for b.Loop() {
				m := begin(b, options(oda))
				step := m.Start()
				for _, a := range answers {
					step = m.Answer(append([]byte{}, a...))
				}
				if step.Outcome == nil || step.Outcome.Kind != OnlineRequest {
					b.Fatal("no online request")
				}
			}
		})
	}
}

func options(oda string) string {
	if oda == "yes" {
		return "oda=yes"
	}
	return ""
}

// record is what the deck's Visa card answers to one tap.
func record(t testing.TB, deck []card.Profile, oda string) (answers [][]byte) {
	t.Helper()
	counters, err := card.OpenCounters("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range deck {
		if p.Name != "visa" {
			continue
		}
		c, err := card.New(p, counters)
		if err != nil {
			t.Fatal(err)
		}
		m := begin(t, options(oda))
		for step := m.Start(); step.Outcome == nil; {
			answer, _ := c.Transceive(step.APDU)
			answers = append(answers, append([]byte{}, answer...))
			step = m.Answer(answer)
		}
	}
	return answers
}

// TestReasonsPage: docs/reference/offline-authentication.md has every reason, and
// no other.
func TestReasonsPage(t *testing.T) {
	code, err := os.ReadFile("authenticate.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/reference/offline-authentication.md")
	if err != nil {
		t.Fatal(err)
	}
	find := func(pattern string, in []byte) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(in, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return all
	}
	want, got := find(`Reason += "(oda_[a-z_]+)"`, code), find("(?m)^\\| `(oda_[a-z_]+)` \\|", page)
	if !slices.Equal(want, got) || len(want) < 20 {
		t.Errorf("the kernel has %q, the page %q", want, got)
	}
}
