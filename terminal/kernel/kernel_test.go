// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
)

var rewrite = flag.Bool("rewrite", false, "write what the kernel does into testdata")

// TestTranscripts plays testdata/*.txt: "start …" begins a tap, "card …" is the
// card's answer, "lost" its leaving; after ---- stands what the kernel does.
// Answers are hex, with TAG(value) for an object.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want)
			if *rewrite {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func play(t *testing.T, script []byte) []byte {
	var out bytes.Buffer
	var m *Machine
	var last Step
	skip := false
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
			skip = false
			fmt.Fprintln(&out)
			continue
		case skip:
			continue
		case line == "----":
			skip = true
			continue
		}
		fmt.Fprintln(&out, line)
		var step Step
		switch word {
		case "#":
			continue
		case "start":
			m = begin(t, rest)
			step = m.Start()
		case "card":
			step = m.Answer(notation(t, rest))
		case "lost":
			step = m.Lost()
		case "present":
			fmt.Fprint(&out, "----\n", present(t, m, rest, last))
			continue
		default:
			t.Fatalf("unknown event %q", word)
		}
		last = step
		fmt.Fprint(&out, "----\n", describe(t, step))
	}
	return out.Bytes()
}

func begin(t testing.TB, options string) *Machine {
	t.Helper()
	cfg := DefaultConfig()
	txn := Transaction{
		Amount:        money.Amount{Minor: 100, Currency: money.CNY},
		When:          time.Date(2017, 6, 1, 13, 14, 15, 0, time.UTC),
		Unpredictable: [4]byte{0x2B, 0x29, 0xEB, 0xE4},
		Counter:       42,
	}
	for _, o := range strings.Fields(options) {
		name, value, _ := strings.Cut(o, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		for i := range cfg.Applications {
			a := &cfg.Applications[i]
			switch name {
			case "ttq":
				a.TTQ = [4]byte(notation(t, value))
			case "cvm":
				a.CVMMinor = money.MinorUnits(n)
			case "max":
				a.MaxMinor = money.MinorUnits(n)
			case "zero":
				a.ZeroOK = value == "yes"
			case "sm":
				a.SM = byte(n)
			case "format05":
				a.OnlineFormat = value != "yes"
			case "oda", "when": // below
			case "amount":
				txn.Amount.Minor = money.MinorUnits(n)
			default:
				t.Fatalf("unknown option %q", o)
			}
		}
	}
	for _, o := range strings.Fields(options) {
		name, value, _ := strings.Cut(o, "=")
		var err error
		switch name {
		case "oda":
			authenticateOffline(t, &cfg, value)
		case "when":
			if txn.When, err = time.Parse(time.DateOnly, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, err := New(cfg, txn)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// notation reads hex with TAG(value) for an object.
func notation(t testing.TB, s string) []byte {
	t.Helper()
	out, rest := objects(t, strings.ReplaceAll(s, " ", ""))
	if rest != "" {
		t.Fatalf("cannot read %q", rest)
	}
	return out
}

func objects(t testing.TB, s string) (out []byte, rest string) {
	t.Helper()
	for s != "" && s[0] != ')' {
		n := strings.IndexAny(s, "()")
		if n < 0 {
			n = len(s)
		}
		raw, err := hex.DecodeString(s[:n])
		if err != nil {
			t.Fatalf("%q: %v", s[:n], err)
		}
		if s = s[n:]; s == "" || s[0] == ')' {
			return append(out, raw...), s
		}
		inner, after := objects(t, s[1:])
		if !strings.HasPrefix(after, ")") {
			t.Fatalf("no ) before %q", after)
		}
		tag := bertlv.Tag(0)
		for _, b := range raw {
			tag = tag<<8 | bertlv.Tag(b)
		}
		out, s = bertlv.Append(out, tag, inner), after[1:]
	}
	return out, s
}

func describe(t *testing.T, s Step) string {
	t.Helper()
	o := s.Outcome
	if o == nil {
		return fmt.Sprintf("> %X\n", s.APDU)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "outcome: %v", o.Kind)
	if o.Reason != "" {
		fmt.Fprintf(&b, ": %s", o.Reason)
	}
	fmt.Fprintln(&b)
	if a := o.Authentication; a.Result != 0 && a.Reason != ODANotAsked {
		fmt.Fprintf(&b, "offline data authentication: %v %s, tvr %X, tsi %X\n", a.Result, a.Reason, a.TVR, a.TSI)
	}
	if o.Kind != OnlineRequest {
		if !o.PAN.IsZero() || !o.Track2.IsZero() || !o.ICC.IsZero() {
			t.Error("card data in an outcome that goes nowhere")
		}
		return b.String()
	}
	fmt.Fprintf(&b, "kernel %d, application %X %q\n", o.Kernel, o.AID, o.Label)
	fmt.Fprintf(&b, "holder: %v\n", o.CVM)
	fmt.Fprintf(&b, "pan %s, psn %q, expiry %s\n", o.PAN.Reveal(secret.ForTest), o.PSN, o.Expiry)
	fmt.Fprintf(&b, "track 2 %s\n", o.Track2.AppendTo(nil, secret.ForTest))
	fmt.Fprintf(&b, "field 55:%s\n", flat(o.ICC.AppendTo(nil, secret.ForTest)))
	fmt.Fprintf(&b, "of a reversal:%s\n", flat(o.ReversalICC.AppendTo(nil, secret.ForTest)))
	return b.String()
}

func flat(icc []byte) string {
	var b strings.Builder
	if err := bertlv.Walk(icc, func(tag bertlv.Tag, value []byte) error {
		fmt.Fprintf(&b, " %v=%X", tag, value)
		return nil
	}); err != nil {
		fmt.Fprintf(&b, " ! %v", err)
	}
	return b.String()
}

func TestConfigsRefused(t *testing.T) {
	for what, change := range map[string]func(*Config, *Transaction){
		"1 to 32 applications":    func(c *Config, _ *Transaction) { c.Applications = nil },
		"three digits":            func(c *Config, _ *Transaction) { c.Country = 1000 },
		"5 to 16 bytes":           func(c *Config, _ *Transaction) { c.Applications[0].AID = []byte{0xA0} },
		"no other is built":       func(c *Config, _ *Transaction) { c.Applications[0].Kernel = 2 },
		"EMV mode":                func(c *Config, _ *Transaction) { c.Applications[0].TTQ[0] = 0x80 },
		"set by the kernel":       func(c *Config, _ *Transaction) { c.Applications[0].TTQ[1] = 0x40 },
		"maximum amount":          func(c *Config, _ *Transaction) { c.Applications[0].MaxMinor = 0 },
		"not be negative":         func(c *Config, _ *Transaction) { c.Applications[0].CVMMinor = -1 },
		"1 to 12 digits":          func(_ *Config, x *Transaction) { x.Amount.Minor = money.Max + 1 },
		"not exceed the amount":   func(_ *Config, x *Transaction) { x.Other = 101 },
		"must be an ISO 4217 num": func(_ *Config, x *Transaction) { x.Amount.Currency = 0 },
	} {
		cfg, txn := DefaultConfig(), Transaction{Amount: money.Amount{Minor: 100, Currency: money.CNY}}
		change(&cfg, &txn)
		if _, err := New(cfg, txn); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestNewPurchase(t *testing.T) {
	amount := money.Amount{Minor: 1, Currency: money.CNY}
	txn, err := NewPurchase(strings.NewReader("ABCD"), amount, time.Unix(0, 0), 7)
	if err != nil || txn.Unpredictable != [4]byte{'A', 'B', 'C', 'D'} || txn.Counter != 7 {
		t.Errorf("got %+v, %v", txn, err)
	}
	if _, err = NewPurchase(strings.NewReader("ABC"), amount, time.Unix(0, 0), 7); err == nil {
		t.Error("no randomness and no error")
	}
}

func TestNumbersKeepTheirRightEnd(t *testing.T) {
	m := begin(t, "amount=1234")
	m.chosen.ttq = [4]byte{0x26, 0x80, 0x40, 0x00}
	for _, c := range []struct {
		tag  bertlv.Tag
		n    int
		want string
	}{
		{bertlv.AmountAuthorised, 6, "000000001234"},
		{bertlv.AmountAuthorised, 8, "0000000000001234"},
		{bertlv.AmountAuthorised, 2, "1234"},
		{bertlv.TTQ, 2, "2680"},
		{bertlv.Unpredictable, 6, "2B29EBE40000"},
		{bertlv.TransactionDate, 3, "170601"},
		{0x9F21, 3, "131415"},
		{bertlv.SequenceCounter, 4, "00000042"},
		{bertlv.TerminalType, 1, "21"},
		{0x9F7A, 1, "00"},
		{bertlv.TVR, 0, ""},
	} {
		if got := fmt.Sprintf("%X", m.terminalData(c.tag, c.n)); got != c.want {
			t.Errorf("%v in %d bytes: got %s, want %s", c.tag, c.n, got, c.want)
		}
	}
}

// FuzzMachine: whatever a card says, the kernel ends, and never with a yes.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0x6A, 0x82}, []byte{}, []byte{}, []byte{})
	f.Add(
		notation(f, "6F(84(325041592E5359532E4444463031) A5(BF0C(61(4F(A000000333010101) 87(01)))))9000"),
		notation(f, "6F(84(A000000333010101) A5(9F38(9F6604 9F3704)))9000"),
		notation(f, "77(82(7C00) 94(08010100) 9F36(0ADC) 57(6299999999999999D201120101234567899F) 9F10(07010103A0000001) 9F26(08AD03EE811AFAD4))9000"),
		notation(f, "70(5F24(201131))9000"))
	f.Add(
		notation(f, "6F(84(325041592E5359532E4444463031) A5(BF0C(61(4F(A0000000031010) 87(01)))))9000"),
		notation(f, "6F(84(A0000000031010) A5(9F38(9F6604 9F0206 5F2A02 9F3704)))9000"),
		notation(f, "77(82(2000) 94(08010101) 9F36(0001) 57(4761739001010010D31122011143900000) 9F10(06010A03A00000) 9F26(0102030405060708) 9F27(80) 9F6C(2000) 9F4B(00))9000"),
		notation(f, "70(8F(E0) 90(00) 9F32(03) 9F46(00) 9F47(03) 9F69(01000000002000))9000"))
	f.Fuzz(func(t *testing.T, a, b, c, d []byte) {
		for _, options := range []string{"", "oda=yes"} {
			ends(t, options, [][]byte{a, b, c, d})
		}
	})
}

// ends plays answers, the last one again and again, and checks the outcome.
func ends(t *testing.T, options string, answers [][]byte) {
	t.Helper()
	m := begin(t, options)
	step := m.Start()
	for n := 0; step.Outcome == nil; n++ {
		if n > maxCommands {
			t.Fatal("the kernel does not end")
		}
		step = m.Answer(bytes.Clone(answers[min(n, len(answers)-1)]))
	}
	if o := step.Outcome; o.Kind == OnlineRequest {
		if o.PAN.IsZero() || o.Track2.IsZero() || o.CVM == 0 || o.Expiry == "" || bertlv.Check(o.ICC.AppendTo(nil, secret.ForTest)) != nil {
			t.Fatal("an online request lacks what the host needs")
		}
		if auth := o.Authentication; auth.Result == ODASucceeded {
			t.Fatal("data that nobody signed is authenticated")
		}
	} else if o.Reason == "" {
		t.Fatal("a refusal without a reason")
	}
}
