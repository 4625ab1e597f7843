// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// usages in service.
var usages = []hsm.Usage{
	hsm.TMK, hsm.TPK, hsm.TAK, hsm.ZPK, hsm.ZAK, hsm.PVK, hsm.IMKAC, hsm.PANSeal, hsm.PANToken,
	hsm.ZMK, hsm.KBPK, hsm.BDK, hsm.IK, hsm.CVK, hsm.PVKOffset, hsm.IMKSMI, hsm.IMKSMC, hsm.IMKCVC3, hsm.TDK, hsm.ZDK, hsm.HMACKey,
}

// function is one use of one key of a module.
type function struct {
	name  string
	allow []hsm.Usage
	call  func(ctx context.Context, k *hsm.Key) error
}

// other is a use of keys that have another algorithm than spec gives them.
type other struct {
	function
	algorithm hsm.Algorithm // of the keys it takes; 0: as spec has it
}

// every lists all uses of keys.
func (s *suite) every() []other {
	var all []other
	for _, f := range s.functions() {
		all = append(all, other{f, 0})
	}
	return slices.Concat(all, s.macFunctions(), s.otherBases())
}

// goodFor loads a key that f takes, of usage u.
func (s *suite) goodFor(f other, u hsm.Usage) *hsm.Key {
	if f.algorithm == 0 {
		return s.good(u)
	}
	return s.keyOf(u, f.algorithm, someKey(f.algorithm.Size()))
}

// functions are all uses of keys, with inputs that are good under testKey.
func (s *suite) functions() []function {
	m := s.m
	c := hsm.Cryptogram{Profile: hsm.VisaCVN10, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: sale().icc(s)}
	return slices.Concat(s.keyFunctions(), s.dukptFunctions(), s.cardFunctions(), s.scriptFunctions(), s.pinFunctions(), []function{
		{"MAC union pay", []hsm.Usage{hsm.TAK, hsm.ZAK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.MAC(ctx, k, hsm.MACUnionPayECB, []byte("data"))
			return err
		}},
		{"MAC retail", []hsm.Usage{hsm.TAK, hsm.ZAK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.MAC(ctx, k, hsm.MACRetail, []byte("data"))
			return err
		}},
		{"VerifyMAC", []hsm.Usage{hsm.TAK, hsm.ZAK}, func(ctx context.Context, k *hsm.Key) error {
			return m.VerifyMAC(ctx, k, hsm.MACRetail, []byte("data"), make([]byte, 8))
		}},
		{"VerifyARQC", []hsm.Usage{hsm.IMKAC}, func(ctx context.Context, k *hsm.Key) error { return m.VerifyARQC(ctx, k, c) }},
		{"ARPC", []hsm.Usage{hsm.IMKAC}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.ARPC(ctx, k, c, [2]byte{'0', '0'})
			return err
		}},
	})
}

// keyFunctions are the uses of keys that travel, seal and make tokens.
func (s *suite) keyFunctions() []function {
	m := s.m
	return append(s.travelFunctions(), []function{
		{"Seal", []hsm.Usage{hsm.PANSeal}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.Seal(ctx, k, []byte("digits"), nil)
			return err
		}},
		{"Open", []hsm.Usage{hsm.PANSeal}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.Open(ctx, k, make([]byte, 40), nil)
			return err
		}},
		{"Token", []hsm.Usage{hsm.PANToken}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.Token(ctx, k, s.pan(testPAN))
			return err
		}},
	}...)
}

// AllFunctions calls every key-using function of m once with good keys, by
// name; tests of a module that went away use it. The keys are made at once, the
// calls come later.
func AllFunctions(t *testing.T, m Module) map[string]func(ctx context.Context) error {
	s := &suite{T: t, m: m}
	out := make(map[string]func(ctx context.Context) error)
	for _, f := range s.every() {
		key := s.goodFor(f, f.allow[0])
		out[f.name] = func(ctx context.Context) error { return f.call(ctx, key) }
	}
	for name, call := range s.makers() {
		out[name] = call
	}
	return out
}

// AllMisuses calls every key-using function of m with a key of every usage that it
// must refuse, by names of function and usage. The keys are made at once, the calls
// come later.
func AllMisuses(t *testing.T, m Module) map[string]func(ctx context.Context) error {
	s := &suite{T: t, m: m}
	out, every := make(map[string]func(ctx context.Context) error), s.every()
	for _, u := range usages {
		key := s.good(u)
		for _, f := range every {
			if !slices.Contains(f.allow, u) {
				out[f.name+" with a "+u.String()] = func(ctx context.Context) error { return f.call(ctx, key) }
			}
		}
	}
	return out
}

