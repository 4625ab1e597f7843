// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

func (b *bench) keep(auth string) host.Result {
	b.t.Helper()
	return b.h.KeepOffline(b.t.Context(), host.Offline{Amount: 1234, Card: b.card(), Auth: auth})
}

// tells are what an upload came to, in short.
func (b *bench) tells(refused bool) string {
	b.t.Helper()
	all, _ := b.h.Upload(b.t.Context(), refused)
	var out []string
	for _, told := range all {
		end := string(told.Reason)
		if told.Done {
			end = "done"
		}
		out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", told.Trace, told.Code, end)), " "))
	}
	return strings.Join(out, ", ")
}

// An offline sale is good without a switch; the switch is told of it later, with
// the authorization and without track, PIN and chip, until it says yes.
func TestOfflineSale(t *testing.T) {
	b := newBench(t)
	if r := b.keep("T12345"); short(r) != "kept" || r.Trace != 1 || r.Auth != "T12345" || b.sw.Lines() != "" {
		t.Fatalf("%s, books %q", short(r), b.sw.Lines())
	}
	if got := b.tells(false); got != "1 00 done" || b.h.Kept() != 0 || b.sw.Lines() != "0220 000001" {
		t.Errorf("%s; %d kept; books %q", got, b.h.Kept(), b.sw.Lines())
	}
	if r := b.sw.Books()[0]; r.Auth != "T12345" || r.Amount != "000000001234" || r.PAN != testPAN || r.Track || r.PIN || r.Chip != "" || !r.MACRight {
		t.Errorf("told %+v", r)
	}
	if got := b.tells(false); got != "" {
		t.Errorf("told again: %s", got)
	}
}

// What the switch cannot keep now is told again, in order; what it refuses for good
// is told no more, stays until it is discarded, and holds up no other.
func TestOfflineSalesAreToldAgain(t *testing.T) {
	b := newBench(t)
	for range 3 {
		b.keep("T12345")
	}
	b.sw.Advices(hosttest.Mood{Code: "96"})
	if got := b.tells(false); got != "1 96 not_kept_by_switch" || b.h.Kept() != 3 {
		t.Errorf("%s, %d kept", got, b.h.Kept())
	}
	b.sw.Advices(hosttest.Mood{Silent: true})
	if got := b.tells(false); got != "1 answer_timeout" {
		t.Error(got)
	}
	b.sw.Advices(hosttest.Mood{BadMAC: true})
	if got := b.tells(false); got != "1 00 answer_mac_wrong" || b.h.Kept() != 3 {
		t.Errorf("%s, %d kept", got, b.h.Kept())
	}
	b.sw.Advices(hosttest.Mood{}, hosttest.Mood{Code: "40"})
	if got := b.tells(false); got != "1 00 done, 2 40 advice_refused, 3 00 done" || b.h.Kept() != 1 || b.sw.SignOns() != 2 {
		t.Errorf("%s, %d kept, %d sign-ons", got, b.h.Kept(), b.sw.SignOns())
	}
	b.h.Close()
	b.open()
	if got := b.tells(false); got != "" || b.h.Kept() != 1 {
		t.Errorf("after a restart: %s, %d kept", got, b.h.Kept())
	}
	b.sw.Advices(hosttest.Mood{Code: "40"})
	if got := b.tells(true); got != "2 40 advice_refused" {
		t.Error(got)
	}
	if err := b.h.Discard(t.Context(), 7); !errors.Is(err, host.ErrNotKept) {
		t.Error(err)
	}
	r := b.keep("T12345")
	if err := b.h.Discard(t.Context(), r.Trace); !errors.Is(err, host.ErrNotRefused) {
		t.Error(err)
	}
	if err := b.h.Discard(t.Context(), 2); err != nil || b.h.Kept() != 1 {
		t.Errorf("%v, %d kept", err, b.h.Kept())
	}
}

// What is no offline sale is not kept, nor more than there is room for.
func TestOfflineSaleIsRefused(t *testing.T) {
	b := newBench(t)
	for _, auth := range []string{"", "12345", "1234567", "12 456", "12345\n"} {
		if r := b.keep(auth); short(r) != "not_sent  sale_malformed" {
			t.Errorf("%q: %s", auth, short(r))
		}
	}
	if r := b.h.KeepOffline(t.Context(), host.Offline{Card: b.card(), Auth: "T12345"}); short(r) != "not_sent  sale_malformed" {
		t.Error(short(r))
	}
	for range 20 {
		if r := b.keep("T12345"); r.Outcome != host.Kept {
			t.Fatal(short(r))
		}
	}
	if r := b.keep("T12345"); short(r) != "not_sent  offline_memory_full" {
		t.Error(short(r))
	}
	b.h.Close()
	b.open()
	if b.tells(false); b.h.Kept() != 0 || strings.Count(b.sw.Lines(), "0220") != 20 {
		t.Errorf("%d kept, books %q", b.h.Kept(), b.sw.Lines())
	}
}

// Power is cut before every single disk operation of an offline sale and of its
// upload: what was told as kept reaches the switch, under one trace number.
func TestPowerCutWhileOffline(t *testing.T) {
	for _, keep := range fake.Keeps() {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk := b.disk.(*fake.Disk)
		type moment struct {
			disk *fake.Disk
			kept bool
			name string
		}
		var all []moment
		kept := false
		disk.OnOp(func(op fake.Op) {
			all = append(all, moment{disk.CrashClone(keep, uint64(op.K)), kept, fmt.Sprintf("keep %s, %d %s", keep, op.K, op.Kind)})
		})
		kept = b.keep("T12345").Outcome == host.Kept
		b.sw.Advices(hosttest.Mood{Silent: true})
		b.tells(false)
		b.tells(false)
		disk.OnOp(nil)
		if len(all) < 12 {
			t.Fatalf("only %d moments", len(all))
		}
		b.h.Close()
		for _, m := range all {
			b.disk = m.disk
			b.open()
			before := b.sw.Lines()
			waits := b.h.Kept()
			if b.tells(false); b.h.Kept() != 0 || m.kept && waits == 0 && !strings.Contains(before, "0220 000002") {
				t.Errorf("%s: %d waited, %d wait", m.name, waits, b.h.Kept())
			}
			if r := b.sale(); r.Trace <= 2 && m.kept {
				t.Errorf("%s: trace %d used again", m.name, r.Trace)
			}
			b.h.Close()
		}
	}
}
