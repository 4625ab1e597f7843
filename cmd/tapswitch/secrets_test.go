// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"crypto/des"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needle is a secret in one of the forms in which it could leak. Findings name
// it and never show it.
type needle struct {
	name   string
	bytes  []byte
	digits string // looked for at every half byte, when it is set
	folded bool   // upper and lower case are one
}

// scanner looks for secrets.
type scanner struct {
	needles []needle
	context *regexp.Regexp // what is too short to be looked for without its name
}

// text adds a secret that is text: as it is, as hex of its bytes, as base64.
func (s *scanner) text(name, secret string) {
	s.add(name+" as text", []byte(secret), true)
	s.add(name+" as hex of its characters", []byte(hex.EncodeToString([]byte(secret))), true)
	s.base64(name+" as text", []byte(secret))
}

// raw adds a secret that is bytes: as they are, as hex, as base64 of both.
func (s *scanner) raw(name string, secret []byte) {
	s.add(name+" as bytes", secret, false)
	s.add(name+" as hex", []byte(hex.EncodeToString(secret)), true)
	s.base64(name+" as bytes", secret)
	s.base64(name+" as hex", []byte(hex.EncodeToString(secret)))
	s.base64(name+" as upper-case hex", []byte(strings.ToUpper(hex.EncodeToString(secret))))
}

func (s *scanner) add(name string, secret []byte, folded bool) {
	s.needles = append(s.needles, needle{name: name, bytes: secret, folded: folded})
}

// base64 adds what a longer text that holds the secret looks like: three forms,
// by where in a group of three bytes the secret begins.
func (s *scanner) base64(name string, secret []byte) {
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		whole := len(padded) / 3 * 3
		text := base64.RawStdEncoding.EncodeToString(padded[:whole])
		if shift > 0 {
			text = text[4:]
		}
		s.add(fmt.Sprintf("%s in base64, shifted by %d", name, shift), []byte(text), false)
		if other := strings.NewReplacer("+", "-", "/", "_").Replace(text); other != text {
			s.add(fmt.Sprintf("%s in base64 for URLs, shifted by %d", name, shift), []byte(other), false)
		}
	}
}

// pan adds a card number in every form in which messages and logs have it.
func (s *scanner) pan(pan string) {
	name := "card number " + pan[:6] + "…" + pan[len(pan)-4:]
	s.text(name, pan)
	for _, gap := range []string{" ", "-"} {
		s.add(name+" in groups", []byte(strings.Join([]string{pan[:4], pan[4:8], pan[8:12], pan[12:]}, gap)), false)
	}
	s.needles = append(s.needles, needle{name: name + " as BCD", digits: pan})
	for _, tail := range []string{"", "F"} {
		if b, err := hex.DecodeString(pan + tail); err == nil {
			s.base64(name+" as BCD", b)
		}
	}
}

// key adds a double-length key and its halves.
func (s *scanner) key(name, value string) {
	b, err := hex.DecodeString(value)
	if err != nil {
		return
	}
	s.raw(name, b)
	s.raw(name+", left half", b[:8])
	s.raw(name+", right half", b[8:])
}