// good loads a key of usage u.
func (s *suite) good(u hsm.Usage) *hsm.Key {
	value := unhex(s, testKey)
	if s.spec(u).Algorithm.Size() == 32 {
		value = append(value, value...)
	}
	return s.key(u, value)
}

func usageMatrix(s *suite) {
	keys := make(map[hsm.Usage]*hsm.Key)
	for _, u := range usages {
		keys[u] = s.good(u)
	}
	for _, f := range s.every() {
		for _, u := range usages {
			allowed, key := slices.Contains(f.allow, u), keys[u]
			if allowed {
				key = s.goodFor(f, u)
			}
			err := f.call(s.Context(), key)
			if refused := errors.Is(err, hsm.ErrUsage); refused == allowed {
				s.Errorf("%s with a %s: %v", f.name, u, err)
			}
		}
		if err := f.call(s.Context(), nil); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s without a key: %v, want ErrInput", f.name, err)
		}
	}
	for name, call := range s.makers() {
		if err := call(s.Context()); err != nil {
			s.Errorf("%s: %v", name, err)
		}
	}
}

func alteredBinding(s *suite) {
	for name, change := range map[string]func(k *hsm.Key){
		"name":            func(k *hsm.Key) { k.Name += "x" },
		"usage":           func(k *hsm.Key) { k.Usage = hsm.ZAK },
		"owner":           func(k *hsm.Key) { k.Owner = "other" },
		"version":         func(k *hsm.Key) { k.Version++ },
		"check value":     func(k *hsm.Key) { k.KCV[0] ^= 1 },
		"end of validity": func(k *hsm.Key) { k.NotAfter = 1 << 40 },
		"LMK identity":    func(k *hsm.Key) { k.LMK[0] ^= 1 },
		"wrapped key":     func(k *hsm.Key) { k.Wrapped = append([]byte{k.Wrapped[0] ^ 1}, k.Wrapped[1:]...) },
		"cut":             func(k *hsm.Key) { k.Wrapped = k.Wrapped[:len(k.Wrapped)-8] },
		"empty":           func(k *hsm.Key) { k.Wrapped = nil },
		"binding":         func(k *hsm.Key) { k.Binding[15] ^= 0x80 },
		"text moved":      func(k *hsm.Key) { k.Name, k.Owner = k.Name[:len(k.Name)-1], "test"+k.Owner },
	} {
		key := *s.good(hsm.TAK)
		if _, err := s.m.MAC(s.Context(), &key, hsm.MACRetail, []byte("x")); err != nil {
			s.Fatalf("key before the change: %v", err) // it is cached from here on
		}
		change(&key)
		if _, err := s.m.MAC(s.Context(), &key, hsm.MACRetail, []byte("x")); !errors.Is(err, hsm.ErrBinding) {
			s.Errorf("%s changed: %v, want ErrBinding", name, err)
		}
	}
}

// expired: no function takes a key of 1970.
func expired(s *suite) {
	for _, f := range s.every() {
		spec := s.spec(f.allow[0])
		if f.algorithm != 0 {
			spec.Algorithm = f.algorithm
		}
		spec.NotAfter = 1
		key, err := s.m.LoadClear(s.Context(), spec, clearKey(s, someKey(spec.Algorithm.Size())))
		if err != nil {
			s.Fatal(err)
		}
		err = f.call(s.Context(), &key)
		if !errors.Is(err, hsm.ErrUsage) || !strings.Contains(err.Error(), "validity") {
			s.Errorf("%s with a key of 1970: %v", f.name, err)
		}
	}
}

// alteredEverywhere: no function takes a key whose binding is another's, whatever
// it would have answered.
func alteredEverywhere(s *suite) {
	for _, f := range s.every() {
		key := *s.goodFor(f, f.allow[0])
		if err := f.call(s.Context(), &key); errors.Is(err, hsm.ErrBinding) {
			s.Errorf("%s: %v", f.name, err)
		}
		key.Version++
		if err := f.call(s.Context(), &key); !errors.Is(err, hsm.ErrBinding) {
			s.Errorf("%s with a key of another version: %v, want ErrBinding", f.name, err)
		}
	}
}

