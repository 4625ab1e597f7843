// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vector is one known answer.
type vector struct {
	ID           string         `json:"id"`
	Function     string         `json:"function"`
	Inputs       map[string]any `json:"inputs"`
	Expected     string         `json:"expected"`
	ExpectedType string         `json:"expected_type"`
}

func (v vector) in(name string) string {
	s, _ := v.Inputs[name].(string)
	return s
}

func vectors(t *testing.T, file string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t *testing.T, s string) key16 {
	t.Helper()
	k, err := parseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMasterAndSessionKeyVectors(t *testing.T) {
	ran := map[string]int{}
	for _, v := range vectors(t, "emv_keys.json") {
		var got key16
		switch {
		case v.Function == "emv.mk_option_a":
			var err error
			if got, err = masterKey(key(t, v.in("imk")), v.in("pan"), v.in("psn")); err != nil {
				t.Errorf("%s: %v", v.ID, err)
			}
		case v.Function == "emv.sk_common" && strings.HasSuffix(v.in("r"), "000000000000"):
			atc, err := strconv.ParseUint(v.in("r")[:4], 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			got = sessionKey(key(t, v.in("mk")), uint16(atc))
		default:
			continue
		}
		ran[v.Function]++
		if got != oddParity(key(t, v.Expected)) { // vectors print session keys either way
			t.Errorf("%s: got another key", v.ID)
		}
	}
	if ran["emv.mk_option_a"] < 10 || ran["emv.sk_common"] < 3 {
		t.Errorf("too few vectors ran: %v", ran)
	}
}

func TestCryptogramVectors(t *testing.T) {
	ran := 0
	for _, v := range vectors(t, "emv_ac.json") {
		padding := map[string]int{"method1": 1, "method2": 2}[v.in("padding")]
		if v.ExpectedType != "hex" || padding == 0 {
			continue
		}
		var sk key16
		switch {
		case v.Function == "emv.ac":
			sk = key(t, v.in("sk"))
		case v.Function == "emv.arqc" && v.in("skd") != "mchip" && len(v.in("pan")+v.in("psn")) <= 18:
			mk, err := masterKey(key(t, v.in("imk")), v.in("pan"), v.in("psn"))
			if err != nil {
				t.Fatal(err)
			}
			if sk = mk; v.in("skd") == "common" {
				atc := unhex(t, v.in("atc"))
				sk = sessionKey(mk, uint16(atc[0])<<8|uint16(atc[1]))
			}
		default:
			continue
		}
		ran++
		mac := retailMAC(sk, pad(unhex(t, v.in("data")), padding))
		if got := strings.ToUpper(hex.EncodeToString(mac[:])); got != v.Expected {
			t.Errorf("%s: got %s, want %s", v.ID, got, v.Expected)
		}
	}
	if ran < 15 {
		t.Errorf("only %d vectors ran", ran)
	}
}

func TestPVVVectors(t *testing.T) {
	ran := 0
	for _, v := range vectors(t, "pvv.json") {
		if v.Function != "pin.visa_pvv" || v.ExpectedType == "error" {
			continue
		}
		ran++
		if got, err := VisaPVV(v.in("pvk"), v.in("pvki"), v.in("pan"), v.in("pin")); err != nil || got != v.Expected {
			t.Errorf("%s: got %s, %v, want %s", v.ID, got, err, v.Expected)
		}
	}
	if ran < 4 {
		t.Errorf("only %d vectors ran", ran)
	}
}

// drawn makes the deck's card of that name.
func drawn(t *testing.T, name string, change ...option) (*Card, *Counters) {
	t.Helper()
	deck, err := Deck()
	if err != nil {
		t.Fatal(err)
	}
	counters, err := OpenCounters("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range deck {
		if p.Name != name {
			continue
		}
		for _, c := range change {
			c(&p)
		}
		c, err := New(p, counters)
		if err != nil {
			t.Fatal(err)
		}
		return c, counters
	}
	t.Fatalf("no card %q", name)
	return nil, nil
}

const (
	selectPPSE     = "00A404000E325041592E5359532E444446303100"
	selectUnionPay = "00A4040008A00000033301010100"
	// TTQ 36800000, 1.00, country 0156, currency 0156, 2017-06-01, 2B29EBE4
	gpoUnionPay = "80A8000023832136800000" + "000000000100000000000000" + "01560000000000" + "0156" + "170601" + "00" + "2B29EBE4" + "00"
)

func TestConversation(t *testing.T) {
	c, _ := drawn(t, "unionpay-records")
	for _, s := range []struct{ name, in, want string }{
		{"too short", "00A4", "6700"},
		{"wrong class", "90A4040000", "6E00"},
		{"unknown instruction", "00CA9F1700", "6D00"},
		{"GPO before SELECT", gpoUnionPay, "6985"},
		{"record before GPO", "00B2010C00", "6985"},
		{"directory", selectPPSE, "6F34840E325041592E5359532E4444463031A522BF0C1F611D4F08A000000333010101500E556E696F6E506179204465626974870101" + "9000"},
		{"select by P1 0", "00A4000008A00000033301010100", "6A86"},
		{"unknown application", "00A4040007A000000003101000", "6A82"},
		{"first part of the name", "00A4040005A00000033300", "ok"},
		{"whole name, short Le", "00A4040008A00000033301010105", "6C43"},
		{"whole name", selectUnionPay, "ok"},
		{"GPO with P1", "80A8010023", "6A86"},
		{"GPO without template", "80A80000028100" + "00", "6700"},
		{"GPO one byte short", "80A80000228320" + gpoUnionPay[14:14+64] + "00", "6700"},
		{"GPO of a stripe-only reader", strings.Replace(gpoUnionPay, "36800000", "80800000", 1), "6985"},
		{"GPO", gpoUnionPay, "ok"},
		{"GPO again", gpoUnionPay, "6985"},
		{"record", "00B2010C00", "ok"},
		{"record 2", "00B2020C00", "6A83"},
		{"other file", "00B2011400", "6A83"},
		{"record by P2 0", "00B2010800", "6A86"},
		{"lengths do not fit", "00A4040008A000", "6700"},
	} {
		got, present := c.Transceive(unhex(t, s.in))
		text := strings.ToUpper(hex.EncodeToString(got))
		if ok := strings.HasSuffix(text, "9000"); !present || text != s.want && !(s.want == "ok" && ok) {
			t.Errorf("%s: got %s, want %s", s.name, text, s.want)
		}
	}
}

// TestGenuineCryptogram recomputes the answer step by step from the issuer's side.
func TestGenuineCryptogram(t *testing.T) {
	c, _ := drawn(t, "unionpay")
	answers := tap(t, c)
	got := answers[2]
	mk, err := masterKey(key(t, TestKeys().UnionPayIMK), "6224242300000069", "01")
	if err != nil {
		t.Fatal(err)
	}
	data := unhex(t, gpoUnionPay[22:22+58]+"7C00"+"0001"+"03A00000")
	mac := retailMAC(sessionKey(mk, 1), pad(data, 2))
	for _, want := range []string{
		"9F360200 01", "9F10080701 0103A0000001", "9F2608" + hex.EncodeToString(mac[:]), "5F340101", "9F6C020000",
	} {
		if !bytes.Contains(got, unhex(t, want)) {
			t.Errorf("no %s in %X", want, got)
		}
	}
	forged, _ := drawn(t, "unionpay-forged")
	if bytes.Contains(tap(t, forged)[2], mac[:]) {
		t.Error("the forged card's cryptogram is genuine")
	}
}

func tap(t *testing.T, c *Card) [][]byte {
	t.Helper()
	c.PowerOn()
	var answers [][]byte
	for _, in := range []string{selectPPSE, selectUnionPay, gpoUnionPay} {
		answer, _ := c.Transceive(unhex(t, in))
		answers = append(answers, answer)
	}
	return answers
}

func TestCounterGrowsAndWearsOut(t *testing.T) {
	c, counters := drawn(t, "unionpay")
	for _, want := range []string{"9F36020001", "9F36020002"} {
		if got := tap(t, c)[2]; !bytes.Contains(got, unhex(t, want)) {
			t.Errorf("no %s in %X", want, got)
		}
	}
	if err := counters.Set("unionpay-0069", 0xFFFE); err != nil {
		t.Fatal(err)
	}
	if got := tap(t, c)[2]; !bytes.Contains(got, unhex(t, "9F3602FFFF")) {
		t.Errorf("the last counter is not used: %X", got)
	}
	if got := tap(t, c)[2]; !bytes.Equal(got, unhex(t, "6985")) {
		t.Errorf("a worn out card answers %X", got)
	}
	if _, err := counters.Next("unionpay-0069"); !errors.Is(err, ErrWornOut) {
		t.Errorf("got %v", err)
	}
}

func TestCountersSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counters.json")
	for want := uint16(1); want <= 3; want++ {
		c, err := OpenCounters(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Next("a"); err != nil || got != want {
			t.Fatalf("got %d, %v, want %d", got, err, want)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCounters(path); err == nil {
		t.Error("a damaged file was taken")
	}
	lost := &Counters{path: filepath.Join(path, "no", "such"), atc: map[string]uint16{}}
	if _, err := lost.Next("a"); err == nil {
		t.Error("a counter that could not be stored was used")
	}
}

func TestFaults(t *testing.T) {
	c, _ := drawn(t, "unionpay-removed")
	c.PowerOn()
	for i, in := range []string{selectPPSE, selectUnionPay, gpoUnionPay} {
		if _, present := c.Transceive(unhex(t, in)); present != (i < 2) {
			t.Errorf("APDU %d: present %v", i+1, present)
		}
	}
	c, _ = drawn(t, "unionpay", func(p *Profile) { p.Faults.WrongSW = WrongSW{INS: 0xA8, SW: 0x6984} })
	if got := tap(t, c)[2]; !bytes.Equal(got, unhex(t, "6984")) {
		t.Errorf("got %X", got)
	}
	c, _ = drawn(t, "unionpay-phone-locked")
	if got := tap(t, c)[2]; !bytes.Equal(got, unhex(t, "6986")) {
		t.Errorf("locked phone: %X", got)
	}
	if got := tap(t, c)[2]; !bytes.Contains(got, unhex(t, "9F6C020080 ")) {
		t.Errorf("unlocked phone: %X", got)
	}
}

func TestQualifiers(t *testing.T) {
	for _, c := range []struct {
		card, amount, ttq, want string
	}{
		{"unionpay", "000000099999", "36800000", "0000"},
		{"unionpay", "000000100000", "36800000", "8000"},
		{"unionpay", "000000000001", "36C00000", "8000"},
		{"unionpay", "00000000000F", "36800000", "8000"},
		{"unionpay-pin", "000000000001", "36800000", "8000"},
		{"unionpay-no-pin", "000000900000", "36C00000", "0000"},
		{"unionpay-phone", "000000000001", "36800000", "0080"},
		{"visa-signature", "000000000001", "36800000", "4000"},
	} {
		x, _ := drawn(t, c.card)
		if got := x.qualifiers(unhex(t, c.amount), unhex(t, c.ttq)); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%s, %s, %s: got %X, want %s", c.card, c.amount, c.ttq, got, c.want)
		}
	}
}

func luhn(pan string) bool {
	sum := 0
	for i := range pan {
		n := int(pan[len(pan)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func TestDeck(t *testing.T) {
	deck, err := Deck()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "deck.json")
	if err := WriteDeck(path, deck); err != nil {
		t.Fatal(err)
	}
	read, err := LoadDeck(path)
	if err != nil || len(read) != len(deck) {
		t.Fatalf("%d cards, %v", len(read), err)
	}
	for i, p := range read {
		if a, b := mustJSON(t, p), mustJSON(t, deck[i]); a != b {
			t.Errorf("%s reads back as %s", b, a)
		}
		if luhn(p.PAN) == (p.Name == "unionpay-trace") {
			t.Errorf("%s: check digit is right: %v", p.Name, luhn(p.PAN))
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProfilesRefused(t *testing.T) {
	good, err := Deck()
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]option{
		"name":         func(p *Profile) { p.Name = "" },
		"applications": func(p *Profile) { p.Applications = nil },
		"pan":          func(p *Profile) { p.PAN = "62242423x" },
		"psn":          func(p *Profile) { p.PSN = "1" },
		"expiry":       func(p *Profile) { p.Expiry = "31-12" },
		"service_code": func(p *Profile) { p.ServiceCode = "20" },
		"pvki":         func(p *Profile) { p.PVKI = "" },
		"pvv":          func(p *Profile) { p.PVV = "12" },
		"imk":          func(p *Profile) { p.IMK = "00" },
		"cryptogram":   func(p *Profile) { p.Cryptogram = "visa" },
		"decision":     func(p *Profile) { p.Decision = "yes" },
		"cvm":          func(p *Profile) { p.CVM.Kind = "fingers" },
		"record_bytes": func(p *Profile) { p.RecordBytes = 201 },
		"aid":          func(p *Profile) { p.Applications = []Application{{AID: "A0"}} },
	} {
		p := good[0]
		change(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzCard: whatever bytes come, a card answers with a status word.
func FuzzCard(f *testing.F) {
	f.Add(unhex(f, selectPPSE))
	f.Add(unhex(f, gpoUnionPay))
	f.Add(unhex(f, "80A80000028300"))
	f.Fuzz(func(t *testing.T, apdu []byte) {
		c, _ := drawn(t, "unionpay-records")
		tap(t, c)
		c.started = false
		if answer, present := c.Transceive(apdu); !present || len(answer) < 2 {
			t.Fatalf("answer %X, present %v", answer, present)
		}
	})
}
