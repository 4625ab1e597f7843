// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"regexp"
	"testing"
)

// demoComponents are the components of the demonstration's local master keys.
var demoComponents = map[string]string{
	"ann": "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
	"ben": "FEDCBA98765432100011223344556677FEDCBA98765432108899AABBCCDDEEFF",
	"cat": "4C65742074686520746170207377697463682066726F6D20746865726521ABCD",
}

// TestRestoreAndMigrateWhileServing: the demonstration's token is lost; formed
// again of the same components, every stored key serves. Then a second
// generation is formed beside the first and every key moves to it while cards
// are tapped; the first is retired.
func TestRestoreAndMigrateWhileServing(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	was := r.lmk().Generations
	if len(was) != 1 || was[0].Origin != "practice" || was[0].Keys != 9 {
		t.Fatalf("the demonstration begins with %+v", was)
	}
	r.loseToken()
	if lost := r.lmk(); len(lost.Generations) != 0 || lost.Foreign != 9 {
		t.Fatalf("without the token: %+v", lost)
	}
	people := []string{"--officer", "olga", "--witness", "wei"}
	old := newRoom(r, "ann", "ben", "cat")
	old.start(append(people, "hsm", "ceremony", "--enter", "--transcript", "lmk-1.jsonl", "--custodian", "ann", "--custodian", "ben", "--custodian", "cat")...)
	for _, who := range []string{"ann", "ben", "cat"} {
		old.typeIn(who, demoComponents[who])
		old.typeIn(who, demoComponents[who])
	}
	old.sayYes()
	old.end(0)
	if again := r.lmk().Generations; len(again) != 1 || again[0].Identity != was[0].Identity || again[0].Keys != 9 {
		t.Fatalf("restored %+v, want %+v", again, was)
	}

	r.startAll()
	r.expect("visa", 120000, "1234", "approved", "00")
	before := r.lmk().Generations[0].Keys

	next := newRoom(r) // everybody at one console
	next.start(append(people, "hsm", "ceremony", "--transcript", "lmk-2.jsonl", "--custodian", "dan", "--custodian", "eve")...)
	for _, who := range []string{"dan", "eve"} {
		next.own[who] = next.console
		next.writeDown(who)
		next.typeIn(who, next.papers[who])
	}
	next.own = nil
	next.sayYes()
	next.end(0)
	r.expect("unionpay", 1100, "", "approved", "00")
	r.refused("move them first", "hsm", "lmk", "retire", "--config", r.path("switch.yaml"), "--generation", "1", "--identity", was[0].Identity, "--switches-restarted")

	old.start(append(people, "hsm", "lmk", "migrate", "--from", "lmk-1.jsonl", "--transcript", "migrate.jsonl")...)
	old.typeIn("ann", demoComponents["ben"])
	old.own["ann"].await("REFUSED wrong_component: ann")
	old.typeIn("ann", demoComponents["ann"])
	r.expect("visa", 130000, "1234", "approved", "00")
	old.typeIn("ben", demoComponents["ben"])
	old.typeIn("cat", demoComponents["cat"])
	old.sayYes()
	old.end(0)
	after := r.lmk()
	if g := after.Generations; len(g) != 2 || g[0].Keys != 0 || g[1].Keys != before || after.Foreign != 0 || g[1].State != "newest" {
		t.Fatalf("after the migration of %d keys: %+v", before, after)
	}
	r.expect("visa", 140000, "1234", "approved", "00") // by the switch that began with the first
	r.retired(was[0].Identity)
	r.strike()
}

// retired restarts the switch, takes generation 1 away and goes on without it.
func (r *rig) retired(identity string) {
	r.t.Helper()
	retire := []string{"hsm", "lmk", "retire", "--config", r.path("switch.yaml"), "--generation", "1", "--identity", identity}
	r.refused("restart them", retire...)
	if code := r.sw.stop(); code != 0 {
		r.t.Fatalf("the switch ended with %d", code)
	}
	r.startSwitch()
	r.must(append(retire, "--switches-restarted")...)
	r.expect("visa", 150000, "1234", "approved", "00")
	r.expect("unionpay", 1200, "", "approved", "00")
	if g := r.lmk().Generations; len(g) != 1 || g[0].Generation != 2 {
		r.t.Errorf("left: %+v", g)
	}
	r.refused("is the newest", "hsm", "lmk", "retire", "--config", r.path("switch.yaml"), "--generation", "2", "--identity", "0000000000000000", "--switches-restarted")
}

// TestPracticeCeremony is marked everywhere and leaves nothing on the token.
func TestPracticeCeremony(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	room := newRoom(r, "alice", "bob")
	room.start("hsm", "ceremony", "--practice", "--transcript", "practice.jsonl", "--officer", "olga", "--witness", "wei", "--custodian", "alice", "--custodian", "bob")
	for _, who := range []string{"alice", "bob"} {
		room.own[who].await("*** PRACTICE")
		room.writeDown(who)
		room.own[who].await("*** PRACTICE")
		room.typeIn(who, room.papers[who])
	}
	room.sayYes()
	room.console.await("thrown away")
	room.end(0)
	if g := r.lmk().Generations; len(g) != 1 || g[0].Generation != 1 {
		t.Errorf("the practice left %+v", g)
	}
	said := r.must("hsm", "ceremony", "verify", r.path("practice.jsonl"))
	if n := len(regexp.MustCompile(`(?m)PRACTICE`).FindAllString(said, -1)); n != 9 {
		t.Errorf("%d lines are marked in\n%s", n, said)
	}
	r.refused("that was a practice", "hsm", "restore", "--config", r.path("switch.yaml"), "--from", r.path("practice.jsonl"), "--transcript", r.path("x.jsonl"))
	for _, witness := range []string{"wei", "alice"} {
		r.refused("each must be a person of its own", "hsm", "ceremony", "--config", r.path("switch.yaml"), "--transcript", r.path("x.jsonl"),
			"--officer", "alice", "--witness", witness, "--custodian", "alice", "--custodian", "bob")
	}
}
