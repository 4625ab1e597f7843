// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
)

// labelled counts tokens, so that a test that runs again makes its own.
var labelled atomic.Int32

func labels(names ...string) (out []string) {
	n := labelled.Add(1)
	for _, name := range names {
		out = append(out, fmt.Sprintf("%s-%d", name, n))
	}
	return out
}

// inOne are tokens of SoftHSM itself, in the one library.
func inOne(labels ...string) (out []Token) {
	for _, label := range labels {
		out = append(out, Token{Module: modulePath, TokenLabel: label, UserPIN: pin(pinText)})
	}
	return out
}

func openGroup(t *testing.T, tokens ...Token) *Group {
	t.Helper()
	alone(t)
	cfg, others := config2(tokens...)
	g, err := OpenGroup(world(), cfg, others...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// folderOf is where SoftHSM keeps a token: the one folder in which its label is.
func folderOf(t *testing.T, label string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*", "token.object"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), label) {
			return filepath.Dir(file)
		}
	}
	t.Fatalf("no token %q in %s", label, dir)
	return ""
}

func relocate(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// wait polls until a token of the group serves, or does not.
func wait(t *testing.T, g *Group, member int, serves bool) {
	t.Helper()
	until(t, 10*time.Second, g.members[member].name+" is as expected", func() bool { return (g.Members()[member].Err == nil) == serves })
}

// TestGroupForeignToken: a token with other local master keys is refused by name,
// and is not asked even when nobody else is there.
func TestGroupForeignToken(t *testing.T) {
	makePair(t)
	other := labels("group-other")
	form(t, fresh(t, other[0]), 0x77, 1)
	g := openGroup(t, two.tokens[0], inOne(other...)[0])
	err := g.Members()[1].Err
	if !errors.Is(err, errForeign) || !strings.Contains(err.Error(), other[0]) || !strings.Contains(err.Error(), `"group-a"`) {
		t.Errorf("a token with other local master keys: %v", err)
	}
	if err := g.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	if err := two.chaos[0].Tell("vanish"); err != nil {
		t.Fatal(err)
	}
	wait(t, g, 0, false)
	_, err = g.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.ZPK, Algorithm: hsm.TDES2})
	if !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "other local master keys") {
		t.Errorf("only the other token is there: %v", err)
	}
	if err := two.chaos[0].Tell(); err != nil {
		t.Fatal(err)
	}
	wait(t, g, 0, true)
}

// TestGroupStartsWithOne: what is missing at the start, for whatever reason, is
// told, and joins when it comes.
func TestGroupStartsWithOne(t *testing.T) {
	makePair(t)
	missing := Token{Module: filepath.Join(t.TempDir(), "later.so"), TokenLabel: "group-a", UserPIN: pin(pinText)}
	wrong := Token{Module: modulePath, TokenLabel: "group-a", UserPIN: pin("wrong-pin")}
	if err := errors.Join(two.chaos[0].Tell("vanish"), two.chaos[1].Tell()); err != nil {
		t.Fatal(err)
	}
	g := openGroup(t, two.tokens[0], missing, two.tokens[1])
	for i, says := range []string{`no token "group-a"`, "later.so"} {
		if err := g.Members()[i].Err; err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("member %d: %v, want a word of %q", i, err, says)
		}
	}
	if err := errors.Join(g.Members()[2].Err, g.Health()); err != nil {
		t.Errorf("the token that is there: %v", err)
	}
	library, err := os.ReadFile(modulePath)
	if err = errors.Join(err, two.chaos[0].Tell(), os.WriteFile(missing.Module, library, 0o600)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		wait(t, g, i, true)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, others := config2(wrong, inOne("nobody")[0])
	_, err = OpenGroup(world(), cfg, others...)
	if err == nil || !strings.Contains(err.Error(), "PIN refused") || !strings.Contains(err.Error(), `no token "nobody"`) || strings.Contains(err.Error(), "wrong-pin") {
		t.Errorf("no token is there: %v", err)
	}
	cfg, others = config2(two.tokens[0], two.tokens[0])
	if _, err = OpenGroup(world(), cfg, others...); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a token twice: %v", err)
	}
}

// TestGroupStartsBesideAHang: a token that does not answer at the start keeps the
// others waiting for a while, and joins when it answers.
func TestGroupStartsBesideAHang(t *testing.T) {
	makePair(t)
	if err := errors.Join(two.chaos[0].Tell("hang C_Login 0 0"), two.chaos[1].Tell()); err != nil {
		t.Fatal(err)
	}
	g := openGroup(t, two.tokens[0], two.tokens[1])
	if g.Members()[0].Err == nil || g.Members()[1].Err != nil {
		t.Errorf("one hangs in its log-in: %v", g.Members())
	}
	if err := g.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	if err := two.chaos[0].Tell(); err != nil {
		t.Fatal(err)
	}
	wait(t, g, 0, true)
}

