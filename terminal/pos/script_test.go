// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"context"
	"strings"
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

func (s *taps) Update(_ context.Context, _ pos.Tap, answer secret.ICC) ([]host.ScriptResult, error) {
	ids, err := host.Scripts(answer)
	if err != nil || len(ids) != 1 {
		s.t.Errorf("scripts %x %v", ids, err)
	}
	return []host.ScriptResult{{Done: host.Performed, ID: ids[0]}}, nil
}

// brings is field 55 of an answer with a script, whose cryptogram no card believes.
const brings = "910A00112233445566773030" + "7211" + "9F18040000002A" + "8608" + "04DA9F580301AABB"

// told waits until the switch is told of a script, and gives the results.
func (r *rig) toldOfScript() string {
	r.t.Helper()
	if e := r.wait("advice"); e.Kind != string(host.KindScript) || e.Done == nil || !*e.Done {
		r.t.Fatalf("advice %+v", e)
	}
	books := r.sw.Books()
	chip, _ := strings.CutPrefix(books[len(books)-1].Chip, "df3105")
	return chip[:10]
}

// An approval brings a script: the card is asked for once more, and the switch is told
// what it did. A card that cannot, or does not come, did nothing.
func TestScriptAtTheTill(t *testing.T) {
	r := newRigWithReader(t)
	r.wait("ready")
	r.sw.Sales(hosttest.Mood{ICC: brings}, hosttest.Mood{ICC: brings}, hosttest.Mood{ICC: brings}, hosttest.Mood{})
	for _, c := range []struct{ card, again, want string }{
		{"unionpay-scripts", "unionpay-scripts", "110000002a"}, // it does not believe this issuer
		{"unionpay-no-pin", "", "000000002a"},
		{"unionpay-scripts", "none", "000000002a"},
	} {
		if err := r.chip.Present(c.card); err != nil {
			t.Fatal(err)
		}
		r.say("sale 100")
		if e := r.wait("result"); e.Outcome != string(host.Approved) {
			t.Fatalf("%s: %s", c.card, short(e))
		}
		if c.again == "none" {
			r.chip.Remove()
		}
		if c.again != "" {
			r.wait("present_card_again")
		}
		if got := r.toldOfScript(); got != c.want {
			t.Errorf("%s: told %s, want %s", c.card, got, c.want)
		}
	}
	r.end()
}

// A tapper that takes the card again has its word told, before the next sale.
func TestScriptCarriedOut(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none", AID: "A000000333010101", Update: true}}})
	r.wait("ready")
	r.sw.Sales(hosttest.Mood{ICC: brings})
	r.say("sale 100")
	r.wait("present_card_again")
	if got := r.toldOfScript(); got != "200000002a" {
		t.Errorf("told %s", got)
	}
	r.say("settle")
	if e := r.wait("settlement"); e.Outcome != string(host.Balanced) {
		t.Errorf("settled %+v", e)
	}
	r.end()
}
