// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// crash is the disk as a power cut at some moment leaves it, and what the
// switch had in its books at that moment.
type crash struct {
	at    fake.Op
	keep  fake.Keep
	disk  *fake.Disk
	books string
}

// Power is cut before every single disk operation of a sale. What the switch
// has heard of is either recorded as approved or reversed at the next start,
// and its trace number is not used again.
func TestPowerCutAtEveryOperation(t *testing.T) {
	for _, mood := range []hosttest.Mood{{}, {Code: "51"}, {BadMAC: true}, {Silent: true}} {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk := b.disk.(*fake.Disk)
		var crashes []crash
		disk.OnOp(func(op fake.Op) {
			for _, keep := range fake.Keeps() {
				crashes = append(crashes, crash{op, keep, disk.CrashClone(keep, uint64(op.K)), b.sw.Lines()})
			}
		})
		b.sw.Sales(mood)
		r := b.h.Sale(t.Context(), host.Sale{Amount: 1234, Card: b.card()})
		disk.OnOp(nil)
		if len(crashes) < 3*6 {
			t.Fatalf("only %d crash points", len(crashes))
		}
		final := crash{keep: fake.KeepNone, disk: disk.CrashClone(fake.KeepNone, 1), books: b.sw.Lines()}
		ends := string(disk.Bytes("state/memory.json"))
		for _, c := range crashes {
			found := string(c.disk.Bytes("state/memory.json"))
			undone := b.restart(c)
			counted := 1 // the sale after the restart
			if r.Outcome == host.Approved && found == ends {
				counted++
			}
			if got := b.h.Totals(); got != (host.Totals{Debits: counted, DebitMinor: money.MinorUnits(counted) * 1234}) {
				t.Errorf("%s, cut at %s %v: counts %+v", short(r), c.at.Kind, c.keep, got)
			}
			if c.books != "" && !undone && found != ends {
				t.Errorf("%s, cut at %s %v: the switch knows a sale that the terminal forgot", short(r), c.at.Kind, c.keep)
			}
		}
		// What the result said stays so.
		settled := (r.Outcome == host.Approved || r.Outcome == host.Declined)
		if undone := b.restart(final); undone == settled {
			t.Errorf("%s: reversed %v", short(r), undone)
		}
	}
}

// restart runs the terminal on a crashed disk until it is ready and sells once
// more. It says whether a reversal went out.
func (b *bench) restart(c crash) (undone bool) {
	b.t.Helper()
	b.h.Close()
	b.disk = c.disk
	b.open()
	before := len(b.sw.Books())
	_, due := b.h.Pending()
	if _, reason, err := b.h.Ready(b.t.Context()); err != nil || reason != "" {
		b.t.Errorf("%s %v: not ready: %s, %v", c.at.Kind, c.keep, reason, err)
		return false
	}
	if undone = len(b.sw.Books()) > before; undone != due {
		b.t.Errorf("%s %v: due %v, reversed %v", c.at.Kind, c.keep, due, undone)
	}
	if r := b.sale(); c.books != "" && r.Trace <= 2 {
		b.t.Errorf("%s %v: trace %d used again", c.at.Kind, c.keep, r.Trace)
	}
	return undone
}

// Every disk operation of a sale fails once. An approval is never shown unless
// it is recorded, and a sale the switch may have is reversed when the terminal
// is ready again.
func TestEveryDiskOperationFailsOnce(t *testing.T) {
	broken := errors.New("disk broken")
	for k := 1; ; k++ {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk := b.disk.(*fake.Disk)
		from := disk.Ops()
		disk.FailAt(from+k, broken)
		r := b.h.Sale(t.Context(), host.Sale{Amount: 1234, Card: b.card()})
		if disk.Ops() < from+k {
			return // every operation has failed once
		}
		sent := strings.Contains(b.sw.Lines(), "0200")
		switch {
		case sent && r.Outcome != host.Unrecorded, !sent && (r.Outcome != host.NotSent || r.Reason != host.ReasonMemory):
			t.Errorf("operation %d: got %s, books %q", k, short(r), b.sw.Lines())
		case !errors.Is(r.Err, broken):
			t.Errorf("operation %d: cause %v", k, r.Err)
		}
		if _, reason, err := b.h.Ready(t.Context()); reason != "" || err != nil {
			t.Errorf("operation %d: not ready again: %s %v", k, reason, err)
		}
		if undone := strings.Contains(b.sw.Lines(), "0400"); undone != sent {
			t.Errorf("operation %d: books %q", k, b.sw.Lines())
		}
	}
}

