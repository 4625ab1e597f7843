// SPDX-License-Identifier: Apache-2.0

// Package hsmtest holds every HSM driver to the same known answers, refusals
// and promises.
//
// Promise: two drivers that pass Run are interchangeable for their callers, but
// for where keys and PINs are clear while they work.
//
// How: Run goes through the interfaces of package hsm alone. Published vectors
// (testdata) are loaded as clear components; what a driver returns enciphered
// is checked with ciphers of the standard library (reference.go), not with
// another driver. Traps of the trade have a test each, by name.
//
// Imported by: tests of hsm/soft and hsm/pkcs11. Imports: hsm and its pure
// packages, internal/secret, testing.
package hsmtest

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

//go:embed testdata/*.json
var files embed.FS

// Module is what a driver for the switch has.
type Module interface {
	hsm.MACer
	hsm.CVVer
	hsm.CAVVer
	hsm.DCVVer
	hsm.CVC3er
	hsm.SM4Translator
	hsm.SM3Hasher
	hsm.Translator
	hsm.PINVerifier
	hsm.OffsetVerifier
	hsm.PINIssuer
	hsm.PINReplacer
	hsm.CryptogramVerifier
	hsm.CSUAnswerer
	hsm.GivenVerifier
	hsm.ScriptProtector
	hsm.PINChanger
	hsm.KeyMaker
	hsm.KeyLoader
	hsm.KeyBlocks
	hsm.Sealer
	hsm.Tokener
	hsm.Health
	hsm.KeyChecker
	hsm.DUKPTMACer
	hsm.DUKPTDataCipher
	hsm.DUKPTUpdater
	hsm.DataCipher
}

// Run holds the modules that open returns to the suite; open is called once for
// each test.
func Run(t *testing.T, open func(t *testing.T) Module) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) { c.run(&suite{T: t, m: open(t)}) })
	}
}

func cases() []testCase {
	return slices.Concat(firstCases(), checkCases(), dukptCases(), dataCases(), macCases(), cardCases(), smCases(), chipCases(), pinChangeCases(), keyblockCases(), pinCases())
}

// Names are the tests of the suite, for pages that say what holds what.
func Names() (out []string) {
	for _, c := range cases() {
		out = append(out, c.name)
	}
	return out
}

// testCase is one test of the suite.
type testCase struct {
	name string
	run  func(s *suite)
}

// firstCases are keys, and what the first payments need of an HSM; other
// families of functions have a list of their own beside their tests.
func firstCases() []testCase {
	return []testCase{
		{"vectors/key.combine_components", componentVectors},
		{"vectors/rejected", rejectedVectors},
		{"trap/double-length key is used as E-D-E", trapEDE},
		{"trap/DES ignores parity bits", trapParity},
		{"refuse/usage matrix, all pairs", usageMatrix},
		{"refuse/altered binding", alteredBinding},
		{"refuse/altered binding, every function", alteredEverywhere},
		{"refuse/past its end of validity", expired},
		{"refuse/inputs of a wrong form", wrongInputs},
		{"refuse/specifications", wrongSpecs},
		{"keys/generate", generate},
		{"seal and open", sealOpen},
		{"token", token},
		{"caller gone", callerGone},
		{"many at once", manyAtOnce},
	}
}

// suite is one test with its module.
type suite struct {
	*testing.T
	m   Module
	seq atomic.Uint32

	initial bool // vectors of TDES DUKPT are served from the initial key
}

// vector is one line of a vector file.
type vector struct {
	ID       string          `json:"id"`
	Function string          `json:"function"`
	Inputs   map[string]any  `json:"inputs"`
	Expected json.RawMessage `json:"expected"`
	Type     string          `json:"expected_type"`
	Reason   string          `json:"reason"`
}

func (v vector) text(name string) string { s, _ := v.Inputs[name].(string); return s }

func (v vector) number(name string) int { f, _ := v.Inputs[name].(float64); return int(f) }

func (v vector) bytes(t testing.TB, name string) []byte { return unhex(t, v.text(name)) }

// want is the expected value as text.
func (v vector) want() string {
	var s string
	_ = json.Unmarshal(v.Expected, &s) // another type gives "", which no answer equals
	return s
}

