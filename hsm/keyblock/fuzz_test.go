// SPDX-License-Identifier: Apache-2.0

package keyblock_test

import (
	"bytes"
	"strings"
	"testing"

	"tapswitch/hsm/keyblock"
)

// FuzzParse: any text is a block or a named refusal. What is a block is what it looks
// like: built again from its fields it has the same optional blocks.
func FuzzParse(f *testing.F) {
	for _, text := range []string{blockB, blockC, blockD, blockE, "D0112P0AE00E0200LB0004000CABPB0A000000"} {
		f.Add(text)
	}
	keys, err := keysOf('D', unhex(f, kbpkD))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := keyblock.Parse(text)
		lenient, err2 := keyblock.ParseLenient(text)
		if err == nil && err2 != nil {
			t.Fatalf("strict takes what lenient refuses: %v", err2)
		}
		if err2 == nil {
			if len(text)%8 != 0 && text[0] != 'E' || lenient.WorkLen() > 4*len(text)+64 {
				t.Fatalf("%d characters, %d bytes of work", len(text), lenient.WorkLen())
			}
			for _, o := range lenient.Header.Options {
				if !strings.Contains(text, o.ID) || !strings.Contains(text, o.Data) {
					t.Fatalf("option %q is not in the text", o.ID)
				}
			}
		}
		if err != nil {
			if !named(err) {
				t.Fatalf("not a named refusal: %v", err)
			}
			return
		}
		h := b.Header
		if h.Version != 'D' || h.Algorithm != 'A' {
			return
		}
		again, err := keyblock.Wrap(keys, h, make([]byte, 16), make([]byte, 14), make([]byte, 20000))
		if err != nil {
			if !named(err) {
				t.Fatal(err)
			}
			return
		}
		back, err := keyblock.Parse(again)
		if err != nil || len(back.Header.Options) < len(h.Options) { // a padding block may have been added
			t.Fatalf("built again: %v", err)
		}
		for i, o := range h.Options {
			if back.Header.Options[i] != o {
				t.Fatalf("option %d came back as another", i)
			}
		}
	})
}

// FuzzUnwrap makes a block of any key under any version, then replaces any character by
// any byte: the block as made opens to its key, the changed one is a named refusal.
func FuzzUnwrap(f *testing.F) {
	f.Add(byte(0), []byte("0123456789abcdef"), uint16(5), byte('K'))
	f.Add(byte(1), []byte("01234567"), uint16(0), byte('A'))
	f.Add(byte(2), []byte("0123456789abcdef01234567"), uint16(40), byte('0'))
	f.Add(byte(3), []byte("0123456789abcdef"), uint16(11), byte('S'))
	f.Add(byte(4), []byte("0123456789abcdef"), uint16(14), byte('1'))
	f.Fuzz(func(t *testing.T, v byte, key []byte, at uint16, c byte) {
		version := 'A' + v%5
		kbpk := unhex(t, kbpkB)
		if version >= 'D' {
			kbpk = unhex(t, kbpkD)
		}
		h := keyblock.Header{Version: version, Usage: "M3", Algorithm: 'T', Mode: 'C', KeyVersion: "00", Exportability: 'E', Context: '0', Options: []keyblock.Option{{ID: "LB", Data: "label"}}}
		keys, err := keysOf(version, kbpk)
		if err != nil {
			t.Fatal(err)
		}
		text, err := keyblock.Wrap(keys, h, key, make([]byte, h.PaddingLen(len(key))), make([]byte, 4096))
		if n := len(key); n != 8 && n != 16 && n != 24 {
			if !named(err) {
				t.Fatalf("a key of %d bytes: %v", n, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := keyblock.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unwrap(b, kbpk); err != nil || !bytes.Equal(got, key) {
			t.Fatalf("as made: %v", err)
		}
		place := int(at) % len(text)
		if text[place] == c {
			return
		}
		b, err = keyblock.Parse(text[:place] + string([]byte{c}) + text[place+1:])
		if err == nil {
			_, err = unwrap(b, kbpk)
		}
		if !named(err) {
			t.Fatalf("character %d replaced by %q: %v", place, c, err)
		}
	})
}
