// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// issuer is field 55 of an answer: the ARPC, and a script with the identifier 0000002a.
const issuer = "910A00112233445566773030" + "7211" + "9F18040000002A" + "8608" + "04DA9F580301AABB"

// An approval brings a script: what became of it is on the disk with the approval, and
// the switch is told behind it, by what the answer said; it counts in no total.
func TestScriptResult(t *testing.T) {
	b := newBench(t)
	b.sw.Sales(hosttest.Mood{ICC: issuer})
	r := b.sale()
	if short(r) != "approved 00" || b.h.Kept() != 1 || b.h.NextTrace() != r.Trace+2 {
		t.Fatalf("%s, %d kept, next trace %d", short(r), b.h.Kept(), b.h.NextTrace())
	}
	ids, err := host.Scripts(r.ICC)
	if err != nil || len(ids) != 1 || ids[0] != [4]byte{0, 0, 0, 0x2A} {
		t.Fatalf("scripts %x %v", ids, err)
	}
	if err := b.h.ScriptsDone(t.Context(), r.Trace+1, nil); !errors.Is(err, host.ErrNoScript) {
		t.Errorf("of another sale: %v", err)
	}
	if err := b.h.ScriptsDone(t.Context(), r.Trace, []host.ScriptResult{{Done: host.Failed, Command: 3, ID: ids[0]}}); err != nil {
		t.Fatal(err)
	}
	b.sw.Advices(hosttest.Mood{Silent: true})
	if got := b.tells(false); got != "3 answer_timeout" {
		t.Error(got)
	}
	b.h.Close()
	b.open()
	if got := b.tells(false); got != "3 00 done" || b.h.Kept() != 0 {
		t.Errorf("%s, %d kept", got, b.h.Kept())
	}
	books := b.sw.Books()
	if len(books) != 3 {
		t.Fatalf("books %q", b.sw.Lines())
	}
	told := books[2]
	want := "df3105130000002a" + "95050000000010"
	if told.MTI != "0620" || told.Kind != "000000 00 22" || told.Network != "951" || told.Original != "0000010000020000" || told.RRN != "000000000002" || told.Auth != "A00002" ||
		told.Amount != "000000001234" || !strings.HasPrefix(told.Chip, want) || told.Track || told.PIN || !told.MACRight || told.PAN != testPAN || strings.Contains(told.Chip, testPAN) {
		t.Errorf("told %+v", told)
	}
	if ended, err := b.h.Settle(t.Context()); err != nil || ended.Ours.Debits != 1 || ended.Ours.DebitMinor != 1234 {
		t.Errorf("settled %+v %v", ended, err)
	}
}

// Nobody asked the card: nothing was performed. Of a pre-authorization it is told in its
// own words; nothing is told of scripts with a refusal, and malformed ones have no name.
func TestScriptsOfOthers(t *testing.T) {
	b := newBench(t)
	b.sw.Sales(hosttest.Mood{ICC: issuer}, hosttest.Mood{ICC: issuer, Code: "51"}, hosttest.Mood{ICC: "72079F1803AABBCC86" + "00"}, hosttest.Mood{})
	if _, _, err := b.h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := b.h.Sale(t.Context(), host.Sale{Kind: host.KindPreAuth, Amount: 1234, Card: b.card()}); short(r) != "approved 00" {
		t.Fatal(short(r))
	}
	for _, want := range []string{"declined 51", "approved 00", "approved 00"} {
		if r := b.sale(); short(r) != want {
			t.Fatalf("%s, want %s", short(r), want)
		}
	}
	if got := b.tells(false); !strings.HasSuffix(got, "done") || strings.Count(got, "done") != 2 {
		t.Fatal(got)
	}
	books := b.sw.Books()
	one, two := books[len(books)-2], books[len(books)-1]
	if one.Kind != "030000 06 10" || !strings.HasPrefix(one.Chip, "df3105000000002a9505") || !strings.HasPrefix(two.Chip, "df310500000000009505") {
		t.Errorf("told %+v and %+v", one, two)
	}
}

// A memory full of results takes no sale that might bring one more.
func TestScriptsFillTheMemory(t *testing.T) {
	b := newBench(t)
	for range 10 {
		b.sw.Sales(hosttest.Mood{ICC: issuer})
		if r := b.sale(); short(r) != "approved 00" {
			t.Fatal(short(r))
		}
	}
	if r := b.sale(); short(r) != "not_sent  offline_memory_full" {
		t.Error(short(r))
	}
	for range 20 {
		if r := b.keep("T12345"); r.Outcome != host.Kept {
			t.Fatal(short(r))
		}
	}
	b.h.Close()
	b.open()
	if b.tells(false); b.h.Kept() != 0 {
		t.Errorf("%d kept", b.h.Kept())
	}
	if r := b.sale(); short(r) != "approved 00" {
		t.Error(short(r))
	}
}

// Power is cut before every single disk operation of a sale with a script and of
// telling what became of it: an approval that the memory has is reversed or has its
// result told, under one trace number.
func TestPowerCutWithScript(t *testing.T) {
	for _, keep := range fake.Keeps() {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk := b.disk.(*fake.Disk)
		type moment struct {
			disk *fake.Disk
			name string
		}
		var all []moment
		disk.OnOp(func(op fake.Op) {
			all = append(all, moment{disk.CrashClone(keep, uint64(op.K)), fmt.Sprintf("keep %s, %d %s", keep, op.K, op.Kind)})
		})
		b.sw.Sales(hosttest.Mood{ICC: issuer})
		r := b.sale()
		b.h.ScriptsDone(t.Context(), r.Trace, []host.ScriptResult{{Done: host.Performed, ID: [4]byte{0, 0, 0, 0x2A}}})
		b.sw.Advices(hosttest.Mood{Silent: true})
		b.tells(false)
		b.tells(false)
		disk.OnOp(nil)
		b.h.Close()
		at := 0
		for _, m := range all {
			b.disk = m.disk
			b.open()
			_, due := b.h.Pending()
			switch kept := b.h.Kept(); {
			case kept == 1 && !due: // approved, and the switch does not know of the script yet
				at = max(at, 1)
			case kept == 0 && due:
				if at > 0 {
					t.Errorf("%s: the reversal is due again", m.name)
				}
			case kept == 0 && !due: // before the sale, or told
			default:
				t.Errorf("%s: %d kept, reversal due %v", m.name, kept, due)
			}
			if b.tells(false); b.h.Kept() != 0 {
				t.Errorf("%s: %d kept", m.name, b.h.Kept())
			}
			b.h.Close()
		}
		if at == 0 || len(all) < 12 {
			t.Errorf("no moment between approval and result among %d", len(all))
		}
		traces := map[string]bool{}
		for _, q := range b.sw.Books() {
			if q.MTI == "0620" {
				traces[q.Trace] = true
			}
		}
		if len(traces) != 1 {
			t.Errorf("the result was told under %v", traces)
		}
	}
}

// What is no list of scripts has no identifiers.
func TestScriptsAreRead(t *testing.T) {
	for text, want := range map[string]int{issuer: 1, "": 0, "910A00112233445566773030": 0, strings.Repeat("7200", 4): 4, strings.Repeat("7200", 5): -1, "72039F1803": -1, "720A": -1} {
		raw, _ := hex.DecodeString(text)
		icc, _ := secret.NewICC(raw)
		ids, err := host.Scripts(icc)
		if (err != nil) != (want < 0) || err == nil && len(ids) != want {
			t.Errorf("%s: %d %v", text, len(ids), err)
		}
	}
}
