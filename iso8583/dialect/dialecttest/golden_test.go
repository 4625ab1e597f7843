// SPDX-License-Identifier: Apache-2.0

package dialecttest

import (
	"os"
	"path/filepath"
	"testing"
)

// A file is read as it says; bytes, spaces and comments included.
func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "golden.txt")
	text := "# comment\nmessage a b\nmti 0200\n41 AB_1\n55 hex 9F00\nwire 0200\n\nmessage c\nmti 0800\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all := Read(t, name)
	if len(all) != 2 || all[0].Name != "a b" || all[0].MTI != 0x0200 || all[0].Fields[41] != "AB 1" || all[0].Fields[55] != "\x9f\x00" || string(all[0].Wire) != "\x02\x00" {
		t.Errorf("%+v", all)
	}
	var m Message
	for _, bad := range [][2]string{{"wire", "0"}, {"mti", "x"}, {"field", "1"}} {
		if m.line(bad[0], bad[1]) == nil {
			t.Errorf("took %v", bad)
		}
	}
	for in, want := range map[string]string{"a b": "a_b", "a_b": "hex 615F62", "\x00": "hex 00"} {
		if got := printable(in); got != want {
			t.Errorf("%q is written %q", in, got)
		}
	}
}
