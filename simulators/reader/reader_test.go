// SPDX-License-Identifier: Apache-2.0

package reader

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tapswitch/simulators/card"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesOfTheHost(t *testing.T) {
	for _, c := range []struct{ in, want, rest string }{
		{"0000FF02FED4022A00", "1 02", "00"},
		{"00FFFFFF0002FED4022A", "1 02", ""},
		{"0000FF00FF00", "2 ", "00"},
		{"0000FFFF0000", "3 ", "00"},
		{"0000FF02FDD4022A00", "4 ", "D4022A00"},
		{"0000FF02FED4022B00", "4 ", "00"},
		{"0000FF02FED5022900", "4 ", "00"},
		{"00FFFFFF0003FE", "4 ", ""},
		{"0000FF02FED4", "0 ", "00FF02FED4"},
		{"5555000000", "0 ", "00"},
	} {
		kind, content, rest := takeFrame(unhex(t, c.in))
		if got := fmt.Sprintf("%d %X", kind, content); got != c.want || !bytes.Equal(rest, unhex(t, c.rest)) {
			t.Errorf("%s: got %q, rest %X", c.in, got, rest)
		}
	}
	if got := makeFrame([]byte{0x15}); !bytes.Equal(got, unhex(t, "0000FF02FED5151600")) {
		t.Errorf("SAM answer %X", got)
	}
	if got := makeFrame(make([]byte, 254)); !bytes.HasPrefix(got, unhex(t, "0000FFFFFF00FF01D5")) {
		t.Errorf("extended frame %X", got[:12])
	}
}

func TestChip(t *testing.T) {
	counters, err := card.OpenCounters("")
	if err != nil {
		t.Fatal(err)
	}
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	x, err := card.New(deck[0], counters)
	if err != nil {
		t.Fatal(err)
	}
	c := chip{chunk: 10}
	for _, s := range []struct{ name, in, want string }{
		{"firmware", "02", "0332010607"},
		{"list before SAM", "4A0200", "4B00"},
		{"SAM", "14010000", "15"},
		{"list without field", "4A0200", "4B00"},
		{"exchange without field", "400100", "410A"},
		{"field on", "320101", "33"},
		{"type B", "4A020300", "4B00"},
		{"list", "4A0200", "4B0101000420 04085E1F01 0578807002"},
		{"other target", "4002 00", "4127"},
		{"first part", "4041 00A4040008", "4100"},
		{"second part", "4001 A00000000310100000", "41006A82"},
		{"long answer", "4001 00A404000E325041592E5359532E444446303100", "4140 6F34840E325041592E53"},
		{"the next piece", "4001", "4140 59532E4444463031A522"},
		{"release", "5200", "5300"},
		{"after release", "4001 00A4", "4127"},
		{"unknown", "7E", "none"},
		{"too many targets", "4A0300", "none"},
		{"no target", "40", "none"},
		{"no item", "32", "none"},
	} {
		if s.name == "list" {
			c.present(x)
		}
		got := "none"
		if answer, ok := c.obey(unhex(t, s.in)); ok {
			got = fmt.Sprintf("%X", answer)
		}
		if got != strings.ReplaceAll(s.want, " ", "") {
			t.Errorf("%s: got %s, want %s", s.name, got, s.want)
		}
	}
	c.obey(unhex(t, "4A0200"))
	c.inField = nil
	for _, want := range []string{"4101", "4127"} {
		if got, _ := c.obey(unhex(t, "400100")); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("card gone: got %X, want %s", got, want)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]Config{
		"no path for the link":  {},
		"exists and is no link": {Link: file},
		"put the link":          {Link: filepath.Join(dir, "no", "such")},
		"read the deck":         {Link: filepath.Join(dir, "link"), DeckFile: filepath.Join(dir, "none.json")},
		"counters":              {Link: filepath.Join(dir, "link"), CountersFile: file},
	} {
		if r, err := Start(cfg); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
			if r != nil {
				r.Close()
			}
		}
	}
}

