// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapswitch/simulators/reader"
)

// The whole terminal on a pty: chip, kernel, PIN pad, host.
func TestTapsOnAReader(t *testing.T) {
	r := newRigWithReader(t)
	r.wait("ready")
	for _, c := range []struct {
		card   string
		amount string
		pin    bool
		want   string
	}{
		{"unionpay-no-pin", "1234", false, "approved 00 none 622424******0069 000002"},
		{"unionpay-pin", "1234", true, "approved 00 pin 622424******0069 000003"},
		{"unionpay", "150000", true, "approved 00 pin 622424******0069 000004"},
		{"unionpay-phone", "150000", false, "approved 00 cdcvm 622424******0069 000005"},
		{"visa-no-pin", "100", false, "approved 00 none 476173******0119 000006"},
		{"visa-signature", "100", false, "approved 00 signature 476173******0119 000007"},
		{"unionpay-declines", "100", false, "declined_offline card_declined"},
		{"unionpay-removed", "100", false, "card_removed card_removed"},
		{"mastercard", "100", false, "unsupported_card kernel_not_built"},
		{"unionpay", "6000000", false, "try_another_interface amount_above_contactless_limit"},
	} {
		if err := r.chip.Present(c.card); err != nil {
			t.Fatal(err)
		}
		r.say("sale " + c.amount)
		if c.pin {
			r.wait("enter_pin")
			r.say("pin 1234")
		}
		e := r.wait("result")
		if got := short(e); got != c.want {
			t.Errorf("%s: got %q, want %q (%s)", c.card, got, c.want, e.Message)
		}
		if e.Outcome == "approved" && (e.Kernel == 0 || e.AID == "" || e.Label == "") {
			t.Errorf("%s: result %+v", c.card, e)
		}
	}
	r.chip.Remove()
	r.say("sale 100")
	if got := short(r.wait("result")); got != "no_card" {
		t.Errorf("no card: %q", got)
	}
	r.end()
	for _, b := range r.sw.Books() {
		if !b.MACRight || !b.Track || !strings.Contains(b.Chip, "9f26") || b.PIN != strings.HasSuffix(b.Entry, "1") {
			t.Errorf("books %s %s: MAC %v track %v PIN %v entry %s", b.MTI, b.Trace, b.MACRight, b.Track, b.PIN, b.Entry)
		}
	}
}

// A reader that is unplugged ends the sale by name; plugged in again, it works.
func TestReaderUnplugged(t *testing.T) {
	r := newRigWithReader(t)
	r.wait("ready")
	r.say("sale 100")
	r.wait("present_card")
	time.Sleep(100 * time.Millisecond)
	if err := r.chip.Close(); err != nil {
		t.Fatal(err)
	}
	if got := short(r.wait("result")); got != "reader_gone" {
		t.Errorf("unplugged: %q", got)
	}
	r.say("sale 100")
	if got := short(r.wait("result")); got != "reader_gone" {
		t.Errorf("still away: %q", got)
	}
	r.plugIn()
	if err := r.chip.Present("unionpay-no-pin"); err != nil {
		t.Fatal(err)
	}
	r.say("sale 100")
	if got := short(r.wait("result")); got != "approved 00 none 622424******0069 000002" {
		t.Errorf("back again: %q", got)
	}
	r.end()
}

// A locked phone is sent to its owner first and paid with at the second tap.
func TestSeePhone(t *testing.T) {
	r := newRigWithReader(t)
	r.wait("ready")
	if err := r.chip.Present("unionpay-phone-locked"); err != nil {
		t.Fatal(err)
	}
	r.say("sale 100")
	r.wait("see_phone")
	if got := r.wait("result"); got.Outcome != "approved" || got.CVM != "cdcvm" {
		t.Errorf("got %q", short(got))
	}
	r.end()
}

func newRigWithReader(t *testing.T) *rig {
	r := newRig(t, nil)
	r.plugIn()
	return r
}

func (r *rig) plugIn() {
	r.t.Helper()
	chip, err := reader.Start(reader.Config{Link: filepath.Join(r.dir, "reader.tty")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.chip = chip
	r.t.Cleanup(func() { chip.Close() })
}
