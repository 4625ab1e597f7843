// SPDX-License-Identifier: Apache-2.0

package dissector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/capture/capturetest"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/dissector"
	"tapswitch/iso8583/frame"
)

const port = 7100

// tshark runs it on a capture and gives what it prints; its absence is a failure,
// not a reason to leave the test out.
func tshark(t *testing.T, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is not on the PATH: run .ci/setup, which installs it")
	}
	c := exec.Command(path, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := c.Output()
	if err != nil {
		said := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			said = string(e.Stderr)
		}
		t.Fatalf("tshark: %v: %s", err, said)
	}
	return out
}

const (
	pan   = "6224242300000069"
	track = "6224242300000069=29032010000000000"
)

// secrets must not be seen while the preference is not set.
func secrets() []string {
	return []string{pan, "2423000000", "29032010000000000", "6224242300000069D2903", "1122334455667788", "COLUMBUS", "434F4C554D425553"}
}

// chip is chip data with every kind of secret in it.
const chip = "\x57\x11\x62\x24\x24\x23\x00\x00\x00\x69\xD2\x90\x32\x01\x00\x00\x00\x00\x0F\x5A\x08\x62\x24\x24\x23\x00\x00\x00\x69\x5F\x20\x08COLUMBUS" +
	"\x9F\x26\x08\x46\xFD\x62\x98\x5C\xAA\xE7\x58\x95\x05\x00\x00\x00\x80\x00\x71\x04\x9F\x18\x00\x00"

// value is a value for a field: the secrets where they belong, else anything.
func value(rng *rand.Rand, l *iso8583.Layout, n int) string {
	switch describe.MarkOf(l, n) {
	case iso8583.MarkPAN:
		return pan
	case iso8583.MarkTrack:
		return track
	case iso8583.MarkPINBlock:
		return "\x11\x22\x33\x44\x55\x66\x77\x88"
	case iso8583.MarkICC:
		return chip
	}
	size := l.Max(n)
	if !l.Fixed(n) {
		size = 1 + rng.IntN(min(size, 60))
	}
	p := make([]byte, size)
	for i := range p {
		switch l.Encoding(n) {
		case iso8583.EncodingBytes:
			p[i] = byte(rng.Uint32())
		case iso8583.EncodingASCII, iso8583.EncodingEBCDIC:
			p[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-./"[rng.IntN(65)]
		default:
			p[i] = "0123456789"[rng.IntN(10)]
		}
	}
	return string(p)
}

// messages are random messages that together have every field of the dialect.
func messages(t *testing.T, e dialect.Entry) (bodies [][]byte) {
	t.Helper()
	l := e.New()
	rng := rand.New(rand.NewPCG(7, uint64(len(e.Name))))
	var all []int
	for n := 2; n <= iso8583.MaxField; n++ {
		if l.Defines(n) {
			all = append(all, n)
		}
	}
	for len(all) > 0 {
		var b iso8583.Builder
		b.Reset(l, 0x0200)
		take := min(1+rng.IntN(20), len(all))
		for _, n := range all[:take] {
			b.SetString(n, value(rng, l, n))
		}
		all = all[take:]
		body, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// record writes a capture in which every message is cut into two packets.
func record(t *testing.T, e dialect.Entry, bodies [][]byte) (file string) {
	t.Helper()
	c, packets := capturetest.New("10.0.0.1:40000", "10.0.0.2:"+strconv.Itoa(port))
	for _, body := range bodies {
		f := e.Format
		f.Max = 1 << 16
		header := make([]byte, f.Header)
		wire, err := f.Append(nil, frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: header, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, c.Send(0, wire[:len(wire)/2]), c.Send(0, wire[len(wire)/2:]))
	}
	p, err := capturetest.Pcap(packets)
	if err != nil || c.Err != nil {
		t.Fatal(err, c.Err)
	}
	file = filepath.Join(t.TempDir(), e.Name+".pcap")
	if err := os.WriteFile(file, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// script writes the dissector.
func script(t *testing.T, e dialect.Entry) string {
	t.Helper()
	p, err := dissector.Write(dissector.Dialect{Name: e.Name, Title: e.Title, Spec: e.Spec(), Layout: e.New(), Format: e.Format, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), e.Name+".lua")
	if err := os.WriteFile(file, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// seen is what tshark found in a message, by its own names.
type seen map[string]any

func dissect(t *testing.T, name string, args ...string) (all []seen) {
	t.Helper()
	var packets []struct {
		Source struct {
			Layers map[string]json.RawMessage `json:"layers"`
		} `json:"_source"`
	}
	out := tshark(t, append(args, "-T", "json", "-Y", name)...)
	if err := json.Unmarshal(out, &packets); err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		var s seen
		if err := json.Unmarshal(p.Source.Layers[name], &s); err != nil {
			t.Fatalf("%v: %s", err, p.Source.Layers[name])
		}
		all = append(all, s)
	}
	return all
}

// TestDissector: tshark with our dissector reads every field of every dialect to
// the value that our own reader finds, and masks as our own tools do.
func TestDissector(t *testing.T) {
	for _, e := range dialect.All() {
		t.Run(e.Name, func(t *testing.T) {
			bodies, lua := messages(t, e), script(t, e)
			file := record(t, e, bodies)
			clear := dissect(t, e.Name, "-X", "lua_script:"+lua, "-r", file, "-o", e.Name+".unmasked:TRUE")
			if len(clear) != len(bodies) {
				t.Fatalf("%d messages, want %d", len(clear), len(bodies))
			}
			l := e.New()
			for i, body := range bodies {
				var v iso8583.View
				if err := l.Parse(body, &v); err != nil {
					t.Fatal(err)
				}
				compare(t, e.Name, &v, clear[i])
			}
			hidden := string(tshark(t, "-X", "lua_script:"+lua, "-r", file, "-T", "json", "-J", e.Name, "-j", e.Name))
			for _, s := range secrets() {
				if strings.Contains(strings.ToUpper(hidden), s) {
					t.Errorf("shows %s", s)
				}
			}
			if !strings.Contains(hidden, "622424******0069") {
				t.Errorf("no masked card number")
			}
		})
	}
}

func compare(t *testing.T, name string, v *iso8583.View, got seen) {
	t.Helper()
	if got[name+".mti"] != v.MTI().String() {
		t.Errorf("type %v, want %s", got[name+".mti"], v.MTI())
	}
	count := 0
	for _, x := range describe.UnsafeValues(v) {
		key := fmt.Sprintf("%s.f%d", name, x.Field)
		if got[key] != x.Value {
			t.Errorf("field %d: tshark finds %q, we find %q", x.Field, got[key], x.Value)
		}
		count++
	}
	for key := range got {
		if strings.HasPrefix(key, name+".f") && !strings.HasSuffix(key, "_tree") {
			count--
		}
	}
	if count != 0 {
		t.Errorf("%d fields more or less than ours", count)
	}
}