// TestGroupGenerations: a newer generation on one token only is no fault and is
// not used for new keys; a key under it goes to the token that has it.
func TestGroupGenerations(t *testing.T) {
	names := labels("generations-a", "generations-b")
	form(t, fresh(t, names[0]), 0x31, 1)
	cfg := fresh(t, names[1])
	old := form(t, cfg, 0x31, 1)
	form(t, cfg, 0x32, 2)
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.PANToken, Algorithm: hsm.AES256})
	if err = errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	g := openGroup(t, inOne(names...)...)
	for _, m := range g.Members() {
		if m.Err != nil {
			t.Errorf("%+v", m)
		}
	}
	if g.LMK() != old {
		t.Errorf("new keys are wrapped under %X, want %X", g.LMK(), old)
	}
	for i := range g.members {
		made, err := g.members[i].Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.PANToken, Algorithm: hsm.AES256})
		if err != nil || made.LMK != old {
			t.Errorf("made by member %d under %X: %v", i, made.LMK, err)
		}
	}
	if err := g.members[0].CheckKey(t.Context(), &key); !errors.Is(err, hsm.ErrBinding) {
		t.Errorf("the token without the generation: %v", err)
	}
	if err := g.CheckKey(t.Context(), &key); err != nil {
		t.Errorf("the group: %v", err)
	}
	key.LMK[0] ^= 1
	if err := g.CheckKey(t.Context(), &key); !errors.Is(err, hsm.ErrBinding) || errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("under keys that no token has: %v", err)
	}
}

// TestGroupInOneLibrary: losing the sessions of one token is mended beside the
// other's work. A token that SoftHSM sees again only after C_Finalize stays out
// while the other serves, and is taken when that one is lost.
func TestGroupInOneLibrary(t *testing.T) {
	names := labels("library-a", "library-b")
	for _, label := range names {
		form(t, fresh(t, label), 0x41, 1)
	}
	folders := []string{folderOf(t, names[0]), folderOf(t, names[1])}
	away := []string{filepath.Join(base, names[0]), filepath.Join(base, names[1])} // SoftHSM takes every folder beside for a token
	g := openGroup(t, inOne(names...)...)
	all := hsmtest.AllFunctions(t, g)
	served := func(what string) {
		t.Helper()
		if _, refused := answers(t, all); refused != 0 {
			t.Errorf("%s: %d functions are refused", what, refused)
		}
	}
	served("all is well")
	other := g.members[1].link.generation
	if err := g.members[0].ctx.CloseAllSessions(g.members[0].link.slot); err != nil {
		t.Fatal(err)
	}
	served("the first token's sessions are lost")
	wait(t, g, 0, true)
	if g.members[1].link.generation != other {
		t.Error("the second token was connected anew for the first")
	}
	relocate(t, folders[0], away[0])
	served("the first token is gone")
	for i := range 4 { // each in turn is there again, unseen, and taken when the other goes
		lost, serving := i%2, 1-i%2
		wait(t, g, lost, false)
		relocate(t, away[lost], folders[lost])
		until(t, 5*time.Second, "why "+names[lost]+" is not seen", func() bool {
			served("a token that SoftHSM does not see")
			err := g.Members()[lost].Err
			if err == nil {
				t.Fatalf("%s is seen again: the page about it is wrong", names[lost])
			}
			return strings.Contains(err.Error(), "not initialised anew") && strings.Contains(err.Error(), names[serving])
		})
		relocate(t, folders[serving], away[serving])
		until(t, 5*time.Second, names[lost]+" serves", func() bool { _, refused := answers(t, all); return refused == 0 })
	}
	relocate(t, away[0], folders[0])
}

// TestGroupAdmin: local master keys of a group are formed token by token; the
// Admin of one of them works beside the group.
func TestGroupAdmin(t *testing.T) {
	names := labels("admin-a", "admin-b")
	for _, label := range names {
		form(t, fresh(t, label), 0x51, 1)
	}
	g := openGroup(t, inOne(names...)...)
	for _, m := range g.members {
		a, err := m.Admin()
		if err != nil {
			t.Fatal(err)
		}
		all, err := a.Generations()
		if err = errors.Join(err, a.Close()); err != nil || len(all) != 1 || all[0].Identity != g.LMK() || all[0].Origin != g.Origin() {
			t.Errorf("%s: %v, %v", m.name, all, err)
		}
	}
}

// BenchmarkGroup is what the choice of a token costs beside a Module alone
// (BenchmarkAlone, function=nothing).
func BenchmarkGroup(b *testing.B) {
	alone(b)
	names := labels("bench-a", "bench-b")
	for _, label := range names {
		form(b, fresh(b, label), 0x61, 1)
	}
	cfg, others := config2(inOne(names...)...)
	g, err := OpenGroup(world(), cfg, others...)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Health(); err != nil {
			b.Fatal(err)
		}
	}
	if err := g.Close(); err != nil {
		b.Fatal(err)
	}
}
