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
	"tapswitch/iso8583/messagetest"
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

// secret is the value of a field in which a secret belongs, "" of another.
func secret(l *iso8583.Layout, n int) string {
	if l.Inside(n).Kind() != iso8583.InsideNone {
		return ""
	}
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
	return ""
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
			if s := secret(l, n); s != "" {
				b.SetString(n, s)
			} else {
				messagetest.Set(&b, rng, l, n)
			}
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

// spoken is a dialect with its messages, and the port they went to.
type spoken struct {
	entry  dialect.Entry
	port   int
	bodies [][]byte
}

// record writes a capture in which every message is cut into two packets.
func record(t *testing.T, all []spoken) (file string) {
	t.Helper()
	var packets []capturetest.Packet
	for _, s := range all {
		c, opening := capturetest.New("10.0.0.1:40000", "10.0.0.2:"+strconv.Itoa(s.port))
		packets = append(packets, opening...)
		for _, body := range s.bodies {
			wire, err := messagetest.Frame(s.entry.Format, body)
			if err != nil {
				t.Fatal(err)
			}
			packets = append(packets, c.Send(0, wire[:len(wire)/2]), c.Send(0, wire[len(wire)/2:]))
		}
		if c.Err != nil {
			t.Fatal(c.Err)
		}
	}
	p, err := capturetest.Pcap(packets)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "all.pcap")
	if err := os.WriteFile(file, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// script writes the dissector of a dialect and gives the arguments that load it.
func script(t *testing.T, s spoken) []string {
	t.Helper()
	e := s.entry
	p, err := dissector.Write(dissector.Dialect{Name: e.Name, Title: e.Title, Spec: e.Spec(), Layout: e.New(), Format: e.Format, Port: s.port})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), e.Name+".lua")
	if err := os.WriteFile(file, p, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-X", "lua_script:" + file}
}

// seen is what tshark found in a message, by its own names.
type seen map[string]any

// dissect gives what tshark found, by protocol.
func dissect(t *testing.T, args ...string) map[string][]seen {
	t.Helper()
	var packets []struct {
		Source struct {
			Layers map[string]json.RawMessage `json:"layers"`
		} `json:"_source"`
	}
	if err := json.Unmarshal(tshark(t, append(args, "-T", "json")...), &packets); err != nil {
		t.Fatal(err)
	}
	all := map[string][]seen{}
	for _, p := range packets {
		for name, layer := range p.Source.Layers {
			var s seen
			if json.Unmarshal(layer, &s) == nil {
				all[name] = append(all[name], s)
			}
		}
	}
	return all
}

// TestDissector: tshark with our dissectors reads every field of every dialect to
// the value that our own reader finds, and masks as our own tools do.
func TestDissector(t *testing.T) {
	var all []spoken
	args := []string{"-r", ""}
	unmasked := []string{}
	for i, e := range dialect.All() {
		s := spoken{e, port + i, messages(t, e)}
		all = append(all, s)
		args = append(args, script(t, s)...)
		unmasked = append(unmasked, "-o", e.Name+".unmasked:TRUE")
	}
	args[1] = record(t, all)
	clear := dissect(t, append(unmasked, args...)...)
	for _, s := range all {
		t.Run(s.entry.Name, func(t *testing.T) {
			got := clear[s.entry.Name]
			if len(got) != len(s.bodies) {
				t.Fatalf("%d messages, want %d", len(got), len(s.bodies))
			}
			l := s.entry.New()
			for i, body := range s.bodies {
				var v iso8583.View
				if err := l.Parse(body, &v); err != nil {
					t.Fatal(err)
				}
				compare(t, s.entry.Name, &v, got[i])
			}
		})
	}
	for name, masked := range dissect(t, args...) {
		shown, err := json.Marshal(masked)
		if err != nil {
			t.Fatal(err)
		}
		if _, ours := clear[name]; !ours || !strings.Contains(string(shown), name+".mti") {
			continue
		}
		if !strings.Contains(string(shown), "622424******0069") {
			t.Errorf("%s: no masked card number", name)
		}
		for _, s := range secrets() {
			if strings.Contains(strings.ToUpper(string(shown)), s) {
				t.Errorf("%s shows %s", name, s)
			}
		}
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

// differs are the fields that Wireshark's own table has otherwise than the
// standard's, with how it has them.
func differs() map[int]string {
	return map[int]string{
		53: "8 characters, the standard says n 16",
		86: "15 digits, the standard says n 16", 87: "as 86", 88: "as 86", 89: "as 86",
	}
}

// narrow gives a value that Wireshark takes: amounts with a sign, which the
// standard says too, and digits where its table has no letters.
func narrow(n, size int) string {
	switch n {
	case 28, 29, 30, 31, 97:
		return "D" + strings.Repeat("7", size-1)
	case 36, 92, 93:
		return strings.Repeat("7", size)
	}
	return ""
}

// TestIndependent: Wireshark's own dissector, which others wrote, finds the same
// values in our messages of 1987. Bytes it expects as hexadecimal characters where
// the bitmap is in them, so the ASCII dialect is compared without fields of bytes;
// of the BCD dialect it is asked for nibbles, and shows bytes as they are.
func TestIndependent(t *testing.T) {
	e, _ := dialect.Find("iso87ascii")
	l := e.New()
	var bodies [][]byte
	rng := rand.New(rand.NewPCG(8, 8))
	for n := 2; n <= 128; {
		var b iso8583.Builder
		b.Reset(l, 0x0200)
		for took := 0; took < 12 && n <= 128; n++ {
			if !l.Defines(n) || l.Encoding(n) == iso8583.EncodingBytes || differs()[n] != "" {
				continue
			}
			messagetest.Set(&b, rng, l, n)
			if s := secret(l, n); s != "" {
				b.SetString(n, s)
			}
			if s := narrow(n, l.Max(n)); s != "" {
				b.SetString(n, s)
			}
			took++
		}
		body, err := b.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	file := record(t, []spoken{{e, port, bodies}})
	got := dissect(t, "-r", file, "-d", "tcp.port=="+strconv.Itoa(port)+",iso8583", "-o", "iso8583.len_endian:Big endian")["iso8583"]
	if len(got) != len(bodies) {
		t.Fatalf("%d messages, want %d", len(got), len(bodies))
	}
	fields := 0
	for i, body := range bodies {
		var v iso8583.View
		if err := l.Parse(body, &v); err != nil {
			t.Fatal(err)
		}
		for _, x := range describe.UnsafeValues(&v) {
			if found := got[i][fmt.Sprintf("iso8583.bit%d", x.Field)]; found != x.Value {
				t.Errorf("field %d: Wireshark finds %q, we find %q", x.Field, found, x.Value)
			}
			fields++
		}
		if got[i]["iso8583.mti"] != v.MTI().String() {
			t.Errorf("type %v", got[i]["iso8583.mti"])
		}
	}
	if fields < 100 {
		t.Errorf("only %d fields compared", fields)
	}
}