// The disk holds no card number in any form, no track, no cryptogram, no PIN.
func TestNothingReadableOnDisk(t *testing.T) {
	b := newBench(t)
	b.sale()
	b.sw.Sales(hosttest.Mood{Silent: true})
	b.sale()
	disk := b.disk.(*fake.Disk)
	pan, _ := hex.DecodeString(testPAN)
	for _, name := range disk.Files() {
		raw := string(disk.Bytes(name))
		for what, secret := range map[string]string{
			"PAN": testPAN, "BCD PAN": string(pan), "PAN in base64": base64.StdEncoding.EncodeToString([]byte(testPAN))[:20],
			"middle digits": testPAN[6:12], "discretionary data": "301220100", "cryptogram": "AD03EE81",
		} {
			if strings.Contains(strings.ToUpper(raw), strings.ToUpper(secret)) {
				t.Errorf("%s holds the %s", name, what)
			}
		}
	}
	raw := string(disk.Bytes("state/memory.json"))
	if !regexp.MustCompile(`^\{"version":1,"terminal":"10000001","trace":3,"batch":"000001","pending":"[A-Za-z0-9+/=]+","last":"[A-Za-z0-9+/=]+","lists":\{"000001":1\}\}\n$`).MatchString(raw) {
		t.Error("the memory has another form than version 1")
	}
}

func TestGoldenMemory(t *testing.T) {
	golden, err := os.ReadFile("testdata/memory.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.sale()
	b.h.Close()
	b.disk.(*fake.Disk).SetBytes("state/memory.json", golden)
	b.open()
	undo, _, err := b.h.Ready(t.Context())
	if err != nil || undo == nil || !undo.Done || undo.Trace != 3 || undo.Batch != "000001" || undo.Why != "98" {
		t.Fatalf("the stored reversal: %+v, %v", undo, err)
	}
	if undo, err := b.h.Reverse(t.Context()); err != nil || undo.Trace != 2 || !undo.Done {
		t.Fatalf("the stored sale: %+v, %v", undo, err)
	}
	books := b.sw.Books()
	if got := books[len(books)-2]; got.PAN != testPAN || got.Amount != "000000001234" || got.Entry != "072" || !got.MACRight {
		t.Errorf("reversal from the golden file: %+v", got)
	}
}

// A memory that cannot be trusted is refused by name: a reversal may be in it.
func TestDamagedMemory(t *testing.T) {
	golden, err := os.ReadFile("testdata/memory.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	swap := func(from, to string) string { return strings.Replace(string(golden), from, to, 1) }
	place := regexp.MustCompile(`"pending":("[^"]*"),"last":("[^"]*")`)
	for name, raw := range map[string]string{
		"empty":             "",
		"cut":               string(golden[:60]),
		"unknown key":       swap(`"batch"`, `"bunch"`),
		"later version":     swap(`"version":1`, `"version":3`),
		"other terminal":    swap("10000001", "10000002"),
		"trace":             swap(`"trace":3`, `"trace":1000000`),
		"batch":             swap("000001\",\"pending", "00001\",\"pending"),
		"altered":           swap(`"pending":"`, `"pending":"AAAA`),
		"records exchanged": place.ReplaceAllString(string(golden), `"pending":$2,"last":$1`),
		"huge":              string(golden) + strings.Repeat(" ", 70_000),
	} {
		b := newBench(t)
		b.sale()
		b.h.Close()
		b.disk.(*fake.Disk).SetBytes("state/memory.json", []byte(raw))
		if err := b.tryOpen(); !errors.Is(err, host.ErrMemory) || strings.Contains(err.Error(), testPAN) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A cipher that does not serve now says nothing of the memory: it is not called
// damaged, and opens later.
func TestMemoryWithoutItsCipher(t *testing.T) {
	b := newBench(t)
	b.sw.Sales(hosttest.Mood{Silent: true})
	b.sale()
	b.h.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	world := env.Real()
	world.Disk = b.disk
	m, err := soft.New(world.Rand, world.Clock)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := host.SoftKeys(t.Context(), m, "10000001", key(t, hosttest.TMK), key(t, storageKey))
	if err != nil {
		t.Fatal(err)
	}
	_, err = host.Open(gone, world, keys, host.Config{Terminal: "10000001", Merchant: "123456789012345", Dir: "state"})
	if !errors.Is(err, hsm.ErrUnavailable) || errors.Is(err, host.ErrMemory) {
		t.Errorf("got %v", err)
	}
	b.open()
	if _, due := b.h.Pending(); !due {
		t.Error("the reversal is forgotten")
	}
}