// load returns the vectors of a file that compute function, at least one.
func load(t testing.TB, file, function string) (out []vector) {
	t.Helper()
	for _, v := range loadAll(t, file) {
		if v.Function == function {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s.json has no vector of %s", file, function)
	}
	return out
}

// loadAll returns all vectors of a file.
func loadAll(t testing.TB, file string) (all []vector) {
	t.Helper()
	raw, err := files.ReadFile("testdata/" + file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// spec makes a specification with a fresh name.
func (s *suite) spec(u hsm.Usage) hsm.Spec {
	a := hsm.TDES2
	switch u {
	case hsm.PANSeal, hsm.PANToken:
		a = hsm.AES256
	case hsm.HMACKey:
		a = hsm.HMAC256
	}
	spec := hsm.Spec{Name: "test/" + u.String(), Usage: u, Algorithm: a, Owner: "test", Version: s.seq.Add(1)}
	if u == hsm.PVKOffset {
		spec.Offset = offsetRule(testTable)
	}
	return spec
}

// key loads a clear key.
func (s *suite) key(u hsm.Usage, value []byte) *hsm.Key {
	s.Helper()
	spec := s.spec(u)
	switch {
	case spec.Algorithm == hsm.AES256 && len(value) == 16:
		spec.Algorithm = hsm.AES128
	case spec.Algorithm == hsm.TDES2 && len(value) == 24:
		spec.Algorithm = hsm.TDES3
	}
	return s.keyOf(u, spec.Algorithm, value)
}

// keyOf loads a clear key of an algorithm.
func (s *suite) keyOf(u hsm.Usage, a hsm.Algorithm, value []byte) *hsm.Key {
	s.Helper()
	spec := s.spec(u)
	spec.Algorithm = a
	k, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value))
	if err != nil {
		s.Fatalf("load %s of %s: %v", u, a, err)
	}
	return &k
}

// someKey is a published-looking key of n bytes with no two equal parts.
func someKey(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(0x13 + 29*i)
	}
	return out
}

func clearKey(t testing.TB, value []byte) secret.Key {
	t.Helper()
	k, err := secret.NewKey(value)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (s *suite) pan(digits string) secret.PAN {
	s.Helper()
	p, err := secret.NewPAN([]byte(digits))
	if err != nil {
		s.Fatal(err)
	}
	return p
}

func (s *suite) block(b []byte) secret.PINBlock {
	s.Helper()
	p, err := secret.NewPINBlock(b)
	if err != nil {
		s.Fatal(err)
	}
	return p
}

// count fails a vector test that expressed fewer vectors than it should.
func (s *suite) count(got, want int) {
	s.Helper()
	if got != want {
		s.Errorf("%d vectors were expressed, want %d", got, want)
	}
}

// Vectors runs a pure function over all vectors of a file that name function:
// hex inputs come as bytes, texts as their characters, numbers as decimal text.
// Negative vectors must be refused. Only as much of the answer is compared as the
// vector prints.
func Vectors(t *testing.T, file, function string, compute func(in map[string][]byte) ([]byte, error)) {
	t.Helper()
	VectorsBy(t, file, function, nil, compute)
}

// VectorsBy is Vectors that also holds refusals to the vectors' reason classes,
// each one of the errors given for it.
func VectorsBy(t *testing.T, file, function string, reasons map[string][]error, compute func(in map[string][]byte) ([]byte, error)) {
	t.Helper()
	for _, v := range load(t, file, function) {
		got, err := compute(v.inputs())
		if v.Type == "error" {
			if err == nil || reasons != nil && !slices.ContainsFunc(reasons[v.Reason], func(want error) bool { return errors.Is(err, want) }) {
				t.Errorf("%s (%s): %v, want a refusal for that reason", v.ID, v.Reason, err)
			}
			continue
		}
		text := string(got)
		if v.Type == "hex" {
			text = upper(got)
		}
		if err != nil || len(text) < len(v.want()) || text[:len(v.want())] != v.want() {
			t.Errorf("%s: %s, %v; want %s", v.ID, text, err, v.want())
		}
	}
}

// Refusals runs check over the negative vectors of a function, with the class of
// the reason why each must be refused; check says what was wrong with the refusal.
func Refusals(t *testing.T, file, function string, check func(reason string, in map[string][]byte) error) {
	t.Helper()
	for _, v := range load(t, file, function) {
		if v.Type != "error" {
			continue
		}
		if err := check(v.Reason, v.inputs()); err != nil {
			t.Errorf("%s (%s): %v", v.ID, v.Reason, err)
		}
	}
}

// inputs of a vector: hex as bytes, texts as their characters, numbers as digits.
func (v vector) inputs() map[string][]byte {
	in := make(map[string][]byte)
	for name := range v.Inputs {
		if n, ok := v.Inputs[name].(float64); ok {
			in[name] = strconv.AppendInt(nil, int64(n), 10)
		} else if b, err := hex.DecodeString(v.text(name)); err == nil && !textInput[name] {
			in[name] = b
		} else {
			in[name] = []byte(v.text(name))
		}
	}
	return in
}

// textInput names inputs that are text though they may look like hex.
var textInput = map[string]bool{"pan": true, "pan12": true, "psn": true, "pin": true, "pvki": true, "hex_digits": true,
	"digits": true, "expiry": true, "service_code": true, "current_pin": true, "header": true, "key_block": true, "version": true,
	"fill": true, "offset": true, "decimalisation_table": true, "validation_pad": true}
