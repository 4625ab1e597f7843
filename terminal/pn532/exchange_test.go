// SPDX-License-Identifier: Apache-2.0

package pn532

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine does into testdata")

// TestExchange plays testdata/*.txt: "command HEX" begins an exchange, then
// events; after ---- stands what the machine does.
func TestExchange(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, want)
			if *rewrite {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func play(t *testing.T, script []byte) []byte {
	var out bytes.Buffer
	var x *Exchange
	skip := false
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "":
			skip = false
			fmt.Fprintln(&out)
			continue
		case skip:
			continue
		case line == "----":
			skip = true
			continue
		}
		fmt.Fprintln(&out, line)
		if word == "#" {
			continue
		}
		var actions []Action
		if word == "command" {
			var err error
			if x, err = NewExchange(unhex(t, rest), Timing{100 * time.Millisecond, time.Second, 2}); err != nil {
				t.Fatal(err)
			}
			actions = x.Start()
		} else {
			actions = x.Step(event(t, word, rest))
		}
		fmt.Fprint(&out, "----\n", done(actions))
	}
	return out.Bytes()
}

func event(t *testing.T, word, rest string) Event {
	switch word {
	case "ack":
		return Event{Kind: Received, Frame: Frame{Kind: ACK}}
	case "nack":
		return Event{Kind: Received, Frame: Frame{Kind: NACK}}
	case "error-frame":
		return Event{Kind: Received, Frame: Frame{Kind: ErrorFrame}}
	case "answer":
		return Event{Kind: Received, Frame: Frame{Kind: Information, FromChip: true, Data: unhex(t, rest)}}
	case "echo":
		return Event{Kind: Received, Frame: Frame{Kind: Information, Data: unhex(t, rest)}}
	case "damaged":
		return Event{Kind: Damaged}
	case "expired":
		return Event{Kind: Expired}
	case "cancel":
		return Event{Kind: Cancel}
	}
	t.Fatalf("unknown event %q", word)
	return Event{}
}

func done(actions []Action) string {
	var b strings.Builder
	for _, a := range actions {
		switch a.Kind {
		case Send:
			fmt.Fprintf(&b, "send %X\n", a.Bytes)
		case Wait:
			fmt.Fprintf(&b, "wait %v\n", a.For)
		case Finish:
			fmt.Fprintf(&b, "finish %X\n", a.Bytes)
		case Fail:
			fmt.Fprintf(&b, "fail %v\n", a.Err)
		}
	}
	if len(actions) == 0 {
		return "nothing\n"
	}
	return b.String()
}

func TestExchangeEndsUnderForeignFrames(t *testing.T) {
	x, err := NewExchange(GetFirmwareVersion(), Timing{time.Second, time.Second, 1})
	if err != nil {
		t.Fatal(err)
	}
	x.Start()
	for range strayMax {
		if got := x.Step(Event{Kind: Received, Frame: Frame{Kind: Information, FromChip: true, Data: []byte{0x41}}}); got != nil {
			t.Fatal("a foreign frame did something")
		}
	}
	got := x.Step(Event{Kind: Received, Frame: Frame{Kind: Information}})
	if len(got) != 1 || !errors.Is(got[0].Err, ErrNoise) {
		t.Fatalf("got %v", got)
	}
	if _, err := NewExchange(nil, Timing{}); !errors.Is(err, ErrBadCommand) {
		t.Errorf("empty command: %v", err)
	}
}

func TestFirmware(t *testing.T) {
	f, err := ParseFirmware([]byte{0x32, 1, 6, 7})
	if err != nil || f.String() != "PN532 1.6" {
		t.Errorf("got %v, %v", f, err)
	}
	if _, err = ParseFirmware([]byte{0x33, 1, 6, 7}); !errors.Is(err, ErrNotPN532) {
		t.Errorf("other chip: %v", err)
	}
	if _, err = ParseFirmware([]byte{0x32}); !errors.Is(err, ErrAnswer) {
		t.Errorf("short answer: %v", err)
	}
}

func TestTargets(t *testing.T) {
	const phone = "010004200408A1B2C3 0578807002"
	for _, c := range []struct {
		name, in string
		m        Modulation
		want     string
	}{
		{"none", "00", TypeA, "[]"},
		{"phone", "01" + phone, TypeA, "[1 A dep=true 08A1B2C3]"},
		{"ticket", "01 01 0004 08 04 DEADBEEF", TypeA, "[1 A dep=false DEADBEEF]"},
		{"two", "02" + phone + "02 0004 08 04 DEADBEEF", TypeA, "[1 A dep=true 08A1B2C3 2 A dep=false DEADBEEF]"},
		{"type B", "01 01 50 11223344 00000000 008171 01 00", TypeB, "[1 B dep=true 11223344]"},
		{"three", "03" + phone, TypeA, ErrAnswer.Error()},
		{"cut", "01 010004200408A1B2", TypeA, ErrAnswer.Error()},
		{"ATS cut", "01 010004200408A1B2C3 0578", TypeA, ErrAnswer.Error()},
		{"ATS missing", "01 010004200408A1B2C3", TypeA, ErrAnswer.Error()},
		{"ATS of no length", "01 010004200408A1B2C3 00", TypeA, ErrAnswer.Error()},
		{"more than said", "01" + phone + "00", TypeA, ErrAnswer.Error()},
		{"type B cut", "01 01 50 1122", TypeB, ErrAnswer.Error()},
		{"empty", "", TypeA, ErrAnswer.Error()},
	} {
		targets, err := ParseTargets(unhex(t, c.in), c.m)
		var words []string
		for _, x := range targets {
			kind := map[Modulation]string{TypeA: "A", TypeB: "B"}[x.Modulation]
			words = append(words, fmt.Sprintf("%d %s dep=%v %X", x.Number, kind, x.ISODEP, x.ID))
		}
		got := "[" + strings.Join(words, " ") + "]"
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTransferSplitsAndJoins(t *testing.T) {
	apdu := unhex(t, "00A4040007A0000000031010 00")
	x := NewTransfer(1, apdu, 5)
	for _, step := range []struct{ command, answer string }{
		{"404100A4040007", "00"}, {"4041A000000003", "00"}, {"4001101000", "40 6F02"}, {"4001", "40 8400"}, {"4001", "00 9000"},
	} {
		if got := x.Command(); !bytes.Equal(got, unhex(t, step.command)) {
			t.Fatalf("command %X, want %s", got, step.command)
		}
		done, err := x.Take(unhex(t, step.answer))
		if err != nil || done != (step.answer == "00 9000") {
			t.Fatalf("%s: done %v, %v", step.answer, done, err)
		}
	}
	if got := x.Answer(); !bytes.Equal(got, unhex(t, "6F0284009000")) {
		t.Errorf("joined %X", got)
	}
}

func TestTransferRefuses(t *testing.T) {
	x := NewTransfer(1, []byte{0, 0xB2, 1, 0xC, 0}, 0)
	if _, err := x.Take(nil); !errors.Is(err, ErrAnswer) {
		t.Errorf("empty answer: %v", err)
	}
	_, err := x.Take([]byte{0x27})
	var s Status
	if !errors.As(err, &s) || s != StatusContext || !s.Gone() {
		t.Errorf("status 27: %v", err)
	}
	if !strings.Contains(err.Error(), "27: not acceptable now") || Status(0x3E).Error() != "pn532: status 3E: unknown" || Status(0x10).Gone() {
		t.Errorf("names of codes: %v", err)
	}
	long := append([]byte{0x40}, make([]byte, 262)...)
	for range 65536/262 + 1 {
		if _, err = x.Take(long); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("endless answer: %v", err)
	}
}
