// SPDX-License-Identifier: Apache-2.0

// Package dialecttest holds a dialect against its golden messages and against
// moov-io/iso8583.
//
// Promise: a golden message builds to its bytes, by both codecs, and its bytes
// read back to its fields, by both codecs.
//
// How: testdata/golden.txt of a dialect holds messages as lines: a name, a line
// "mti", a line per field, a line "wire" in hexadecimal. A value that begins with
// "hex " is bytes. `go test -rewrite` writes the wire lines anew; read the diff.
//
// Imported by: the tests of dialects. Imports: iso8583, moov-io/iso8583.
package dialecttest

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"

	"tapswitch/iso8583"
)

// Message is one golden message.
type Message struct {
	Name   string
	MTI    iso8583.MTI
	Fields map[int]string // values as the dialect's text
	Wire   []byte
}

// goldenFile is where a dialect keeps its messages.
const goldenFile = "testdata/golden.txt"

// Golden runs the dialect's golden messages; a dialect without any fails.
func Golden(t *testing.T, spec *moov.MessageSpec, l *iso8583.Layout) {
	t.Helper()
	all := Read(t, goldenFile)
	if len(all) == 0 {
		t.Fatalf("%s holds no message", goldenFile)
	}
	for i, m := range all {
		t.Run(m.Name, func(t *testing.T) {
			built := build(t, l, m)
			if rewriting() {
				all[i].Wire = built
				return
			}
			if !bytes.Equal(built, m.Wire) {
				t.Fatalf("built %X\nwant  %X", built, m.Wire)
			}
			compare(t, l, m)
			compareMoov(t, spec, m)
		})
	}
	if rewriting() {
		write(t, all)
	}
}

// rewriting is the flag of the test binary, when the dialect's test defines it.
func rewriting() bool {
	f := flag.Lookup("rewrite")
	return f != nil && f.Value.String() == "true"
}

func build(t *testing.T, l *iso8583.Layout, m Message) []byte {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, m.MTI)
	for n, s := range m.Fields {
		b.SetString(n, s)
	}
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compare(t *testing.T, l *iso8583.Layout, m Message) {
	t.Helper()
	var v iso8583.View
	if err := l.Parse(m.Wire, &v); err != nil {
		t.Fatal(err)
	}
	if v.MTI() != m.MTI {
		t.Errorf("MTI %s, want %s", v.MTI(), m.MTI)
	}
	count := 0
	for n := v.Next(0); n != 0; n = v.Next(n) {
		count++
		if got := string(v.AppendText(nil, n)); got != m.Fields[n] {
			t.Errorf("field %d is %q, want %q", n, got, m.Fields[n])
		}
	}
	if count != len(m.Fields) {
		t.Errorf("%d fields, want %d", count, len(m.Fields))
	}
}

// compareMoov packs and unpacks with moov's codec.
func compareMoov(t *testing.T, spec *moov.MessageSpec, m Message) {
	t.Helper()
	theirs := moov.NewMessage(spec)
	theirs.MTI(m.MTI.String())
	for n, s := range m.Fields {
		if err := SetMoov(theirs, spec, n, s); err != nil {
			t.Fatalf("moov, field %d: %v", n, err)
		}
	}
	packed, err := theirs.Pack()
	if err != nil {
		t.Fatalf("moov: %v", err)
	}
	if !bytes.Equal(packed, m.Wire) {
		t.Errorf("moov packs %X\nwant       %X", packed, m.Wire)
	}
	if err := moov.NewMessage(spec).Unpack(m.Wire); err != nil {
		t.Errorf("moov refuses to unpack: %v", err)
	}
}

// SetMoov sets a field of a moov message to a text as our View gives it.
func SetMoov(m *moov.Message, spec *moov.MessageSpec, n int, s string) error {
	switch spec.Fields[n].(type) {
	case *field.Binary, *field.Hex, *field.Composite:
		return m.BinaryField(n, []byte(s))
	}
	return m.Field(n, s)
}

// Read reads a file of golden messages.
func Read(t testing.TB, name string) (all []Message) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, " ")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		if key == "message" {
			all = append(all, Message{Name: value, Fields: map[int]string{}})
			continue
		}
		if len(all) == 0 {
			t.Fatalf("%s:%d: a line before the first message", name, i+1)
		}
		if err := all[len(all)-1].line(key, value); err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
	}
	return all
}

func (m *Message) line(key, value string) (err error) {
	switch key {
	case "wire":
		m.Wire, err = hex.DecodeString(value)
		return err
	case "mti":
		u, err := strconv.ParseUint(value, 16, 16)
		m.MTI = iso8583.MTI(u)
		return err
	}
	n, err := strconv.Atoi(key)
	if err != nil {
		return fmt.Errorf("want message, mti, a field number or wire")
	}
	if digits, isHex := strings.CutPrefix(value, "hex "); isHex {
		raw, err := hex.DecodeString(digits)
		m.Fields[n] = string(raw)
		return err
	}
	m.Fields[n] = strings.ReplaceAll(value, "_", " ")
	return nil
}

// write puts the messages back, fields in order.
func write(t *testing.T, all []Message) {
	t.Helper()
	var out strings.Builder
	out.WriteString("# Test cards and made-up terminals only. A value that begins with hex is bytes; _ is a space.\n")
	for _, m := range all {
		fmt.Fprintf(&out, "\nmessage %s\nmti %s\n", m.Name, m.MTI)
		numbers := make([]int, 0, len(m.Fields))
		for n := range m.Fields {
			numbers = append(numbers, n)
		}
		sort.Ints(numbers)
		for _, n := range numbers {
			fmt.Fprintf(&out, "%d %s\n", n, printable(m.Fields[n]))
		}
		fmt.Fprintf(&out, "wire %X\n", m.Wire)
	}
	if err := os.WriteFile(goldenFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func printable(s string) string {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '_' {
			return fmt.Sprintf("hex %X", s)
		}
	}
	return strings.ReplaceAll(s, " ", "_")
}
