// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secondToken adds a token to the stage, in a library of its own, and to the
// configuration as the second of a failover group.
func (r *rig) secondToken() {
	r.t.Helper()
	text := r.file("switch.yaml")
	at := strings.Index(text, "module: ")
	library, _, _ := strings.Cut(text[at+len("module: "):], "\n")
	copied, err := os.ReadFile(library)
	if err == nil {
		err = os.WriteFile(r.path("second.so"), copied, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.edit("switch.yaml", "  softhsm_conf:", "  members:\n    - {module: "+r.path("second.so")+", token: second, user_pin: \"${file:user.pin}\"}\n  softhsm_conf:")
	r.write("so.pin", "so-pin-5678\n")
	r.must("hsm", "init", "--config", r.path("switch.yaml"), "--member", "2", "--so-pin-file", r.path("so.pin"))
}

// formSecond forms local master keys on the second token of what ann, ben and cat
// type.
func (r *rig) formSecond(transcript string, components map[string]string) {
	r.t.Helper()
	who := []string{"ann", "ben", "cat"}
	room := newRoom(r, who...)
	args := []string{"hsm", "ceremony", "--enter", "--member", "2", "--officer", "olga", "--witness", "wei", "--transcript", transcript}
	for _, name := range who {
		args = append(args, "--custodian", name)
	}
	room.start(args...)
	for _, name := range who {
		room.typeIn(name, components[name])
		room.typeIn(name, components[name])
	}
	room.sayYes()
	room.end(0)
}

// tokenFolders are those of SoftHSM's tokens on the stage.
func (r *rig) tokenFolders() (out []string) {
	r.t.Helper()
	all, err := filepath.Glob(filepath.Join(r.path("token"), "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestFailoverPayments: with either token of a failover group gone, every payment
// is approved; the group says that it is degraded, and is whole again by itself.
func TestFailoverPayments(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	first := r.tokenFolders()
	r.secondToken()
	second := slices.DeleteFunc(r.tokenFolders(), func(f string) bool { return slices.Contains(first, f) })
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("tokens in %v and %v", first, second)
	}
	r.formSecond("second.jsonl", demoComponents)
	if said := r.must("hsm", "doctor", "--config", r.path("switch.yaml")); !strings.Contains(said, "all 2 tokens of the failover group have the same local master keys") ||
		strings.Count(said, "keys in") != 2 {
		t.Errorf("doctor says\n%s", said)
	}
	r.startAll()
	r.expect("visa", 120000, "1234", "approved", "00")
	for i, folder := range []string{first[0], second[0]} {
		if err := os.Rename(folder, r.path("away")); err != nil {
			t.Fatal(err)
		}
		name := []string{"tapswitch-demo", "second"}[i]
		for range 3 {
			r.expect("visa", 130000, "1234", "approved", "00")
			r.expect("unionpay", 1300, "", "approved", "00")
		}
		r.eventually("/readyz tells that "+name+" is gone", func() bool {
			status, body := r.get("/readyz")
			return status == http.StatusOK && strings.Contains(body, "hsm: ok\n") && strings.Contains(body, "hsm token "+name+": degraded: ")
		})
		r.eventually("the metric tells that "+name+" is gone", func() bool {
			m := r.metrics()
			return m.sum("tapswitch_hsm_token_up", "token="+name) == 0 && m.sum("tapswitch_hsm_token_up") == 1 && m.sum("tapswitch_hsm_up") == 1
		})
		for range 3 {
			r.expect("visa", 140000, "1234", "approved", "00")
			r.expect("unionpay", 1400, "", "approved", "00")
		}
		if err := os.Rename(r.path("away"), folder); err != nil {
			t.Fatal(err)
		}
		r.eventually(name+" is back", func() bool {
			_, body := r.get("/readyz")
			return strings.Contains(body, "hsm token "+name+": ok\n")
		})
	}
	r.sw.await(0, "the loss in the log", func(e event) bool {
		return e.text("level") == "WARN" && e.text("token") == "second" && strings.Contains(e.text("msg"), "does not serve")
	})
	r.expect("visa", 150000, "1234", "approved", "00")
	r.strike()
}

// TestFailoverStartsDegraded: a switch starts with one token of two, and refuses
// to use the other when its local master keys are others; doctor names it.
func TestFailoverStartsDegraded(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	first := r.tokenFolders()
	r.secondToken()
	wrong := map[string]string{"ann": demoComponents["ann"], "ben": demoComponents["ben"], "cat": demoComponents["ann"][:60] + "FFFF"}
	r.formSecond("wrong.jsonl", wrong)
	r.refused("not everything is good", "hsm", "doctor", "--config", r.path("switch.yaml"))
	if e := call(t, "hsm", "doctor", "--config", r.path("switch.yaml")); e.code != 1 || !strings.Contains(e.stdout, `FAIL  member 2, token "second", differs from token "tapswitch-demo"`) {
		t.Errorf("doctor: %+v", e)
	}
	r.must("hsm", "doctor", "--config", r.path("switch.yaml"), "--member", "1")
	r.refused("the configuration has 2", "hsm", "doctor", "--config", r.path("switch.yaml"), "--member", "3")
	r.startAll()
	if status, body := r.get("/readyz"); status != http.StatusOK || !strings.Contains(body, "hsm token second: degraded: ") || !strings.Contains(body, "other local master keys") {
		t.Errorf("/readyz: %d\n%s", status, body)
	}
	r.expect("visa", 120000, "1234", "approved", "00")
	if err := os.Rename(first[0], r.path("away")); err != nil {
		t.Fatal(err)
	}
	r.eventually("the other token is not used", func() bool {
		status, body := r.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "hsm: not ready")
	})
	if err := os.Rename(r.path("away"), first[0]); err != nil {
		t.Fatal(err)
	}
	r.awaitReady()
	r.expect("visa", 130000, "1234", "approved", "00")
	r.strike()
}