// pinBlock is the ISO 9564 format 0 block of a PIN.
func pinBlock(pin, pan string) []byte {
	a, _ := hex.DecodeString(fmt.Sprintf("0%d%s", len(pin), pin) + strings.Repeat("F", 14-len(pin)))
	b, _ := hex.DecodeString("0000" + pan[len(pan)-13:len(pan)-1])
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// tripleDES enciphers or deciphers blocks one by one under a double-length key.
func tripleDES(t *testing.T, key string, in []byte, encipher bool) []byte {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := des.NewTripleDESCipher(append(k, k[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(in))
	for i := 0; i < len(in); i += 8 {
		if encipher {
			c.Encrypt(out[i:], in[i:])
		} else {
			c.Decrypt(out[i:], in[i:])
		}
	}
	return out
}

// The files of a stage that hold published test material by design.
func byDesign(name string) bool {
	return name == "deck.json" || name == "user.pin" || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".hex") || strings.HasPrefix(name, "token")
}

// newScanner knows every secret of a stage, from the files that hold them.
func newScanner(t *testing.T, dir string) *scanner {
	t.Helper()
	s := &scanner{}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "" // a test may have moved it away
		}
		return string(b)
	}
	var deck []struct{ PAN, PVV, PIN, IMK string }
	_ = json.Unmarshal([]byte(read("deck.json")), &deck) // a test may have damaged it
	keys, pans, short := map[string]bool{}, map[string]bool{}, []string{"1234", "4321"}
	for _, c := range deck {
		pans[c.PAN], keys[c.IMK] = true, true
		short = append(short, c.PVV)
	}
	var zpks []string
	for _, name := range []string{"acq-a.yaml", "acq-b.yaml", "tmk.hex"} {
		text := read(name)
		for _, k := range regexp.MustCompile(`\b[0-9A-F]{32}\b`).FindAllString(text, -1) {
			keys[k] = true
		}
		for _, m := range regexp.MustCompile(`zpk: ([0-9A-F]{32})`).FindAllStringSubmatch(text, -1) {
			zpks = append(zpks, m[1])
		}
	}
	for k := range keys {
		s.key("key "+k[:2]+"…", k)
	}
	for pan := range pans {
		s.pan(pan)
		for _, pin := range []string{"1234", "4321"} {
			block := pinBlock(pin, pan)
			s.raw("clear PIN block", block)
			for _, zpk := range zpks {
				s.raw("PIN block under a zone key", tripleDES(t, zpk, block, true))
			}
		}
	}
	s.text("user PIN of the token", "demo-user-pin")
	s.text("SO PIN of the token", "demo-so-pin")
	s.context = regexp.MustCompile(`(?i)\b(pin|pvv|pin_?digits|password)\b["'=: \]]{1,5}(` + strings.Join(short, "|") + `)\b|[=D]3112201`)
	return s
}

// find names the secrets in data.
func (s *scanner) find(where string, data []byte) (found []string) {
	data = bytes.TrimRight(data, "\x00") // the room a journal has reserved
	if len(data) == 0 {
		return nil
	}
	folded, digits := bytes.ToLower(data), []byte(hex.EncodeToString(data))
	for _, n := range s.needles {
		there := false
		switch {
		case n.digits != "":
			there = bytes.Contains(digits, []byte(n.digits))
		case n.folded:
			there = bytes.Contains(folded, bytes.ToLower(n.bytes))
		default:
			there = bytes.Contains(data, n.bytes)
		}
		if there {
			found = append(found, where+" holds "+n.name)
		}
	}
	if s.context.Match(data) {
		found = append(found, where+" holds a PIN, a PVV or the end of a track by its name")
	}
	return found
}

// scan goes through a stage.
func (s *scanner) scan(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || !d.Type().IsRegular() || byDesign(name) {
			return err
		}
		b, err := os.ReadFile(path)
		found = append(found, s.find(name, b)...)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// secrets looks through everything that the parts of a rig wrote and said.
func (r *rig) secrets() []string {
	r.t.Helper()
	s := newScanner(r.t, r.dir)
	found := s.scan(r.t, r.dir)
	for _, p := range r.all {
		found = append(found, s.find("what "+p.name+" said", []byte(p.output()))...)
	}
	return found
}

// TestNoSecretsAnywhere: after a demonstration no file that is not meant to hold
// test material, and nothing that was printed, has a card number, a PIN, a PIN
// block, a track or a key in any of their forms.
func TestNoSecretsAnywhere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	ran := call(t, "demo", "--taps", "20", "--dir", dir, "--seed", "20")
	if ran.code != 0 {
		t.Fatalf("%+v", ran)
	}
	s := newScanner(t, dir)
	for _, finding := range append(append(s.scan(t, dir), s.find("stdout", []byte(ran.stdout))...), s.find("stderr", []byte(ran.stderr))...) {
		t.Error(finding)
	}
	for _, want := range []string{"terminal.log", "switch.log", "acq-a.books.jsonl", "acq-b.books.jsonl", "metrics.before", "metrics.after",
		"journal/000000000001.seg", "terminal/memory.json", "keystore/acq-a.keys"} {
		if info, err := os.Stat(filepath.Join(dir, want)); err != nil || info.Size() == 0 {
			t.Errorf("%s was not there to be looked through: %v", want, err)
		}
	}
	// Where they are meant to be they are found: the scanner sees what it looks for.
	for name, want := range map[string]int{"deck.json": 10, "acq-a.yaml": 4, "tmk.hex": 1, "user.pin": 1} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.find(name, b)); n < want {
			t.Errorf("%s: %d found, there are at least %d", name, n, want)
		}
	}
	canaries(t, s)
}