func TestLinkIsReplacedAndRemoved(t *testing.T) {
	link := filepath.Join(t.TempDir(), "reader")
	if err := os.Symlink("/nowhere", link); err != nil {
		t.Fatal(err)
	}
	r, err := Start(Config{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(link); err != nil || !strings.HasPrefix(target, "/dev/") {
		t.Errorf("link to %q, %v", target, err)
	}
	if err := r.Present("nobody"); !errors.Is(err, ErrNoCard) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is left: %v", err)
	}
}

// TestASleepingChip: until it is woken, the chip says nothing.
func TestASleepingChip(t *testing.T) {
	link := filepath.Join(t.TempDir(), "reader")
	r, err := Start(Config{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	firmware := unhex(t, "0000FF02FED4022A00")
	if _, err := f.Write(firmware); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if _, err := f.Write(append(unhex(t, "5555000000000000"), firmware...)); err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "0000FF00FF00 0000FF06FAD50332010607E800")
	got := make([]byte, len(want))
	if _, err := io.ReadFull(f, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %X, %v", got, err)
	}
}

// TestAKilledTerminalLeavesTheLineUsable: its exclusive mark must not outlive
// it. TIOCGEXCL shows the mark, which root alone may pass.
func TestAKilledTerminalLeavesTheLineUsable(t *testing.T) {
	link := filepath.Join(t.TempDir(), "reader")
	r, err := Start(Config{Link: link})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := os.OpenFile(link, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCEXCL, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(unhex(t, "5555 0000FF02FED4022A00")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	f.Close() // as a kill does: without taking the mark off
	if marked, err := unix.IoctlGetInt(int(r.slave.Fd()), unix.TIOCGEXCL); err != nil || marked != 0 {
		t.Errorf("mark %d, %v", marked, err)
	}
}

func TestRunLines(t *testing.T) {
	dir := t.TempDir()
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Link: filepath.Join(dir, "reader"), DeckFile: filepath.Join(dir, "deck.json")}
	if err := card.WriteDeck(cfg.DeckFile, deck[:2]); err != nil {
		t.Fatal(err)
	}
	in, feed := io.Pipe()
	out, sink := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- RunLines(context.Background(), cfg, in, sink); sink.Close() }()
	lines := bufio.NewScanner(out)
	next := func() said {
		t.Helper()
		var s said
		if !lines.Scan() {
			t.Fatal("no more lines")
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := next(); s.Event != "ready" || s.Link != cfg.Link || len(s.Cards) != 2 {
		t.Errorf("got %+v", s)
	}
	for _, c := range []struct{ in, want string }{
		{"present unionpay", "presented unionpay "},
		{"", ""},
		{"remove", "removed  "},
		{"fault two-card", "fault  two-card"},
		{"fault none", "fault  none"},
		{"present visa", "error  "}, // not in this deck
		{"fault fire", "error  "},
		{"dance", "error  "},
	} {
		fmt.Fprintln(feed, c.in)
		if c.want == "" {
			continue
		}
		if s := next(); s.Event+" "+s.Card+" "+s.Fault != c.want || (s.Event == "error") != (s.Error != "") {
			t.Errorf("%s: got %+v", c.in, s)
		}
	}
	fmt.Fprintln(feed, "quit")
	if s := next(); s.Event != "closed" {
		t.Errorf("got %+v", s)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestCountersAreKeptBesideTheDeck: the next run goes on where this one ended.
func TestCountersAreKeptBesideTheDeck(t *testing.T) {
	dir := t.TempDir()
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Link: filepath.Join(dir, "reader"), DeckFile: filepath.Join(dir, "deck.json")}
	if err := card.WriteDeck(cfg.DeckFile, deck[:1]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"9F36020001", "9F36020002"} {
		r, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Present("unionpay"); err != nil {
			t.Fatal(err)
		}
		var answer []byte
		r.mu.Lock()
		for _, in := range []string{
			"14010000", "320101", "4A0200", "400100A4040008A00000033301010100",
			"400180A800002383213680000000000000010000000000000001560000000000015617060100 2B29EBE400",
		} {
			answer, _ = r.chip.obey(unhex(t, in))
		}
		r.mu.Unlock()
		if !bytes.Contains(answer, unhex(t, want)) {
			t.Errorf("no %s in %X", want, answer)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunLinesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, feed := io.Pipe()
	defer feed.Close()
	var out bytes.Buffer
	if err := RunLines(ctx, Config{Link: filepath.Join(t.TempDir(), "reader")}, in, &out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `"closed"`) {
		t.Errorf("got %s", out.String())
	}
}

// FuzzFrames: whatever a host sends, the search for frames moves on.
func FuzzFrames(f *testing.F) {
	f.Add(unhex(f, "0000FF02FED4022A00"))
	f.Add(unhex(f, "00FFFFFF0002FED4022A0000FF00FF00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			kind, _, rest := takeFrame(b)
			if len(rest) > len(b) || kind != noFrame && len(rest) == len(b) {
				t.Fatal("no progress")
			}
			if kind == noFrame {
				return
			}
			b = rest
		}
	})
}