func wrongInputs(s *suite) {
	ctx, m := s.Context(), s.m
	tak, imk := s.good(hsm.TAK), s.good(hsm.IMKAC)
	c := hsm.Cryptogram{Profile: hsm.VisaCVN10, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: sale().icc(s)}
	with := func(change func(c *hsm.Cryptogram)) error {
		wrong := c
		change(&wrong)
		return m.VerifyARQC(ctx, imk, wrong)
	}
	for name, err := range map[string]error{
		"MAC of nothing":           second(m.MAC(ctx, tak, hsm.MACRetail, nil)),
		"MAC algorithm 0":          second(m.MAC(ctx, tak, 0, []byte("x"))),
		"profile 0":                with(func(c *hsm.Cryptogram) { c.Profile = 0 }),
		"no PAN":                   with(func(c *hsm.Cryptogram) { c.PAN = secret.PAN{} }),
		"PSN of letters":           with(func(c *hsm.Cryptogram) { c.PSN = [2]byte{'A', '0'} }),
		"no field 55":              with(func(c *hsm.Cryptogram) { c.Data = secret.ICC{} }),
		"sealed data too short":    second(m.Open(ctx, s.good(hsm.PANSeal), []byte("short"), nil)),
		"token of nothing":         second(m.Token(ctx, s.good(hsm.PANToken), secret.PAN{})),
		"key of no component":      second(m.LoadClear(ctx, s.spec(hsm.TAK))),
		"components unlike in len": second(m.LoadClear(ctx, s.spec(hsm.TAK), clearKey(s, make([]byte, 16)), clearKey(s, make([]byte, 8)))),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	for _, tag := range order {
		if tag == "9F27" {
			continue // in nobody's list
		}
		f := sale()
		delete(f, tag)
		if err := with(func(c *hsm.Cryptogram) { c.Data = f.icc(s) }); !errors.Is(err, hsm.ErrInput) || !strings.Contains(err.Error(), tag) {
			s.Errorf("field 55 without %s: %v", tag, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func wrongSpecs(s *suite) {
	for name, change := range map[string]func(spec *hsm.Spec){
		"no name":      func(spec *hsm.Spec) { spec.Name = "" },
		"long name":    func(spec *hsm.Spec) { spec.Name = strings.Repeat("n", 129) },
		"no owner":     func(spec *hsm.Spec) { spec.Owner = "" },
		"no usage":     func(spec *hsm.Spec) { spec.Usage = 0 },
		"AES for CVK":  func(spec *hsm.Spec) { spec.Usage, spec.Algorithm = hsm.CVK, hsm.AES128 },
		"HMAC for TAK": func(spec *hsm.Spec) { spec.Algorithm = hsm.HMAC128 },
		"DES for HMAC": func(spec *hsm.Spec) { spec.Usage = hsm.HMACKey },
		"DES for seal": func(spec *hsm.Spec) { spec.Usage = hsm.PANSeal },
		"no algorithm": func(spec *hsm.Spec) { spec.Algorithm = 0 },
	} {
		spec := s.spec(hsm.TAK)
		change(&spec)
		_, err := s.m.Generate(s.Context(), spec)
		_, err2 := s.m.LoadClear(s.Context(), spec, clearKey(s, unhex(s, testKey)))
		if !errors.Is(err, hsm.ErrInput) || !errors.Is(err2, hsm.ErrInput) {
			s.Errorf("%s: %v, %v; want ErrInput", name, err, err2)
		}
	}
}

// makers are the functions that take no key of the module, and CheckKey, which
// takes every one.
func (s *suite) makers() map[string]func(ctx context.Context) error {
	key, value, value2 := s.good(hsm.BDK), clearKey(s, unhex(s, testKey)), clearKey(s, unhex(s, otherKey))
	made, wish := s.spec(hsm.ZPK), s.working(hsm.ZPK, hsm.TDES2)
	aes := s.spec(hsm.TDK)
	aes.Algorithm = hsm.AES256
	return map[string]func(ctx context.Context) error{
		"CheckKey":       func(ctx context.Context) error { return s.m.CheckKey(ctx, key) },
		"Generate":       func(ctx context.Context) error { return second(s.m.Generate(ctx, made)) },
		"Generate AES":   func(ctx context.Context) error { return second(s.m.Generate(ctx, aes)) },
		"LoadClear":      func(ctx context.Context) error { return second(s.m.LoadClear(ctx, made, value)) },
		"LoadComponents": func(ctx context.Context) error { return second(s.m.LoadComponents(ctx, wish, value, value2)) },
	}
}