// canaries: each form of each secret is found where it is planted.
func canaries(t *testing.T, s *scanner) {
	t.Helper()
	if len(s.needles) < 200 {
		t.Errorf("only %d needles", len(s.needles))
	}
	for _, n := range s.needles {
		planted := append(append([]byte("before"), n.bytes...), "behind"...)
		if n.digits != "" {
			odd, err := hex.DecodeString("4" + n.digits + "D")
			if err != nil {
				t.Fatal(err)
			}
			planted = append([]byte("before"), odd...)
		}
		if n.folded {
			planted = bytes.ToUpper(planted)
		}
		if len(s.find("canary", planted)) == 0 {
			t.Errorf("%s: not found", n.name)
		}
	}
	for _, text := range []string{`"pin":"1234"`, "PIN: 4321", "pvv=1234", "D3112201", `{"password": "1234"}`} {
		if len(s.find("canary", []byte(text))) == 0 {
			t.Errorf("%s: not found", text)
		}
	}
	for _, text := range []string{"622424******0069", `"pin":"ok"`, `"pin":true`, "12:34:56.1234", strings.Repeat("0", 64)} {
		if found := s.find("harmless", []byte(text)); len(found) > 0 {
			t.Errorf("%q: %q", text, found)
		}
	}
}

// TestNoWorkingKeysAnywhere: the keys that a terminal was given and the PIN blocks
// under them are in no file and no log either, nor is what /metrics says.
func TestNoWorkingKeysAnywhere(t *testing.T) {
	t.Parallel()
	r, heard := overheard(t)
	r.expect("unionpay", 120000, "1234", "approved", "00")
	r.expect("visa", 120000, "4321", "declined", "55")
	_, text := r.get("/metrics")
	if status, _ := r.get("/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d", status)
	}
	r.stopAll()
	// Field 62 ends the sign-on's answer: two keys of sixteen bytes, each with a check value.
	answer := heard.last(t, "0810")
	field := answer[len(answer)-40:]
	tpk := tripleDES(t, "0123456789ABCDEFFEDCBA9876543210", field[:16], false)
	tak := tripleDES(t, "0123456789ABCDEFFEDCBA9876543210", field[20:36], false)
	zeros := make([]byte, 8)
	for _, k := range []struct{ key, check []byte }{{tpk, field[16:20]}, {tak, field[36:40]}} {
		if got := tripleDES(t, hex.EncodeToString(k.key), zeros, true); !bytes.Equal(got[:4], k.check) {
			t.Fatal("the working keys were not found in the answer")
		}
	}
	s := newScanner(t, r.dir)
	s.raw("TPK", tpk)
	s.raw("TAK", tak)
	s.raw("TPK under the master key", field[:16])
	s.raw("TAK under the master key", field[20:36])
	for _, c := range []struct{ pin, pan string }{{"1234", "6224242300000069"}, {"4321", "4761739001010119"}} {
		s.raw("PIN block under the TPK", tripleDES(t, hex.EncodeToString(tpk), pinBlock(c.pin, c.pan), true))
	}
	if sale := heard.last(t, "0200"); len(s.find("the line", sale)) < 2 {
		t.Error("card number and PIN block were not found even on the line")
	}
	found := append(s.scan(t, r.dir), s.find("/metrics", []byte(text))...)
	for _, p := range r.all {
		found = append(found, s.find("what "+p.name+" said", []byte(p.output()))...)
	}
	for _, finding := range found {
		t.Error(finding)
	}
}
